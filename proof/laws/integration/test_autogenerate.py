"""Migrations that Alembic writes run, and the program finds them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Column, Engine, Table, inspect, text

from adapters.sql.engine import make_engine
from adapters.sql.mapping import metadata
from adapters.sql.schema import MIGRATIONS, Schema, alembic_config, known_revisions
from adapters.sql.types import Duration, Exact, Json, Key, Text
from domain.errors import SchemaMismatch
from tests.contract.members import MemberName
from tests.storages import migrated_engine


def test_a_generated_migration_makes_a_table(tmp_path: Path) -> None:
    """A generated migration has the next number and makes the missing table, with the database's own types."""
    columns = [Column("price", Exact(12, 2)), Column("lasts", Duration), Column("facts", Json)]
    name: Column[str] = Column("name", Text(MemberName, MemberName.MAX_LENGTH))
    table = Table("samples", metadata, Column("id", Duration, primary_key=True), name, *columns)
    try:
        generated = _generated(tmp_path)
    finally:
        metadata.remove(table)
    assert f"{len(known_revisions()) + 1:04}_make_all_again.py" == generated.name
    written = generated.read_text()
    assert "sa.String(length=64)" in written
    assert "sa.Numeric(precision=12, scale=2).with_variant(sa.BigInteger(), 'sqlite')" in written
    assert "adapters" not in written


def _generated(tmp_path: Path) -> Path:
    folder = tmp_path / "generated"
    folder.mkdir()
    config = alembic_config()
    config.set_main_option("version_locations", os.pathsep.join([str(MIGRATIONS / "versions"), str(folder)]))
    engine = make_engine(f"sqlite:///{tmp_path / 'own.db'}")
    with pytest.raises(SchemaMismatch, match=r"lacks tables or columns of it \(samples\): if one is new, write"):
        Schema(engine).upgrade()
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            table.drop(connection, checkfirst=True)
        config.attributes["connection"] = connection
        command.revision(config, "make all again", autogenerate=True, version_path=str(folder))
        command.upgrade(config, "head")
        command.check(config)
    engine.dispose()
    [generated] = folder.glob("*.py")
    return generated


def test_a_migration_has_the_collation_of_ids(tmp_path: Path) -> None:
    """A generated migration has PostgreSQL's collation of text ids, whichever database it is written on."""
    config = alembic_config()
    config.set_main_option("version_locations", os.pathsep.join([str(MIGRATIONS / "versions"), str(tmp_path)]))
    with migrated_engine(f"sqlite:///{tmp_path / 'own.db'}") as engine, engine.begin() as connection:
        config.attributes["connection"] = connection
        table = Table("things", metadata, Column("id", Key(str, 40), primary_key=True))
        try:
            command.revision(config, "make things", autogenerate=True, version_path=str(tmp_path))
        finally:
            metadata.remove(table)
    [generated] = tmp_path.glob("*.py")
    of_postgres = "with_variant(sa.String(length=40, collation='C'), 'postgresql')"
    assert f"sa.Column('id', sa.String(length=40).{of_postgres}, nullable=False)" in generated.read_text()


def test_a_draft_leaves_tables_of_others_alone(own_engine: Engine, tmp_path: Path) -> None:
    """A draft ignores tables of others, such as those of a PostgreSQL extension, and finds nothing else to do."""
    config = alembic_config()
    config.set_main_option("version_locations", os.pathsep.join([str(MIGRATIONS / "versions"), str(tmp_path)]))
    with own_engine.begin() as connection:
        connection.execute(text("CREATE TABLE spatial_ref_sys (srid INTEGER PRIMARY KEY, note VARCHAR(9))"))
        connection.execute(text("CREATE INDEX ix_note ON spatial_ref_sys (note)"))
    with own_engine.connect() as connection:
        config.attributes["connection"] = connection
        command.check(config)
        command.revision(config, "nothing", autogenerate=True, version_path=str(tmp_path))
        assert inspect(connection).has_table("members")  # also ignored
    [generated] = tmp_path.glob("*.py")
    assert 2 == generated.read_text().count("    pass\n")
