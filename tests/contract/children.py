"""What the tests of child entities share: orders of any size, ways to change their lines, and a look at them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from service_layer.unit_of_work import UnitOfWork
from tests.contract.orders import ORDERS, Order, OrderLine, OrderRepository

over_orders = pytest.mark.parametrize("sample", [ORDERS], ids=["orders"])
"""Lets ``kit`` be that of the orders alone, on every storage."""


class Oops(Exception):
    """What the tests leave a block with."""


def orders(uow: UnitOfWork) -> OrderRepository:
    """Return the orders of a unit of work."""
    found: OrderRepository = uow.orders  # type: ignore[attr-defined]  # only the tests' own units have some
    return found


def order_of(reference: str, lines: Iterable[OrderLine]) -> Order:
    """Return an order that is not stored yet."""
    return Order(reference=reference, lines=lines)


def order_of_size(reference: str, size: int) -> Order:
    """Return an order with so many lines that is not stored yet."""
    return order_of(reference, [OrderLine(sku=f"sku{number}", quantity=number) for number in range(size)])


def quantities(order: Order) -> dict[str, int]:
    """Return how much of each thing is ordered."""
    return {line.sku: line.quantity for line in order.lines}


def _replace(order: Order) -> None:
    order.set_quantity("tea", 0)
    order.set_quantity("tea", 1)


def _clear(order: Order) -> None:
    order.lines = ()


CHANGES: dict[str, Callable[[Order], None]] = {
    "changed": lambda order: order.set_quantity("tea", 5),
    "added": lambda order: order.set_quantity("pot", 1),
    "removed": lambda order: order.set_quantity("tea", 0),
    "replaced": _replace,
    "none left": _clear,
}
"""Ways to change an order of tea and cups by its children alone."""

each_change = pytest.mark.parametrize("how", CHANGES)
