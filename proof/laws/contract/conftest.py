"""Fixtures of the laws that hold on every storage."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proof.laws.contract.families import KINDS, Family
from tests.contract.conftest import kit, sample  # noqa: F401  # pytest finds them here by their names
from tests.storages import BACKENDS, Storage, fake_storage, impatient, sql_storage


@pytest.fixture(params=KINDS)
def family(storage: Storage, request: pytest.FixtureRequest) -> Family:
    """Each kind of reference on each storage in turn."""
    return Family(storage, KINDS[request.param])


@pytest.fixture(params=BACKENDS)
def patient_storage(request: pytest.FixtureRequest) -> Iterator[Storage]:
    """Each storage in turn, with units that wait a long time for each other."""
    if request.param == "fake":
        yield fake_storage(60)
    else:
        with impatient(request.getfixturevalue(f"{request.param}_engine"), 60) as engine:
            yield sql_storage(engine)
