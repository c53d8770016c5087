"""Put the aggregates of the laws into the units of work of the tests."""

from __future__ import annotations

from proof.laws.contract.accounts import ACCOUNTS, accounts_metadata
from proof.laws.contract.catalog import CATALOG, catalog_metadata
from proof.laws.contract.customers import FakeCustomerRepository, SqlCustomerRepository, customers_metadata
from proof.laws.contract.invoices import OFFICE, office_metadata
from proof.laws.contract.library import LIBRARY, library_metadata
from proof.laws.contract.orders import FakeOrderRepository, SqlOrderRepository, orders_metadata
from proof.laws.contract.specimens import (
    FakeLeafletRepository,
    FakeSpecimenRepository,
    SqlLeafletRepository,
    SqlSpecimenRepository,
    specimens_metadata,
)
from proof.laws.contract.staff import STAFF, staff_metadata
from proof.laws.contract.wares import (
    FakeDeliveryRepository,
    FakeWareRepository,
    SqlDeliveryRepository,
    SqlWareRepository,
    wares_metadata,
)
from tests.contract.shop import REPOSITORIES, SHOP_METADATA

SHOP_METADATA += [
    orders_metadata,
    library_metadata,
    customers_metadata,
    specimens_metadata,
    office_metadata,
    accounts_metadata,
    wares_metadata,
    catalog_metadata,
    staff_metadata,
]
REPOSITORIES.update(
    {
        "orders": (SqlOrderRepository, FakeOrderRepository),
        "customers": (SqlCustomerRepository, FakeCustomerRepository),
        "specimens": (SqlSpecimenRepository, FakeSpecimenRepository),
        "wares": (SqlWareRepository, FakeWareRepository),
        "deliveries": (SqlDeliveryRepository, FakeDeliveryRepository),
        "leaflets": (SqlLeafletRepository, FakeLeafletRepository),
        **LIBRARY,
        **OFFICE,
        **ACCOUNTS,
        **CATALOG,
        **STAFF,
    }
)
