"""Fixtures for tests that want a database of their own, or other migrations."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, MetaData, Table, Uuid

from adapters.sql.engine import make_engine
from adapters.sql.schema import MIGRATIONS, known_revisions
from tests.storages import BACKENDS, LOCK_TIMEOUT, members_engine


@pytest.fixture
def sqlite_database(tmp_path: Path) -> str:
    """The URL of a new SQLite file, which does not exist yet."""
    return f"sqlite:///{tmp_path}/own.db"


@pytest.fixture(params=[name for name in BACKENDS if name != "fake"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new database without any table, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return str(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture
def empty_engine(empty_url: str) -> Iterator[Engine]:
    """An engine on such a database."""
    engine = make_engine(empty_url, LOCK_TIMEOUT)
    yield engine
    engine.dispose()


@pytest.fixture
def own_engine(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Engine]:
    """An engine on a separate database, of each kind in turn. The test may change its tables."""
    kind = {"postgresql": "postgres", "mysql": "mariadb", "sqlite": "sqlite"}[engine.dialect.name]
    with members_engine(request.getfixturevalue(f"{kind}_database")) as own:
        yield own


@pytest.fixture(params=["postgres", "mariadb"])
def server_engine(request: pytest.FixtureRequest) -> Engine:
    """An engine on each kind of server in turn."""
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    return engine


MAKE_TABLE = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = {revision!r}, {before!r}, None, None


def upgrade() -> None:
    op.create_table({table!r}, sa.Column("id", sa.Uuid(), primary_key=True))


def downgrade() -> None:
    op.drop_table({table!r})
"""


def write_migration(folder: Path, revision: str, before: str | None, table: str) -> None:
    """Write a migration that makes a table with an id."""
    source = MAKE_TABLE.format(revision=revision, before=before, table=table)
    (folder / "versions" / f"{revision}_make_{table}.py").write_text(source)


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The revisions of the project, and one more that makes a table. So every project has at least one."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = max(known_revisions(), default=None)
    revision = f"{int(before or 0) + 1:04}"
    write_migration(folder, revision, before, "things")
    monkeypatch.setattr("adapters.sql.schema.MIGRATIONS", folder)
    return known_revisions()


@pytest.fixture
def two_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program whose migration 0001 makes the table boxes, and 0002 the table lids."""
    folder, metadata = tmp_path / "migrations", MetaData()
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__", "0*"))
    for revision, before, table in (("0001", None, "boxes"), ("0002", "0001", "lids")):
        write_migration(folder, revision, before, table)
        Table(table, metadata, Column("id", Uuid, primary_key=True))
    monkeypatch.setattr("adapters.sql.schema.MIGRATIONS", folder)
    monkeypatch.setattr("adapters.sql.situation.metadata", metadata)
    return folder
