"""Promises 1, 2, 4 and 12: what is stored, when, and that nobody can forget it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from domain.errors import UncommittedChanges
from service_layer.unit_of_work import UnitOfWork
from tests.contract.users import new_user, stored_names, stored_user, stored_values, values
from tests.storages import Storage


@pytest.mark.promise(1)
def test_nothing_is_visible_outside_before_the_commit(storage: Storage) -> None:
    """Another unit sees a new user only after the commit."""
    with storage.unit() as uow:
        uow.users.add(new_user())
        before = stored_names(storage)
        uow.commit()
    assert ([], ["ann"]) == (before, stored_names(storage))


@pytest.mark.promise(1)
def test_an_exception_rolls_back(storage: Storage) -> None:
    """What was added before an exception left the block is not stored, and the exception goes on."""
    with pytest.raises(ZeroDivisionError), storage.unit() as uow:
        uow.users.add(new_user())
        raise ZeroDivisionError
    assert stored_names(storage) == []


@pytest.mark.promise(1)
def test_rollback_undoes_additions_changes_and_removals(storage: Storage) -> None:
    """After a rollback everything is as it was before the unit."""
    stored_user(storage, "ann")
    stored_user(storage, "bob")
    before = stored_values(storage)
    with storage.unit() as uow:
        uow.users.add(new_user("cid"))
        uow.users.add_many([new_user("dan")])
        uow.users.get_by_username("ann").deactivate()
        uow.users.remove(uow.users.get_by_username("bob"))
        uow.rollback()
    assert before == stored_values(storage)


@pytest.mark.promise(2)
def test_after_the_commit_every_kind_of_change_is_stored(storage: Storage) -> None:
    """An addition, a bulk addition, a change and a removal are all there in a new unit."""
    ann, bob = stored_user(storage, "ann"), stored_user(storage, "bob")
    cid = new_user("cid")
    with storage.unit() as uow:
        uow.users.add(cid)
        uow.users.add_many([new_user("dan")])
        uow.users.get(ann.id).change_email("ann@example.org")
        uow.users.remove(uow.users.get(bob.id))
        uow.commit()
    with storage.unit() as uow:
        emails = {user.username: user.email for user in uow.users.stream()}
    assert {"ann": "ann@example.org", "cid": "cid@example.com", "dan": "dan@example.com"} == emails


@pytest.mark.promise(2)
def test_every_attribute_comes_back_as_it_was_stored(storage: Storage) -> None:
    """What a new unit reads equals what was stored, to the microsecond and the type."""
    user = stored_user(storage)
    with storage.unit() as uow:
        read = uow.users.get(user.id)
    assert values(user) == values(read)
    assert [type(value) for value in values(user).values()] == [type(value) for value in values(read).values()]


@pytest.mark.promise(2)
def test_a_change_that_no_query_followed_is_stored(storage: Storage) -> None:
    """Commit looks for changes itself, also of objects that nobody holds any more."""
    user = stored_user(storage)
    with storage.unit() as uow:
        uow.users.get(user.id).deactivate()
        uow.commit()
    assert [False] == [row["active"] for row in stored_values(storage)]


@pytest.mark.promise(4)
def test_changing_an_object_after_its_unit_changes_nothing_stored(storage: Storage) -> None:
    """Neither an object that was added nor one that was read writes through later, not even by the next commit."""
    added = new_user()
    uow = storage.unit()
    with uow:
        uow.users.add(added)
        uow.commit()
        added.deactivate()
    with uow:
        read = uow.users.get(added.id)
    read.change_email("other@example.com")
    with uow:
        uow.users.add(new_user("bob"))
        uow.commit()
    assert [(True, "ann@example.com"), (True, "bob@example.com")] == [
        (row["active"], row["email"]) for row in stored_values(storage)
    ]


def forget_an_addition(uow: UnitOfWork) -> None:
    """Leave a block with an addition but without a commit."""
    with uow:
        uow.users.add(new_user("bob"))


def forget_a_bulk_addition(uow: UnitOfWork) -> None:
    """Leave a block with rows stored in bulk but without a commit."""
    with uow:
        uow.users.add_many([new_user("bob")])


def forget_a_bulk_addition_in_a_savepoint(uow: UnitOfWork) -> None:
    """Leave a block whose savepoint was kept, but without a commit."""
    with uow, uow.savepoint():
        uow.users.add_many([new_user("bob")])


def forget_a_change(uow: UnitOfWork) -> None:
    """Leave a block with a changed attribute but without a commit."""
    with uow:
        uow.users.get_by_username("ann").deactivate()


def forget_a_removal(uow: UnitOfWork) -> None:
    """Leave a block with a removal but without a commit."""
    with uow:
        uow.users.remove(uow.users.get_by_username("ann"))


FORGETTING = [
    forget_an_addition,
    forget_a_bulk_addition,
    forget_a_bulk_addition_in_a_savepoint,
    forget_a_change,
    forget_a_removal,
]


@pytest.mark.promise(12)
@pytest.mark.parametrize("forget", FORGETTING, ids=lambda way: way.__name__)
def test_leaving_with_uncommitted_changes_warns_and_rolls_back(
    storage: Storage, forget: Callable[[UnitOfWork], None]
) -> None:
    """A forgotten commit cannot pass unnoticed, and stores nothing."""
    stored_user(storage, "ann")
    before = stored_values(storage)
    with pytest.warns(UncommittedChanges, match=r"Call uow.commit\(\)"):
        forget(storage.unit())
    assert before == stored_values(storage)


@pytest.mark.promise(12)
def test_leaving_without_changes_does_not_warn(storage: Storage) -> None:
    """Reading, a change that was taken back, a rollback and a commit all leave nothing to warn of."""
    user = stored_user(storage)
    with storage.unit() as uow:
        read = uow.users.get(user.id)
        read.deactivate()
        read.reactivate()
    with storage.unit() as uow:
        uow.users.get(user.id).deactivate()
        uow.rollback()
    assert [1] == [row["version"] for row in stored_values(storage)]
