"""Promises 7, 10 and 14 on a full disk, at which SQLite rolls back the whole transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from domain.errors import StorageError, UnitOfWorkMisuse
from tests.contract.members import create_member, new_member, stored_member, stored_names, written
from tests.contract.shop import SqlShop
from tests.storages import InATransaction, members_engine, sql_storage


@pytest.fixture
def engine(sqlite_database: str) -> Iterator[Engine]:
    """An engine on a new SQLite file with one member."""
    with members_engine(sqlite_database) as engine:
        stored_member(sql_storage(engine), "ann")
        yield engine


@contextmanager
def full_disk(uow: SqlShop) -> Iterator[None]:
    """Keep the file of a unit from growing by a limit on its size."""
    pages = uow.connection.execute(text("PRAGMA page_count")).scalar()
    uow.connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    driver = uow.connection.connection.dbapi_connection
    assert driver is not None
    yield
    cursor = driver.cursor()
    cursor.execute("PRAGMA max_page_count = 4294967294")
    cursor.close()


def fill(uow: SqlShop) -> None:
    """Add members without end, one by one."""
    for number in range(100_000):
        uow.members.add(new_member(f"member{number}"))


@pytest.mark.promise(7)
def test_a_full_disk_stores_nothing(engine: Engine) -> None:
    """A full disk is a clear error, and nothing is stored. It may not be tried again immediately."""
    uow = SqlShop(engine)
    with pytest.raises(StorageError, match="database or disk is full") as caught, uow, full_disk(uow):
        uow.members.add_many(new_member(f"member{number}") for number in range(1000))
    assert not caught.value.retryable
    assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(7, 14)
@pytest.mark.parametrize("unit", [SqlShop, InATransaction])
def test_a_full_disk_at_a_commit(engine: Engine, unit: type[SqlShop]) -> None:
    """A full disk at a commit is a clear error, and only that commit stores nothing.

    Its only statement or an earlier one meets the full disk. When there is space again, the connection goes on.
    """
    stored = ["ann"]
    with SqlShop(engine) as uow, full_disk(uow):
        uow.rollback()
        with pytest.raises(StorageError, match="database or disk is full") as caught:
            for number in range(100_000):
                create_member(f"member{number:05}", f"{number}@example.com", unit(engine))
                stored.append(f"member{number:05}")
    assert (StorageError, False) == (caught.type, caught.value.retryable)
    assert stored == stored_names(sql_storage(engine))
    with unit(engine) as uow:
        uow.members.add(new_member("bob"))
        written(uow)
        uow.rollback()
    create_member("zoe", "zoe@example.com", unit(engine))
    assert [*stored, "zoe"] == stored_names(sql_storage(engine))


@pytest.mark.promise(10, 14)
def test_a_full_disk_in_a_savepoint_ends_the_unit(engine: Engine) -> None:
    """A full disk inside a savepoint ends the unit: the earlier work is gone, so later work must not be stored."""
    uow = SqlShop(engine)
    with uow:
        uow.members.add(new_member("bob"))
        with full_disk(uow), pytest.raises(StorageError, match="database or disk is full"), uow.savepoint():
            fill(uow)
        with pytest.raises(UnitOfWorkMisuse, match="database or disk is full"):
            uow.members.add(new_member("cid"))
    assert ["ann"] == stored_names(sql_storage(engine))
    stored_member(sql_storage(engine), "dan")


@pytest.mark.promise(10)
def test_a_savepoint_ended_by_a_full_disk(engine: Engine) -> None:
    """A savepoint that a full disk has ended says so, whatever error leaves it: the unit cannot go on."""
    uow = SqlShop(engine)
    with uow, full_disk(uow), pytest.raises(StorageError, match="database or disk is full"), uow.savepoint():
        with suppress(StorageError):
            fill(uow)
        raise ZeroDivisionError


# Of a single row: where a statement stores several, SQLite is prepared to undo that statement alone.
_LARGE = "INSERT INTO members VALUES ('x', randomblob(1000000), 'x', 1, 'x', 1)"


@pytest.mark.promise(14)
def test_a_commit_after_a_swallowed_full_disk(engine: Engine) -> None:
    """A commit after a swallowed full disk is refused: SQLite would store only later work. The next block works."""
    uow = SqlShop(engine)
    with uow:
        uow.members.add(new_member("bob"))
        with full_disk(uow), suppress(OperationalError):
            uow.connection.execute(text(_LARGE))
            pytest.fail("the disk was not full")
        uow.members.add(new_member("cid"))
        with pytest.raises(StorageError, match="nothing is stored"):
            uow.commit()
    assert ["ann"] == stored_names(sql_storage(engine))
    with uow:
        uow.members.add(new_member("dan"))
        uow.commit()
    assert ["ann", "dan"] == stored_names(sql_storage(engine))
