"""Promises 8 and 9: units of work that meet at one aggregate, and the order of the writes in one of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from domain.aggregate import named
from domain.errors import ConcurrentChange
from tests.contract.graphs import values
from tests.contract.sample import Kit, UniqueValue
from tests.contract.samples import each_unique_that_changes
from tests.contract.shop import Shop

WAYS = ["changed", "changed otherwise"]


def touch(kit: Kit[Any], one: Any, way: str) -> dict[str, Any]:
    """Change an aggregate in one of the ways, by its word where it can be renamed. Return its values then."""
    if way == "changed" or kit.sample.rename is None:
        return kit.change(one)
    kit.rename(one, "eve")
    return values(one)


@pytest.mark.promise(8)
@pytest.mark.parametrize("mine", WAYS)
@pytest.mark.parametrize("theirs", WAYS)
def test_the_second_of_two_changes_is_refused(kit: Kit[Any], mine: str, theirs: str) -> None:
    """The second of two changes to one aggregate is refused, also of other attributes or to the same values."""
    ann = kit.stored("ann")
    with pytest.raises(ConcurrentChange, match=named(ann)) as caught, kit.unit() as uow:
        one = kit.of(uow).get(ann.id)
        with kit.unit() as other:
            first = touch(kit, kit.of(other).get(ann.id), theirs)
            other.commit()
        touch(kit, one, mine)
        uow.commit()
    assert caught.value.retryable
    assert [{**first, "version": 2}] == kit.all_values()


@pytest.mark.promise(8)
def test_a_conflict_names_all_pending_ids(kit: Kit[Any]) -> None:
    """A conflict names all pending aggregates in the order of ids. The database does not say which one it was."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with pytest.raises(ConcurrentChange, match=f"{named(ann)} or {named(bob)}"), kit.unit() as uow:
        mine = [kit.of(uow).get(one.id) for one in (bob, ann)]
        with kit.unit() as other:
            kit.sample.change(kit.of(other).get(bob.id), 1)
            other.commit()
        for one in mine:
            kit.sample.change(one, 1)
        uow.commit()


@pytest.mark.promise(8)
@pytest.mark.parametrize("way", WAYS)
def test_a_change_of_a_removed_one_is_refused(kit: Kit[Any], way: str) -> None:
    """Changing an aggregate that another unit removed is refused. The change does not undo the removal."""
    ann = kit.stored("ann")
    with pytest.raises(ConcurrentChange, match=named(ann)), kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with kit.unit() as other:
            kit.of(other).remove(kit.of(other).get(ann.id))
            other.commit()
        touch(kit, mine, way)
        uow.commit()
    assert [] == kit.all_values()


@pytest.mark.promise(8)
@pytest.mark.parametrize("way", [*WAYS, "removed"])
def test_a_removal_of_a_touched_one_is_refused(kit: Kit[Any], way: str) -> None:
    """Removing an aggregate that another unit touched is refused. A removal needs the version that was read."""
    ann = kit.stored("ann")
    with pytest.raises(ConcurrentChange, match=named(ann)), kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with kit.unit() as other:
            theirs = kit.of(other).get(ann.id)
            if way == "removed":
                kit.of(other).remove(theirs)
            else:
                touch(kit, theirs, way)
            other.commit()
        stored = kit.all_values()
        kit.of(uow).remove(mine)
        uow.commit()
    assert stored == kit.all_values()


@pytest.mark.promise(8)
def test_a_readded_aggregate_has_a_new_version(kit: Kit[Any]) -> None:
    """An aggregate that is removed and added again has a higher version. A change based on the old one is refused."""
    ann = kit.stored("ann")
    with pytest.raises(ConcurrentChange), kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with kit.unit() as other:
            found = kit.of(other)
            theirs = found.get(ann.id)
            found.remove(theirs)
            found.add(theirs)
            other.commit()
        kit.sample.change(mine, 1)
        uow.commit()
    assert [{**values(ann), "version": 2}] == kit.all_values()


