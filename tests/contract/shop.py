"""The units of work of the tests: those of the project, with the aggregates for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, MetaData

from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql.unit_of_work import SqlUnitOfWork
from service_layer.unit_of_work import UnitOfWork
from tests.contract.accounts import ACCOUNTS, accounts_metadata
from tests.contract.allocation import FakeProductRepository, SqlProductRepository, allocation_metadata
from tests.contract.catalog import CATALOG, catalog_metadata
from tests.contract.customers import FakeCustomerRepository, SqlCustomerRepository, customers_metadata
from tests.contract.invoices import OFFICE, office_metadata
from tests.contract.library import LIBRARY, library_metadata
from tests.contract.members import FakeMemberRepository, SqlMemberRepository, members_metadata
from tests.contract.orders import FakeOrderRepository, SqlOrderRepository, orders_metadata
from tests.contract.specimens import (
    FakeLeafletRepository,
    FakeSpecimenRepository,
    SqlLeafletRepository,
    SqlSpecimenRepository,
    specimens_metadata,
)
from tests.contract.staff import STAFF, staff_metadata
from tests.contract.wares import (
    FakeDeliveryRepository,
    FakeWareRepository,
    SqlDeliveryRepository,
    SqlWareRepository,
    wares_metadata,
)

if TYPE_CHECKING:
    from tests.contract.allocation import ProductRepository
    from tests.contract.customers import CustomerRepository
    from tests.contract.members import MemberRepository
    from tests.contract.orders import OrderRepository
    from tests.contract.specimens import LeafletRepository, SpecimenRepository
    from tests.contract.wares import DeliveryRepository, WareRepository

SHOP_METADATA: tuple[MetaData, ...] = (
    members_metadata,
    orders_metadata,
    allocation_metadata,
    library_metadata,
    customers_metadata,
    specimens_metadata,
    office_metadata,
    accounts_metadata,
    wares_metadata,
    catalog_metadata,
    staff_metadata,
)
"""The metadata of their tables, which no migration makes."""

PLAIN = {**LIBRARY, **OFFICE, **ACCOUNTS, **CATALOG, **STAFF}
"""Both repositories of each aggregate without special queries, by their names in a unit of work."""


class Shop(UnitOfWork):
    """A unit of work with the aggregates of the tests. :func:`of` returns those in :data:`PLAIN`."""

    members: MemberRepository
    orders: OrderRepository
    products: ProductRepository
    customers: CustomerRepository
    specimens: SpecimenRepository
    wares: WareRepository
    deliveries: DeliveryRepository
    leaflets: LeafletRepository


class SqlShop(SqlUnitOfWork, Shop):
    """A shop over a SQL database."""

    def __init__(self, engine: Engine, *, read_only: bool = False) -> None:
        super().__init__(engine, read_only=read_only)
        self.members = SqlMemberRepository(self, self.session)
        self.orders = SqlOrderRepository(self, self.session)
        self.products = SqlProductRepository(self, self.session)
        self.customers = SqlCustomerRepository(self, self.session)
        self.specimens = SqlSpecimenRepository(self, self.session)
        self.wares = SqlWareRepository(self, self.session)
        self.deliveries = SqlDeliveryRepository(self, self.session)
        self.leaflets = SqlLeafletRepository(self, self.session)
        for name, (sql, _) in PLAIN.items():
            setattr(self, name, sql(self, self.session))


class FakeShop(FakeUnitOfWork, Shop):
    """A shop over a fake database."""

    def __init__(self, database: FakeDatabase | None = None, *, read_only: bool = False) -> None:
        super().__init__(database, read_only=read_only)
        self.members = FakeMemberRepository(self, self.session)
        self.orders = FakeOrderRepository(self, self.session)
        self.products = FakeProductRepository(self, self.session)
        self.customers = FakeCustomerRepository(self, self.session)
        self.specimens = FakeSpecimenRepository(self, self.session)
        self.wares = FakeWareRepository(self, self.session)
        self.deliveries = FakeDeliveryRepository(self, self.session)
        self.leaflets = FakeLeafletRepository(self, self.session)
        for name, (_, fake) in PLAIN.items():
            setattr(self, name, fake(self, self.session))


def of(uow: UnitOfWork, name: str) -> Any:
    """Return a repository of the tests' units by its name."""
    return getattr(uow, name)
