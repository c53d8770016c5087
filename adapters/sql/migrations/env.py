"""What Alembic runs for each of its commands.

The application passes its connection. The plain ``alembic`` command passes none and connects to ``DATABASE_URL``. So
``alembic revision --autogenerate -m "create teams"`` writes what that database lacks of the mapped tables.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from alembic import context
from alembic.util import CommandError
from sqlalchemy.types import TypeDecorator

import adapters.sql.unit_of_work  # noqa: F401  # loads every aggregate's table, which --autogenerate compares with
from adapters.sql.engine import make_engine
from adapters.sql.mapping import VERSION_TABLE, metadata
from adapters.sql.migrating import migrating
from adapters.sql.schema import known_revisions
from adapters.sql.types import Exact, Key

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any, Literal

    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import MigrationScript
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection


def render_type(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """Write the database's own type into a migration: a type of ours may change later, and a migration must not."""
    if kind != "type" or not isinstance(item, TypeDecorator):
        return False
    if isinstance(item, Key):
        return f"sa.{item.impl!r}.with_variant(sa.{item.on_postgres!r}, 'postgresql')"
    variant = ".with_variant(sa.BigInteger(), 'sqlite')" if isinstance(item, Exact) else ""
    return f"sa.{item.impl!r}{variant}"


def number_revision(_context: MigrationContext, _revision: object, directives: list[MigrationScript]) -> None:
    """Give a new revision the next number. The name of its file begins with it."""
    for script in directives:
        script.rev_id = f"{1 + max((int(one) for one in known_revisions() if one.isdecimal()), default=0):04}"


def is_ours(_name: str | None, kind: str, parents: MutableMapping[Any, Any]) -> bool:
    """Return whether a table of the database is this program's. A draft ignores the others."""
    return kind != "table" or parents["schema_qualified_table_name"] in metadata.tables


def migrate(connection: Connection) -> None:
    """Run the migrations that the command asks for. SQLite alters tables by copying them, so it needs batches."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        include_name=is_ours,
        transactional_ddl=True,
        render_as_batch=True,
        render_item=render_type,
        process_revision_directives=number_revision,
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
elif database_url := os.environ.get("DATABASE_URL"):
    with migrating(make_engine(database_url)) as own:
        migrate(own)
else:
    raise CommandError("set DATABASE_URL to the database to work on")
