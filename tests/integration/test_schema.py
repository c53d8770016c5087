"""The tables: migrations up and down, that they agree with the mapping, and what a program does with a wrong schema."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, String, inspect, literal, select, text

from adapters.sql.constraints import constraints_of
from adapters.sql.engine import make_engine
from adapters.sql.mapping import metadata
from adapters.sql.migrating import migrating
from adapters.sql.schema import Schema, alembic_config, known_revisions
from domain.constraints import Reference
from domain.errors import ConfigurationError, InvalidRevision, SchemaMismatch
from entrypoints.bootstrap import Application, bootstrap, open_schema
from service_layer.retrying import retrying
from tests.contract.members import create_member, get_member, members_metadata
from tests.contract.orders import ORDERS
from tests.contract.sample import Kit
from tests.contract.shop import SqlShop
from tests.storages import engine_of, sql_storage


def shape(engine: Engine) -> dict[str, object]:
    """Return what an engine's database says of its tables."""
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


def test_every_migration_can_be_taken_back_and_made_again(empty_engine: Engine, migrations: list[str]) -> None:
    """Step by step: up, down and up once more give the same tables each time."""
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


def test_the_files_of_the_migrations_begin_with_their_revisions() -> None:
    """So that a program knows the newest revision without loading Alembic: name a new one 0002_what_it_does.py."""
    scripts = ScriptDirectory.from_config(alembic_config())
    assert [script.revision for script in scripts.walk_revisions()][::-1] == known_revisions()
    assert scripts.get_heads() == known_revisions()[-1:]


def test_migrations_and_mapping_agree(empty_engine: Engine) -> None:
    """Alembic finds nothing to change between the migrated tables and those that the code declares."""
    schema = Schema(empty_engine)
    schema.upgrade()
    with schema._locked() as config:  # noqa: SLF001  # the check is Alembic's, and no program's need
        command.check(config)


def test_postgres_checks_unique_values_in_the_order_of_the_port(postgres_engine: Engine) -> None:
    """That is the order of their creation, so the migrations must make them in it; the fake and SQLite do likewise."""
    query = (
        "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid"
        " WHERE indrelid = to_regclass(:name) AND indisunique ORDER BY indexrelid"
    )
    for table in metadata.sorted_tables:
        with postgres_engine.connect() as connection:
            found = connection.execute(text(query), {"name": table.name}).scalars().all()
        declared = [one.name for one in constraints_of(table.name) if not isinstance(one.declared, Reference)]
        assert not declared or declared == found  # a table of a subclass has nothing but its key


def test_programs_that_upgrade_at_the_same_time_wait_for_each_other(empty_url: str) -> None:
    """One of them does the work; none fails."""
    # Alembic keeps its context in a global variable, so programs are imitated by processes, not by threads.
    program = (
        "import sys; from adapters.sql.engine import make_engine; from adapters.sql.schema import Schema;"
        " Schema(make_engine(sys.argv[1], 10)).upgrade()"
    )
    started = [subprocess.Popen([sys.executable, "-c", program, empty_url]) for _ in range(3)]
    assert [0, 0, 0] == [process.wait(60) for process in started]
    with open_schema(empty_url) as schema:
        assert schema.current == schema.head


def test_a_migration_that_alters_a_table_keeps_the_children_of_its_rows(engine: Engine) -> None:
    """SQLite cannot alter most of a table: a new one takes the place of the old, whose removal must not cascade."""
    kit = Kit(sql_storage(engine), ORDERS)
    kit.stored("ann")
    before = kit.all_values()
    for length in (200, 100):
        with (
            migrating(engine) as connection,
            Operations(MigrationContext.configure(connection)).batch_alter_table("order") as batch,
        ):
            batch.alter_column("reference", type_=String(length), existing_type=String(100), existing_nullable=False)
        assert before == kit.all_values()


