"""Promise 16 on real databases: how much a unit of work holds while it streams and stores in bulk."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING
from weakref import WeakSet, ref

import pytest
from sqlalchemy import Engine

from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.repository import STREAM_BATCH
from domain.user import User
from tests.contract.users import new_user

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COUNT = 10 * STREAM_BATCH


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Let reference counts alone decide what is alive.

    When the garbage collector runs differs between versions of Python. It closes generators that other tests have left,
    and a traceback of that holds the frames of this test.
    """
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.promise(16)
@pytest.mark.usefixtures("no_collector")
def test_a_stream_and_a_bulk_addition_hold_few_at_a_time(engine: Engine) -> None:
    """Of what the caller lets go, the unit keeps nothing."""
    alive: WeakSet[User] = WeakSet()

    def watched(users: Iterable[User]) -> Iterator[User]:
        for user in users:
            alive.add(user)
            yield user

    held = []
    with SqlUnitOfWork(engine) as uow:
        uow.users.add_many(watched(new_user(f"user{number}") for number in range(COUNT)))
        held.append(len(alive))
        held += [len(alive) for _ in watched(uow.users.stream())]
        uow.commit()
    assert COUNT + 1 == len(held)
    assert max(held) <= STREAM_BATCH + 1  # and the one at hand


@pytest.mark.promise(16)
def test_a_long_stream_leaves_no_more_behind_than_a_short_one(engine: Engine) -> None:
    """Not even the few bytes that say that an object was there."""
    with SqlUnitOfWork(engine) as uow:
        uow.users.add_many(new_user(f"user{number}") for number in range(COUNT))
        before = dead_references()
        for _ in uow.users.stream():
            pass
        assert dead_references() - before < COUNT * 0.7
        uow.rollback()


def made_while_collecting() -> ref[User]:
    """Return a reference to a user that this function holds while the garbage collector runs, and no longer."""
    user = new_user("ann")
    gc.collect()
    return ref(user)


@pytest.mark.promise(16)
def test_a_bulk_leaves_nothing_that_holds_later_frames(engine: Engine) -> None:
    """The garbage collector may close what is left of it in the middle of other work, and must keep nothing of that."""
    with SqlUnitOfWork(engine) as uow:
        uow.users.add_many([new_user("bob")])
        assert made_while_collecting()() is None
        uow.rollback()


def dead_references() -> int:
    """Return how many references there are to objects that are gone."""
    return sum(type(one) is ref and one() is None for one in gc.get_objects())
