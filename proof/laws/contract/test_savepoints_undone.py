"""Promise 10: after an undone savepoint the objects have their earlier values and belong to the unit as before."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from domain.errors import ConcurrentChange, UnitOfWorkMisuse
from tests.contract.graphs import twin, values
from tests.contract.members import new_member, stored_names, written
from tests.contract.sample import Kit
from tests.storages import Storage


class Oops(Exception):
    """The error with which the tests leave a savepoint."""


@pytest.mark.promise(10)
@pytest.mark.parametrize("flushed", [False, True])
def test_an_undone_savepoint_restores_values(kit: Kit[Any], flushed: bool) -> None:
    """An undone savepoint restores the values of objects changed before and in it, first read in it, or added in it."""
    ann, bob, cid = kit.stored("ann"), kit.stored("bob"), kit.sample.make("cid")
    unstored = values(cid)
    with kit.unit() as uow:
        found = kit.of(uow)
        mine = found.get(ann.id)
        kit.sample.change(mine, 1)
        with pytest.raises(Oops), uow.savepoint():
            before = values(mine)
            first_read_here = found.get(bob.id)
            found.add(cid)
            kit.sample.change(mine, 0)
            kit.sample.change(first_read_here, 1)
            if flushed:
                found.page()
            raise Oops
        after = [values(mine), values(first_read_here), values(cid)]
        uow.commit()
    assert [before, values(bob), unstored] == after == [values(mine), values(first_read_here), values(cid)]
    assert [before, values(bob)] == kit.all_values()
    assert ["ann", "bob"] == kit.words()


@pytest.mark.promise(10)
@pytest.mark.parametrize("flushed", [False, True])
def test_an_undone_savepoint_restores_tracking(kit: Kit[Any], flushed: bool) -> None:
    """After an undone savepoint, an object removed in it belongs to the unit again. One added in it does not."""
    ann, bob = kit.stored("ann"), kit.sample.make("bob")
    with kit.unit() as uow:
        found = kit.of(uow)
        mine = found.get(ann.id)
        with pytest.raises(Oops), uow.savepoint():
            found.remove(mine)
            found.add(bob)
            if flushed:
                written(uow)
            raise Oops
        assert found.get(ann.id) is mine
        changed = kit.change(mine)
        with pytest.raises(UnitOfWorkMisuse, match="not of this unit"):
            found.remove(bob)
        found.add(bob)
        uow.commit()
    assert [{**changed, "version": 2}, values(bob)] == kit.all_values()


@pytest.mark.promise(10)
@pytest.mark.parametrize("flushed", [False, True])
def test_an_undone_replacement_changes_nothing(kit: Kit[Any], flushed: bool) -> None:
    """An undone savepoint undoes the removal and re-addition of an aggregate, and restores its version."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        found = kit.of(uow)
        mine = found.get(ann.id)
        with pytest.raises(Oops), uow.savepoint():
            found.remove(mine)
            kit.sample.change(mine, 1)
            found.add(mine)
            if flushed:
                written(uow)
            raise Oops
        assert values(ann) == values(mine)
        changed = kit.change(mine)
        uow.commit()
    assert [{**changed, "version": 2}] == kit.all_values()


@pytest.mark.every_case
@pytest.mark.promise(10)
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_an_undone_successor_gives_its_place_back(kit: Kit[Any], kept: int) -> None:
    """An aggregate that another object replaced in an undone savepoint is held again.

    The other object had its identity. It came in the same savepoint, or in a kept one inside of it.
    """
    ann = kit.stored("ann")
    with kit.unit() as uow:
        found = kit.of(uow)
        mine = found.get(ann.id)
        other = twin(mine)
        with pytest.raises(Oops), uow.savepoint():
            found.remove(mine)
            with ExitStack() as inner:
                for _ in range(kept):
                    inner.enter_context(uow.savepoint())
                found.add(other)
            raise Oops
        assert found.get(ann.id) is mine
        with pytest.raises(UnitOfWorkMisuse, match="not of this unit"):
            found.remove(other)
        changed = kit.change(mine)
        uow.commit()
    assert [{**changed, "version": 2}] == kit.all_values()


