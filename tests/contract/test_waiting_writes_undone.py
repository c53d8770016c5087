"""Promises 1 and 10: what waits to be written when its unit or its savepoint is undone leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from domain.errors import UncommittedChanges
from service_layer.unit_of_work import UnitOfWork
from tests.contract.sample import Kit, values
from tests.contract.users import written


class Oops(Exception):
    """What the tests leave a block with."""


def in_vain(kit: Kit[Any], uow: UnitOfWork, what: str, ann: Any, one: Any) -> Callable[[], None]:
    """Return what asks for an addition whose values are taken, or for the removal of what has been changed since."""
    if what == "an addition":
        return partial(kit.of(uow).add, one)
    mine = kit.of(uow).get(ann.id)
    kit.change_elsewhere(ann)
    return partial(kit.of(uow).remove, mine)


each_in_vain = pytest.mark.parametrize("what", ["an addition", "a removal"])


@pytest.mark.promise(1)
@each_in_vain
@pytest.mark.parametrize("end", ["rolled back", "left", "left by an error"])
def test_what_waits_when_its_unit_ends_without_a_commit_is_not_written(kit: Kit[Any], what: str, end: str) -> None:
    """Nor tried, so that nothing is refused; nor is it left over for the next block of the unit."""
    ann, one = kit.stored("ann"), kit.sample.make("ann")
    uow = kit.unit()
    if end == "left":
        with pytest.warns(UncommittedChanges), uow:
            in_vain(kit, uow, what, ann, one)()
    else:
        with suppress(Oops), uow:
            in_vain(kit, uow, what, ann, one)()
            if end == "left by an error":
                raise Oops
            uow.rollback()
    before = kit.all_values()
    with uow:
        written(uow)
        uow.commit()
    assert before == kit.all_values()
    assert one.version == 0


@pytest.mark.promise(10)
@each_in_vain
def test_what_waits_when_its_savepoint_is_undone_is_not_written(kit: Kit[Any], what: str) -> None:
    """Nor tried, so that the rest of the unit can be stored."""
    ann, one = kit.stored("ann"), kit.sample.make("ann")
    with kit.unit() as uow:
        ask = in_vain(kit, uow, what, ann, one)
        with pytest.raises(Oops), uow.savepoint():
            ask()
            raise Oops
        kit.of(uow).add(kit.sample.make("bob"))
        uow.commit()
    assert ["ann", "bob"] == kit.words()
    assert one.version == 0


@pytest.mark.promise(10)
def test_an_object_whose_removal_waits_when_its_savepoint_is_undone_is_one_of_the_unit_again(kit: Kit[Any]) -> None:
    """With the values that it had before the savepoint, whatever it was changed to on either side of the removal."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with pytest.raises(Oops), uow.savepoint():
            kit.sample.rename(mine, "anna")
            kit.of(uow).remove(mine)
            kit.sample.change(mine, 1)
            raise Oops
        back = values(mine)
        assert kit.of(uow).get(ann.id) is mine
        changed = kit.change(mine)
        uow.commit()
    assert values(ann) == back
    assert [{**changed, "version": 2}] == kit.all_values()
