"""The fake database on its own: what it keeps in memory, and who waits for whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from attrs import define, evolve

from adapters.fake.database import FakeDatabase
from adapters.fake.repository import FakeRepository
from adapters.fake.unit_of_work import FakeUnitOfWork
from domain.aggregate import Aggregate
from domain.errors import ConcurrentChange, NotFound
from domain.user import User, UsernameTaken
from tests.contract.users import new_user, written


@pytest.mark.parametrize("end", ["leave", "commit", "rollback"])
def test_a_unit_that_has_ended_is_let_go(end: str) -> None:
    """However it ended: a database that lives long does not fill up with units."""
    database = FakeDatabase()
    with FakeUnitOfWork(database) as uow:
        assert [uow.session] == database.open_sessions()
        if end != "leave":
            getattr(uow, end)()
    assert database.open_sessions() == []


def test_who_would_wait_for_a_unit_of_the_same_thread_is_refused_at_once() -> None:
    """Waiting could never end."""
    database = FakeDatabase(lock_timeout=0.05)
    with FakeUnitOfWork(database) as uow, FakeUnitOfWork(database) as other:
        uow.users.add(new_user())
        written(uow)
        other.users.add(new_user())
        with pytest.raises(ConcurrentChange, match=r"^another unit of work of this thread holds a lock on what is to"):
            written(other)
        uow.rollback()


def test_units_that_write_different_things_do_not_wait_for_each_other() -> None:
    """What is locked is a row and its unique values, not the whole."""
    database = FakeDatabase(lock_timeout=0.05)
    with FakeUnitOfWork(database) as uow, FakeUnitOfWork(database) as other:
        uow.users.add(new_user("ann"))
        written(uow)
        other.users.add(new_user("bob"))
        other.commit()
        uow.commit()
    assert ["ann", "bob"] == sorted(row.username for row in database.rows.values())


def test_who_waits_for_a_unit_of_another_thread_is_refused_at_the_time_limit() -> None:
    """Not earlier, and not without end."""
    database = FakeDatabase(lock_timeout=0.05)

    def add_too() -> None:
        with FakeUnitOfWork(database) as other:
            other.users.add(new_user())
            other.commit()

    with FakeUnitOfWork(database) as uow, ThreadPoolExecutor(1) as pool:
        uow.users.add(new_user())
        written(uow)
        with pytest.raises(ConcurrentChange, match=r"^another unit of work holds a lock on what is to be written"):
            pool.submit(add_too).result()
        uow.rollback()


@define(slots=False, eq=False, kw_only=True)
class Secretive(Aggregate):
    """An aggregate with a private attribute, which attrs takes under another name than it keeps."""

    _inner: str


class SecretiveRepository(FakeRepository[Secretive]):
    """Its repository."""

    aggregate = Secretive
    not_found = NotFound


def test_an_aggregate_with_a_private_attribute_comes_back_as_it_was_stored() -> None:
    """Under whichever name its class takes the value."""
    uow = FakeUnitOfWork()
    secretive = SecretiveRepository(uow, uow.session)
    stored = Secretive(inner="psst")
    with uow:
        secretive.add(stored)
        uow.commit()
    with uow:
        found = secretive.get(stored.id)
    assert vars(stored) == vars(found)


def test_what_was_written_before_a_kept_savepoint_stays_locked_after_it() -> None:
    """Others wait for it, as for what was written inside."""
    database = FakeDatabase()
    with FakeUnitOfWork(database) as uow:
        uow.users.add(new_user("ann"))
        with uow.savepoint():
            uow.users.add(new_user("bob"))
        for name in ("ann", "bob"):
            with pytest.raises(ConcurrentChange), FakeUnitOfWork(database) as other:
                other.users.add(new_user(name))
                other.commit()
        uow.commit()


def test_an_id_that_an_open_unit_has_added_is_locked() -> None:
    """Though the values of the two are different."""
    database = FakeDatabase()
    ann = new_user("ann")
    with FakeUnitOfWork(database) as uow:
        uow.users.add(ann)
        written(uow)
        with pytest.raises(ConcurrentChange), FakeUnitOfWork(database) as other:
            other.users.add(evolve(new_user("bob"), id=ann.id))
            other.commit()
        uow.commit()


def test_units_that_add_different_aggregates_do_not_wait_for_each_other() -> None:
    """Neither for each other's ids nor for each other's values."""
    database = FakeDatabase()
    with FakeUnitOfWork(database) as uow, FakeUnitOfWork(database) as other:
        for unit, name in ((uow, "ann"), (other, "bob")):
            unit.users.add(new_user(name))
            unit.commit()
    with FakeUnitOfWork(database) as uow:
        assert [user.username for user in uow.users.stream()] == ["ann", "bob"]


def test_all_locks_are_given_back_at_the_commit_whatever_savepoints_there_were() -> None:
    """Those of before a kept savepoint, and those of inside."""
    database = FakeDatabase()
    users = [new_user("ann"), new_user("bob")]
    with FakeUnitOfWork(database) as uow:
        uow.users.add(users[0])
        with uow.savepoint():
            uow.users.add(users[1])
        uow.commit()
    for user in users:
        with FakeUnitOfWork(database) as uow:
            uow.users.remove(uow.users.get(user.id))
            uow.commit()


def test_a_conflict_in_a_savepoint_keeps_the_locks_of_before_it() -> None:
    """The rest of the unit goes on, so others wait for what it has written."""
    database = FakeDatabase()
    with FakeUnitOfWork(database) as uow:
        uow.users.add(new_user("ann"))
        for depth in (1, 2):
            with pytest.raises(UsernameTaken), ExitStack() as stack:
                for _ in range(depth):
                    stack.enter_context(uow.savepoint())
                uow.users.add(User.create("ann", "other@example.com"))
            with pytest.raises(ConcurrentChange), FakeUnitOfWork(database) as other:
                other.users.add(new_user("ann"))
                other.commit()
        uow.commit()