@pytest.mark.promise(6, 10)
@pytest.mark.parametrize("flushed", [False, True])
def test_an_undone_addition_is_not_tracked(kit: Kit[Any], flushed: bool) -> None:
    """Changes of an object whose addition was undone are not written, even if it has the identity of a held one."""
    ann = kit.stored("ann")
    before = kit.all_values()
    with kit.unit() as uow:
        found = kit.of(uow)
        mine = found.get(ann.id)
        other = twin(mine)
        with pytest.raises(Oops), uow.savepoint():
            found.remove(mine)
            found.add(other)
            if flushed:
                written(uow)
            kit.sample.change(other, 1)
            raise Oops
        kit.sample.change(other, 0)
        uow.commit()
    assert before == kit.all_values() == [values(mine)]


@pytest.mark.promise(10)
def test_a_removed_object_keeps_its_values(kit: Kit[Any]) -> None:
    """An object that another unit removed keeps its values when its savepoint is undone. The unit drops it."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with pytest.raises(Oops), uow.savepoint():
            with kit.unit() as other:
                kit.of(other).remove(kit.of(other).get(ann.id))
                other.commit()
            changed = kit.change(mine)
            raise Oops
        assert changed == values(mine)
        with pytest.raises(kit.of(uow).not_found):
            kit.of(uow).get(ann.id)
        with pytest.raises(UnitOfWorkMisuse, match="not of this unit"):
            kit.of(uow).remove(mine)


@pytest.mark.promise(5, 10)
def test_a_removed_object_replaces_its_successor(kit: Kit[Any]) -> None:
    """A removed object replaces its successor, which the undone savepoint stored and read. That is of no unit."""
    ann = kit.stored()
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with pytest.raises(Oops), uow.savepoint():
            kit.of(uow).remove(mine)
            kit.of(uow).add_many([twin(ann)])
            successor = kit.of(uow).get(ann.id)
            raise Oops
        assert (True, False) == (uow.holds(mine), uow.holds(successor))
        assert kit.of(uow).get(ann.id) is mine
        changed = kit.change(mine)
        uow.commit()
    assert [{**changed, "version": 2}] == kit.all_values()


@pytest.mark.promise(5, 10)
def test_a_removal_in_vain_is_no_change(kit: Kit[Any]) -> None:
    """A removal in vain is no change: the object keeps what was read first."""
    ann = kit.stored()
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with pytest.raises(ConcurrentChange), uow.savepoint():
            kit.change_elsewhere(ann)
            kit.of(uow).remove(mine)
        assert values(ann) == values(mine)
        uow.rollback()


@pytest.mark.promise(6, 10)
def test_an_addition_in_a_kept_savepoint_is_undone(kit: Kit[Any]) -> None:
    """An addition changed in a kept savepoint is undone with the outer one: it is new, and so is its version."""
    ann = kit.sample.make("ann")
    with kit.unit() as uow:
        with pytest.raises(Oops), uow.savepoint():
            kit.of(uow).add(ann)
            with uow.savepoint():
                kit.sample.change(ann, 1)
            raise Oops
        assert 0 == ann.version
        kit.of(uow).add(ann)
        uow.commit()
    assert 1 == ann.version
    assert [values(ann)] == kit.all_values()


@pytest.mark.every_case
@pytest.mark.promise(10)
@pytest.mark.parametrize("around", [0, 1])
def test_a_removal_in_a_kept_savepoint_is_undone(kit: Kit[Any], around: int) -> None:
    """A removal in a kept savepoint is undone with the outer one, also inside a third: the unit holds it again."""
    ann = kit.stored()
    with kit.unit() as uow, ExitStack() as outermost:
        for _ in range(around):
            outermost.enter_context(uow.savepoint())
        mine = kit.of(uow).get(ann.id)
        with pytest.raises(Oops), uow.savepoint():
            with uow.savepoint():
                kit.of(uow).remove(mine)
            raise Oops
        assert uow.holds(mine)
        assert kit.of(uow).get(ann.id) is mine
        changed = kit.change(mine)
        outermost.close()
        uow.commit()
    assert [{**changed, "version": 2}] == kit.all_values()


@pytest.mark.promise(9, 10)
def test_a_kept_savepoint_gives_a_value_up(storage: Storage) -> None:
    """A value that the unit took is free after it was given up in a kept savepoint, in the unit and after it."""
    ann = new_member("ann")
    with storage.unit() as uow:
        uow.members.add(ann)
        with uow.savepoint():
            uow.members.remove(ann)
        uow.members.add(new_member("ann"))
        uow.commit()
    assert ["ann"] == stored_names(storage)
