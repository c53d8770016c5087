"""Fixtures of the contract suite: every aggregate on every storage."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.sample import Kit, Sample, store_needs
from tests.contract.samples import SAMPLES
from tests.storages import Storage


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.repository)
def sample(request: pytest.FixtureRequest) -> Sample[Any]:
    """Each aggregate in turn."""
    found: Sample[Any] = request.param
    return found


@pytest.fixture
def kit(storage: Storage, sample: Sample[Any]) -> Kit[Any]:
    """Each aggregate on each storage in turn."""
    store_needs(storage, [sample])
    return Kit(storage, sample)
