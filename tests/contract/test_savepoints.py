"""Promise 10: a savepoint undoes its own part alone, in the database and in the objects."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import ConcurrentChange, UncommittedChanges, UnitOfWorkMisuse
from tests.contract.graphs import values
from tests.contract.members import written
from tests.contract.sample import Kit, UniqueValue
from tests.contract.samples import each_unique, each_unique_that_changes, over_renamed


class Oops(Exception):
    """What the tests leave a savepoint with."""


@pytest.mark.promise(10)
@pytest.mark.parametrize("error", [Oops, KeyboardInterrupt])
def test_a_savepoint_left_by_an_error_undoes_its_own_part_alone(kit: Kit[Any], error: type[BaseException]) -> None:
    """What was done before and after it is stored, what was done inside is not."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    cid, fay = kit.sample.make("cid"), kit.sample.make("fay")
    added = [{**values(one), "version": 1} for one in (cid, fay)]
    with kit.unit() as uow:
        found = kit.of(uow)
        found.add(cid)
        changed = kit.change(found.get(ann.id))
        with pytest.raises(error), uow.savepoint():
            kit.sample.change(found.get(ann.id), 0)
            found.remove(found.get(bob.id))
            found.add(kit.sample.make("dan"))
            found.add_many([kit.sample.make("eve")])
            raise error
        found.add(fay)
        uow.commit()
    assert ["ann", "bob", "cid", "fay"] == kit.words()
    assert [{**changed, "version": 2}, values(bob), *added] == kit.all_values()


@pytest.mark.promise(10)
def test_a_savepoint_left_normally_keeps_its_part_for_the_commit(kit: Kit[Any]) -> None:
    """It is stored by the commit, and gone with a rollback, like all the rest."""
    ann = kit.stored("ann")
    for commit in (False, True):
        bob = kit.sample.make("bob")
        with kit.unit() as uow:
            mine = kit.of(uow).get(ann.id)
            with uow.savepoint():
                changed = kit.change(mine)
                kit.of(uow).add(bob)
            if commit:
                uow.commit()
            else:
                uow.rollback()
        expected = [{**changed, "version": 2}, values(bob)] if commit else [values(ann)]
        assert expected == kit.all_values()
    assert mine.version == 2


@pytest.mark.promise(10)
@over_renamed
def test_savepoints_nest(kit: Kit[Any]) -> None:
    """The inner one undoes its part; the outer one undoes its own and what the inner ones kept."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with uow.savepoint():
            kit.rename(mine, "one")
            with pytest.raises(Oops), uow.savepoint():
                kit.rename(mine, "two")
                raise Oops
            inner = kit.sample.word(mine)
        with pytest.raises(Oops), uow.savepoint():
            kit.rename(mine, "three")
            with uow.savepoint():
                kit.rename(mine, "four")
                kit.sample.change(mine, 1)
            kit.of(uow).add(kit.sample.make("bob"))
            raise Oops
        outer = values(mine)
        uow.commit()
    assert ("one", ["one"], 2) == (inner, kit.words(), mine.version)
    assert [outer] == kit.all_values()


@pytest.mark.promise(10)
def test_a_version_rises_once_for_a_unit_whatever_its_savepoints_write(kit: Kit[Any]) -> None:
    """Written before, in and after savepoints that are kept, and first of all in one."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with uow.savepoint():
            kit.sample.change(mine, 1)
        for state in (1, 0, 1):
            kit.sample.change(mine, state)
            with uow.savepoint():
                kit.sample.change(mine, 1 - state)
                kit.of(uow).page()
                kit.sample.change(mine, state)
        written = values(mine)
        uow.commit()
    assert [{**written, "version": 2}] == kit.all_values()


