"""An aggregate for the tests, with parts: its domain, its two adapters and its sample.

In a project these are separate files, as docs/extending.md shows.
"""

from __future__ import annotations

from abc import abstractmethod
from operator import attrgetter
from typing import Any, ClassVar
from uuid import UUID

from attrs import define, evolve, field, setters
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint, Uuid, select
from sqlalchemy.orm import relationship

from adapters.fake.repository import FakeRepository
from adapters.sql.mapping import map_aggregate, map_part, metadata
from adapters.sql.repository import SqlRepository
from domain.aggregate import Aggregate, new_id
from domain.constraints import Unique
from domain.errors import NotFound, ValueTaken
from domain.repository import Repository
from tests.contract.sample import Sample, UniqueValue

# The domain.


class OrderNotFound(NotFound):
    """No order has this id or reference."""

    kind: ClassVar[str] = "order"


class ReferenceTaken(ValueTaken):
    """Another order has this reference."""

    kind: ClassVar[str] = "reference"


@define(slots=False, on_setattr=setters.frozen, unsafe_hash=True, kw_only=True)
class OrderLine:
    """A quantity of one thing. Its id is unique within its order, and another quantity does not change it."""

    id: UUID = field(factory=new_id)
    sku: str = field(metadata={"max_length": 40})
    quantity: int


@define(slots=False, eq=False, kw_only=True)
class Order(Aggregate):
    """An order of things. ``reference`` is any text. ``lines`` has a line for each thing."""

    reference: str = field(metadata={"max_length": 100})
    lines: set[OrderLine] = field(factory=set)

    def set_quantity(self, sku: str, quantity: int) -> None:
        """Order a quantity of a thing. Zero removes its line."""
        for line in [line for line in self.lines if line.sku == sku]:
            self.lines.remove(line)
            if quantity:
                self.lines.add(evolve(line, quantity=quantity))
            return
        if quantity:
            self.lines.add(OrderLine(sku=sku, quantity=quantity))

    def change_reference(self, reference: str) -> None:
        """Take another reference."""
        self.reference = reference


class OrderRepository(Repository[Order]):
    """The stored orders."""

    aggregate = Order
    not_found = OrderNotFound
    unique = (Unique("reference", error=ReferenceTaken),)

    def get_by_reference(self, reference: str) -> Order:
        """Return the order of this reference. Raises :class:`OrderNotFound`."""
        return self._get_by("reference", reference)

    @abstractmethod
    def list_with(self, sku: str) -> list[Order]:
        """Return the orders that have a line for a thing, in the order of ids."""


# The SQL adapter.

# Separate metadata, since no migration makes these tables.
orders_metadata = MetaData(naming_convention=metadata.naming_convention)

# A name that has to be quoted, since SQL uses it as a keyword.
orders = Table(
    "order",
    orders_metadata,
    Column("id", Uuid, primary_key=True),
    Column("reference", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("reference"),
)

order_lines = Table(
    "order_lines",
    orders_metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", ForeignKey(orders.c.id), nullable=False, index=True),
    Column("sku", String(40), nullable=False),
    Column("quantity", BigInteger, nullable=False),
)

map_part(OrderLine, order_lines)
map_aggregate(
    Order,
    orders,
    properties={"lines": relationship(OrderLine, collection_class=set, lazy="selectin", cascade="all, delete-orphan")},
)


class SqlOrderRepository(SqlRepository[Order], OrderRepository):
    """The orders of a SQL unit of work."""

    def list_with(self, sku: str) -> list[Order]:  # noqa: D102  # the port says it
        having = select(Order).join(order_lines).where(order_lines.c.sku == sku).order_by(orders.c.id)
        return list(self.session.scalars(having).unique().all())


# The fake.


class FakeOrderRepository(FakeRepository[Order], OrderRepository):
    """The orders of a fake unit of work."""

    def list_with(self, sku: str) -> list[Order]:  # noqa: D102  # likewise
        return self._list_rows(lambda order: any(line.sku == sku for line in order.lines))


def new_order(reference: str) -> Order:
    """Return a new order of two things."""
    order = Order(reference=reference)
    order.set_quantity("tea", 1)
    order.set_quantity("cup", 10)
    return order


def change(order: Order, state: int) -> None:
    """Change a line alone. Every third state has no second line."""
    order.set_quantity("tea", 1 + state)
    order.set_quantity("cup", 0 if state % 3 == 2 else 10)


def add_thing(order: Order, number: int) -> None:
    """Order one more thing."""
    order.set_quantity(f"thing {number}", number)


def remove_line(order: Order, number: int) -> None:
    """Stop ordering a thing."""
    for line in _sorted(order)[number : number + 1]:
        order.lines.remove(line)


def replace_all(order: Order, number: int) -> None:
    """Order other things."""
    order.lines = {OrderLine(sku=f"other {each}", quantity=number) for each in range(number)}


def move_line(source: Order, target: Order, number: int) -> None:
    """Move a line to another order."""
    for line in _sorted(source)[number : number + 1]:
        source.lines.remove(line)
        target.lines.add(line)


def _sorted(order: Order) -> list[OrderLine]:
    return sorted(order.lines, key=attrgetter("sku", "quantity", "id"))


ORDERS: Sample[Any] = Sample(
    repository="orders",
    make=new_order,
    word=lambda order: order.reference,
    rename=Order.change_reference,
    change=change,
    unique=[
        UniqueValue(
            "reference", Order.change_reference, lambda orders, value: orders.get_by_reference(value), ReferenceTaken
        ),
    ],
    queries=[lambda orders, _: orders.list_with("cup")],
    edits={
        "change a line": lambda order, number: order.set_quantity("tea", 2 + number),
        "add a line": add_thing,
        "remove a line": remove_line,
        "replace all lines": replace_all,
    },
    moves=move_line,
)
