"""Promises 1 and 10: an addition that is pending when its unit or savepoint is undone leaves no trace."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from domain.errors import UncommittedChanges
from tests.contract.graphs import values
from tests.contract.members import written
from tests.contract.sample import Kit


class Oops(Exception):
    """The error with which the tests leave a block."""


@pytest.mark.promise(1)
@pytest.mark.parametrize("end", ["rolled back", "left", "left by an error"])
def test_a_unit_without_commit_drops_an_addition(kit: Kit[Any], end: str) -> None:
    """A unit without a commit drops a pending addition untried, so it raises nothing and leaves nothing over."""
    taken = kit.heir(kit.stored("ann"), "bob")
    uow = kit.unit()
    if end == "left":
        with pytest.warns(UncommittedChanges), uow:
            kit.of(uow).add(taken)
    else:
        with suppress(Oops), uow:
            kit.of(uow).add(taken)
            if end == "left by an error":
                raise Oops
            uow.rollback()
    before = kit.all_values()
    with uow:
        written(uow)
        uow.commit()
    assert before == kit.all_values()


@pytest.mark.promise(10)
def test_an_undone_savepoint_drops_an_addition(kit: Kit[Any]) -> None:
    """An undone savepoint drops a pending addition untried. So the rest can be stored, and the object is new."""
    taken = kit.heir(kit.stored("ann"), "bob")
    with kit.unit() as uow:
        with pytest.raises(Oops), uow.savepoint():
            kit.of(uow).add(taken)
            raise Oops
        kit.of(uow).add(kit.sample.make("cid"))
        uow.commit()
    assert 2 == len(kit.words())
    assert taken.version == 0


@pytest.mark.promise(10)
def test_an_undone_removal_is_held_again(kit: Kit[Any]) -> None:
    """An object removed in an undone savepoint belongs to the unit again, with its values from before the savepoint."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with pytest.raises(Oops), uow.savepoint():
            kit.sample.change(mine, 1)
            kit.of(uow).remove(mine)
            kit.sample.change(mine, 0)
            raise Oops
        back = values(mine)
        assert kit.of(uow).get(ann.id) is mine
        changed = kit.change(mine)
        uow.commit()
    assert values(ann) == back
    assert [{**changed, "version": 2}] == kit.all_values()
