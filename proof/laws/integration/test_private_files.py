"""A database that the program makes is private to its owner, since it holds people's data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import StorageUnavailable
from entrypoints.bootstrap import Application, bootstrap
from tests.contract.members import create_member, members_metadata
from tests.contract.shop import SqlShop
from tests.storages import engine_of


@pytest.fixture(autouse=True)
def _careless() -> Iterator[None]:
    """Let every account read and write new files, unless the program asks for less."""
    before = os.umask(0)
    yield
    os.umask(before)


def store_a_member(application: Application) -> None:
    """Write to the database of an application."""
    engine = engine_of(application)
    members_metadata.create_all(engine)
    create_member("ann", "ann@example.com", SqlShop(engine))


def rights(folder: Path) -> dict[str, int]:
    """Return the rights on each file of a folder."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


@pytest.mark.parametrize(
    "url", ["sqlite:///{}/app.db", "sqlite:///file:{}/app.db?uri=true", "sqlite:///file:{}/app.db?mode=rwc&uri=true"]
)
def test_an_sqlite_database_is_private(tmp_path: Path, url: str) -> None:
    """An SQLite database and the files beside it are for their owner, however its path is written."""
    with bootstrap(url.format(tmp_path)) as application:
        store_a_member(application)
        assert {"app.db": 0o600, "app.db-wal": 0o600, "app.db-shm": 0o600} == rights(tmp_path)


def test_a_link_leads_to_a_private_database(tmp_path: Path) -> None:
    """A link leads to a database that is for its owner, also if its target does not exist yet."""
    (tmp_path / "data").mkdir()
    (tmp_path / "app.db").symlink_to("data/real.db")
    bootstrap(f"sqlite:///{tmp_path}/app.db").close()
    assert {"real.db": 0o600} == rights(tmp_path / "data")


def test_an_existing_database_keeps_its_rights(tmp_path: Path) -> None:
    """An existing database keeps its rights: its owner may let a group read it. The files beside it follow."""
    url = f"sqlite:///{tmp_path}/app.db"
    bootstrap(url).close()
    (tmp_path / "app.db").chmod(0o640)
    with bootstrap(url) as application:
        store_a_member(application)
        assert {"app.db": 0o640, "app.db-wal": 0o640, "app.db-shm": 0o640} == rights(tmp_path)


@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_a_required_database_is_not_made(tmp_path: Path, mode: str) -> None:
    """If the URL requires an existing database, a wrong path is an error and leaves no file behind."""
    with pytest.raises(StorageUnavailable, match="unable to open database file"):
        bootstrap(f"sqlite:///file:{tmp_path}/app.db?mode={mode}&uri=true")
    assert {} == rights(tmp_path)
