"""Promises 1, 2, 4 and 12: what is stored and when, and that a forgotten commit warns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import fields

from domain.aggregate import Aggregate
from domain.errors import UncommittedChanges
from tests.contract.graphs import values
from tests.contract.members import written
from tests.contract.sample import WRITES, Kit, UniqueValue
from tests.contract.samples import each_unique_with
from tests.contract.shop import Shop


@pytest.mark.promise(1)
def test_an_addition_is_invisible_before_the_commit(kit: Kit[Any]) -> None:
    """Another unit sees a new aggregate only after the commit, even when it is already written."""
    with kit.unit() as uow:
        kit.of(uow).add(kit.sample.make("ann"))
        written(uow)
        before = kit.words()
        uow.commit()
    assert ([], ["ann"]) == (before, kit.words())


@pytest.mark.promise(1)
def test_changes_are_invisible_before_the_commit(kit: Kit[Any]) -> None:
    """A change and a removal are invisible outside before the commit, even when they are written."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    stored = kit.all_values()
    with kit.unit() as uow:
        found = kit.of(uow)
        changed = kit.change(found.get(ann.id))
        found.remove(found.get(bob.id))
        written(uow)
        before = kit.all_values()
        uow.commit()
    assert (stored, [{**changed, "version": 2}]) == (before, kit.all_values())


@pytest.mark.promise(1)
@pytest.mark.parametrize("flushed", [False, True])
def test_an_exception_rolls_back(kit: Kit[Any], flushed: bool) -> None:
    """An exception that leaves the block rolls back what was added, written or not. The exception goes on."""
    with pytest.raises(ZeroDivisionError), kit.unit() as uow:
        kit.of(uow).add(kit.sample.make("ann"))
        if flushed:
            written(uow)
        raise ZeroDivisionError
    assert kit.words() == []


@pytest.mark.promise(1)
@pytest.mark.parametrize("flushed", [False, True])
def test_rollback_undoes_every_kind_of_change(kit: Kit[Any], flushed: bool) -> None:
    """A rollback undoes additions, changes and removals, whether the last of them was written or not."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    before = kit.all_values()
    with kit.unit() as uow:
        found = kit.of(uow)
        found.add(kit.sample.make("cid"))
        found.add_many([kit.sample.make("dan")])
        kit.sample.change(found.get(ann.id), 1)
        found.remove(found.get(bob.id))
        if flushed:
            written(uow)
        uow.rollback()
    assert before == kit.all_values()


@pytest.mark.promise(1)
@pytest.mark.parametrize("last", WRITES)
def test_a_rolled_back_change_is_not_made_later(kit: Kit[Any], last: str) -> None:
    """The next block of the unit does not make a rolled back change, not even the last one, never written."""
    ann, uow = kit.stored("ann"), kit.unit()
    with uow:
        kit.write(uow, kit.of(uow).get(ann.id), last)
        uow.rollback()
    with uow:
        kit.of(uow).add(kit.sample.make("bob"))
        uow.commit()
    assert ["ann", "bob"] == kit.words()


@pytest.mark.promise(2)
def test_a_commit_stores_every_kind_of_change(kit: Kit[Any]) -> None:
    """After the commit an addition, a bulk addition, a change and a removal are there in a new unit."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    cid, dan = kit.sample.make("cid"), kit.sample.make("dan")
    added = [{**values(one), "version": 1} for one in (cid, dan)]
    with kit.unit() as uow:
        found = kit.of(uow)
        found.add(cid)
        found.add_many([dan])
        mine = found.get(ann.id)
        changed = kit.change(mine)
        found.remove(found.get(bob.id))
        uow.commit()
    assert ["ann", "cid", "dan"] == kit.words()
    assert [{**changed, "version": 2}, *added] == kit.all_values()


@pytest.mark.promise(2)
def test_every_attribute_comes_back_as_stored(kit: Kit[Any]) -> None:
    """A new unit reads what was stored, equal to the microsecond and the type."""
    ann = kit.stored()
    with kit.unit() as uow:
        read = kit.of(uow).get(ann.id)
    assert values(ann) == values(read)
    assert types(ann) == types(read)


def types(aggregate: Aggregate[Any]) -> dict[str, type]:
    """Return the type of each attribute's value."""
    return {one.name: type(getattr(aggregate, one.name)) for one in fields(type(aggregate))}


@pytest.mark.promise(2)
def test_a_change_without_a_query_is_stored(kit: Kit[Any]) -> None:
    """The commit finds changes itself, also of objects that the caller no longer holds."""
    ann = kit.stored()
    with kit.unit() as uow:
        changed = kit.change(kit.of(uow).get(ann.id))
        uow.commit()
    assert [{**changed, "version": 2}] == kit.all_values()


@pytest.mark.promise(4)
def test_a_change_after_the_unit_stores_nothing(kit: Kit[Any]) -> None:
    """Changing an added or read object after its unit changes nothing stored, not even with the next commit."""
    added, bob = kit.sample.make("ann"), kit.sample.make("bob")
    uow = kit.unit()
    with uow:
        kit.of(uow).add(added)
        uow.commit()
        stored = values(added)
        kit.sample.change(added, 1)
    with uow:
        read = kit.of(uow).get(added.id)
    kit.sample.change(read, 1)
    with uow:
        kit.of(uow).add(bob)
        uow.commit()
    assert [stored, values(bob)] == kit.all_values()


