"""Random histories are the same for each kind of attribute, value objects, subclasses, references and keys."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from proof.laws.contract.history_samples import DELIVERIES, GOODS, SPECIMENS, STAFF
from proof.laws.contract.orders import ORDERS
from proof.laws.contract.wares import WARES
from tests.contract.histories import one_unit, open_units
from tests.contract.members import MEMBERS
from tests.contract.products import PRODUCTS

TOGETHER = [(MEMBERS, ORDERS, PRODUCTS, WARES), (MEMBERS, SPECIMENS), (WARES, DELIVERIES), (GOODS, STAFF)]


@pytest.mark.no_cover  # other tests reach every line too, and counting these would double their time
@pytest.mark.promise(1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16)
def test_random_histories_are_the_same(engine: Engine) -> None:
    """Random histories are the same on the fake and on a database, in any order and with objects of ended units."""
    one_unit(engine, TOGETHER)


@pytest.mark.no_cover  # for the same reason
@pytest.mark.promise(1, 3, 5, 7, 8, 9, 10)
def test_histories_of_open_units_are_the_same(engine: Engine) -> None:
    """Units that are open at the same time behave alike on the fake and on a database."""
    open_units(engine, TOGETHER)
