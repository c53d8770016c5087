"""Promises 7 and 8: units that want the same unique value at the same time, and what an open one keeps from others."""

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

# For tests that wait in vain for a lock: MariaDB cannot be told to wait for less than a second.
one_unique = pytest.mark.parametrize(
    ("sample", "unique"), [pytest.param(MEMBERS, MEMBERS.unique[0], id="members.name")]
)


@pytest.mark.promise(7)
@each_unique
def test_a_unit_that_lost_a_value_keeps_it_from_nobody(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """While it is still open, others are refused at once, for the same reason."""
    ann = kit.stored("ann")
    with kit.unit() as uow, kit.unit() as other:
        for loser, word in ((uow, "bob"), (other, "cid")):
            kit.of(loser).add(kit.like(ann, unique, word))
            with pytest.raises(unique.taken):
                written(loser)


@pytest.mark.promise(7)
@each_unique
def test_a_refused_addition_keeps_its_other_values_from_nobody(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """While the unit that failed is still open, others can take what it wanted beside the value that it lost."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        kit.of(uow).add(kit.like(ann, unique, "bob"))
        with pytest.raises(unique.taken):
            written(uow)
        kit.stored("bob")
    assert ["ann", "bob"] == kit.words()


@pytest.mark.promise(7)
@each_unique
def test_of_several_writers_who_race_for_a_value_exactly_one_wins(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """Each of the others gets the domain's error, after waiting for the winner to end.

    MariaDB may end a loser by a deadlock instead, which says that it can be tried again; then it is refused.
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
def test_a_value_whose_taker_rolls_back_goes_to_who_waits_for_it(kit: Kit[Any]) -> None:
    """Nobody is refused for what was never stored."""
    with ThreadPoolExecutor(1) as pool, kit.unit() as uow:
        kit.of(uow).add(kit.sample.make("ann"))
        written(uow)
        waiting = pool.submit(kit.stored, "ann")
        time.sleep(0.1)  # the other one comes to wait meanwhile
        uow.rollback()
        stored = waiting.result()
    assert [stored.id] == [row["id"] for row in kit.all_values()]


@pytest.mark.promise(7)
@one_unique
@pytest.mark.parametrize("given_up", ["changed", "removed"])
def test_a_value_that_an_open_unit_gave_up_is_not_free_before_its_commit(
    kit: Kit[Any], unique: UniqueValue[Any], given_up: str
) -> None:
    """It may roll back yet, so whoever wants the value waits."""
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


@pytest.mark.promise(7)
@one_unique
@pytest.mark.parametrize("same_thread", [True, False])
def test_a_writer_who_waits_too_long_for_another_one_gives_up(
    kit: Kit[Any], unique: UniqueValue[Any], same_thread: bool
) -> None:
    """A conflict that may be tried again, not a wait without end."""
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


@pytest.mark.promise(8)
@one_unique
@pytest.mark.parametrize("then", ["query", "addition", "savepoint"])
def test_what_a_unit_has_written_is_its_own_until_it_ends(kit: Kit[Any], unique: UniqueValue[Any], then: str) -> None:
    """Whatever it does after the write: who wants to change the same waits, and in vain."""
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