def forget_an_addition(kit: Kit[Any], uow: Shop) -> None:
    """Leave a block with an addition but without a commit."""
    with uow:
        kit.of(uow).add(kit.sample.make("bob"))


def forget_a_written_addition(kit: Kit[Any], uow: Shop) -> None:
    """Leave a block with an addition that a query has seen, but without a commit."""
    with uow:
        kit.of(uow).add(kit.sample.make("bob"))
        written(uow)


def forget_a_bulk_addition(kit: Kit[Any], uow: Shop) -> None:
    """Leave a block with rows stored in bulk but without a commit."""
    with uow:
        kit.of(uow).add_many([kit.sample.make("bob")])


def forget_a_change(kit: Kit[Any], uow: Shop) -> None:
    """Leave a block with a changed attribute but without a commit."""
    with uow:
        kit.sample.change(kit.of(uow).page().items[0], 1)


def forget_a_removal(kit: Kit[Any], uow: Shop) -> None:
    """Leave a block with a removal but without a commit."""
    with uow:
        kit.of(uow).remove(kit.of(uow).page().items[0])


def forget_a_written_removal(kit: Kit[Any], uow: Shop) -> None:
    """Leave a block with a removal that a query has seen, but without a commit."""
    with uow:
        kit.of(uow).remove(kit.of(uow).page().items[0])
        written(uow)


FORGETTING = [
    forget_an_addition,
    forget_a_written_addition,
    forget_a_bulk_addition,
    forget_a_change,
    forget_a_removal,
    forget_a_written_removal,
]


@pytest.mark.promise(12)
@pytest.mark.parametrize("forget", FORGETTING, ids=lambda way: way.__name__)
def test_uncommitted_changes_warn_and_roll_back(kit: Kit[Any], forget: Callable[[Kit[Any], Shop], None]) -> None:
    """Leaving with uncommitted changes warns and stores nothing. The warning points at the block."""
    kit.stored("ann")
    before = kit.all_values()
    with pytest.warns(UncommittedChanges, match=r"^a unit of work was left with .* Call uow.commit\(\)") as caught:
        forget(kit, kit.unit())
    assert before == kit.all_values()
    assert [__file__] == [warning.filename for warning in caught]


@pytest.mark.promise(12)
def test_what_only_a_savepoint_wrote_is_warned_of(kit: Kit[Any]) -> None:
    """Uncommitted writes of a savepoint alone warn, also those of a bulk without held objects."""
    with pytest.warns(UncommittedChanges), kit.unit() as uow, uow.savepoint():
        kit.of(uow).add_many([kit.sample.make("bob")])


@pytest.mark.promise(12)
def test_leaving_without_changes_does_not_warn(kit: Kit[Any]) -> None:
    """Leaving without changes does not warn: reading, a reverted change, a rollback and a commit leave none."""
    ann = kit.stored()
    with kit.unit() as uow:
        read = kit.of(uow).get(ann.id)
        kit.sample.change(read, 1)
        kit.sample.change(read, 0)
    with kit.unit() as uow:
        kit.sample.change(kit.of(uow).get(ann.id), 1)
        uow.rollback()
    assert [1] == kit.versions()


@pytest.mark.promise(12, 13)
def test_leaving_a_changed_read_only_unit(kit: Kit[Any]) -> None:
    """Leaving a read-only unit with a change says how to write: a commit would be refused there."""
    ann = kit.stored()
    with (
        pytest.warns(UncommittedChanges, match=r"stored\. Open a unit without read_only=True"),
        kit.unit(read_only=True) as uow,
    ):
        kit.sample.change(kit.of(uow).get(ann.id), 1)
    assert [values(ann)] == kit.all_values()


@pytest.mark.promise(12)
def test_a_bulk_before_a_savepoint_warns(kit: Kit[Any]) -> None:
    """A bulk addition before a savepoint is not forgotten: leaving without a commit warns, without held objects."""
    uow = kit.unit()
    with pytest.warns(UncommittedChanges), uow:  # noqa: PT031  # the warning comes at the end of the block
        kit.of(uow).add_many([kit.sample.make("ann")])
        with uow.savepoint():
            kit.of(uow).page()
    assert kit.words() == []


@pytest.mark.promise(1)
@each_unique_with("set", "find")
def test_another_unit_finds_nothing_uncommitted(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """Another unit finds nothing uncommitted by id or unique value: no new row, and old ones as they were."""
    ann, bob, cid = kit.stored("ann"), kit.stored("bob"), kit.sample.make("cid")
    new = unique.value(kit.sample.make("eve"))
    with kit.unit() as uow, kit.unit() as other:
        kit.set(unique, kit.of(uow).get(ann.id), new)
        kit.of(uow).remove(kit.of(uow).get(bob.id))
        kit.of(uow).add(cid)
        written(uow)
        repository = kit.of(other)
        found = [values(repository.get(one.id)) for one in (ann, bob)]
        found += [values(kit.find(unique, other, unique.value(one))) for one in (ann, bob)]
        with pytest.raises(repository.not_found):
            repository.get(cid.id)
        for value in (new, unique.value(cid)):
            with pytest.raises(repository.not_found):
                kit.find(unique, other, value)
        uow.rollback()
    assert [values(ann), values(bob)] * 2 == found
