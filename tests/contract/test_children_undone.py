"""Child entities: a rollback and a savepoint give a root the very children back that it had."""

from __future__ import annotations

from contextlib import suppress

import pytest
from attrs import evolve

from tests.contract.children import CHANGES, Oops, each_change, orders, over_orders, quantities
from tests.contract.orders import Order, OrderLine, ReferenceTaken, new_order
from tests.contract.sample import Kit, values

pytestmark = over_orders


def identities(lines: tuple[OrderLine, ...]) -> list[int]:
    """Return what tells these very objects from others that hold the same."""
    return [id(line) for line in lines]


@pytest.mark.promise(3)
@pytest.mark.parametrize("flushed", [False, True])
@each_change
def test_a_rollback_gives_the_root_the_very_children_back_that_it_had(kit: Kit[Order], how: str, flushed: bool) -> None:
    """The same objects, written in between or not; and a new root those with which it was added."""
    kit.stored("ann")
    before = kit.all_values()
    bob = new_order("bob")
    made = bob.lines
    with kit.unit() as uow:
        [ann] = orders(uow).page().items
        had = ann.lines
        orders(uow).add(bob)
        for order in (ann, bob):
            CHANGES[how](order)
        if flushed:
            orders(uow).page()
        uow.rollback()
    assert [identities(had), identities(made)] == [identities(ann.lines), identities(bob.lines)]
    assert before == kit.all_values()


@pytest.mark.promise(10)
@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("how", [*CHANGES, "root removed"])
def test_an_undone_savepoint_gives_the_root_the_very_children_back_that_it_had(
    kit: Kit[Order], how: str, flushed: bool
) -> None:
    """What was changed before it is kept, and what is changed after it is written on that ground."""
    ann = kit.stored()
    with kit.unit() as uow:
        mine = orders(uow).get(ann.id)
        mine.set_quantity("cup", 3)
        had = mine.lines
        with pytest.raises(Oops), uow.savepoint():
            if how == "root removed":
                orders(uow).remove(mine)
            else:
                CHANGES[how](mine)
            if flushed:
                orders(uow).page()
            raise Oops
        back = mine.lines
        seen = [quantities(order) for order in orders(uow).list_with("tea")]
        mine.set_quantity("tea", 2)
        given = values(mine)
        uow.commit()
    assert identities(had) == identities(back)
    assert [{"tea": 1, "cup": 3}] == seen
    assert [{**given, "version": 2}] == kit.all_values()


@pytest.mark.promise(10)
@each_change
def test_the_children_of_a_savepoint_that_was_kept_are_stored(kit: Kit[Order], how: str) -> None:
    """Also those of an undone one inside of it are gone, and a rollback afterwards takes all of it back."""
    ann = kit.stored()
    for end in ("rollback", "commit"):
        with kit.unit() as uow:
            mine = orders(uow).get(ann.id)
            had = mine.lines
            with uow.savepoint():
                CHANGES[how](mine)
                with pytest.raises(Oops), uow.savepoint():
                    mine.set_quantity("spoon", 1)
                    raise Oops
            given = values(mine)
            getattr(uow, end)()
        if end == "rollback":
            assert identities(had) == identities(mine.lines)
            assert [values(ann)] == kit.all_values()
    assert [{**given, "version": 2}] == kit.all_values()


@pytest.mark.promise(10)
@pytest.mark.parametrize("flushed", [False, True])
def test_a_root_added_in_an_undone_savepoint_can_be_added_again_with_its_children(
    kit: Kit[Order], flushed: bool
) -> None:
    """Nothing of them was left behind, written or not."""
    ann = new_order("ann")
    made = ann.lines
    with kit.unit() as uow:
        with pytest.raises(Oops), uow.savepoint():
            orders(uow).add(ann)
            if flushed:
                orders(uow).page()
            ann.set_quantity("tea", 5)
            raise Oops
        undone = (ann.version, identities(ann.lines), orders(uow).list_with("cup"))
        orders(uow).add(ann)
        uow.commit()
    assert (0, identities(made), []) == undone
    assert [{**values(ann), "version": 1}] == kit.all_values()


@pytest.mark.promise(6, 10)
def test_a_root_added_after_an_undone_savepoint_is_read_with_its_own_children(kit: Kit[Order]) -> None:
    """Not with those of the one that was added in it, even where a query has met that and the ids are the same."""
    ann = new_order("ann")
    heir = evolve(ann)
    heir.set_quantity("tea", 5)
    with kit.unit() as uow:
        with pytest.raises(Oops), uow.savepoint():
            orders(uow).add(ann)
            orders(uow).page()
            raise Oops
        orders(uow).add_many([heir])
        read = quantities(orders(uow).get(heir.id))
        uow.rollback()
    assert {"tea": 5, "cup": 10} == read


@pytest.mark.promise(10)
def test_children_written_beside_a_refused_root_are_undone_with_their_savepoint(kit: Kit[Order]) -> None:
    """The unit goes on with those that both roots had before."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with kit.unit() as uow:
        mine, refused = orders(uow).get(ann.id), orders(uow).get(bob.id)
        with pytest.raises(ReferenceTaken), uow.savepoint():
            mine.set_quantity("tea", 5)
            refused.set_quantity("tea", 6)
            refused.change_reference("ann")
        mine.set_quantity("pot", 1)
        uow.commit()
    with kit.unit() as uow:
        read = [(order.reference, quantities(order), order.version) for order in orders(uow).page().items]
    assert [("ann", {"tea": 1, "cup": 10, "pot": 1}, 2), ("bob", {"tea": 1, "cup": 10}, 1)] == read


@pytest.mark.promise(3)
@pytest.mark.parametrize("end", ["commit", "rollback", "error"])
def test_children_of_a_kept_object_stay_readable_after_its_unit(kit: Kit[Order], end: str) -> None:
    """Of one that was read, found by a query of its own, changed, removed or added."""
    for word in ("ann", "bob", "cid", "dan"):
        kit.stored(word)
    added = new_order("eve")
    with suppress(Oops), kit.unit() as uow:
        [read] = orders(uow).page(limit=1).items
        [_, listed, changed, removed] = orders(uow).list_with("tea")
        changed.set_quantity("cup", 0)
        orders(uow).remove(removed)
        orders(uow).add(added)
        if end == "error":
            raise Oops
        getattr(uow, end)()
    both = {"tea": 1, "cup": 10}
    expected = [both, both, {"tea": 1} if end == "commit" else both, both, both]
    assert expected == [quantities(order) for order in (read, listed, changed, removed, added)]
