"""The aggregates that the contract suite proves. Add yours: one line here, for about ten in a file like users.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.orders import ORDERS
from tests.contract.sample import Sample
from tests.contract.users import USERS

SAMPLES: tuple[Sample[Any], ...] = (USERS, ORDERS)

each_unique = pytest.mark.parametrize(
    ("sample", "unique"),
    [
        pytest.param(sample, unique, id=f"{sample.repository}.{unique.attribute}")
        for sample in SAMPLES
        for unique in sample.unique
    ],
)
"""Runs a test over ``kit`` and ``unique`` for each unique attribute of every aggregate."""
