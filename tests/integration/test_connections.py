"""Promises 14 and 15: servers that go away, come back, or do not answer; and the same engine all the time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapters.sql.engine import make_engine
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import StorageUnavailable
from service_layer.users import create_user, get_user
from tests.faults import HOLD
from tests.faulty_storages import FaultyServer, faulty_server


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where everybody is accepted and nobody is answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[FaultyServer]:
    """Each kind of server in turn, behind a proxy."""
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    with ExitStack() as stack:
        yield stack.enter_context(faulty_server(engine.url.render_as_string(hide_password=False)))


@pytest.mark.promise(14)
@pytest.mark.parametrize(
    ("kind", "match"), [("postgresql", "timeout expired"), ("mysql", "did not answer within 1 seconds")]
)
def test_a_server_that_accepts_and_says_nothing_is_unavailable_after_the_time_limit(
    silent_port: int, kind: str, match: str
) -> None:
    """Not waited for without end."""
    engine = make_engine(f"{kind}://user:secret@127.0.0.1:{silent_port}/database", timeout=0.1)
    with pytest.raises(StorageUnavailable, match=match) as caught:
        get_user("ann", SqlUnitOfWork(engine))
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


@pytest.mark.promise(14)
def test_a_server_that_falls_silent_while_one_logs_in_is_unavailable(server: FaultyServer) -> None:
    """The limit holds until the connection can be used; the next unit gets one."""
    server.plan(1, HOLD)
    with pytest.raises(StorageUnavailable, match=r"timeout expired|did not answer within 1 seconds"):
        create_user("ann", "ann@example.com", server.unit())
    server.proxy.let_go()
    assert create_user("ann", "ann@example.com", server.unit()).version == 1


def hang_up(listener: socket.socket) -> None:
    """Accept one client, and let it go at once."""
    listener.accept()[0].close()


@pytest.mark.promise(14)
def test_a_socket_file_can_stand_in_the_place_of_a_host(tmp_path: Path) -> None:
    """MariaDB's driver connects to it; here nobody is found behind it who speaks its language."""
    path = f"{tmp_path}/socket"
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind(path)
        listener.listen()
        pool.submit(hang_up, listener)
        engine = make_engine(f"mysql://user:secret@localhost/database?unix_socket={path}")
        with pytest.raises(StorageUnavailable, match="Lost connection"):
            get_user("ann", SqlUnitOfWork(engine))
