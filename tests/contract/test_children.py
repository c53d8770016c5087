"""Child entities: they are stored, changed and removed with their root, and a conflict at one of them is one at it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from attrs import evolve

from domain.errors import ConcurrentChange
from tests.contract.children import CHANGES, each_change, order_of, order_of_size, orders, over_orders, quantities
from tests.contract.orders import Order, OrderLine, new_order
from tests.contract.sample import Kit, values

pytestmark = over_orders


@pytest.mark.promise(2)
def test_children_come_back_as_they_were_in_the_order_of_their_ids(kit: Kit[Order]) -> None:
    """With their ids, values and types; whatever order they were given in, and however the ids came about."""
    ids = (2**128 - 1, 1, 2**127, 2**64, 2**96 - 1)
    skus = ("tea", "Tea", "tea ", "", "té🫖")
    lines = [OrderLine(id=UUID(int=id), sku=sku, quantity=id % 100) for id, sku in zip(ids, skus, strict=True)]
    order = order_of("ann", lines)
    with kit.unit() as uow:
        orders(uow).add(order)
        uow.commit()
    with kit.unit() as uow:
        read = orders(uow).get(order.id).lines
    expected = tuple(sorted(lines, key=lambda line: line.id))
    assert (tuple, expected, expected) == (type(read), read, order.lines)
    assert {(OrderLine, UUID, str, int)} == {
        (type(line), type(line.id), type(line.sku), type(line.quantity)) for line in read
    }


@pytest.mark.promise(2)
@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("sizes", [(3, 0, 1), (0, 0)], ids=str)
def test_children_are_stored_with_a_new_root(kit: Kit[Order], bulk: bool, sizes: tuple[int, ...]) -> None:
    """One by one or in bulk; with one child, several, or none."""
    made = [order_of_size(f"order{number}", size) for number, size in enumerate(sizes)]
    expected = [{**values(order), "version": 1} for order in made]
    with kit.unit() as uow:
        if bulk:
            orders(uow).add_many(made)
        else:
            for order in made:
                orders(uow).add(order)
        uow.commit()
    assert list(sizes) == [len(row["lines"]) for row in expected]
    assert expected == kit.all_values()


@pytest.mark.promise(2)
def test_a_child_has_its_identity_inside_of_its_root(kit: Kit[Order]) -> None:
    """Children of two roots may have the same id, and neither is taken for the other."""
    ann = new_order("ann")
    bob = order_of("bob", [evolve(line, sku=f"other {line.sku}") for line in ann.lines])
    with kit.unit() as uow:
        orders(uow).add(ann)
        orders(uow).add_many([bob])
        uow.commit()
    with kit.unit() as uow:
        orders(uow).get(bob.id).set_quantity("other tea", 0)
        uow.commit()
    with kit.unit() as uow:
        read = [quantities(order) for order in orders(uow).page().items]
    assert [{"tea": 1, "cup": 10}, {"other cup": 10}] == read


@pytest.mark.promise(2)
def test_children_can_move_to_another_root_within_a_unit(kit: Kit[Order]) -> None:
    """In both directions at once, with their ids."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with kit.unit() as uow:
        first, second = orders(uow).get(ann.id), orders(uow).get(bob.id)
        first.lines, second.lines = second.lines, first.lines
        uow.commit()
    with kit.unit() as uow:
        read = [order.lines for order in orders(uow).page().items]
    assert [bob.lines, ann.lines] == read


@pytest.mark.promise(2, 6)
@each_change
def test_a_change_of_children_alone_is_stored_and_raises_the_version_by_one(kit: Kit[Order], how: str) -> None:
    """As a change of the root's own attributes does."""
    ann = kit.stored()
    with kit.unit() as uow:
        mine = orders(uow).get(ann.id)
        CHANGES[how](mine)
        given = values(mine)
        uow.commit()
    assert ann.lines != mine.lines
    assert (1, 2) == (ann.version, mine.version)
    assert [{**given, "version": 2}] == kit.all_values()


@pytest.mark.promise(6)
def test_children_can_be_changed_again_and_again_in_a_unit(kit: Kit[Order]) -> None:
    """Each change is written on the ground of the one before; the version rises by one for all of them."""
    ann = kit.stored()
    listed = []
    with kit.unit() as uow:
        mine = orders(uow).get(ann.id)
        for how in ("added", "changed", "removed", "replaced", "none left", "added", "changed"):
            CHANGES[how](mine)
            listed.append([len(orders(uow).list_with(sku)) for sku in ("tea", "cup", "pot")])
        uow.commit()
    assert [[1, 1, 1], [1, 1, 1], [0, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 1], [1, 0, 1]] == listed
    with kit.unit() as uow:
        read = orders(uow).get(ann.id)
    assert ({"pot": 1, "tea": 5}, 2) == (quantities(read), read.version)


