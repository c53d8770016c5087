"""Fixtures of the contract suite: every aggregate on every storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.sample import Kit, Sample, store_needs
from tests.contract.samples import SAMPLES
from tests.storages import BACKENDS, Storage, fake_storage, impatient, sql_storage


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.repository)
def sample(request: pytest.FixtureRequest) -> Sample[Any]:
    """Each aggregate in turn."""
    found: Sample[Any] = request.param
    return found


@pytest.fixture(params=BACKENDS)
def patient_storage(request: pytest.FixtureRequest) -> Iterator[Storage]:
    """Each storage in turn, with units that wait a long time for each other."""
    if request.param == "fake":
        yield fake_storage(60)
    else:
        with impatient(request.getfixturevalue(f"{request.param}_engine"), 60) as engine:
            yield sql_storage(engine)


@pytest.fixture
def kit(storage: Storage, sample: Sample[Any]) -> Kit[Any]:
    """Each aggregate on each storage in turn."""
    store_needs(storage, [sample])
    return Kit(storage, sample)
