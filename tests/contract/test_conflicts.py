"""Promises 8 and 9: units of work that meet at one aggregate, and the order of the writes in one of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from domain.aggregate import named
from domain.errors import ConcurrentChange
from tests.contract.graphs import values
from tests.contract.members import MEMBERS
from tests.contract.sample import Kit, UniqueValue
from tests.contract.samples import each_unique_that_changes
from tests.contract.shop import Shop
from tests.storages import Storage

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
def test_the_second_of_two_changes_to_one_aggregate_is_refused(kit: Kit[Any], mine: str, theirs: str) -> None:
    """Also when they change different attributes, and when they do the same: no update is lost."""
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
def test_a_conflict_names_all_that_were_to_be_written_in_the_order_of_ids(kit: Kit[Any]) -> None:
    """Which of them it was, the database does not tell."""
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
def test_changing_an_aggregate_that_another_unit_removed_is_refused(kit: Kit[Any], way: str) -> None:
    """The removal is not undone by the change."""
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
def test_removing_an_aggregate_that_another_unit_touched_is_refused(kit: Kit[Any], way: str) -> None:
    """A removal, too, is of the version that was read."""
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
def test_an_aggregate_removed_and_added_again_is_not_the_version_that_others_read(kit: Kit[Any]) -> None:
    """Its version goes on rising, so a change based on the old one is refused."""
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
def test_no_update_of_many_concurrent_ones_is_lost(kit: Kit[Any]) -> None:
    """Each of four threads makes five changes, again after each conflict: the version counts all of them."""
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
def test_a_value_that_was_given_up_can_be_given_to_a_new_aggregate_in_the_same_unit(
    kit: Kit[Any], unique: UniqueValue[Any], given_up: str
) -> None:
    """The change or the removal is written before the addition."""
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
def test_a_value_that_was_given_up_can_be_taken_by_a_change_in_the_same_unit(
    kit: Kit[Any], unique: UniqueValue[Any], given_up: str
) -> None:
    """The query between two changes writes the first; without it, they are written in the order of ids."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with kit.unit() as uow:
        give_up(kit, kit.of(uow).get(bob.id), unique, given_up, uow)
        kit.set(unique, kit.of(uow).get(ann.id), unique.value(bob))
        uow.commit()
    assert [ann.id] == holders(kit, unique, unique.value(bob))


def give_up(kit: Kit[Any], one: Any, unique: UniqueValue[Any], way: str, uow: Shop) -> None:
    """Let an aggregate give up a unique value, by a change or by its removal."""
    if way == "changed":
        kit.set(unique, one, unique.value(kit.sample.make("dan")))
    else:
        kit.of(uow).remove(one)


def holders(kit: Kit[Any], unique: UniqueValue[Any], value: object) -> list[Any]:
    """Return the ids of those that hold a unique value."""
    return [id for id, held in kit.unique_values(unique).items() if held == value]


@pytest.mark.promise(9)
def test_a_removed_aggregate_can_be_replaced_by_one_like_it_in_the_same_unit(kit: Kit[Any]) -> None:
    """With all of its unique values, but an identity of its own."""
    ann = kit.stored("ann")
    new = kit.heir(ann, "bob")
    with kit.unit() as uow:
        kit.of(uow).remove(kit.of(uow).get(ann.id))
        kit.of(uow).add(new)
        uow.commit()
    assert [{**values(new), "version": 1}] == kit.all_values()
    assert ann != new


@pytest.mark.promise(9)
def test_a_removed_aggregate_can_be_added_again_in_the_same_unit(kit: Kit[Any]) -> None:
    """It is stored with the values it has then, and one version further."""
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


@pytest.mark.promise(7, 8)
def test_of_several_changes_the_first_that_is_refused_is_told_whatever_it_is_refused_for(storage: Storage) -> None:
    """Here a stale one comes before one that wants a taken value, by their ids."""
    members = Kit(storage, MEMBERS)
    ann, bob, _ = [members.stored(word) for word in ("ann", "bob", "cid")]
    with pytest.raises(ConcurrentChange), storage.unit() as uow:
        mine = [members.of(uow).get(one.id) for one in (ann, bob)]
        with storage.unit() as other:
            members.of(other).get(ann.id).deactivate()
            other.commit()
        mine[0].rename("anna")
        mine[1].rename("cid")
        uow.commit()


@pytest.mark.promise(8)
def test_a_unit_that_lost_an_update_keeps_from_nobody_what_it_wrote_before(kit: Kit[Any]) -> None:
    """While it is still open, others can write that."""
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
