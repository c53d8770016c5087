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
from tests.contract.members import Member, MemberName, create_member, new_member
from tests.contract.shop import FakeShop

AWAY = StorageUnavailable("the server is away")
UNKNOWN = CommitOutcomeUnknown("lost while committing")


def added(uow: FakeShop) -> FakeShop:
    """Add a member to a unit of work, and return the unit."""
    uow.members.add(new_member("bob"))
    return uow


def removed(uow: FakeShop, member: Member) -> FakeShop:
    """Remove a member from a unit of work, and return the unit."""
    uow.members.remove(member)
    return uow


def changed(uow: FakeShop, member: Member) -> FakeShop:
    """Change a member of a unit of work, and return the unit."""
    member.deactivate()
    return uow


READS: dict[str, Callable[[FakeShop, Member], object]] = {
    "get": lambda uow, ann: uow.members.get(ann.id),
    "get_by_name": lambda uow, _: uow.members.get_by_name("ann"),
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
    """Return the names of all that is stored, and whether they are active."""
    with FakeShop(database, read_only=True) as uow:
        return [(member.name, member.active) for member in uow.members.stream()]


@pytest.mark.parametrize("read", READS)
def test_every_query_is_a_read_that_can_fail(database: FakeDatabase, read: str) -> None:
    """The unit has then failed as it would on a database."""
    with FakeShop(database) as uow:
        ann = uow.members.get_by_name("ann")
        database.fail("read", AWAY)
        with pytest.raises(StorageUnavailable, match="the server is away"):
            READS[read](uow, ann)
        with pytest.raises(UnitOfWorkMisuse, match="the server is away"):
            uow.members.page()


@pytest.mark.parametrize("write", WRITES)
def test_everything_that_writes_can_fail_and_stores_nothing_then(database: FakeDatabase, write: str) -> None:
    """Additions, removals, and what was changed."""
    with FakeShop(database) as uow:
        ann = uow.members.get_by_name("ann")
        database.fail("write", AWAY)
        with pytest.raises(StorageUnavailable, match="the server is away"):
            WRITES[write](uow, ann)
    assert [("ann", True)] == stored(database)


def test_it_is_the_chosen_call_that_fails_and_no_other(database: FakeDatabase) -> None:
    """Counted from now on, over all units; calls of another kind do not count."""
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
    """And its objects keep what was done to them."""
    database.fail("commit", error)
    with pytest.raises(type(error)), FakeShop(database) as uow:
        ann = uow.members.get_by_name("ann")
        ann.deactivate()
        uow.commit()
    assert [("ann", True)] == stored(database)
    assert not ann.active


def test_a_commit_of_unknown_outcome_can_have_stored_the_work(database: FakeDatabase) -> None:
    """Both happen on a real database."""
    database.fail("commit", UNKNOWN, stored=True)
    with pytest.raises(CommitOutcomeUnknown):
        create_member("bob", "bob@example.com", FakeShop(database))
    assert ["ann", "bob"] == [name for name, _ in stored(database)]


@pytest.mark.parametrize(
    ("error", "goes_on"), [(ConcurrentChange("late"), True), (AWAY, False), (TransactionLost("late"), False)]
)
def test_a_savepoint_contains_a_conflict_and_not_the_loss_of_the_transaction(
    database: FakeDatabase, error: Exception, goes_on: bool
) -> None:
    """As on a database."""
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


def test_only_an_unknown_outcome_can_have_stored_the_work(database: FakeDatabase) -> None:
    """Any other error with something stored would be a lie, which the fake does not tell."""
    with pytest.raises(ValueError, match="only a commit whose outcome is unknown"):
        database.fail("commit", AWAY, stored=True)
    with pytest.raises(ValueError, match="only a commit whose outcome is unknown"):
        database.fail("write", UNKNOWN, stored=True)
    with pytest.raises(ValueError, match="counted from 1"):
        database.fail("read", AWAY, call=0)


def test_of_failures_that_are_due_at_one_call_each_has_a_call_of_its_own(database: FakeDatabase) -> None:
    """The next call of that kind meets the next one; calls of another kind meet none."""
    database.fail("write", AWAY)
    database.fail("write", ConcurrentChange("late"))
    uow = FakeShop(database)
    for error in (StorageUnavailable, ConcurrentChange):
        assert ["ann"] == [name for name, _ in stored(database)]
        with pytest.raises(error):
            create_member("bob", "bob@example.com", uow)
    assert create_member("bob", "bob@example.com", uow).version == 1


def test_a_kind_of_call_that_there_is_not_is_refused(database: FakeDatabase) -> None:
    """Otherwise a slip would make a test that can never fail."""
    with pytest.raises(ValueError, match="a 'read', a 'write' or a 'commit', not 'wirte'"):
        database.fail("wirte", AWAY)  # type: ignore[arg-type]  # the slip is the point


def test_a_lost_connection_in_a_savepoint_frees_all_that_the_unit_had_locked(database: FakeDatabase) -> None:
    """Not the savepoint's part alone: the whole transaction is gone."""
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
def test_a_savepoint_that_cannot_be_undone_says_why(database: FakeDatabase) -> None:
    """Whatever error leaves it: that one would say that the unit can go on."""
    with FakeShop(database) as uow:
        with pytest.raises(StorageUnavailable) as caught, uow.savepoint():
            database.fail("write", AWAY)
            uow.members.add(new_member("bob"))
            with suppress(StorageUnavailable):
                uow.flush()
            raise ZeroDivisionError
        assert caught.value is AWAY


def test_an_addition_that_is_never_written_is_no_write_that_can_fail(database: FakeDatabase) -> None:
    """The next write, of whichever unit, meets the failure."""
    database.fail("write", AWAY)
    with FakeShop(database) as uow:
        uow.members.add(new_member("bob"))
        uow.rollback()
    with pytest.raises(StorageUnavailable):
        create_member("cid", "cid@example.com", FakeShop(database))
    assert ["ann"] == [name for name, _ in stored(database)]
