"""The allocation example: a product, its batches, and the order lines that are allocated to each batch.

It is an aggregate for the tests with parts at two levels: its domain, its two adapters and its sample. In a project
these are separate files, as docs/extending.md shows.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import date
from operator import attrgetter
from typing import ClassVar
from uuid import UUID

from attrs import define, field, setters
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    select,
)
from sqlalchemy.ext.orderinglist import ordering_list
from sqlalchemy.orm import relationship

from adapters.fake.repository import FakeRepository
from adapters.sql.mapping import map_aggregate, map_part, metadata
from adapters.sql.repository import SqlRepository
from domain.aggregate import Aggregate, new_id
from domain.constraints import Unique
from domain.errors import NotFound, ValueTaken
from domain.repository import Repository

# The domain.


class ProductNotFound(NotFound):
    """No product has this id or stock-keeping unit."""

    kind: ClassVar[str] = "product"


class SkuTaken(ValueTaken):
    """Another product has this stock-keeping unit."""

    kind: ClassVar[str] = "sku"


class BatchReferenceTaken(ValueTaken):
    """Another batch of any product has this reference."""

    kind: ClassVar[str] = "batch reference"


class OrderAllocated(ValueTaken):
    """The order is allocated already."""

    kind: ClassVar[str] = "order"


class OutOfStock(Exception):
    """No batch has enough left."""


@define(slots=False, on_setattr=setters.frozen, unsafe_hash=True, kw_only=True)
class OrderLine:
    """The quantity that an order wants. Two equal ones are the same value."""

    order: str = field(metadata={"max_length": 40})
    quantity: int


@define(slots=False, eq=False, kw_only=True)
class Batch:
    """A batch that is here or will come on a day, and the order lines that it serves."""

    reference: str = field(metadata={"max_length": 40})
    quantity: int
    eta: date | None = None
    allocations: set[OrderLine] = field(factory=set)

    @property
    def available(self) -> int:
        """How much of the batch is left."""
        return self.quantity - sum(line.quantity for line in self.allocations)

    def change_quantity(self, quantity: int) -> None:
        """Change the quantity. The last orders lose their lines if it is too little."""
        self.quantity = quantity
        for line in sorted(self.allocations, key=attrgetter("order"), reverse=True):
            if self.available < 0:
                self.allocations.remove(line)


@define(slots=False, eq=False, kw_only=True)
class Note:
    """A text about a product. Its id is unique within the product."""

    id: UUID = field(factory=new_id, on_setattr=setters.frozen)
    text: str = field(metadata={"max_length": 100})


@define(slots=False, eq=False, kw_only=True)
class Product(Aggregate):
    """A thing that can be ordered.

    ``batches`` are in the order of their references, ``notes`` in the order of the list.
    """

    sku: str = field(metadata={"max_length": 40})
    batches: list[Batch] = field(factory=list, metadata={"order_by": ("reference",)})
    notes: list[Note] = field(factory=list)

    def batch(self, reference: str) -> Batch:
        """Return one of the batches."""
        return next(one for one in self.batches if one.reference == reference)

    def add_batch(self, reference: str, quantity: int, eta: date | None = None) -> Batch:
        """Add a batch."""
        batch = Batch(reference=reference, quantity=quantity, eta=eta)
        place = sum(one.reference < reference for one in self.batches)
        self.batches.insert(place, batch)
        return batch

    def change_reference(self, batch: Batch, reference: str) -> None:
        """Give a batch another reference."""
        batch.reference = reference
        self.batches.sort(key=attrgetter("reference"))

    def allocate(self, order: str, quantity: int) -> str:
        """Serve an order from stock, or else from the next batch to come. Return the reference of that batch."""
        line = OrderLine(order=order, quantity=quantity)
        for batch in sorted(self.batches, key=lambda one: one.eta or date.min):
            if batch.available >= quantity:
                batch.allocations.add(line)
                return batch.reference
        raise OutOfStock(self.sku)

    def deallocate(self, order: str) -> None:
        """Stop serving an order."""
        for batch in self.batches:
            batch.allocations -= {line for line in batch.allocations if line.order == order}

    def change_sku(self, sku: str) -> None:
        """Take another stock-keeping unit."""
        self.sku = sku


class ProductRepository(Repository[Product]):
    """The stored products."""

    aggregate = Product
    not_found = ProductNotFound
    unique = (
        Unique("sku", error=SkuTaken),
        Unique("batches.reference", error=BatchReferenceTaken),
        Unique("batches.allocations.order", error=OrderAllocated),
    )

    def get_by_sku(self, sku: str) -> Product:
        """Return the product of this stock-keeping unit. Raises :class:`ProductNotFound`."""
        return self._get_by("sku", sku)

    @abstractmethod
    def list_with_batch(self, reference: str) -> list[Product]:
        """Return the products that have a batch of this reference, in the order of ids."""

    @abstractmethod
    def list_serving(self, order: str) -> list[Product]:
        """Return the products with a batch that serves an order, in the order of ids."""


# The SQL adapter.

allocation_metadata = MetaData(naming_convention=metadata.naming_convention)

products = Table(
    "products",
    allocation_metadata,
    Column("id", Uuid, primary_key=True),
    Column("sku", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("sku"),
)

# The database makes the keys of batches and lines, and the domain does not know them.
batches = Table(
    "batches",
    allocation_metadata,
    Column("id", Integer, primary_key=True),
    Column("product_id", ForeignKey(products.c.id), nullable=False, index=True),
    Column("reference", String(40), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("eta", Date),
    UniqueConstraint("reference"),
)

allocations = Table(
    "allocations",
    allocation_metadata,
    Column("id", Integer, primary_key=True),
    Column("batch_id", ForeignKey(batches.c.id), nullable=False, index=True),
    Column("order", String(40), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    UniqueConstraint("order"),
)

notes = Table(
    "notes",
    allocation_metadata,
    Column("id", Uuid, primary_key=True),
    Column("product_id", ForeignKey(products.c.id), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("text", String(100), nullable=False),
)

map_part(OrderLine, allocations)
map_part(Note, notes)
map_part(
    Batch,
    batches,
    properties={
        "allocations": relationship(OrderLine, collection_class=set, lazy="selectin", cascade="all, delete-orphan")
    },
)
map_aggregate(
    Product,
    products,
    properties={
        "batches": relationship(Batch, lazy="selectin", cascade="all, delete-orphan", order_by=batches.c.reference),
        "notes": relationship(
            Note,
            lazy="selectin",
            cascade="all, delete-orphan",
            order_by=notes.c.position,
            collection_class=ordering_list("position"),
        ),
    },
)


class SqlProductRepository(SqlRepository[Product], ProductRepository):
    """The products of a SQL unit of work."""

    def list_with_batch(self, reference: str) -> list[Product]:  # noqa: D102  # the port says it
        having = select(Product).join(batches).where(batches.c.reference == reference).order_by(products.c.id)
        return list(self.session.scalars(having).unique().all())

    def list_serving(self, order: str) -> list[Product]:  # noqa: D102  # likewise
        serving = select(Product).join(batches).join(allocations).where(allocations.c.order == order)
        return list(self.session.scalars(serving.order_by(products.c.id)).unique().all())


# The fake.


class FakeProductRepository(FakeRepository[Product], ProductRepository):
    """The products of a fake unit of work."""

    def list_with_batch(self, reference: str) -> list[Product]:  # noqa: D102  # likewise
        return self._list_rows(lambda product: any(one.reference == reference for one in product.batches))

    def list_serving(self, order: str) -> list[Product]:  # noqa: D102  # likewise
        return self._list_rows(
            lambda product: any(line.order == order for batch in product.batches for line in batch.allocations)
        )
