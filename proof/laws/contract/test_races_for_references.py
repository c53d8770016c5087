"""Promise 7: units that add a child and remove its parent at the same time, and which of them waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from domain.aggregate import new_id
from domain.errors import ConcurrentChange
from proof.laws.contract.families import Family
from service_layer.unit_of_work import UnitOfWork

pytestmark = pytest.mark.promise(7)

two_kinds = pytest.mark.parametrize("family", ["its own class", "a part of a part"], indirect=True)
one_kind = pytest.mark.parametrize("family", ["its own class"], indirect=True)

Step = Callable[[UnitOfWork], object]


def race(family: Family, first: Step, second: Step, *, waits: bool = True, undone: bool = False) -> None:
    """Let a unit write, and another one in a thread, which must wait until the first one ends."""

    def follow() -> None:
        with family.storage.unit() as other:
            second(other)
            other.commit()

    with ThreadPoolExecutor(1) as pool, family.storage.unit() as uow:
        first(uow)
        uow.flush()
        following = pool.submit(follow)
        if waits:
            time.sleep(0.1)
            assert not following.done()
        else:
            following.result()
        uow.rollback() if undone else uow.commit()
        following.result()


def adds(family: Family, child: Any) -> Step:
    """Return a step that adds a child."""
    return lambda uow: family.of_children(uow).add(child)


def removes_parent(family: Family, parent: Any) -> Step:
    """Return a step that removes a parent."""
    return lambda uow: family.of_parents(uow).remove(family.of_parents(uow).get(parent.id))


def removes_child(family: Family, child: Any) -> Step:
    """Return a step that removes a child."""
    return lambda uow: family.of_children(uow).remove(family.of_children(uow).get(child.id))


def renames_parent(family: Family, parent: Any) -> Step:
    """Return a step that changes a parent, but none of its unique values."""
    return lambda uow: setattr(family.of_parents(uow).get(parent.id), "name", str(new_id()))


def changes_badge(family: Family, parent: Any) -> Step:
    """Return a step that changes the unique value of a parent."""
    return lambda uow: setattr(family.of_parents(uow).get(parent.id), "badge", str(new_id()))


@two_kinds
def test_a_child_before_the_removal_wins(family: Family) -> None:
    """A child before the removal wins. The unit that removes the parent waits for it and is refused."""
    parent = family.stored_parent()
    with pytest.raises(family.in_use) as caught:
        race(family, adds(family, family.child(parent.id)), removes_parent(family, parent))
    assert parent.id == caught.value.value


@two_kinds
def test_a_removal_before_the_child_wins(family: Family) -> None:
    """A removal before the child wins. The unit that adds the child waits for it and is refused."""
    parent = family.stored_parent()
    with pytest.raises(family.missing) as caught:
        race(family, removes_parent(family, parent), adds(family, family.child(parent.id)))
    assert parent.id == caught.value.value


@two_kinds
def test_a_change_before_the_removal_wins(family: Family) -> None:
    """A change before the removal wins. A child with a changed parent counts like a new one."""
    before, parent = family.stored_parent(), family.stored_parent()
    child = family.stored_child(before.id)
    with pytest.raises(family.in_use):
        race(
            family,
            lambda uow: family.refer(family.of_children(uow).get(child.id), parent.id),
            removes_parent(family, parent),
        )


@one_kind
def test_a_removal_after_a_reference_wins(family: Family) -> None:
    """A removal wins, though its unit has itself referred to the parent before: a new child waits and is refused."""
    parent = family.stored_parent()

    def removes_own(uow: UnitOfWork) -> None:
        child = family.child(parent.id)
        family.of_children(uow).add(child)
        uow.flush()
        family.refer(child, None)
        removes_parent(family, parent)(uow)

    with pytest.raises(family.missing) as caught:
        race(family, removes_own, adds(family, family.child(parent.id)))
    assert parent.id == caught.value.value


@two_kinds
def test_a_removal_before_the_change_wins(family: Family) -> None:
    """A removal before the change wins. The unit that refers to the parent waits and is refused."""
    before, parent = family.stored_parent(), family.stored_parent()
    child = family.stored_child(before.id)
    with pytest.raises(family.missing):
        race(
            family,
            removes_parent(family, parent),
            lambda uow: family.refer(family.of_children(uow).get(child.id), parent.id),
        )


@two_kinds
def test_who_waits_for_an_undone_rival_wins(family: Family) -> None:
    """A unit that waits for an undone rival wins: it is not refused for what was never stored."""
    parents = [family.stored_parent() for _ in range(2)]
    child = family.child(parents[0].id)
    race(family, removes_parent(family, parents[0]), adds(family, child), undone=True)
    other = family.child(parents[1].id)
    race(family, adds(family, other), removes_parent(family, parents[1]), undone=True)


@two_kinds
def test_a_removal_waits_for_the_last_child(family: Family) -> None:
    """A removal waits while another unit removes the last child. Then it succeeds."""
    parent = family.stored_parent()
    child = family.stored_child(parent.id)
    race(family, removes_child(family, child), removes_parent(family, parent))


@two_kinds
def test_a_removal_is_refused_if_the_child_stays(family: Family) -> None:
    """A removal is refused if the unit that removes the last child is rolled back."""
    parent = family.stored_parent()
    child = family.stored_child(parent.id)
    with pytest.raises(family.in_use):
        race(family, removes_child(family, child), removes_parent(family, parent), undone=True)


@two_kinds
def test_children_of_one_parent_do_not_wait(family: Family) -> None:
    """Two units that add children of one parent do not wait, except on SQLite, where one unit at a time writes."""
    parent = family.stored_parent()
    children = [family.child(parent.id) for _ in range(2)]
    race(
        family,
        adds(family, children[0]),
        adds(family, children[1]),
        waits=family.storage.kind == "sqlite",
    )


@two_kinds
def test_a_child_does_not_wait_for_a_change(family: Family) -> None:
    """Adding a child does not wait for a change of no unique value of the parent, in both orders.

    On SQLite one waits for the other, because one unit at a time writes. On MariaDB it waits because the foreign key
    locks the row of the parent. If that takes too long, it raises ``ConcurrentChange``.
    """
    waits = family.storage.kind in ("sqlite", "mysql")
    parent = family.stored_parent()
    race(
        family,
        renames_parent(family, parent),
        adds(family, family.child(parent.id)),
        waits=waits,
    )
    other = family.child(parent.id)
    race(
        family,
        adds(family, other),
        renames_parent(family, parent),
        waits=waits,
    )


@one_kind
def test_a_child_waits_for_another_unique_value(family: Family) -> None:
    """Adding a child waits for a unit that changes a unique value of the parent, and the other way round.

    A foreign key could refer to the unique value.
    """
    parent = family.stored_parent()
    race(family, changes_badge(family, parent), adds(family, family.child(parent.id)))
    race(family, adds(family, family.child(parent.id)), changes_badge(family, parent))


@pytest.mark.slow
@one_kind
def test_who_waits_too_long_gives_up(family: Family) -> None:
    """A unit that waits too long gives up with a conflict that can be tried again, in both orders."""
    parent = family.stored_parent()
    steps = [adds(family, family.child(parent.id)), removes_parent(family, parent)]
    for first, second in (steps, steps[::-1]):
        with family.storage.unit() as uow:
            first(uow)
            uow.flush()
            with pytest.raises(ConcurrentChange) as caught, family.storage.unit() as other:
                second(other)
                other.commit()
            assert caught.value.retryable
            uow.rollback()
