"""The fake database itself: what it keeps in memory, and which unit waits for which."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest
from attrs import define, evolve

from adapters.fake.database import FakeDatabase
from adapters.fake.repository import FakeRepository
from domain.aggregate import Aggregate
from domain.errors import ConcurrentChange, NotFound
from tests.contract.members import FakeMemberRepository, Member, NameTaken, new_member, written
from tests.contract.shop import FakeShop


@pytest.mark.parametrize("end", ["leave", "commit", "rollback"])
def test_the_database_forgets_an_ended_unit(end: str) -> None:
    """The database forgets a unit, however it ended. So a long-lived one does not fill up with units."""
    database = FakeDatabase()
    with FakeShop(database) as uow:
        assert [uow.session] == database.open_sessions()
        if end != "leave":
            getattr(uow, end)()
    assert database.open_sessions() == []


def test_one_thread_never_waits_for_itself() -> None:
    """A unit that would wait for a unit of the same thread is refused immediately, since waiting would never end."""
    database = FakeDatabase(lock_timeout=0.05)
    with FakeShop(database) as uow, FakeShop(database) as other:
        uow.members.add(new_member())
        written(uow)
        other.members.add(new_member())
        with pytest.raises(ConcurrentChange, match=r"^another unit of work of this thread holds a lock on what is to"):
            written(other)
        uow.rollback()


def test_different_writes_do_not_wait() -> None:
    """Units that write different things do not wait: a row and its unique values are locked, not the database."""
    database = FakeDatabase(lock_timeout=0.05)
    with FakeShop(database) as uow, FakeShop(database) as other:
        uow.members.add(new_member("ann"))
        written(uow)
        other.members.add(new_member("bob"))
        other.commit()
        uow.commit()
    assert ["ann", "bob"] == sorted(row.name for row in database.rows.values())


def test_a_lock_held_alone_stays_so() -> None:
    """A lock that an owner holds alone stays so when it asks for a shared one. Others wait."""
    database, key, owner = FakeDatabase(lock_timeout=0.05), (Member, "ann"), object()
    assert [True, False] == [database.lock(key, owner, shared=shared) for shared in (False, True)]
    with ThreadPoolExecutor(1) as pool, pytest.raises(ConcurrentChange):
        pool.submit(database.lock, key, object(), shared=True).result()


def test_a_limit_counts_the_rows_that_are_wanted() -> None:
    """The limit of an own query counts the rows that are wanted, not those that were looked at."""
    with FakeShop() as uow:
        uow.members.add_many([new_member(name) for name in ("ann", "bob", "cid", "dan")])
        found = FakeMemberRepository(uow, uow.session)._list_rows(lambda row: row.name > "ann", limit=2)
        assert ["bob", "cid"] == [member.name for member in found]
        uow.rollback()


def test_a_waiting_unit_is_refused_at_the_limit() -> None:
    """A unit that waits for one of another thread is refused at the time limit and not earlier."""
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
    """An aggregate with a private attribute, which attrs names differently in ``__init__``."""

    _inner: str


class SecretiveRepository(FakeRepository[Secretive]):
    """Its repository."""

    aggregate = Secretive
    not_found = NotFound


@define(slots=False, eq=False, kw_only=True)
class Other(Aggregate):
    """An aggregate of another class."""


class OtherRepository(FakeRepository[Other]):
    """Its repository."""

    aggregate = Other
    not_found = NotFound


def test_one_id_may_be_of_two_classes() -> None:
    """Aggregates of two classes that are not mapped may have one id."""
    with FakeShop() as uow:
        secretive, others = SecretiveRepository(uow, uow.session), OtherRepository(uow, uow.session)
        secretive.add(one := Secretive(inner="psst"))
        others.add(Other(id=one.id))
        assert [Secretive, Other] == [type(found.get(one.id)) for found in (secretive, others)]
        uow.rollback()


def test_a_private_attribute_comes_back() -> None:
    """An aggregate with a private attribute comes back as it was stored, however its class names the value."""
    uow = FakeShop()
    secretive = SecretiveRepository(uow, uow.session)
    stored = Secretive(inner="psst")
    with uow:
        secretive.add(stored)
        uow.commit()
    with uow:
        found = secretive.get(stored.id)
    assert vars(stored) == vars(found)


def test_earlier_writes_stay_locked() -> None:
    """Writes before a kept savepoint stay locked after it, as do those inside of it."""
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


def test_an_added_id_is_locked() -> None:
    """An id that an open unit has added is locked, even if the values of the other aggregate differ."""
    database = FakeDatabase()
    ann = new_member("ann")
    with FakeShop(database) as uow:
        uow.members.add(ann)
        written(uow)
        with pytest.raises(ConcurrentChange), FakeShop(database) as other:
            other.members.add(evolve(new_member("bob"), id=ann.id))
            other.commit()
        uow.commit()


def test_different_additions_do_not_wait() -> None:
    """Units that add different aggregates wait neither for each other's ids nor for each other's values."""
    database = FakeDatabase()
    with FakeShop(database) as uow, FakeShop(database) as other:
        for unit, name in ((uow, "ann"), (other, "bob")):
            unit.members.add(new_member(name))
            unit.commit()
    with FakeShop(database) as uow:
        assert [member.name for member in uow.members.stream()] == ["ann", "bob"]


def test_the_commit_releases_all_locks() -> None:
    """The commit releases all locks, those from before a kept savepoint and those from inside it."""
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


def test_a_conflict_in_a_savepoint_keeps_locks() -> None:
    """A conflict in a savepoint keeps the earlier locks: the unit goes on, so others wait for its writes."""
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


def test_a_unit_may_add_while_another_one_adds() -> None:
    """A unit may add while one of another thread adds: each of them looks whether the other has the same object."""
    database = FakeDatabase()

    def add_some(number: int) -> None:
        with FakeShop(database) as uow:
            for one in range(100):
                uow.members.add(new_member(f"member{number}x{one}"))
            uow.commit()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(add_some, range(2)))
    finally:
        sys.setswitchinterval(before)
    assert 200 == len(database.rows)


def test_the_end_of_a_unit_wakes_who_waits() -> None:
    """The end of a unit wakes one of another thread that waits for it. It does not wait until the limit."""
    database = FakeDatabase(lock_timeout=10.0)
    waiting = Event()

    def add_too() -> None:
        with FakeShop(database) as other:
            other.members.add(new_member())
            waiting.set()
            other.commit()

    with ThreadPoolExecutor(1) as pool:
        with FakeShop(database) as uow:
            uow.members.add(new_member())
            written(uow)
            following = pool.submit(add_too)
            waiting.wait()
            time.sleep(0.1)
            uow.rollback()
        following.result(timeout=5.0)
