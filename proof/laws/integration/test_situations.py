"""The situations of a database: each differs from the others, and its advice works when followed literally."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, MetaData, Table, Uuid, text

from adapters.sql.engine import make_engine
from adapters.sql.mapping import RETIRED
from adapters.sql.schema import Schema
from domain.errors import ConfigurationError, SchemaMismatch
from proof.laws.integration.situations import ADVICE, note, refused, run, tables
from tests.database_fixtures import write_migration
from tests.storages import migrated_engine

pytestmark = pytest.mark.usefixtures("two_migrations")


@pytest.mark.slow
def test_a_new_database_is_upgraded(empty_engine: Engine) -> None:
    """A new database is upgraded, and so is one that is behind. A second upgrade changes nothing."""
    schema = Schema(empty_engine)
    assert ("new", ADVICE["new"]) == (schema.situation.kind, schema.situation.advice.removeprefix("run "))
    schema.upgrade()
    schema.upgrade()
    assert ("ready", "") == (schema.situation.kind, schema.situation.advice)
    schema.downgrade("-1")
    assert "behind" == schema.situation.kind
    schema.upgrade()
    assert schema.situation.is_usable


@pytest.mark.slow
@pytest.mark.parametrize("revision", ["a1b2c3d4", "9999"])
def test_another_programs_revision_is_refused(
    empty_engine: Engine, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    """The revision of another program is refused: a greater number is no newer version without our tables."""
    note(empty_engine, revision)
    if empty_engine.dialect.name == "sqlite":
        assert "is a file of another program (alembic_version)" in refused(empty_engine, "other file")
        return
    assert f"has revision {revision} in alembic_version" in refused(empty_engine, "foreign")
    with pytest.raises(SchemaMismatch, match="not one of this program's"):
        Schema(empty_engine).stamp("base")
    _choose_a_version_table(monkeypatch)
    Schema(empty_engine).upgrade()
    assert {"alembic_version", "boxes_version", "boxes", "lids"} == tables(empty_engine)


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_the_number_of_a_sibling_is_refused(
    empty_engine: Engine, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    """The number of a sibling is refused: two services count alike. With a version table each, both work."""
    note(empty_engine, revision)
    run(empty_engine, "CREATE TABLE jars (id INTEGER)")
    if empty_engine.dialect.name == "sqlite":
        assert "is a file of another program (jars)" in refused(empty_engine, "other file")
        return
    assert "no tables of this program (boxes, lids)" in refused(empty_engine, "empty")
    _choose_a_version_table(monkeypatch)
    schema = Schema(empty_engine)
    schema.upgrade()
    schema.downgrade("base")
    schema.upgrade()
    assert {"alembic_version", "jars", "boxes_version", "boxes", "lids"} == tables(empty_engine)
    with empty_engine.connect() as connection:
        assert [revision] == list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def _choose_a_version_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("mapping", "situation"):
        monkeypatch.setattr(f"adapters.sql.{module}.VERSION_TABLE", "boxes_version")


@pytest.mark.slow
def test_tables_without_a_revision_are_stamped(empty_engine: Engine) -> None:
    """Tables without a revision are stamped by the revision that they match. The rest is an ordinary upgrade."""
    run(empty_engine, "CREATE TABLE boxes (id INTEGER)")
    assert "has tables named as this program's (boxes), but no revision" in refused(empty_engine, "unversioned")
    schema = Schema(empty_engine)
    schema.stamp("0001")
    assert ("behind", {"alembic_version", "boxes"}) == (schema.situation.kind, tables(empty_engine))
    schema.upgrade()
    assert "ready" == schema.situation.kind


@pytest.mark.slow
def test_a_lost_table_is_noticed(empty_engine: Engine) -> None:
    """A lost table is noticed though the number is right. Stamping the revision before it makes it again."""
    schema = Schema(empty_engine)
    schema.upgrade()
    run(empty_engine, "DROP TABLE lids")
    assert "stands at revision 0002, but lacks tables or columns of it (lids)" in refused(empty_engine, "incomplete")
    schema.stamp("0001")
    schema.upgrade()
    assert "ready" == schema.situation.kind


@pytest.mark.slow
def test_a_version_without_its_tables_is_noticed(empty_engine: Engine) -> None:
    """A version without its tables is noticed. Stamping the base makes all of them again."""
    schema = Schema(empty_engine)
    schema.upgrade()
    run(empty_engine, "DROP TABLE lids", "DROP TABLE boxes")
    assert "stands at revision 0002, but has no tables" in refused(empty_engine, "empty")
    schema.stamp("base")
    schema.upgrade()
    assert "ready" == schema.situation.kind


@pytest.mark.slow
def test_tables_that_have_a_new_name_are_ours(
    empty_engine: Engine, two_migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renamed tables are ours: the migrations name the older ones."""
    Schema(empty_engine).upgrade()
    write_migration(two_migrations, "0003", "0002", "crates")
    metadata = MetaData()
    Table("crates", metadata, Column("id", Uuid, primary_key=True))
    monkeypatch.setattr("adapters.sql.situation.metadata", metadata)
    assert "behind" == Schema(empty_engine).situation.kind
    Schema(empty_engine).upgrade()
    assert "ready" == Schema(empty_engine).situation.kind


