"""Fixtures for laws that only a real database can break."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

from domain.aggregate import makers
from proof.laws.faulty_storages import FaultyFake, FaultyStorage, faulty_server, faulty_sqlite
from tests.storages import BACKENDS, members_engine


@pytest.fixture(params=BACKENDS)
def faulty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FaultyStorage]:
    """Each storage in turn, behind a layer that fails."""
    with ExitStack() as stack:
        if request.param == "fake":
            yield FaultyFake()
        elif request.param == "sqlite":
            with members_engine(f"sqlite:///{tmp_path}/test.db"):
                yield stack.enter_context(faulty_sqlite(f"{tmp_path}/test.db"))
        else:
            engine: Engine = request.getfixturevalue(f"{request.param}_engine")
            yield stack.enter_context(faulty_server(engine.url.render_as_string(hide_password=False)))


@pytest.fixture
def unmapped() -> Iterator[None]:
    """Unmap the classes that a test maps when it ends: other tests would meet their tables."""
    before = set(makers)
    yield
    for kind in reversed([one for one in makers if one not in before]):
        del makers[kind]
        inspect(kind).registry.dispose()
