"""Promises 3 and 11: a copy has the same identity and belongs to no unit."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from domain.errors import UnitOfWorkMisuse
from tests.contract.graphs import values
from tests.contract.members import written
from tests.contract.sample import Kit

COPYING: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "evolve": evolve,
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),  # noqa: S301  # made in this line
}

each_way = pytest.mark.parametrize("way", COPYING)


@pytest.mark.promise(11)
@each_way
def test_a_copy_is_an_object_of_its_own(kit: Kit[Any], way: str) -> None:
    """A copy is a separate object: the storage gets the values of the added object, however it was copied."""
    ann = kit.sample.make("ann")
    copied = COPYING[way](ann)
    changed = kit.change(copied)
    with kit.unit() as uow:
        kit.of(uow).add(copied)
        with pytest.raises(UnitOfWorkMisuse, match="not of this unit"):
            kit.of(uow).remove(ann)
        uow.commit()
    assert [{**changed, "version": 1}] == kit.all_values()


@pytest.mark.promise(11)
@each_way
def test_a_copy_belongs_to_no_unit(kit: Kit[Any], way: str) -> None:
    """A copy of a read object belongs to no unit, not even to that of the object. Its changes are not written.

    A shallow copy has the parts of the original, so only an attribute of the root is changed if it has one.
    """
    ann = kit.stored()
    before = kit.all_values()
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        copied = COPYING[way](mine)
        assert before == [values(copied)]
        if kit.sample.rename is None:
            kit.sample.change(copied, 1)
        else:
            kit.sample.rename(copied, "anna")
        kit.of(uow).page()
        with pytest.raises(UnitOfWorkMisuse, match="not of this unit"):
            kit.of(uow).remove(copied)
        uow.commit()
    assert before == kit.all_values() == [values(mine)]


@pytest.mark.promise(3)
@each_way
def test_an_added_object_can_be_copied(kit: Kit[Any], way: str) -> None:
    """An added object that a query has met can be copied, inside and after the block, like an object of no unit."""
    ann = kit.sample.make("ann")
    with kit.unit() as uow:
        kit.of(uow).add(ann)
        kit.of(uow).page()
        inside = COPYING[way](ann)
        uow.commit()
    after = COPYING[way](ann)
    assert [values(ann)] * 2 == [values(inside), values(after)]


@pytest.mark.promise(6)
@each_way
def test_a_copy_is_tracked_without_its_original(kit: Kit[Any], way: str) -> None:
    """A copy is tracked when its original is gone: a change after its addition was written is stored."""
    copied = COPYING[way](kit.sample.make("ann"))
    with kit.unit() as uow:
        kit.of(uow).add(copied)
        written(uow)
        changed = kit.change(copied)
        uow.commit()
    assert [changed] == kit.all_values()
