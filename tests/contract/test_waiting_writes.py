"""Promises 6 to 9: an addition waits for the next call of its unit, whatever that is, and no longer than that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from domain.aggregate import named
from domain.errors import ConcurrentChange, DuplicateIdentity, InvalidValue
from tests.contract.graphs import twin, values
from tests.contract.members import written
from tests.contract.sample import WRITES, Kit, UniqueValue
from tests.contract.samples import each_unique, each_unique_of_the_root, each_unique_that_changes, over_renamed
from tests.contract.shop import Shop


class Oops(Exception):
    """What the tests leave a block with."""


# What can follow an addition; each may also use another aggregate that the unit holds.
NEXT: dict[str, Callable[[Kit[Any], Shop, Any], object]] = {
    "a query": lambda kit, uow, _: kit.of(uow).page(limit=1),
    "a query that finds nobody": lambda _kit, uow, _: written(uow),
    "an addition": lambda kit, uow, _: kit.of(uow).add(kit.sample.make("eve")),
    "a bulk addition": lambda kit, uow, _: kit.of(uow).add_many([kit.sample.make("eve")]),
    "a removal": lambda kit, uow, other: kit.of(uow).remove(other),
    "a savepoint": lambda _kit, uow, _: uow.savepoint().__enter__(),
    "the commit": lambda _kit, uow, _: uow.commit(),
}

each_call = pytest.mark.parametrize("call", NEXT)


@pytest.mark.promise(6)
@each_call
def test_an_addition_is_written_with_the_next_call(kit: Kit[Any], call: str) -> None:
    """From then on the object has the version that is stored."""
    ann, bob = kit.sample.make("ann"), kit.stored("bob")
    with suppress(Oops), kit.unit() as uow:
        other = kit.of(uow).get(bob.id)
        kit.of(uow).add(ann)
        versions = [ann.version]
        NEXT[call](kit, uow, other)
        versions.append(ann.version)
        raise Oops
    assert [0, 1] == versions


@pytest.mark.promise(6, 10)
def test_an_addition_inside_a_savepoint_is_written_no_later_than_at_its_end(kit: Kit[Any]) -> None:
    """So that what the savepoint kept is not undone with a later one."""
    ann = kit.sample.make("ann")
    with kit.unit() as uow:
        with uow.savepoint():
            kit.of(uow).add(ann)
            waiting = ann.version
        kept = ann.version
        with pytest.raises(Oops), uow.savepoint():
            raise Oops
        uow.commit()
    assert (0, 1) == (waiting, kept)
    assert [values(ann)] == kit.all_values()


@pytest.mark.promise(7)
@each_unique
@each_call
def test_an_addition_with_a_taken_value_is_refused_by_the_next_call(
    kit: Kit[Any], unique: UniqueValue[Any], call: str
) -> None:
    """Whatever that is; so nothing is built on an addition that was in vain."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with kit.unit() as uow:
        other = kit.of(uow).get(bob.id)
        kit.of(uow).add(kit.like(ann, unique, "cid"))
        with pytest.raises(unique.taken) as caught:
            NEXT[call](kit, uow, other)
    assert unique.value(ann) == caught.value.value
    assert ["ann", "bob"] == kit.words()