@pytest.mark.promise(8)
def test_no_concurrent_update_is_lost(kit: Kit[Any]) -> None:
    """Four threads make five changes each and retry after each conflict. The version counts all of them."""
    ann = kit.stored("ann")

    def change(_thread: int) -> None:
        uow = kit.unit()
        done = 0
        while done < 5:
            try:
                with uow:
                    mine = kit.of(uow).get(ann.id)
                    kit.sample.change(mine, mine.version % 2)
                    uow.commit()
                done += 1
            except ConcurrentChange:
                continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(4)))
    assert [1 + 4 * 5] == kit.versions()


@pytest.mark.promise(9)
@each_unique_that_changes
@pytest.mark.parametrize("given_up", ["changed", "removed"])
def test_a_new_aggregate_takes_a_given_up_value(kit: Kit[Any], unique: UniqueValue[Any], given_up: str) -> None:
    """A new aggregate can take a value that was given up in the same unit: the change or removal is written first."""
    ann = kit.stored("ann")
    new = kit.like(ann, unique, "bob")
    with kit.unit() as uow:
        give_up(kit, kit.of(uow).get(ann.id), unique, given_up, uow)
        kit.of(uow).add(new)
        uow.commit()
    assert [new.id] == holders(kit, unique, unique.value(ann))


@pytest.mark.promise(9)
@each_unique_that_changes
@pytest.mark.parametrize("given_up", ["changed", "removed"])
def test_a_change_takes_a_given_up_value(kit: Kit[Any], unique: UniqueValue[Any], given_up: str) -> None:
    """A change can take a value that was given up in the same unit.

    A query between two changes writes the first. Without it, they are written in the order of ids.
    """
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with kit.unit() as uow:
        give_up(kit, kit.of(uow).get(bob.id), unique, given_up, uow)
        kit.set(unique, kit.of(uow).get(ann.id), unique.value(bob))
        uow.commit()
    assert [ann.id] == holders(kit, unique, unique.value(bob))


def give_up(kit: Kit[Any], one: Any, unique: UniqueValue[Any], way: str, uow: Shop) -> None:
    """Make an aggregate give up a unique value, by a change or by its removal."""
    if way == "changed":
        kit.set(unique, one, unique.value(kit.sample.make("dan")))
    else:
        kit.of(uow).remove(one)


def holders(kit: Kit[Any], unique: UniqueValue[Any], value: object) -> list[Any]:
    """Return the ids of the holders of a unique value."""
    return [id for id, held in kit.unique_values(unique).items() if held == value]


@pytest.mark.promise(9)
def test_a_removed_aggregate_can_be_replaced(kit: Kit[Any]) -> None:
    """A removed aggregate can be replaced in the same unit by one with all its unique values and another id."""
    ann = kit.stored("ann")
    new = kit.heir(ann, "bob")
    with kit.unit() as uow:
        kit.of(uow).remove(kit.of(uow).get(ann.id))
        kit.of(uow).add(new)
        uow.commit()
    assert [{**values(new), "version": 1}] == kit.all_values()
    assert ann != new


@pytest.mark.promise(9)
def test_a_removed_aggregate_can_be_added_again(kit: Kit[Any]) -> None:
    """A removed aggregate can be added again in the same unit, with its present values and one version further."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        found = kit.of(uow)
        mine = found.get(ann.id)
        found.remove(mine)
        changed = kit.change(mine)
        found.add(mine)
        uow.commit()
    assert [{**changed, "version": 2}] == kit.all_values()
    assert changed["id"] == ann.id


@pytest.mark.promise(8)
def test_a_lost_update_blocks_no_other_unit(kit: Kit[Any]) -> None:
    """While a unit that lost an update is still open, other units can write what it had written."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with kit.unit() as uow:
        written, lost = kit.of(uow).get(ann.id), kit.of(uow).get(bob.id)
        kit.change_elsewhere(bob)
        kit.sample.change(written, 1)
        kit.of(uow).page()
        kit.sample.change(lost, 1)
        with pytest.raises(ConcurrentChange):
            kit.of(uow).page()
        kit.change_elsewhere(ann)
    assert [2, 2] == kit.versions()
