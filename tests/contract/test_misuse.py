"""Promises 11 and 13: the life cycle of a unit, and what a read-only one refuses."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from domain.errors import UnitOfWorkMisuse
from domain.user import User, UsernameTaken
from tests.contract.users import new_user, stored_names, stored_user, stored_values
from tests.storages import Storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from service_layer.unit_of_work import UnitOfWork

USES: dict[str, Callable[[UnitOfWork], object]] = {
    "add": lambda uow: uow.users.add(new_user("bob")),
    "add_many": lambda uow: uow.users.add_many([new_user("bob")]),
    "get": lambda uow: uow.users.get(new_user().id),
    "get_by_username": lambda uow: uow.users.get_by_username("ann"),
    "get_by_email": lambda uow: uow.users.get_by_email("ann@example.com"),
    "list_holding": lambda uow: uow.users.list_holding([], []),
    "page": lambda uow: uow.users.page(),
    "stream": lambda uow: list(uow.users.stream()),
    "remove": lambda uow: uow.users.remove(new_user()),
    "commit": lambda uow: uow.commit(),
    "rollback": lambda uow: uow.rollback(),
    "savepoint": lambda uow: uow.savepoint().__enter__(),
}


@pytest.mark.promise(11)
@pytest.mark.parametrize("use", USES)
def test_a_unit_cannot_be_used_outside_of_its_block(uow: UnitOfWork, use: str) -> None:
    """Neither before it nor after it; the message says what to write."""
    with pytest.raises(UnitOfWorkMisuse, match="write `with uow:`"):
        USES[use](uow)
    with uow:
        pass
    with pytest.raises(UnitOfWorkMisuse, match="write `with uow:`"):
        USES[use](uow)


@pytest.mark.promise(11)
@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("use", USES)
def test_after_its_end_a_unit_can_only_be_left(uow: UnitOfWork, use: str, end: str) -> None:
    """One block is one transaction."""
    with uow:
        getattr(uow, end)()
        with pytest.raises(UnitOfWorkMisuse, match="leave the block"):
            USES[use](uow)


@pytest.mark.promise(11)
def test_a_repository_kept_beyond_the_block_is_refused_like_the_unit(uow: UnitOfWork) -> None:
    """Keeping ``uow.users`` under another name opens no back door; nor does a stream that is read later."""
    with uow:
        users = uow.users
        stream = users.stream()
    with pytest.raises(UnitOfWorkMisuse):
        users.page()
    with pytest.raises(UnitOfWorkMisuse):
        next(stream)


@pytest.mark.promise(11)
def test_a_unit_that_is_open_cannot_be_entered_again(storage: Storage) -> None:
    """The block around goes on undisturbed."""
    with storage.unit() as uow:
        uow.users.add(new_user("ann"))
        with pytest.raises(UnitOfWorkMisuse, match="open already"), uow:
            pytest.fail("entered twice")
        uow.commit()
    assert stored_names(storage) == ["ann"]


@pytest.mark.promise(11)
@pytest.mark.parametrize("use", USES)
def test_a_unit_cannot_be_used_by_another_thread(uow: UnitOfWork, use: str) -> None:
    """Nor be left by it: it stays with the thread that opened it."""
    with uow, ThreadPoolExecutor(1) as pool:
        with pytest.raises(UnitOfWorkMisuse, match="another thread"):
            pool.submit(USES[use], uow).result()
        with pytest.raises(UnitOfWorkMisuse, match="another thread"):
            pool.submit(uow.__exit__, None, None, None).result()
        uow.users.page()


@pytest.mark.promise(11)
def test_a_unit_that_failed_cannot_be_rolled_back_by_another_thread(storage: Storage) -> None:
    """It stays with the thread that opened it, then too."""
    stored_user(storage)
    with storage.unit() as uow, ThreadPoolExecutor(1) as pool:
        with pytest.raises(UsernameTaken):
            uow.users.add(new_user())
        with pytest.raises(UnitOfWorkMisuse, match="another thread"):
            pool.submit(uow.rollback).result()
        uow.rollback()


@pytest.mark.promise(11)
def test_a_bulk_addition_whose_source_ends_the_unit_is_refused(storage: Storage) -> None:
    """Nothing is stored behind the end, and nothing is left over for the next block."""
    uow = storage.unit()

    def source(end: Callable[[], None]) -> Iterator[User]:
        yield new_user("ann")
        end()
        yield new_user("bob")

    for end in (uow.rollback, uow.commit):
        with uow, pytest.raises(UnitOfWorkMisuse, match="leave the block"):
            uow.users.add_many(source(end))
    with uow:
        uow.users.add(new_user("cid"))
        uow.commit()
    assert stored_names(storage) == ["cid"]


@pytest.mark.promise(11)
def test_a_copy_of_a_user_is_an_object_of_its_own(storage: Storage) -> None:
    """However it was copied, what is stored is what the added object holds."""
    ann = new_user()
    for number, copied in enumerate([copy.copy(ann), copy.deepcopy(ann), evolve(ann), pickle.loads(pickle.dumps(ann))]):  # noqa: S301  # made in this line
        copied.change_username(f"copy{number}")
        with storage.unit() as uow:
            uow.users.add(copied)
            with pytest.raises(UnitOfWorkMisuse, match="not of this unit"):
                uow.users.remove(ann)
            uow.commit()
        assert stored_names(storage) == [f"copy{number}"]
        with storage.unit() as uow:
            uow.users.remove(uow.users.get(ann.id))
            uow.commit()


@pytest.mark.promise(11)
def test_a_subclass_of_user_is_no_user_of_the_repository(uow: UnitOfWork) -> None:
    """It has no mapping, so a database could not store it."""

    class Admin(User):
        pass

    with uow, pytest.raises(TypeError, match="holds User objects"):
        uow.users.add(Admin.create("ann", "ann@example.com"))


@pytest.mark.promise(11)
def test_a_unit_can_be_used_again_one_block_after_another(storage: Storage) -> None:
    """After a commit, a rollback, an error and a block that only read; also by another thread."""
    uow = storage.unit()

    def add(name: str) -> None:
        with uow:
            uow.users.add(new_user(name))
            uow.commit()

    add("ann")
    with uow:
        uow.rollback()
    add("bob")
    with pytest.raises(ZeroDivisionError), uow:
        raise ZeroDivisionError
    with uow:
        uow.users.page()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(add, "cid").result()
    assert stored_names(storage) == ["ann", "bob", "cid"]


@pytest.mark.promise(11)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_unit_cannot_be_ended_inside_a_savepoint(storage: Storage, end: str) -> None:
    """Its block must be left first; nothing is lost by the attempt."""
    with storage.unit() as uow:
        with uow.savepoint():
            uow.users.add(new_user())
            with pytest.raises(UnitOfWorkMisuse, match="inside a savepoint"):
                getattr(uow, end)()
        uow.commit()
    assert stored_names(storage) == ["ann"]


@pytest.mark.promise(11)
def test_a_user_can_be_removed_only_by_the_unit_that_holds_it(storage: Storage) -> None:
    """Not with an object of an earlier unit, of another open one, never stored, or removed already."""
    ann = stored_user(storage)
    with storage.unit() as uow, storage.unit() as other:
        removed = uow.users.get(ann.id)
        uow.users.remove(removed)
        for user in (ann, other.users.get(ann.id), new_user(), removed):
            with pytest.raises(UnitOfWorkMisuse, match="get it from this unit"):
                uow.users.remove(user)
        uow.commit()
    assert stored_names(storage) == []


@pytest.mark.promise(11)
def test_a_user_of_another_open_unit_cannot_be_added(storage: Storage) -> None:
    """An object belongs to one unit at a time."""
    with storage.unit() as uow, storage.unit() as other:
        ann = new_user()
        uow.users.add(ann)
        with pytest.raises(UnitOfWorkMisuse, match="belongs to another unit"):
            other.users.add(ann)
        uow.commit()
    assert stored_names(storage) == ["ann"]


@pytest.mark.promise(11)
def test_a_misuse_does_not_end_the_unit(storage: Storage) -> None:
    """It is refused before anything happens, so the work can go on."""
    with storage.unit() as uow:
        uow.users.add(new_user())
        with pytest.raises(UnitOfWorkMisuse):
            uow.users.remove(new_user("bob"))
        uow.commit()
    assert stored_names(storage) == ["ann"]


@pytest.mark.promise(13)
@pytest.mark.parametrize("use", ["add", "add_many", "remove", "commit"])
def test_a_read_only_unit_refuses_to_write(storage: Storage, use: str) -> None:
    """With a message that says how to open one that writes; reading goes on."""
    stored_user(storage)
    with storage.unit(read_only=True) as uow:
        with pytest.raises(UnitOfWorkMisuse, match="read-only"):
            USES[use](uow)
        assert len(uow.users.page().items) == 1
    assert stored_names(storage) == ["ann"]


@pytest.mark.promise(13)
def test_a_read_only_unit_refuses_a_changed_object_at_the_next_query(storage: Storage) -> None:
    """The change would have to be written for the query to see it."""
    ann = stored_user(storage)
    with storage.unit(read_only=True) as uow:
        uow.users.get(ann.id).deactivate()
        with pytest.raises(UnitOfWorkMisuse, match="read-only"):
            uow.users.page()
        uow.rollback()
    assert [True] == [row["active"] for row in stored_values(storage)]


@pytest.mark.promise(11)
@pytest.mark.parametrize("wrong", ["ann", None, 5])
def test_only_users_can_be_added_and_removed(uow: UnitOfWork, wrong: object) -> None:
    """Anything else is a mistake in the code, named as such on every backend."""
    with uow:
        for call in (uow.users.add, uow.users.remove, lambda user: uow.users.add_many([user])):
            with pytest.raises(TypeError, match="holds User objects"):
                call(wrong)  # type: ignore[arg-type]  # the wrong type is the point
        uow.rollback()