@pytest.mark.promise(8)
@each_call
def test_a_removal_that_comes_too_late_is_refused_no_later_than_the_next_call(kit: Kit[Any], call: str) -> None:
    """By the removal itself, where it is written immediately."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with kit.unit() as uow:
        mine, other = kit.of(uow).get(ann.id), kit.of(uow).get(bob.id)
        kit.change_elsewhere(ann)
        with pytest.raises(ConcurrentChange, match=named(ann)):
            remove_and_go_on(kit, uow, mine, lambda: NEXT[call](kit, uow, other))
    assert [2, 1] == kit.versions()


def remove_and_go_on(kit: Kit[Any], uow: Shop, one: Any, then: Callable[[], object]) -> None:
    """Remove an aggregate, and do the next thing."""
    kit.of(uow).remove(one)
    then()


@pytest.mark.promise(7)
@each_unique
def test_of_two_additions_with_one_value_the_second_is_refused(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """By the commit, which then stores neither."""
    ann = kit.sample.make("ann")
    with kit.unit() as uow:
        kit.of(uow).add(ann)
        kit.of(uow).add(kit.like(ann, unique, "bob"))
        with pytest.raises(unique.taken):
            uow.commit()
    assert [] == kit.words()


@pytest.mark.promise(7)
def test_another_object_with_the_identity_of_one_that_waits_is_refused_at_once(kit: Kit[Any]) -> None:
    """One identity is one object in a unit; alone it is named, in bulk it is not."""
    ann = kit.sample.make("ann")
    with kit.unit() as uow:
        kit.of(uow).add(ann)
        with pytest.raises(DuplicateIdentity) as alone:
            kit.of(uow).add(twin(ann))
    with kit.unit() as uow:
        kit.of(uow).add(ann)
        with pytest.raises(DuplicateIdentity) as in_bulk:
            kit.of(uow).add_many([ann])
    assert (ann.id, None) == (alone.value.id, in_bulk.value.id)
    assert [] == kit.words()


@pytest.mark.promise(7)
@each_unique
def test_an_addition_that_waits_keeps_nothing_from_others(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """On no database must they wait for it: they take its value, and it is refused."""
    ann = kit.sample.make("ann")
    with kit.unit() as uow:
        kit.of(uow).add(kit.like(ann, unique, "bob"))
        kit.stored("ann")
        with pytest.raises(unique.taken):
            uow.commit()
    assert ["ann"] == kit.words()


@pytest.mark.promise(6)
@over_renamed
@pytest.mark.parametrize("flushed", [False, True])
def test_what_an_addition_is_changed_to_while_it_waits_is_stored(kit: Kit[Any], flushed: bool) -> None:
    """Written by a query or by the commit; it is one write, and so is one version."""
    ann = kit.sample.make("ann")
    with kit.unit() as uow:
        kit.of(uow).add(ann)
        kit.rename(ann, "anna")
        changed = kit.change(ann)
        if flushed:
            written(uow)
        uow.commit()
    assert ["anna"] == kit.words()
    assert [{**changed, "version": 1}] == kit.all_values() == [values(ann)]


@pytest.mark.promise(6)
@over_renamed
def test_an_addition_that_is_changed_before_and_after_it_is_written_has_the_first_version(kit: Kit[Any]) -> None:
    """A version counts units, not writes."""
    ann = kit.sample.make("ann")
    with kit.unit() as uow:
        kit.of(uow).add(ann)
        kit.rename(ann, "anna")
        written(uow)
        changed = kit.change(ann)
        uow.commit()
    assert ["anna"] == kit.words()
    assert [changed] == kit.all_values() == [values(ann)]
    assert ann.version == 1


@pytest.mark.promise(7)
@each_unique_that_changes
def test_an_addition_takes_the_values_that_it_has_when_it_is_written(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """The taken one that it had at first is nobody's concern."""
    ann = kit.stored("ann")
    new, free = kit.like(ann, unique, "bob"), unique.value(kit.sample.make("bob"))
    with kit.unit() as uow:
        kit.of(uow).add(new)
        kit.set(unique, new, free)
        uow.commit()
    assert ["ann", "bob"] == kit.words()


@pytest.mark.promise(9)
def test_what_is_added_and_removed_without_a_query_in_between_leaves_nothing(kit: Kit[Any]) -> None:
    """And can be added again, with what it has then, and as one write of the unit."""
    ann, bob = kit.sample.make("ann"), kit.sample.make("bob")
    with kit.unit() as uow:
        kit.of(uow).add(ann)
        kit.of(uow).remove(ann)
        kit.of(uow).add(bob)
        kit.of(uow).remove(bob)
        changed = kit.change(bob)
        kit.of(uow).add(bob)
        uow.commit()
    assert [{**changed, "version": 1}] == kit.all_values()


