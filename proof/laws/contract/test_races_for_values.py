"""Promises 7 and 8: units that want the same unique value at the same time, and the locks of an open unit."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from domain.errors import ConcurrentChange, TransactionLost
from tests.contract.members import MEMBERS, written
from tests.contract.sample import Kit, UniqueValue
from tests.contract.samples import each_unique

# For tests that wait in vain for a lock. MariaDB cannot wait for less than a second.
one_unique = pytest.mark.parametrize(
    ("sample", "unique"), [pytest.param(MEMBERS, MEMBERS.unique[0], id="members.name")]
)


@pytest.mark.promise(7)
@each_unique
def test_a_lost_value_is_refused_immediately(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """While a unit that lost a value is still open, others are refused immediately, for the same reason."""
    ann = kit.stored("ann")
    with kit.unit() as uow, kit.unit() as other:
        for loser, word in ((uow, "bob"), (other, "cid")):
            kit.of(loser).add(kit.like(ann, unique, word))
            with pytest.raises(unique.taken):
                written(loser)


@pytest.mark.promise(7)
@one_unique
def test_a_taken_value_of_a_changing_row(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """A value is refused while another unit changes the row that has it. Some databases wait for that unit first."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        kit.sample.change(kit.of(uow).get(ann.id), 1)
        uow.flush()
        with pytest.raises((unique.taken, ConcurrentChange)) as refused, kit.unit() as other:
            kit.of(other).add(kit.like(ann, unique, "bob"))
            written(other)
        uow.rollback()
    assert (refused.type is ConcurrentChange) == (kit.storage.kind in ("sqlite", "postgresql"))


@pytest.mark.promise(7)
@each_unique
def test_a_refused_unit_frees_its_other_values(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """While the failed unit is still open, others can take its other values."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        kit.of(uow).add(kit.like(ann, unique, "bob"))
        with pytest.raises(unique.taken):
            written(uow)
        kit.stored("bob")
    assert ["ann", "bob"] == kit.words()


@pytest.mark.promise(7)
@each_unique
def test_exactly_one_writer_wins_a_value(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """Of several writers who race for a value exactly one wins. The others wait and get the domain's error.

    MariaDB may end a loser by a deadlock, which can be tried again. Then it is refused.
    """
    ann = kit.sample.make("ann")
    start = Barrier(4, timeout=10)

    def register(number: int) -> str:
        one = kit.like(ann, unique, f"member{number}")
        uow = kit.unit()
        start.wait()
        while True:
            try:
                with uow:
                    kit.of(uow).add(one)
                    uow.commit()
            except unique.taken:
                return "refused"
            except TransactionLost:
                continue
            return "stored"

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(register, range(4)))
    assert ["refused", "refused", "refused", "stored"] == sorted(outcomes)
    assert [unique.value(ann)] == list(kit.unique_values(unique).values())


@pytest.mark.promise(7)
def test_a_rolled_back_value_goes_to_the_waiter(kit: Kit[Any]) -> None:
    """A value whose taker rolls back goes to the waiting unit: it is not refused for what was never stored."""
    with ThreadPoolExecutor(1) as pool, kit.unit() as uow:
        kit.of(uow).add(kit.sample.make("ann"))
        written(uow)
        waiting = pool.submit(kit.stored, "ann")
        time.sleep(0.1)  # now the other one waits
        uow.rollback()
        stored = waiting.result()
    assert [stored.id] == [row["id"] for row in kit.all_values()]


@pytest.mark.promise(7)
@one_unique
@pytest.mark.parametrize("given_up", ["changed", "removed"])
def test_a_given_up_value_is_locked_until_commit(kit: Kit[Any], unique: UniqueValue[Any], given_up: str) -> None:
    """A value that an open unit gave up is not free before its commit: it may roll back, so others wait."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        if given_up == "changed":
            kit.set(unique, mine, unique.value(kit.sample.make("dan")))
        else:
            kit.of(uow).remove(mine)
        written(uow)
        with pytest.raises(ConcurrentChange), kit.unit() as other:
            kit.of(other).add(kit.like(ann, unique, "bob"))
            other.commit()
        uow.rollback()
    assert ["ann"] == kit.words()


@pytest.mark.slow
@pytest.mark.promise(7)
@one_unique
@pytest.mark.parametrize("same_thread", [True, False])
def test_a_writer_who_waits_too_long_gives_up(kit: Kit[Any], unique: UniqueValue[Any], same_thread: bool) -> None:
    """A writer who waits too long gives up with a conflict that can be tried again."""
    ann = kit.sample.make("ann")

    def add_too() -> None:
        with kit.unit() as other:
            kit.of(other).add(kit.like(ann, unique, "bob"))
            other.commit()

    with kit.unit() as uow, ThreadPoolExecutor(1) as pool:
        kit.of(uow).add(ann)
        written(uow)
        with pytest.raises(ConcurrentChange) as caught:
            add_too() if same_thread else pool.submit(add_too).result()
        uow.rollback()
    assert caught.value.retryable


@pytest.mark.slow
@pytest.mark.promise(8)
@one_unique
@pytest.mark.parametrize("then", ["query", "addition", "savepoint"])
def test_a_written_row_is_locked_until_the_end(kit: Kit[Any], unique: UniqueValue[Any], then: str) -> None:
    """A row that a unit has written is locked until it ends, whatever it does. Another writer waits in vain."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        kit.set(unique, kit.of(uow).get(ann.id), unique.value(kit.sample.make("eve")))
        kit.of(uow).page()
        if then == "query":
            kit.of(uow).page()
        elif then == "addition":
            kit.of(uow).add(kit.sample.make("bob"))
            written(uow)
        else:
            with uow.savepoint():
                kit.of(uow).page()
        with pytest.raises(ConcurrentChange), kit.unit() as other:
            kit.sample.change(kit.of(other).get(ann.id), 1)
            other.commit()
        uow.commit()
    assert unique.value(kit.sample.make("eve")) == kit.unique_values(unique)[ann.id]
    assert 2 == kit.versions()[0]
