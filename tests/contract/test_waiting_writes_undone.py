"""Promises 1 and 10: an addition that waits when its unit or its savepoint is undone leaves no trace."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from domain.errors import UncommittedChanges
from tests.contract.graphs import values
from tests.contract.members import written
from tests.contract.sample import Kit


class Oops(Exception):
    """What the tests leave a block with."""


@pytest.mark.promise(1)
@pytest.mark.parametrize("end", ["rolled back", "left", "left by an error"])
def test_an_addition_that_waits_when_its_unit_ends_without_a_commit_is_not_written(kit: Kit[Any], end: str) -> None:
    """Nor tried, so that nothing is refused; nor is it left over for the next block of the unit."""
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
def test_an_addition_that_waits_when_its_savepoint_is_undone_is_not_written(kit: Kit[Any]) -> None:
    """Nor tried, so that the rest of the unit can be stored; it is as new as before."""
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
def test_an_object_removed_in_an_undone_savepoint_is_one_of_the_unit_again(kit: Kit[Any]) -> None:
    """With the values that it had before the savepoint, whatever it was changed to on either side of the removal."""
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