@pytest.mark.promise(9)
def test_another_object_can_be_added_in_place_of_a_removed_one(kit: Kit[Any]) -> None:
    """With the same identity; it is then the object that queries find, and the old one is none of the unit's."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        heir = twin(mine)
        kit.of(uow).remove(mine)
        kit.of(uow).add(heir)
        changed = kit.change(heir)
        kit.sample.change(mine, 0)
        found = kit.of(uow).get(ann.id)
        uow.commit()
    assert found is heir
    assert [{**changed, "version": 2}] == kit.all_values()


@pytest.mark.promise(9)
@each_unique_that_changes
def test_additions_changes_and_removals_are_written_in_the_order_of_the_calls(
    kit: Kit[Any], unique: UniqueValue[Any]
) -> None:
    """Each of them takes a value that the one before has given up; no query is asked in between."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    of_ann, of_bob, of_dan = (unique.value(one) for one in (ann, bob, kit.sample.make("dan")))
    with kit.unit() as uow:
        removed, changed = kit.of(uow).get(ann.id), kit.of(uow).get(bob.id)
        kit.of(uow).remove(removed)
        kit.set(unique, changed, of_ann)
        moved = kit.like(bob, unique, "cid")
        kit.of(uow).add(moved)
        kit.set(unique, moved, of_dan)
        gone = kit.like(bob, unique, "eve")
        kit.of(uow).add(gone)
        kit.of(uow).remove(gone)
        last = kit.like(bob, unique, "fay")
        kit.of(uow).add(last)
        uow.commit()
    expected = {bob.id: of_ann, moved.id: of_dan, last.id: of_bob}
    assert expected == kit.unique_values(unique)


@pytest.mark.promise(7, 9)
@each_unique_of_the_root
@pytest.mark.parametrize("first", ["the addition", "the change"])
def test_of_what_cannot_be_written_the_first_that_was_asked_for_is_told(
    kit: Kit[Any], unique: UniqueValue[Any], first: str
) -> None:
    """An addition with a taken value, and a change that comes too late."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with pytest.raises(unique.taken if first == "the addition" else ConcurrentChange), kit.unit() as uow:
        mine = kit.of(uow).get(bob.id)
        kit.change_elsewhere(bob)
        if first == "the change":
            kit.sample.change(mine, 1)
        kit.of(uow).add(kit.like(ann, unique, "cid"))
        kit.sample.change(mine, 1)
        uow.commit()
    assert ["ann", "bob"] == kit.words()


@pytest.mark.every_case
@pytest.mark.promise(1)
@pytest.mark.parametrize("first", WRITES)
def test_a_commit_of_several_writes_whose_last_one_is_refused_stores_none(kit: Kit[Any], first: str) -> None:
    """However few they are: one that could be stored alone is not stored without the other."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with kit.unit() as uow:
        mine, stale = kit.of(uow).get(ann.id), kit.of(uow).get(bob.id)
        kit.change_elsewhere(bob)
        before = kit.all_values()
        kit.write(uow, mine, first)
        kit.sample.change(stale, 1)
        with pytest.raises(ConcurrentChange):
            uow.commit()
    assert before == kit.all_values()


@pytest.mark.promise(11)
def test_a_mistake_of_the_caller_lets_what_waits_wait_on(kit: Kit[Any]) -> None:
    """It is refused before anything is asked of the storage, and the commit stores what waits."""
    ann = kit.sample.make("ann")
    with kit.unit() as uow:
        repository: Any = kit.of(uow)
        repository.add(ann)
        with pytest.raises(InvalidValue):
            repository.get(object())
        with pytest.raises(InvalidValue):
            repository.page(limit=0)
        with pytest.raises(TypeError):
            repository.add("ann")
        waiting = ann.version
        uow.commit()
    assert (0, ["ann"]) == (waiting, kit.words())
