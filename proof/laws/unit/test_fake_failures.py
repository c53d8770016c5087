"""The failures that the fake raises on purpose: at which call, once, and what is stored then."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from adapters.fake.database import FakeDatabase
from domain.errors import (
    CommitOutcomeUnknown,
    ConcurrentChange,
    StorageUnavailable,
    TransactionLost,
    UnitOfWorkMisuse,
)
from domain.query import Where
from tests.contract.members import Member, MemberName, create_member, new_member
from tests.contract.shop import FakeShop

AWAY = StorageUnavailable("the server is away")
UNKNOWN = CommitOutcomeUnknown("lost while committing")


def added(uow: FakeShop) -> FakeShop:
    """Add a member to a unit of work and return the unit."""
    uow.members.add(new_member("bob"))
    return uow


def removed(uow: FakeShop, member: Member) -> FakeShop:
    """Remove a member from a unit of work and return the unit."""
    uow.members.remove(member)
    return uow


def changed(uow: FakeShop, member: Member) -> FakeShop:
    """Change a member of a unit of work and return the unit."""
    member.deactivate()
    return uow


READS: dict[str, Callable[[FakeShop, Member], object]] = {
    "get": lambda uow, ann: uow.members.get(ann.id),
    "get_by_name": lambda uow, _: uow.members.get_by_name("ann"),
    "count": lambda uow, _: uow.members.count(),
    "list_where": lambda uow, _: uow.members.list_where(Where("active", "==", True)),
    "list_holding": lambda uow, _: uow.members.list_holding([MemberName("ann")], []),
    "page": lambda uow, _: uow.members.page(),
    "stream": lambda uow, _: list(uow.members.stream()),
}
WRITES: dict[str, Callable[[FakeShop, Member], object]] = {
    "add_many": lambda uow, _: uow.members.add_many([new_member("bob")]),
    "a query after an addition": lambda uow, _: added(uow).members.page(),
    "a commit after an addition": lambda uow, _: added(uow).commit(),
    "a query after a removal": lambda uow, ann: removed(uow, ann).members.page(),
    "a commit after a removal": lambda uow, ann: removed(uow, ann).commit(),
    "a query after a change": lambda uow, ann: changed(uow, ann).members.page(),
    "a commit after a change": lambda uow, ann: changed(uow, ann).commit(),
}


@pytest.fixture
def database() -> FakeDatabase:
    """A fake database that holds the member ann."""
    database = FakeDatabase()
    create_member("ann", "ann@example.com", FakeShop(database))
    return database


def stored(database: FakeDatabase) -> list[tuple[str, bool]]:
    """Return the names of all stored members, and whether they are active."""
    with FakeShop(database, read_only=True) as uow:
        return [(member.name, member.active) for member in uow.members.stream()]


@pytest.mark.parametrize("read", READS)
def test_every_query_is_a_read_that_can_fail(database: FakeDatabase, read: str) -> None:
    """Every query is a read that can fail. Then the unit has failed as on a database."""
    with FakeShop(database) as uow:
        ann = uow.members.get_by_name("ann")
        database.fail("read", AWAY)
        with pytest.raises(StorageUnavailable, match="the server is away"):
            READS[read](uow, ann)
        with pytest.raises(UnitOfWorkMisuse, match="the server is away"):
            uow.members.page()


@pytest.mark.parametrize("write", WRITES)
def test_every_write_can_fail(database: FakeDatabase, write: str) -> None:
    """Every write can fail and then stores nothing: additions, removals and changes."""
    with FakeShop(database) as uow:
        ann = uow.members.get_by_name("ann")
        database.fail("write", AWAY)
        with pytest.raises(StorageUnavailable, match="the server is away"):
            WRITES[write](uow, ann)
    assert [("ann", True)] == stored(database)


def test_only_the_chosen_call_fails(database: FakeDatabase) -> None:
    """Only the chosen call fails, counted from now on over all units. Calls of another kind do not count."""
    database.fail("write", AWAY, call=2)
    database.fail("commit", UNKNOWN, call=2)
    uow = FakeShop(database)
    create_member("bob", "bob@example.com", uow)
    with pytest.raises(StorageUnavailable):
        create_member("cid", "cid@example.com", FakeShop(database))
    with pytest.raises(CommitOutcomeUnknown):
        create_member("dan", "dan@example.com", uow)
    create_member("eve", "eve@example.com", uow)
    assert ["ann", "bob", "eve"] == [name for name, _ in stored(database)]


@pytest.mark.parametrize("error", [AWAY, ConcurrentChange("somebody was faster"), UNKNOWN])
def test_a_commit_that_fails_has_stored_nothing(database: FakeDatabase, error: Exception) -> None:
    """A failed commit has stored nothing. Its objects keep their changes."""
    database.fail("commit", error)
    with pytest.raises(type(error)), FakeShop(database) as uow:
        ann = uow.members.get_by_name("ann")
        ann.deactivate()
        uow.commit()
    assert [("ann", True)] == stored(database)
    assert not ann.active


def test_an_unknown_commit_can_have_stored_the_work(database: FakeDatabase) -> None:
    """A commit of unknown outcome can have stored the work or not, as on a real database."""
    database.fail("commit", UNKNOWN, stored=True)
    with pytest.raises(CommitOutcomeUnknown):
        create_member("bob", "bob@example.com", FakeShop(database))
    assert ["ann", "bob"] == [name for name, _ in stored(database)]


@pytest.mark.parametrize(
    ("error", "goes_on"), [(ConcurrentChange("late"), True), (AWAY, False), (TransactionLost("late"), False)]
)
def test_a_savepoint_contains_only_a_conflict(database: FakeDatabase, error: Exception, goes_on: bool) -> None:
    """A savepoint contains a conflict, but not the loss of the transaction, as on a database."""
    with FakeShop(database) as uow:
        database.fail("write", error)
        with pytest.raises(type(error)), uow.savepoint():
            uow.members.add(new_member("bob"))
        if goes_on:
            uow.members.add(new_member("cid"))
            uow.commit()
        else:
            with pytest.raises(UnitOfWorkMisuse):
                uow.members.page()
    assert (["ann", "cid"] if goes_on else ["ann"]) == [name for name, _ in stored(database)]


def test_only_an_unknown_outcome_can_store(database: FakeDatabase) -> None:
    """Only an unknown outcome can have stored the work. With any other error that would be a lie."""
    with pytest.raises(ValueError, match="only a commit whose outcome is unknown"):
        database.fail("commit", AWAY, stored=True)
    with pytest.raises(ValueError, match="only a commit whose outcome is unknown"):
        database.fail("write", UNKNOWN, stored=True)
    with pytest.raises(ValueError, match="counted from 1"):
        database.fail("read", AWAY, call=0)


def test_each_due_failure_has_its_own_call(database: FakeDatabase) -> None:
    """Of failures due at one call each has its own call: the next one of that kind, and no call of another kind."""
    database.fail("write", AWAY)
    database.fail("write", ConcurrentChange("late"))
    uow = FakeShop(database)
    for error in (StorageUnavailable, ConcurrentChange):
        assert ["ann"] == [name for name, _ in stored(database)]
        with pytest.raises(error):
            create_member("bob", "bob@example.com", uow)
    assert create_member("bob", "bob@example.com", uow).version == 1


def test_an_unknown_kind_of_call_is_refused(database: FakeDatabase) -> None:
    """An unknown kind of call is refused. Otherwise a typing mistake would make a test that can never fail."""
    with pytest.raises(ValueError, match="a 'read', a 'write' or a 'commit', not 'wirte'"):
        database.fail("wirte", AWAY)  # type: ignore[arg-type]  # the slip is the point


def test_a_lost_connection_frees_all_locks(database: FakeDatabase) -> None:
    """A lost connection in a savepoint frees all locks of the unit, because the whole transaction is gone."""
    with FakeShop(database) as uow:
        uow.members.get_by_name("ann").deactivate()
        with pytest.raises(StorageUnavailable), uow.savepoint():
            database.fail("write", AWAY)
            uow.members.add(new_member("bob"))
        other = FakeShop(database)
        with other:
            other.members.get_by_name("ann").change_email("other@example.com")
            other.commit()
    assert [("ann", True)] == stored(database)


@pytest.mark.promise(10)
def test_a_savepoint_not_undone_says_why(database: FakeDatabase) -> None:
    """A savepoint that cannot be undone says why, whatever error leaves it: the unit cannot go on."""
    with FakeShop(database) as uow:
        with pytest.raises(StorageUnavailable) as caught, uow.savepoint():
            database.fail("write", AWAY)
            uow.members.add(new_member("bob"))
            with suppress(StorageUnavailable):
                uow.flush()
            raise ZeroDivisionError
        assert caught.value is AWAY


def test_an_unwritten_addition_cannot_fail(database: FakeDatabase) -> None:
    """An addition that is never written is no write that can fail. The next write of any unit fails."""
    database.fail("write", AWAY)
    with FakeShop(database) as uow:
        uow.members.add(new_member("bob"))
        uow.rollback()
    with pytest.raises(StorageUnavailable):
        create_member("cid", "cid@example.com", FakeShop(database))
    assert ["ann"] == [name for name, _ in stored(database)]


def test_an_interrupt_of_a_lost_unit_stays_one(database: FakeDatabase) -> None:
    """An interrupt that leaves a savepoint of a lost unit stays an interrupt, and is not reported as the loss."""
    with pytest.raises(KeyboardInterrupt), FakeShop(database) as uow, uow.savepoint():
        database.fail("read", AWAY)
        with suppress(StorageUnavailable):
            uow.members.page()
        raise KeyboardInterrupt
