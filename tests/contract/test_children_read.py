"""Child entities: pages, streams and queries return whole aggregates, at one version."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from attrs import evolve

from domain.repository import STREAM_BATCH
from tests.contract.children import CHANGES, each_change, order_of, order_of_size, orders, over_orders, quantities
from tests.contract.orders import Order, OrderLine, new_order
from tests.contract.sample import Kit

pytestmark = over_orders

ROUNDS = 40
"""How often a writer and a reader meet."""


@pytest.mark.promise(16)
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
def test_a_page_holds_whole_aggregates_whatever_its_limit(kit: Kit[Order], limit: int) -> None:
    """It counts roots, not their children: a page of two has two roots, each with all of its lines."""
    made = [order_of_size(f"order{number}", size) for number, size in enumerate((3, 0, 4, 1, 5))]
    with kit.unit() as uow:
        orders(uow).add_many(made)
        uow.commit()
    with kit.unit() as uow:
        page = orders(uow).page(limit=limit)
        pages = [page.items]
        while page.next is not None:
            page = orders(uow).page(page.next, limit)
            pages.append(page.items)
    assert [tuple(made[start : start + limit]) for start in range(0, 5, limit)] == pages
    assert [order.lines for order in made] == [order.lines for items in pages for order in items]


@pytest.mark.promise(16)
def test_a_stream_yields_whole_aggregates_across_the_borders_of_its_batches(kit: Kit[Order]) -> None:
    """Stored in bulk across the same borders."""
    made = [order_of_size(f"order{number}", number % 4) for number in range(STREAM_BATCH + 2)]
    with kit.unit() as uow:
        orders(uow).add_many(made)
        uow.commit()
    with kit.unit() as uow:
        assert [(order.id, order.lines) for order in made] == [(one.id, one.lines) for one in orders(uow).stream()]


def test_a_query_by_children_returns_each_root_once(kit: Kit[Order]) -> None:
    """Whole and in the order of ids, also one that has two children of the kind that is looked for."""
    twice = order_of("twice", [OrderLine(sku=sku, quantity=1) for sku in ("tea", "tea", "cup")])
    without, once = order_of_size("without", 2), new_order("once")
    with kit.unit() as uow:
        orders(uow).add_many([once, without, twice])
        uow.commit()
    with kit.unit() as uow:
        found = orders(uow).list_with("tea")
        nothing = orders(uow).list_with("pot")
    assert ([twice, once], []) == (found, nothing)
    assert [twice.lines, once.lines] == [order.lines for order in found]


@pytest.mark.promise(5, 6)
def test_a_query_by_children_sees_what_the_unit_has_written(kit: Kit[Order]) -> None:
    """Added, changed, removed and bulk children; and it finds the objects that the unit holds."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    cid, dan = new_order("cid"), new_order("dan")
    with kit.unit() as uow:
        mine = orders(uow).get(ann.id)
        mine.set_quantity("pot", 1)
        orders(uow).get(bob.id).set_quantity("tea", 0)
        orders(uow).add(cid)
        orders(uow).add_many([dan])
        with_tea, with_pot = orders(uow).list_with("tea"), orders(uow).list_with("pot")
        uow.rollback()
    assert [ann, cid, dan] == with_tea
    assert [id(mine), id(cid)] == [id(order) for order in with_tea[:2]]
    assert [id(mine)] == [id(order) for order in with_pot]


@pytest.mark.promise(5)
@each_change
def test_a_query_does_not_overwrite_children_that_another_unit_changed_meanwhile(kit: Kit[Order], how: str) -> None:
    """Nor mix them with those that were read first; a new unit reads the new ones."""
    ann = kit.stored()
    with kit.unit() as uow:
        mine = orders(uow).get(ann.id)
        had = mine.lines
        with kit.unit() as other:
            theirs = orders(other).get(ann.id)
            CHANGES[how](theirs)
            other.commit()
        found = [orders(uow).get(ann.id), *orders(uow).page().items, *orders(uow).list_with("cup")]
        seen = {(id(order), order.lines) for order in (*found, mine)}
    with kit.unit() as uow:
        read = orders(uow).get(ann.id)
    assert {(id(mine), had)} == seen
    assert ann.lines == had != theirs.lines
    assert (theirs.lines, 2) == (read.lines, read.version)


@pytest.mark.promise(5)
def test_a_query_does_not_overwrite_children_that_were_set_to_equal_ones(kit: Kit[Order]) -> None:
    """What was no change to the unit does not let in the change of another one."""
    ann = kit.stored()
    with kit.unit() as uow:
        mine = orders(uow).get(ann.id)
        mine.lines = tuple(evolve(line) for line in mine.lines)
        with kit.unit() as other:
            orders(other).get(ann.id).set_quantity("tea", 5)
            other.commit()
        found = [*orders(uow).page().items, *orders(uow).page().items]
        seen = [quantities(order) for order in found]
    assert [id(mine)] * 2 == [id(order) for order in found]
    assert [{"tea": 1, "cup": 10}] * 2 == seen


def two_lines(quantity: int) -> Order:
    """Return an order of two lines, each of as much as the version will be if they are counted up together."""
    return order_of("ann", [OrderLine(sku=sku, quantity=quantity) for sku in ("tea", "cup")])


def count_up(kit: Kit[Order], order: Order) -> None:
    """Raise both quantities, and so the version, by one in a unit of its own."""
    with kit.unit() as uow:
        mine = orders(uow).get(order.id)
        for sku, quantity in quantities(mine).items():
            mine.set_quantity(sku, quantity + 1)
        uow.commit()


def numbers(order: Order) -> tuple[int, ...]:
    """Return the version and the quantities, which are all the same unless the order is a mixture."""
    return (order.version, *quantities(order).values())


@pytest.mark.promise(8)
def test_a_root_and_its_children_are_always_read_at_one_version(kit: Kit[Order]) -> None:
    """While another thread changes two children together in each commit, no reader ever sees a mixture."""
    ann = two_lines(1)
    with kit.unit() as uow:
        orders(uow).add(ann)
        uow.commit()

    both = Barrier(2, timeout=10)

    def write() -> None:
        for _ in range(ROUNDS):
            both.wait()
            count_up(kit, ann)

    seen = []
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        for _ in range(ROUNDS):
            both.wait()
            for _ in range(2):
                with kit.unit(read_only=True) as uow:
                    seen.append(numbers(orders(uow).get(ann.id)))
                with kit.unit(read_only=True) as uow:
                    seen += [numbers(order) for order in orders(uow).page().items]
        writer.result()
    assert [1 + ROUNDS] == kit.versions()
    assert [(version,) * 3 for version, *_ in seen] == seen


@pytest.mark.promise(5)
def test_a_root_that_the_caller_let_go_of_is_read_again_as_a_whole(kit: Kit[Order]) -> None:
    """With what others have committed since or without, but never with the children of another version."""
    ann = two_lines(1)
    with kit.unit() as uow:
        orders(uow).add(ann)
        uow.commit()
    seen = []
    with kit.unit() as uow:
        for _ in range(3):
            seen.append(numbers(orders(uow).get(ann.id)))
            count_up(kit, ann)
    assert kit.versions() == [4]
    assert [(version,) * 3 for version, *_ in seen] == seen
