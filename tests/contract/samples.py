"""The aggregates that the contract suite proves. Add yours: one line here, for about ten in a file like users.py."""

from __future__ import annotations

from typing import Any

from tests.contract.orders import ORDERS
from tests.contract.sample import Sample
from tests.contract.users import USERS

SAMPLES: tuple[Sample[Any], ...] = (USERS, ORDERS)
