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
    """The error with which the tests leave a savepoint."""


@pytest.mark.promise(10)
@pytest.mark.parametrize("error", [Oops, KeyboardInterrupt])
def test_an_error_undoes_the_savepoint_alone(kit: Kit[Any], error: type[BaseException]) -> None:
    """A savepoint left by an error undoes its own part alone. Work before and after it is stored."""
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
def test_a_kept_savepoint_waits_for_the_commit(kit: Kit[Any]) -> None:
    """A savepoint left normally keeps its work. The commit stores it, and a rollback undoes it, like all the rest."""
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
    """Savepoints nest: the inner one undoes its work, the outer one its own and what the inner ones kept."""
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
def test_savepoints_raise_a_version_once(kit: Kit[Any]) -> None:
    """A version rises once for a unit, whether it writes before, in or after kept savepoints, or first in one."""
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
def test_a_conflict_in_a_savepoint_costs_only_it(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """A conflict inside a savepoint, caught outside of its block, costs only the work of the savepoint."""
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
def test_a_conflict_at_the_end_of_a_savepoint(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """Leaving a savepoint writes its changes. So a conflict is raised there, and the savepoint is undone."""
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
def test_a_concurrent_change_in_a_savepoint(kit: Kit[Any]) -> None:
    """A concurrent change inside a savepoint leaves the unit usable. The object holds the other unit's values."""
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
def test_a_conflict_caught_inside_is_a_misuse(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """A conflict caught inside its savepoint ends it with a misuse. Otherwise dropped work would seem kept."""
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
def test_an_unleft_savepoint_ends_with_its_unit(kit: Kit[Any]) -> None:
    """A savepoint that is never left ends with its unit, and nothing of it is stored.

    Leaving it later is a misuse, and harms neither the next block nor other units.
    """
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
def test_an_undone_savepoint_releases_its_locks(kit: Kit[Any]) -> None:
    """Another unit can write what an undone savepoint wrote. On SQLite, which has one lock, after the unit ends."""
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
def test_a_reading_savepoint_is_not_overtaken(kit: Kit[Any]) -> None:
    """A savepoint that reads before it writes is not overtaken: other writers wait or conflict, and it may write."""
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
def test_a_kept_savepoint_keeps_all_taken_values(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """A kept savepoint keeps all values that the unit took, before and inside it."""
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
def test_a_kept_savepoint_overwrites_earlier_work(kit: Kit[Any]) -> None:
    """A kept savepoint overwrites what the unit and the savepoint around it have written."""
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