def test_what_a_migration_notes_between_its_steps_lasts_as_they_do(engine: Engine) -> None:
    """All of it is taken back with a failed one; on MariaDB, whose tables stay changed, none of it."""
    with pytest.raises(ZeroDivisionError), migrating(engine) as connection:
        connection.execute(text("CREATE TABLE noted (step INTEGER)"))
        connection.execute(text("INSERT INTO noted VALUES (1)"))
        raise ZeroDivisionError
    with engine.begin() as connection:
        if inspect(connection).has_table("noted"):
            assert engine.dialect.name == "mysql"
            assert [1] == list(connection.execute(text("SELECT step FROM noted")).scalars())
            connection.execute(text("DROP TABLE noted"))
        else:
            assert engine.dialect.name != "mysql"


def test_an_sqlite_file_is_made_and_brought_up_to_date_by_itself(tmp_path: Path) -> None:
    """The first start makes it, the next ones find it; a per cent sign in its path does no harm."""
    url = f"sqlite:///{tmp_path / '100%.db'}"
    for expected in ("ann", "bob"):
        with bootstrap(url) as application:
            engine = engine_of(application)
            members_metadata.create_all(engine)
            create_member(expected, f"{expected}@example.com", SqlShop(engine))
    with bootstrap(url) as application:
        assert get_member("ann", SqlShop(engine_of(application))).email == "ann@example.com"


def test_a_server_whose_tables_are_missing_is_refused_with_the_command_that_makes_them(
    postgres_database: str, migrations: list[str]
) -> None:
    """And is served after that command."""
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


def test_tables_of_a_newer_program_are_refused(empty_url: str, migrations: list[str]) -> None:
    """They are not taken back, and not written to."""
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
@pytest.mark.parametrize("revision", ["nonsense", "", "-1x", "-0", "+1", "head"])
def test_a_revision_that_there_is_not_is_refused(empty_engine: Engine, revision: str) -> None:
    """With its name, and where to look; nothing is taken back."""
    schema = Schema(empty_engine)
    schema.upgrade()
    with pytest.raises(InvalidRevision, match=f"{re.escape(repr(revision))}.*app db status"):
        schema.downgrade(revision)
    assert schema.current == schema.head


@pytest.mark.usefixtures("migrations")
def test_all_tables_can_be_taken_away(empty_engine: Engine) -> None:
    """By the name that Alembic has for it; and then there is nothing left to take back."""
    schema = Schema(empty_engine)
    schema.upgrade()
    schema.downgrade("base")
    assert (None, {}) == (schema.current, shape(empty_engine))
    with pytest.raises(InvalidRevision, match="`app db status` shows the present one"):
        schema.downgrade("-1")


def test_a_project_may_lie_in_a_folder_with_a_per_cent_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Alembic's settings that sign has a meaning of its own."""
    monkeypatch.setattr("adapters.sql.schema.MIGRATIONS", Path("/100%/migrations"))
    assert alembic_config().get_main_option("script_location") == "/100%/migrations"


def test_the_fake_has_no_tables_to_upgrade() -> None:
    """That is said, rather than done silently."""
    with pytest.raises(ConfigurationError, match="memory:// has no tables"), open_schema("memory://"):
        pytest.fail("there is nothing to open")


@pytest.mark.parametrize("database_url", [True, False])
def test_the_plain_alembic_command_works_on_database_url(tmp_path: Path, database_url: bool) -> None:
    """With the settings in pyproject.toml; without DATABASE_URL it says what to set."""
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


def test_an_application_can_wait_for_a_database_that_is_not_there_yet(tmp_path: Path) -> None:
    """The service is up first, and what holds its data comes later."""
    folder = tmp_path / "mounted later"
    runs = []

    def start() -> Application:
        runs.append("run")
        if len(runs) == 2:
            folder.mkdir()
        return bootstrap(f"sqlite:///{folder}/people.db")

    with retrying(start) as application, SqlShop(engine_of(application)) as uow:
        assert (1, 2) == (uow.session.scalar(select(literal(1))), len(runs))
