"""What the tests of situations share: statements of another program, and the check that a database is refused."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, inspect, text

from adapters.sql.schema import Schema
from domain.errors import SchemaMismatch

ADVICE = {
    "new": "`app db upgrade`",
    "behind": "`app db upgrade`",
    "newer": "DATABASE_ACCEPT_NEWER=1",
    "unfit": "if a newer version of this program made them, use that one; if another program did, set DATABASE_URL",
    "unversioned": "`app db stamp REVISION`",
    "incomplete": "`app db stamp` with the revision before it, and `app db upgrade`",
    "empty": "`app db stamp base` and `app db upgrade`",
    "foreign": "set VERSION_TABLE in adapters/sql/mapping.py",
    "other file": "set DATABASE_URL to a file of this program's own",
}
"""What the advice of each situation holds."""


def run(engine: Engine, *statements: str) -> None:
    """Run statements as another program does."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def note(engine: Engine, revision: str) -> None:
    """Write a revision into the table of versions as another program does."""
    run(engine, "CREATE TABLE alembic_version (version_num VARCHAR(32))")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})


def tables(engine: Engine) -> set[str]:
    """Return the names of all tables."""
    return set(inspect(engine).get_table_names())


def refused(engine: Engine, kind: str) -> str:
    """Check that a start and an upgrade report a situation and change no table. Return the message."""
    schema, before = Schema(engine), tables(engine)
    assert kind == schema.situation.kind
    with pytest.raises(SchemaMismatch) as start:
        schema.make_ready()
    with pytest.raises(SchemaMismatch) as upgrade:
        schema.upgrade()
    assert str(start.value) == str(upgrade.value)
    assert ADVICE[kind] in upgrade.value.advice
    assert before == tables(engine)
    return str(upgrade.value)