@pytest.mark.promise(10)
@each_unique
def test_a_conflict_inside_a_savepoint_leaves_the_unit_usable(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """Caught outside of the savepoint's block, it costs only what the savepoint did."""
    ann = kit.stored("ann")
    refused = []
    with kit.unit() as uow:
        for one in (kit.sample.make("bob"), kit.like(ann, unique, "dan"), kit.sample.make("cid")):
            try:
                with uow.savepoint():
                    kit.of(uow).add(one)
            except unique.taken as error:
                refused.append(error.value)
        uow.commit()
    assert [unique.value(ann)] == refused
    assert ["ann", "bob", "cid"] == kit.words()


@pytest.mark.promise(10)
@each_unique_that_changes
def test_a_conflict_found_at_the_end_of_a_savepoint_is_raised_there(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """Leaving the block writes its changes, so they are undone with it when they are refused."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with kit.unit() as uow:
        mine = kit.of(uow).get(bob.id)
        with pytest.raises(unique.taken), uow.savepoint():
            kit.set(unique, mine, unique.value(ann))
        assert values(bob) == values(mine)
        changed = kit.change(mine)
        uow.commit()
    assert [values(ann), {**changed, "version": 2}] == kit.all_values()


@pytest.mark.promise(10)
def test_a_concurrent_change_inside_a_savepoint_leaves_the_unit_usable(kit: Kit[Any]) -> None:
    """The change that came too late is undone, and the object holds what the other unit has stored."""
    ann, bob = kit.stored("ann"), kit.sample.make("bob")
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with kit.unit() as other:
            theirs = kit.of(other).get(ann.id)
            kit.sample.change(theirs, 1)
            other.commit()
        with pytest.raises(ConcurrentChange), uow.savepoint():
            kit.sample.change(mine, 1)
        assert values(theirs) == values(mine)
        changed = kit.change(mine, 0)
        kit.of(uow).add(bob)
        uow.commit()
    assert [{**changed, "version": 3}, values(bob)] == kit.all_values()


@pytest.mark.promise(10)
@each_unique
def test_a_conflict_caught_inside_its_savepoint_ends_it_with_a_misuse(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """Otherwise the savepoint would seem to have kept what the database had to drop."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        found = kit.of(uow)
        match = f"the {unique.taken.kind} .+ is taken"
        with pytest.raises(UnitOfWorkMisuse, match=match), uow.savepoint():
            found.add(kit.sample.make("bob"))
            found.add(kit.like(ann, unique, "dan"))
            with pytest.raises(unique.taken):
                written(uow)
        found.add(kit.sample.make("cid"))
        uow.commit()
    assert ["ann", "cid"] == kit.words()


@pytest.mark.promise(10)
def test_a_savepoint_that_is_never_left_ends_with_its_unit(kit: Kit[Any]) -> None:
    """Nothing of it is stored; leaving it later is a misuse, and harms neither the unit's next block nor anybody."""
    ann = kit.stored("ann")
    uow = kit.unit()
    with pytest.warns(UncommittedChanges), uow:  # noqa: PT031  # the warning comes at the end of the block
        mine = kit.of(uow).get(ann.id)
        savepoint = uow.savepoint()
        savepoint.__enter__()
        kit.sample.change(mine, 1)
        kit.of(uow).add(kit.sample.make("bob"))
    with pytest.raises(UnitOfWorkMisuse, match="is not open"):
        savepoint.__exit__(None, None, None)
    with uow:
        savepoint = uow.savepoint()
        savepoint.__enter__()
    with uow:
        with pytest.raises(UnitOfWorkMisuse, match="ended with its unit"):
            savepoint.__exit__(None, None, None)
        kit.of(uow).add(kit.sample.make("cid"))
        uow.commit()
    assert ["ann", "cid"] == kit.words()
    assert values(ann) == kit.all_values()[0]


@pytest.mark.promise(10)
def test_what_an_undone_savepoint_wrote_can_be_written_by_another_unit_at_once(kit: Kit[Any]) -> None:
    """Its locks are gone with it; on SQLite, which has one lock for all, when the unit ends."""
    with kit.unit() as uow:
        with pytest.raises(Oops), uow.savepoint():
            kit.of(uow).add(kit.sample.make("ann"))
            written(uow)
            raise Oops
        if kit.storage.kind != "sqlite":
            kit.stored("ann")
        uow.rollback()
    if kit.storage.kind == "sqlite":
        kit.stored("ann")
    assert ["ann"] == kit.words()


@pytest.mark.promise(10)
def test_a_savepoint_that_reads_before_it_writes_is_not_overtaken(kit: Kit[Any]) -> None:
    """Whoever writes in between waits, or conflicts; the savepoint's own write is never refused for having read."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with kit.unit() as uow:
        with uow.savepoint():
            mine = kit.of(uow).get(ann.id)
            try:
                with kit.unit() as other:
                    kit.sample.change(kit.of(other).get(bob.id), 1)
                    other.commit()
            except ConcurrentChange:
                assert kit.storage.kind == "sqlite"
            changed = kit.change(mine)
        uow.commit()
    assert {**changed, "version": 2} == kit.all_values()[0]


@pytest.mark.promise(7, 10)
@each_unique
def test_a_kept_savepoint_keeps_all_values_that_the_unit_took(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """Those of before the savepoint, and those of inside."""
    ann, bob = kit.sample.make("ann"), kit.sample.make("bob")
    refused = []
    with kit.unit() as uow:
        kit.of(uow).add(ann)
        with uow.savepoint():
            kit.of(uow).add(bob)
        for one in (ann, bob):
            with pytest.raises(unique.taken) as caught, uow.savepoint():
                kit.of(uow).add(kit.like(one, unique, "cid"))
            refused.append(caught.value.value)
        uow.commit()
    assert [unique.value(one) for one in (ann, bob)] == refused
    assert ["ann", "bob"] == kit.words()


@pytest.mark.promise(10)
def test_a_kept_savepoint_writes_over_what_was_before(kit: Kit[Any]) -> None:
    """What the unit has written, and what the savepoint around it has."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        kit.sample.change(mine, 1)
        with uow.savepoint():
            kit.sample.change(mine, 0)
            with uow.savepoint():
                kit.sample.change(mine, 1)
        with uow.savepoint():
            kit.sample.change(mine, 0)
        written = values(mine)
        uow.commit()
    assert [{**written, "version": 2}] == kit.all_values()
