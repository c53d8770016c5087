"""An aggregate of the tests alone, with child entities: its domain, its two adapters, and its sample.

In a project these are files of their own, as docs/extending.md has it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, evolve, field, frozen
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint, Uuid, select

from adapters.fake.database import FakeDatabase
from adapters.fake.repository import FakeRepository
from adapters.fake.repository import Unique as UniqueAttributes
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql.children import Children
from adapters.sql.metadata import map_aggregate, metadata
from adapters.sql.repository import SqlRepository
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.aggregate import Aggregate, Entity, in_order
from domain.errors import NotFound, ValueTaken
from domain.repository import Repository
from tests.contract.sample import Sample, Unique

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine

# The domain.


class OrderNotFound(NotFound):
    """No order has this id or reference."""

    kind: ClassVar[str] = "order"


class ReferenceTaken(ValueTaken):
    """Another order has this reference."""

    kind: ClassVar[str] = "reference"


@frozen(kw_only=True)
class OrderLine(Entity):
    """So many of one thing."""

    sku: str
    quantity: int


def _lines(lines: Iterable[OrderLine]) -> tuple[OrderLine, ...]:
    return in_order(OrderLine, lines)


@define(slots=False, eq=False, kw_only=True)
class Order(Aggregate):
    """What somebody wants to have. ``reference`` is any text; ``lines`` has a line for each thing."""

    reference: str
    lines: tuple[OrderLine, ...] = field(default=(), converter=_lines)

    def set_quantity(self, sku: str, quantity: int) -> None:
        """Want so many of a thing; none at all takes its line away."""
        line = next((line for line in self.lines if line.sku == sku), OrderLine(sku=sku, quantity=quantity))
        others = [one for one in self.lines if one.sku != sku]
        self.lines = _lines([*others, evolve(line, quantity=quantity)] if quantity else others)

    def change_reference(self, reference: str) -> None:
        """Take another reference."""
        self.reference = reference


class OrderRepository(Repository[Order]):
    """The orders that are stored."""

    aggregate: ClassVar[type[Order]] = Order
    not_found: ClassVar[type[NotFound]] = OrderNotFound

    def get_by_reference(self, reference: str) -> Order:
        """Return the order of this reference; raises :class:`OrderNotFound`."""
        return self._get_by("reference", reference)

    @abstractmethod
    def list_with(self, sku: str) -> list[Order]:
        """Return the orders that have a line for a thing, in the order of ids."""


# The SQL adapter.

# Metadata of their own, since no migration makes these tables.
orders_metadata = MetaData(naming_convention=metadata.naming_convention)

# A name that has to be quoted, since SQL has another use for it.
orders = Table(
    "order",
    orders_metadata,
    Column("id", Uuid, primary_key=True),
    Column("reference", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("reference", info={"error": ReferenceTaken}),
)

order_lines = Table(
    "order_lines",
    orders_metadata,
    Column("order_id", ForeignKey(orders.c.id, ondelete="CASCADE"), primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("sku", String(40), nullable=False),
    Column("quantity", Integer, nullable=False),
)

map_aggregate(Order, orders, lines=Children(OrderLine, order_lines))


class SqlOrderRepository(SqlRepository[Order], OrderRepository):
    """The orders of a SQL unit of work."""

    table = orders

    def list_with(self, sku: str) -> list[Order]:  # noqa: D102  # the port says it
        having = select(order_lines.c.order_id).where(order_lines.c.sku == sku)
        return self._list(select(Order).where(orders.c.id.in_(having)).order_by(orders.c.id), {})


class SqlShop(SqlUnitOfWork):
    """A SQL unit of work that has orders too."""

    def __init__(self, engine: Engine, *, read_only: bool = False) -> None:
        super().__init__(engine, read_only=read_only)
        self.orders = SqlOrderRepository(self)


# The fake.


class FakeOrderRepository(FakeRepository[Order], OrderRepository):
    """The orders of a fake unit of work."""

    unique: ClassVar[UniqueAttributes] = {"reference": ReferenceTaken}

    def list_with(self, sku: str) -> list[Order]:  # noqa: D102  # likewise
        return self._list_where(lambda row: any(line.sku == sku for line in row["lines"]))


class FakeShop(FakeUnitOfWork):
    """A fake unit of work that has orders too."""

    def __init__(self, database: FakeDatabase | None = None, *, read_only: bool = False) -> None:
        super().__init__(database, read_only=read_only)
        self.orders = FakeOrderRepository(self)


def new_order(reference: str) -> Order:
    """Return an order of two things that is not stored yet."""
    order = Order(reference=reference)
    order.set_quantity("tea", 1)
    order.set_quantity("cup", 10)
    return order


def change(order: Order, state: int) -> None:
    """Change a line alone; every third state has no second line."""
    order.set_quantity("tea", 1 + state)
    order.set_quantity("cup", 0 if state % 3 == 2 else 10)


ORDERS: Sample[Any] = Sample(
    repository="orders",
    make=new_order,
    word=lambda order: order.reference,
    rename=Order.change_reference,
    change=change,
    unique=[
        Unique(
            "reference", Order.change_reference, lambda orders, value: orders.get_by_reference(value), ReferenceTaken
        ),
    ],
    queries=[lambda orders, _: orders.list_with("cup")],
)