def test_migrations_of_two_branches_are_refused(empty_engine: Engine, two_migrations: Path) -> None:
    """Migrations of two branches, as after a merge, are refused, and nothing is run."""
    write_migration(two_migrations, "0003", "0001", "crates")
    with pytest.raises(ConfigurationError, match="the migrations cannot be run: Multiple head revisions"):
        Schema(empty_engine).upgrade()
    assert "boxes" not in tables(empty_engine)


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("revision", [None, "a1b2c3d4", "0001", "0002"])
def test_another_programs_file_stays_as_it_is(tmp_path: Path, mode: str, revision: str | None) -> None:
    """The file of another program stays as it is, to the byte and in its journal mode, whatever was tried."""
    path = tmp_path / "places.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA journal_mode = {mode}")
        other.execute("CREATE TABLE places (name TEXT)")
        if revision is not None:
            other.execute("CREATE TABLE alembic_version (version_num TEXT)")
            other.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
            other.commit()
    before = path.read_bytes()
    engine = make_engine(f"sqlite:///{path}")
    assert "places" in refused(engine, "other file")
    with pytest.raises(SchemaMismatch, match="file of another program"):
        Schema(engine).stamp("0001")
    engine.dispose()
    assert before == path.read_bytes()
    assert {"migrations", "places.db"} == {one.name for one in tmp_path.iterdir()}
    with closing(sqlite3.connect(path)) as other:
        assert (mode,) == other.execute("PRAGMA journal_mode").fetchone()


def test_an_own_file_is_switched_to_wal(tmp_path: Path) -> None:
    """An own file is switched to WAL: a new one, an empty one, and one that a tool wrote in another mode."""
    (tmp_path / "own.db").touch()
    with migrated_engine(f"sqlite:///{tmp_path}/own.db"), closing(sqlite3.connect(tmp_path / "own.db")) as tool:
        assert ("wal",) == tool.execute("PRAGMA journal_mode").fetchone()
        tool.execute("VACUUM INTO ?", (f"{tmp_path}/restored.db",))
    engine = make_engine(f"sqlite:///{tmp_path}/restored.db")
    Schema(engine).make_ready()
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "restored.db")) as tool:
        assert ("wal",) == tool.execute("PRAGMA journal_mode").fetchone()


def newer(engine: Engine, *changes: str) -> Schema:
    """Return a program that accepts newer tables, in a database that a newer program has changed."""
    Schema(engine).upgrade()
    run(engine, *changes, "UPDATE alembic_version SET version_num = '0003'")
    return Schema(engine, accept_newer=True)


def test_tables_that_were_extended_are_accepted(empty_engine: Engine) -> None:
    """Extended tables are accepted if the setting says so: an old program starts, and `db upgrade` does nothing."""
    adding = (
        "ALTER TABLE boxes ADD COLUMN note VARCHAR(9)",
        "ALTER TABLE lids ADD COLUMN size INTEGER DEFAULT 1 NOT NULL",
    )
    schema = newer(empty_engine, *adding, "CREATE TABLE jars (id INTEGER)")
    assert "stands at revision 0003, and this program needs revision 0002" in refused(empty_engine, "newer")
    schema.make_ready()
    schema.upgrade()
    assert ("accepted", "0003") == (schema.situation.kind, schema.current)
    for change in (schema.downgrade, schema.stamp):
        with pytest.raises(SchemaMismatch, match="change the tables by the newer version"):
            change("0001")


def test_a_retired_column_may_be_gone(empty_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retired column may be gone: a program that retired it goes on after the migration that drops it."""
    metadata, old = MetaData(), Column("old", Uuid, info={RETIRED: True})
    Table("boxes", metadata, Column("id", Uuid, primary_key=True), old)
    monkeypatch.setattr("adapters.sql.situation.metadata", metadata)
    newer(empty_engine).make_ready()


@pytest.mark.parametrize(
    ("change", "lack"),
    [
        ("DROP TABLE lids", "no table lids"),
        ("ALTER TABLE boxes RENAME COLUMN id TO key_", "no column boxes.id, boxes.key_ is NOT NULL without a default"),
    ],
)
def test_tables_that_were_contracted_are_refused(empty_engine: Engine, change: str, lack: str) -> None:
    """Contracted tables are refused whatever the setting says."""
    schema = newer(empty_engine, change)
    with pytest.raises(SchemaMismatch) as caught:
        schema.make_ready()
    assert ("unfit", ADVICE["unfit"]) == (schema.situation.kind, caught.value.advice[: len(ADVICE["unfit"])])
    assert f"do not fit this program's revision 0002 ({lack})" in caught.value.problem


@pytest.mark.slow
def test_a_revision_is_shown_escaped(empty_engine: Engine) -> None:
    """A revision is shown escaped, since another program has chosen it."""
    run(empty_engine, "CREATE TABLE boxes (id INTEGER)")
    note(empty_engine, "a\nb")
    assert "has revision a\\nb in alembic_version" in refused(empty_engine, "foreign")


def test_a_program_without_a_migration_works(
    empty_engine: Engine, two_migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program without a migration works whatever else is in the database, as long as it maps no table."""
    run(empty_engine, "CREATE TABLE jars (id INTEGER)")
    for path in (two_migrations / "versions").glob("0*"):
        path.unlink()
    situation = Schema(empty_engine).situation
    assert ("empty", "write the first migration") == (situation.kind, situation.advice.partition(":")[0])
    monkeypatch.setattr("adapters.sql.situation.metadata", MetaData())
    Schema(empty_engine).make_ready()
