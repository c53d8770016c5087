"""Tables of another program that look like ours, and what stopped migrations leave: each is refused in words."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, Uuid

from adapters.sql.engine import make_engine
from adapters.sql.schema import Schema
from domain.errors import SchemaMismatch, StorageError
from proof.laws.integration.situations import note, refused, run, tables
from tests.database_fixtures import write_migration

pytestmark = pytest.mark.usefixtures("two_migrations")


@pytest.fixture
def with_sizes(two_migrations: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program whose table boxes has more than a key: its migration 0001 makes the column size."""
    metadata = MetaData()
    Table("boxes", metadata, Column("id", Uuid, primary_key=True), Column("size", Integer))
    Table("lids", metadata, Column("id", Uuid, primary_key=True))
    path = two_migrations / "versions" / "0001_make_boxes.py"
    path.write_text(path.read_text().replace("=True)", '=True), sa.Column("size", sa.Integer())'))
    monkeypatch.setattr("adapters.sql.situation.metadata", metadata)
    return two_migrations


def all_refused(engine: Engine, kind: str) -> str:
    """Check that no command changes a table. Return the message of an upgrade."""
    before, message = tables(engine), refused(engine, kind)
    schema = Schema(engine)
    for change in (schema.downgrade, schema.stamp):
        for revision in ("base", "0001"):
            with pytest.raises(SchemaMismatch):
                change(revision)
    assert before == tables(engine)
    return message


@pytest.mark.usefixtures("with_sizes")
@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_tables_without_our_columns_are_refused(empty_engine: Engine, revision: str) -> None:
    """Tables without our columns are refused at any revision: another program made them."""
    run(empty_engine, "CREATE TABLE boxes (id INTEGER, name VARCHAR(9))", "CREATE TABLE lids (id INTEGER)")
    note(empty_engine, revision)
    assert "0002 (no column boxes.size)" in all_refused(empty_engine, "unfit")


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_strange_tables_are_another_programs(empty_engine: Engine, with_sizes: Path, count: int) -> None:
    """Tables without a revision and without our columns are another program's, however many revisions there are."""
    if count == 1:
        (with_sizes / "versions" / "0002_make_lids.py").unlink()
    run(empty_engine, "CREATE TABLE boxes (id INTEGER, name VARCHAR(9))", "CREATE TABLE jars (id INTEGER)")
    if empty_engine.dialect.name == "sqlite":
        assert "is a file of another program (boxes, jars)" in all_refused(empty_engine, "other file")
    else:
        assert "(no column boxes.size)" in all_refused(empty_engine, "unfit")


@pytest.mark.slow
def test_an_older_backup_may_lack_a_column(
    empty_engine: Engine, with_sizes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older tables may lack a column: one of ours besides the keys shows whose they are."""
    Schema(empty_engine).upgrade()
    run(empty_engine, "DROP TABLE alembic_version")
    metadata = MetaData()
    Table("boxes", metadata, *(Column(one, Integer) for one in ("size", "colour")))
    write_migration(with_sizes, "0003", "0002", "colour")
    monkeypatch.setattr("adapters.sql.situation.metadata", metadata)
    refused(empty_engine, "unversioned")
    Schema(empty_engine).stamp("0002")
    assert "behind" == Schema(empty_engine).situation.kind


@pytest.mark.slow
def test_a_column_without_a_migration_is_noticed(empty_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column without a migration is noticed. The tables are ours, and can be taken back."""
    Schema(empty_engine).upgrade()
    metadata = MetaData()
    Table("boxes", metadata, Column("id", Uuid, primary_key=True), Column("colour", Integer))
    monkeypatch.setattr("adapters.sql.situation.metadata", metadata)
    message = refused(empty_engine, "incomplete")
    assert "lacks tables or columns of it (boxes.colour)" in message
    Schema(empty_engine).downgrade("-1")
    assert "behind" == Schema(empty_engine).situation.kind


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("CREATE TABLE alembic_version AS SELECT 7 AS version_num", "7 (not a text)"),
        ("CREATE TABLE alembic_version AS SELECT NULL AS version_num", "None (not a text)"),
        ("CREATE TABLE alembic_version AS SELECT 'a' AS applied", "(no column version_num)"),
    ],
)
def test_another_version_table_is_foreign(empty_engine: Engine, statement: str, shown: str) -> None:
    """A version table of another kind is foreign: its numbers are no texts, or its column has another name."""
    run(empty_engine, "CREATE TABLE boxes (id INTEGER)", statement)
    assert f"has revision {shown} in alembic_version" in all_refused(empty_engine, "foreign")


@pytest.mark.slow
def test_a_sibling_is_named_as_a_cause(empty_engine: Engine) -> None:
    """A sibling that shares a table's name is named as a cause, with the setting that parts the two."""
    schema = Schema(empty_engine)
    schema.upgrade()
    run(empty_engine, "DROP TABLE lids")
    incomplete = schema.situation
    run(empty_engine, "UPDATE alembic_version SET version_num = '0003'")
    for kind, found in (("incomplete", incomplete), ("newer", schema.situation)):
        assert kind == found.kind
        assert "if another program shares the database, set VERSION_TABLE" in found.advice


@pytest.mark.slow
def test_no_revision_is_not_taken_back(empty_engine: Engine) -> None:
    """Tables without a revision are not taken back, since no one knows which migrations made them."""
    run(empty_engine, "CREATE TABLE boxes (id INTEGER)")
    with pytest.raises(SchemaMismatch, match="app db stamp REVISION"):
        Schema(empty_engine).downgrade("base")
    assert {"boxes"} == tables(empty_engine)


def test_a_half_made_table_is_explained(empty_engine: Engine) -> None:
    """An upgrade that meets a table of a migration that was stopped halfway says how to go on."""
    schema = Schema(empty_engine)
    schema.upgrade()
    schema.stamp("0001")
    with pytest.raises(StorageError, match="already exists") as caught:
        schema.upgrade()
    assert ["complete or undo its first statements by hand" in one for one in caught.value.__notes__] == [True]


def test_an_ordinary_failure_has_no_such_note(empty_engine: Engine, two_migrations: Path) -> None:
    """Another failure of a migration has this advice only where its first statements last."""
    path = two_migrations / "versions" / "0002_make_lids.py"
    path.write_text(path.read_text().replace("op.create_table(", 'op.execute("nonsense")\n    op.create_table(', 1))
    with pytest.raises(StorageError, match="refused a statement") as caught:
        Schema(empty_engine).upgrade()
    assert (empty_engine.dialect.name == "mysql") == hasattr(caught.value, "__notes__")


def test_a_file_with_views_is_another_programs(tmp_path: Path) -> None:
    """An SQLite file that has only views is another program's, and stays as it is."""
    with closing(sqlite3.connect(tmp_path / "views.db")) as other:
        other.execute("CREATE VIEW places AS SELECT 1 AS id")
    before = (tmp_path / "views.db").read_bytes()
    engine = make_engine(f"sqlite:///{tmp_path}/views.db")
    assert "is a file of another program (places)" in refused(engine, "other file")
    engine.dispose()
    assert before == (tmp_path / "views.db").read_bytes()
