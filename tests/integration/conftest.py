"""Fixtures for tests that only a real database can fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.storages import migrated_engine


@pytest.fixture
def own_engine(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Engine]:
    """An engine on a database of the test's own, of each kind in turn, whose tables it may change."""
    if engine.dialect.name == "sqlite":
        yield engine
    else:
        kind = {"postgresql": "postgres", "mysql": "mariadb"}[engine.dialect.name]
        with migrated_engine(request.getfixturevalue(f"{kind}_database")) as own:
            yield own


@pytest.fixture(params=["postgres", "mariadb"])
def server_engine(request: pytest.FixtureRequest) -> Engine:
    """An engine on each kind of server in turn."""
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    return engine
