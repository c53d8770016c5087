"""An aggregate for the tests with a single part and unstored attributes of each kind.

Its table and the tables of its parts have columns that the domain does not know. The database fills them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint, Uuid
from sqlalchemy.orm import relationship

from adapters.fake.repository import FakeRepository
from adapters.sql.mapping import map_aggregate, map_part, metadata
from adapters.sql.repository import SqlRepository
from domain.aggregate import Aggregate
from domain.constraints import Unique
from domain.errors import NotFound, ValueTaken
from domain.repository import Repository

if TYPE_CHECKING:
    from service_layer.unit_of_work import UnitOfWork
    from tests.storages import Storage

NOT_STORED = {"stored": False}


class CustomerNotFound(NotFound):
    """No customer has this id."""

    kind: ClassVar[str] = "customer"


class NumberTaken(ValueTaken):
    """Another customer has this telephone number."""

    kind: ClassVar[str] = "telephone number"


@define(slots=False, eq=False)
class Phone:
    """A telephone at an address."""

    number: str = field(metadata={"max_length": 40})
    calls: int = field(default=0, metadata=NOT_STORED)


@define(slots=False, eq=False)
class Address:
    """The address of a customer."""

    street: str = field(metadata={"max_length": 40})
    phone: Phone | None = None
    visits: list[str] = field(init=False, factory=list, metadata=NOT_STORED)


@define(slots=False, eq=False, kw_only=True)
class Customer(Aggregate):
    """A customer who orders. ``events`` lists what has happened since the object was made or read."""

    name: str = field(metadata={"max_length": 40})
    address: Address | None = None
    events: list[str] = field(init=False, factory=list, metadata=NOT_STORED)
    mood: str = field(default="calm", metadata=NOT_STORED)

    def rename(self, name: str) -> None:
        """Take another name."""
        self.name = name
        self.events.append(f"renamed to {name}")


class CustomerRepository(Repository[Customer]):
    """The stored customers."""

    aggregate = Customer
    not_found = CustomerNotFound
    unique = (Unique("address.phone.number", error=NumberTaken),)


customers_metadata = MetaData(naming_convention=metadata.naming_convention)

customers = Table(
    "customers",
    customers_metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("rank", Integer, nullable=False, server_default="5"),
    Column("remark", String(40)),
)

addresses = Table(
    "addresses",
    customers_metadata,
    Column("number", Integer, primary_key=True),
    Column("customer_id", ForeignKey(customers.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("street", String(40), nullable=False),
    Column("rank", Integer, nullable=False, server_default="7"),
)

phones = Table(
    "phones",
    customers_metadata,
    Column("key", Integer, primary_key=True),
    Column("address_number", ForeignKey(addresses.c.number, ondelete="CASCADE"), nullable=False),
    Column("number", String(40), nullable=False),
    UniqueConstraint("number"),
)

SINGLE: Any = {"uselist": False, "lazy": "selectin", "cascade": "all, delete-orphan"}

map_part(Phone, phones)
map_part(Address, addresses, properties={"phone": relationship(Phone, **SINGLE)})
map_aggregate(Customer, customers, properties={"address": relationship(Address, **SINGLE)})


class SqlCustomerRepository(SqlRepository[Customer], CustomerRepository):
    """The customers of a SQL unit of work."""


class FakeCustomerRepository(FakeRepository[Customer], CustomerRepository):
    """The customers of a fake unit of work."""


def new_customer(name: str = "ann") -> Customer:
    """Return a customer with an address and a telephone."""
    return Customer(name=name, address=Address("first", Phone(f"{name}-1")))


def customers_of(uow: UnitOfWork) -> CustomerRepository:
    """Return the customers of a unit of work."""
    found: CustomerRepository = uow.customers  # type: ignore[attr-defined]  # only the tests' own units have some
    return found


def stored_customer(storage: Storage, name: str = "ann") -> Customer:
    """Store a customer and return the object. Its unit has ended."""
    made = new_customer(name)
    with storage.unit() as uow:
        customers_of(uow).add(made)
        uow.commit()
    return made
