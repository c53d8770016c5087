"""Fixtures of the laws that hold on every storage."""

from __future__ import annotations

import pytest

from proof.laws.contract.families import KINDS, Family
from tests.storages import Storage


@pytest.fixture(params=KINDS)
def family(storage: Storage, request: pytest.FixtureRequest) -> Family:
    """Each kind of reference on each storage in turn."""
    return Family(storage, KINDS[request.param])
