"""The tables: migrations up and down, their agreement with the mapping, and the effect of a wrong schema."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, literal, select, text

from adapters.sql.engine import make_engine
from adapters.sql.schema import Schema, alembic_config, known_revisions
from domain.errors import ConfigurationError, InvalidRevision, SchemaMismatch
from entrypoints.bootstrap import Application, bootstrap, open_schema
from service_layer.retrying import retrying
from tests.contract.members import create_member, get_member, members_metadata
from tests.contract.shop import SqlShop
from tests.storages import engine_of


def shape(engine: Engine) -> dict[str, object]:
    """Return what an engine's database says about its tables."""
    found = inspect(engine)
    return {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(name)],
            found.get_pk_constraint(name),
            sorted(str(one["name"]) for one in found.get_unique_constraints(name)),
        )
        for name in found.get_table_names()
        if name != "alembic_version"
    }


def test_every_migration_goes_down_and_up_again(empty_engine: Engine, migrations: list[str]) -> None:
    """Every migration can be taken back and made again: up, down and up give the same tables."""
    schema = Schema(empty_engine)
    for revision in migrations:
        before = shape(empty_engine)
        with schema._locked() as config:  # noqa: SLF001  # one step is nothing that a program needs
            command.upgrade(config, revision)
        after = shape(empty_engine)
        schema.downgrade("-1")
        assert before == shape(empty_engine)
        with schema._locked() as config:  # noqa: SLF001  # likewise
            command.upgrade(config, revision)
        assert after == shape(empty_engine)
    assert schema.current == schema.head


def test_migration_files_begin_with_their_revision() -> None:
    """Migration files begin with their revision, so a program knows the newest without loading Alembic.

    Name a new file 0002_what_it_does.py.
    """
    scripts = ScriptDirectory.from_config(alembic_config())
    assert [script.revision for script in scripts.walk_revisions()][::-1] == known_revisions()
    assert scripts.get_heads() == known_revisions()[-1:]


def test_migrations_and_mapping_agree(empty_engine: Engine) -> None:
    """Migrations and mapping agree: Alembic finds no change between the migrated and the declared tables."""
    schema = Schema(empty_engine)
    schema.upgrade()
    with schema._locked() as config:  # noqa: SLF001  # the check is Alembic's, and no program's need
        command.check(config)


def test_an_sqlite_file_makes_itself(tmp_path: Path) -> None:
    """The first start makes an SQLite file, and later ones upgrade it. A per cent sign in its path does no harm."""
    url = f"sqlite:///{tmp_path / '100%.db'}"
    for expected in ("ann", "bob"):
        with bootstrap(url) as application:
            engine = engine_of(application)
            members_metadata.create_all(engine)
            create_member(expected, f"{expected}@example.com", SqlShop(engine))
    with bootstrap(url) as application:
        assert get_member("ann", SqlShop(engine_of(application))).email == "ann@example.com"


def test_a_server_without_tables_is_refused(postgres_database: str, migrations: list[str]) -> None:
    """A server without tables is refused with the command that makes them, and is served after it."""
    state = f"has no tables of this program yet, and this program needs revision {migrations[-1]}"
    with pytest.raises(SchemaMismatch, match=rf"^postgresql\+psycopg2://.+ {state}: run `app db upgrade`$"):
        bootstrap(postgres_database)
    with open_schema(postgres_database) as schema:
        before = schema.current
        schema.upgrade()
        assert (None, schema.head) == (before, schema.current)
    with bootstrap(postgres_database) as application:
        engine = engine_of(application)
        members_metadata.create_all(engine)
        assert create_member("ann", "ann@example.com", SqlShop(engine)).version == 1


@pytest.mark.every_case
def test_tables_of_a_newer_program_are_refused(empty_url: str, migrations: list[str]) -> None:
    """Tables of a newer program are refused. They are neither taken back nor written to."""
    with open_schema(empty_url) as schema:
        schema.upgrade()
    engine = make_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    state = f"stands at revision 9999, and this program needs revision {migrations[-1]}"
    advice = "it was made by a newer version of this program: use that one"
    with pytest.raises(SchemaMismatch, match=rf"^\w+.*:///?\S+ {state}: {advice}"):
        bootstrap(empty_url)
    with open_schema(empty_url) as schema:
        for change in (schema.upgrade, partial(schema.downgrade, "base"), partial(schema.stamp, "base")):
            with pytest.raises(SchemaMismatch, match=advice):
                change()
        assert "9999" == schema.current


@pytest.mark.usefixtures("migrations")
def test_a_revision_that_there_is_not_is_refused(empty_engine: Engine) -> None:
    """An unknown revision is refused with its name and where to look. Nothing is taken back."""
    schema = Schema(empty_engine)
    schema.upgrade()
    for revision in ("nonsense", "", "-1x", "-0", "+1", "head"):
        with pytest.raises(InvalidRevision, match=f"{re.escape(repr(revision))}.*app db status"):
            schema.downgrade(revision)
    assert schema.current == schema.head


@pytest.mark.usefixtures("migrations")
def test_all_tables_can_be_taken_away(empty_engine: Engine) -> None:
    """All tables can be taken away by Alembic's name for that. Then nothing is left to take back."""
    schema = Schema(empty_engine)
    schema.upgrade()
    schema.downgrade("base")
    assert (None, {}) == (schema.current, shape(empty_engine))
    with pytest.raises(InvalidRevision, match="`app db status` shows the present one"):
        schema.downgrade("-1")


def test_a_folder_with_a_per_cent_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project may lie in a folder with a per cent sign, which has a meaning in Alembic's settings."""
    monkeypatch.setattr("adapters.sql.schema.MIGRATIONS", Path("/100%/migrations"))
    assert alembic_config().get_main_option("script_location") == "/100%/migrations"


def test_the_fake_has_no_tables_to_upgrade() -> None:
    """The fake has no tables to upgrade, and says so."""
    with pytest.raises(ConfigurationError, match="memory:// has no tables"), open_schema("memory://"):
        pytest.fail("there is nothing to open")


@pytest.mark.parametrize("database_url", [True, False])
def test_the_plain_alembic_command_works(tmp_path: Path, database_url: bool) -> None:
    """The plain alembic command works on DATABASE_URL with the settings in pyproject.toml.

    Without DATABASE_URL it says what to set.
    """
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    if database_url:
        environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'alembic.db'}"
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if database_url:
        assert done.returncode == 0, done.stderr
        with open_schema(environment["DATABASE_URL"]) as schema:
            assert schema.current == schema.head
    else:
        assert done.returncode != 0
        assert "set DATABASE_URL to the database to work on" in done.stdout + done.stderr


def test_an_application_waits_for_its_database(tmp_path: Path) -> None:
    """An application can wait for a database that is not there yet: the service may start first."""
    folder = tmp_path / "mounted later"
    runs = []

    def start() -> Application:
        runs.append("run")
        if len(runs) == 2:
            folder.mkdir()
        return bootstrap(f"sqlite:///{folder}/people.db")

    with retrying(start) as application, SqlShop(engine_of(application)) as uow:
        assert (1, 2) == (uow.session.scalar(select(literal(1))), len(runs))
