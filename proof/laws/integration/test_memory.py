"""Promise 16 on real databases: how much a unit of work holds while it streams and stores in bulk."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING
from weakref import WeakSet, ref

import pytest
from sqlalchemy import Engine

from domain.repository import STREAM_BATCH
from proof.laws.contract.parts import products, stored
from tests.contract.members import Member, new_member
from tests.contract.shop import SqlShop
from tests.storages import sql_storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.contract.allocation import Product

COUNT = 10 * STREAM_BATCH


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Let reference counts alone decide what is alive.

    Versions of Python run the garbage collector at different times. It closes generators of other tests, and such a
    traceback holds the frames of this test.
    """
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.every_case
@pytest.mark.promise(16)
@pytest.mark.usefixtures("no_collector")
def test_a_stream_and_a_bulk_hold_few_at_a_time(engine: Engine, small_batches: int) -> None:
    """A stream and a bulk hold few objects at a time: the unit keeps none that the caller has dropped."""
    alive: WeakSet[Member] = WeakSet()

    def watched(members: Iterable[Member]) -> Iterator[Member]:
        for member in members:
            alive.add(member)
            yield member

    held = []
    with SqlShop(engine) as uow:
        uow.members.add_many(watched(new_member(f"member{number}") for number in range(10 * small_batches)))
        held.append(len(alive))
        held += [len(alive) for _ in watched(uow.members.stream())]
        uow.commit()
    assert 10 * small_batches + 1 == len(held)
    assert max(held) <= small_batches + 1  # and the current one


@pytest.mark.slow
@pytest.mark.promise(16)
def test_a_stream_with_parts_holds_few(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of aggregates with parts holds few: parts keep their root alive only while the caller keeps a part."""
    monkeypatch.setattr("domain.repository.STREAM_BATCH", 10)
    storage = sql_storage(engine)
    stored(storage, *[f"sku-{number:02}" for number in range(50)])
    alive: WeakSet[Product] = WeakSet()
    held = []
    gc.freeze()  # so the many collections look only at what follows
    with storage.unit() as uow:
        for product in products(uow).stream():
            alive.add(product)
            del product
            gc.collect()
            held.append(len(alive))
    assert 50 == len(held)
    assert max(held) <= 11


@pytest.mark.slow
@pytest.mark.promise(16)
def test_a_long_stream_leaves_nothing_more_behind(engine: Engine) -> None:
    """A long stream leaves no more behind than a short one, not even a few bytes for each object."""
    with SqlShop(engine) as uow:
        uow.members.add_many(new_member(f"member{number}") for number in range(COUNT))
        before = dead_references()
        for _ in uow.members.stream():
            pass
        assert dead_references() - before < COUNT * 0.7
        uow.rollback()


def made_while_collecting() -> ref[Member]:
    """Return a reference to a member that this function holds only while the garbage collector runs."""
    member = new_member("ann")
    gc.collect()
    return ref(member)


@pytest.mark.slow
@pytest.mark.promise(16)
def test_a_bulk_leaves_no_frames(engine: Engine) -> None:
    """A bulk leaves nothing that holds later frames. The garbage collector may close its rest during other work."""
    with SqlShop(engine) as uow:
        uow.members.add_many([new_member("bob")])
        assert made_while_collecting()() is None
        uow.rollback()


def dead_references() -> int:
    """Return how many references to dead objects exist."""
    return sum(type(one) is ref and one() is None for one in gc.get_objects())
