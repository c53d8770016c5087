"""The fake database on its own: what it keeps in memory, and who waits for whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from attrs import define, evolve

from adapters.fake.database import FakeDatabase
from adapters.fake.repository import FakeRepository
from domain.aggregate import Aggregate
from domain.errors import ConcurrentChange, NotFound
from tests.contract.members import Member, NameTaken, new_member, written
from tests.contract.shop import FakeShop


@pytest.mark.parametrize("end", ["leave", "commit", "rollback"])
def test_a_unit_that_has_ended_is_let_go(end: str) -> None:
    """However it ended: a database that lives long does not fill up with units."""
    database = FakeDatabase()
    with FakeShop(database) as uow:
        assert [uow.session] == database.open_sessions()
        if end != "leave":
            getattr(uow, end)()
    assert database.open_sessions() == []


def test_who_would_wait_for_a_unit_of_the_same_thread_is_refused_at_once() -> None:
    """Waiting could never end."""
    database = FakeDatabase(lock_timeout=0.05)
    with FakeShop(database) as uow, FakeShop(database) as other:
        uow.members.add(new_member())
        written(uow)
        other.members.add(new_member())
        with pytest.raises(ConcurrentChange, match=r"^another unit of work of this thread holds a lock on what is to"):
            written(other)
        uow.rollback()


def test_units_that_write_different_things_do_not_wait_for_each_other() -> None:
    """What is locked is a row and its unique values, not the whole."""
    database = FakeDatabase(lock_timeout=0.05)
    with FakeShop(database) as uow, FakeShop(database) as other:
        uow.members.add(new_member("ann"))
        written(uow)
        other.members.add(new_member("bob"))
        other.commit()
        uow.commit()
    assert ["ann", "bob"] == sorted(row.name for row in database.rows.values())


def test_who_waits_for_a_unit_of_another_thread_is_refused_at_the_time_limit() -> None:
    """Not earlier, and not without end."""
    database = FakeDatabase(lock_timeout=0.05)

    def add_too() -> None:
        with FakeShop(database) as other:
            other.members.add(new_member())
            other.commit()

    with FakeShop(database) as uow, ThreadPoolExecutor(1) as pool:
        uow.members.add(new_member())
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
    uow = FakeShop()
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
    with FakeShop(database) as uow:
        uow.members.add(new_member("ann"))
        with uow.savepoint():
            uow.members.add(new_member("bob"))
        for name in ("ann", "bob"):
            with pytest.raises(ConcurrentChange), FakeShop(database) as other:
                other.members.add(new_member(name))
                other.commit()
        uow.commit()


def test_an_id_that_an_open_unit_has_added_is_locked() -> None:
    """Though the values of the two are different."""
    database = FakeDatabase()
    ann = new_member("ann")
    with FakeShop(database) as uow:
        uow.members.add(ann)
        written(uow)
        with pytest.raises(ConcurrentChange), FakeShop(database) as other:
            other.members.add(evolve(new_member("bob"), id=ann.id))
            other.commit()
        uow.commit()


def test_units_that_add_different_aggregates_do_not_wait_for_each_other() -> None:
    """Neither for each other's ids nor for each other's values."""
    database = FakeDatabase()
    with FakeShop(database) as uow, FakeShop(database) as other:
        for unit, name in ((uow, "ann"), (other, "bob")):
            unit.members.add(new_member(name))
            unit.commit()
    with FakeShop(database) as uow:
        assert [member.name for member in uow.members.stream()] == ["ann", "bob"]


def test_all_locks_are_given_back_at_the_commit_whatever_savepoints_there_were() -> None:
    """Those of before a kept savepoint, and those of inside."""
    database = FakeDatabase()
    members = [new_member("ann"), new_member("bob")]
    with FakeShop(database) as uow:
        uow.members.add(members[0])
        with uow.savepoint():
            uow.members.add(members[1])
        uow.commit()
    for member in members:
        with FakeShop(database) as uow:
            uow.members.remove(uow.members.get(member.id))
            uow.commit()


def test_a_conflict_in_a_savepoint_keeps_the_locks_of_before_it() -> None:
    """The rest of the unit goes on, so others wait for what it has written."""
    database = FakeDatabase()
    with FakeShop(database) as uow:
        uow.members.add(new_member("ann"))
        for depth in (1, 2):
            with pytest.raises(NameTaken), ExitStack() as stack:
                for _ in range(depth):
                    stack.enter_context(uow.savepoint())
                uow.members.add(Member.create("ann", "other@example.com"))
            with pytest.raises(ConcurrentChange), FakeShop(database) as other:
                other.members.add(new_member("ann"))
                other.commit()
        uow.commit()