@pytest.mark.promise(6)
def test_children_that_were_set_to_equal_ones_are_no_change(kit: Kit[Order]) -> None:
    """Other objects that hold the same, and a change that was taken back."""
    ann = kit.stored()
    with kit.unit() as uow:
        mine = orders(uow).get(ann.id)
        mine.lines = tuple(evolve(line) for line in mine.lines)
        orders(uow).page()
        mine.set_quantity("tea", 5)
        mine.set_quantity("tea", 1)
        uow.commit()
    assert [values(ann)] == kit.all_values() == [values(mine)]


def change_another_part(order: Order, part: str) -> None:
    """Change the root alone, or a child that the ways to change an order leave alone."""
    match part:
        case "root changed":
            order.change_reference("theirs")
        case "child changed":
            order.set_quantity("cup", 3)
        case "child added":
            order.set_quantity("spoon", 1)
        case _:
            order.set_quantity("cup", 0)


@pytest.mark.promise(8)
@pytest.mark.parametrize("mine", ["changed", "added", "removed", "root changed", "root removed"])
@pytest.mark.parametrize("theirs", ["root changed", "child changed", "child added", "child removed"])
def test_a_change_conflicts_with_another_units_change_of_the_root_or_of_another_child(
    kit: Kit[Order], mine: str, theirs: str
) -> None:
    """The second is refused whatever each of them touched, and the first is stored alone: no update is lost."""
    ann = kit.stored()
    with pytest.raises(ConcurrentChange, match=f"Order {ann.id}"), kit.unit() as uow:
        read = orders(uow).get(ann.id)
        with kit.unit() as other:
            change_another_part(orders(other).get(ann.id), theirs)
            other.commit()
        stored = kit.all_values()
        if mine == "root removed":
            orders(uow).remove(read)
        elif mine == "root changed":
            read.change_reference("mine")
        else:
            CHANGES[mine](read)
        uow.commit()
    assert [2] == [row["version"] for row in stored]
    assert stored == kit.all_values()
    assert values(ann) == values(read)


@pytest.mark.promise(8)
def test_no_update_of_many_concurrent_ones_to_different_children_is_lost(kit: Kit[Order]) -> None:
    """Two threads count up a line each, again after each conflict: every step is there in the end."""
    ann = kit.stored()

    def count_up(sku: str) -> None:
        done = 0
        while done < 5:
            try:
                with kit.unit() as uow:
                    mine = orders(uow).get(ann.id)
                    mine.set_quantity(sku, quantities(mine)[sku] + 1)
                    uow.commit()
                done += 1
            except ConcurrentChange:
                continue

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count_up, ["tea", "cup"]))
    with kit.unit() as uow:
        read = orders(uow).get(ann.id)
    assert ({"tea": 1 + 5, "cup": 10 + 5}, 1 + 2 * 5) == (quantities(read), read.version)


@pytest.mark.promise(2)
def test_removing_a_root_takes_its_children_with_it(kit: Kit[Order]) -> None:
    """Nothing finds them any more, those of another root stay, and a new root can have children of the same ids."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    heir = evolve(ann, version=0)
    heir.set_quantity("tea", 5)
    with kit.unit() as uow:
        orders(uow).remove(orders(uow).get(ann.id))
        within = orders(uow).list_with("tea")
        uow.commit()
    with kit.unit() as uow:
        after = orders(uow).list_with("tea")
        orders(uow).add_many([heir])
        uow.commit()
    assert [[bob], [bob]] == [within, after]
    assert [{**values(heir), "version": 1}, values(bob)] == kit.all_values()


@pytest.mark.promise(9)
@pytest.mark.parametrize("how", ["unchanged", *CHANGES])
def test_a_removed_root_can_be_added_again_in_the_same_unit_with_its_children(kit: Kit[Order], how: str) -> None:
    """With those that it has then."""
    ann = kit.stored()
    with kit.unit() as uow:
        mine = orders(uow).get(ann.id)
        orders(uow).remove(mine)
        if how != "unchanged":
            CHANGES[how](mine)
        given = values(mine)
        orders(uow).add(mine)
        uow.commit()
    assert [{**given, "version": 2}] == kit.all_values()


@pytest.mark.promise(6)
def test_a_root_added_in_place_of_a_removed_one_is_read_with_its_own_children(kit: Kit[Order]) -> None:
    """Not with those of the removed one, even where a query has met that before and the ids are the same."""
    ann = new_order("ann")
    heir = evolve(ann)
    heir.set_quantity("tea", 5)
    with kit.unit() as uow:
        orders(uow).add(ann)
        orders(uow).page()
        orders(uow).remove(ann)
        orders(uow).add_many([heir])
        read = quantities(orders(uow).get(heir.id))
        uow.rollback()
    assert {"tea": 5, "cup": 10} == read
