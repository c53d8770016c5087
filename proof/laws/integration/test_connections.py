"""Promises 14 and 15: servers that go away, come back or do not answer, seen by one engine all the time."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from adapters.sql.engine import make_engine
from adapters.sql.schema import Schema
from domain.errors import CommitOutcomeUnknown, SchemaMismatch, StorageError, StorageUnavailable
from proof.laws.faults import HOLD
from proof.laws.faulty_storages import FaultyServer, faulty_server
from tests import mariadb_server as mariadb_programs
from tests import postgres_server as postgres_programs
from tests.contract.members import create_member, get_member, members_metadata, new_member, stored_names, written
from tests.contract.shop import SqlShop
from tests.fixtures import required
from tests.servers import Server
from tests.storages import members_engine, sql_storage


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts every client and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[FaultyServer]:
    """Each kind of server in turn, behind a proxy."""
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    with ExitStack() as stack:
        yield stack.enter_context(faulty_server(engine.url.render_as_string(hide_password=False)))


@pytest.mark.slow
@pytest.mark.promise(14)
@pytest.mark.parametrize(
    ("kind", "match"), [("postgresql", "timeout expired"), ("mysql", "did not answer within 1 seconds")]
)
def test_a_silent_server_is_unavailable(silent_port: int, kind: str, match: str) -> None:
    """A server that accepts and says nothing is unavailable after the time limit."""
    engine = make_engine(f"{kind}://user:secret@127.0.0.1:{silent_port}/database", timeout=0.1)
    with pytest.raises(StorageUnavailable, match=match) as caught:
        get_member("ann", SqlShop(engine))
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


@pytest.mark.promise(14)
def test_a_server_silent_at_the_log_in(server_engine: Engine) -> None:
    """A server that falls silent during the log-in is unavailable: the limit holds until the connection is usable."""
    url = server_engine.url.render_as_string(hide_password=False)
    with faulty_server(url, timeout=0.1) as server:
        server.plan(1, HOLD)
        with pytest.raises(StorageUnavailable, match=r"timeout expired|did not answer within 1 seconds"):
            create_member("ann", "ann@example.com", server.unit())
        server.proxy.let_go()
    assert [] == stored_names(sql_storage(server_engine))


@pytest.mark.promise(15)
def test_a_made_connection_leaves_no_thread(mariadb_server: str) -> None:
    """A connection that is made leaves nothing behind that watched its limit: a program could not end before it."""
    engine = make_engine(mariadb_server)
    engine.connect().close()
    assert [] == [one for one in threading.enumerate() if isinstance(one, threading.Timer)]
    engine.dispose()


@pytest.mark.slow
@pytest.mark.promise(14)
def test_an_unanswered_commit_ends_at_the_limit(mariadb_engine: Engine) -> None:
    """A commit without an answer ends at the URL's limit for MariaDB. Its outcome is unknown."""
    url = mariadb_engine.url.update_query_dict({"read_timeout": "1"})
    with faulty_server(url.render_as_string(hide_password=False)) as server:
        server.faults.plan(1, HOLD, only_commits=True)
        with pytest.raises(CommitOutcomeUnknown, match="timed out"):
            create_member("ann", "ann@example.com", server.unit())
        server.proxy.let_go()
        assert get_member("ann", server.unit()).version == 1


def hang_up(listener: socket.socket) -> None:
    """Accept one client, and close its connection immediately."""
    listener.accept()[0].close()


@pytest.mark.promise(14)
def test_a_socket_file_can_replace_a_host(tmp_path: Path) -> None:
    """A socket file can replace a host for MariaDB's driver. Here no server answers behind it."""
    path = f"{tmp_path}/socket"
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind(path)
        listener.listen()
        pool.submit(hang_up, listener)
        engine = make_engine(f"mysql://user:secret@localhost/database?unix_socket={path}")
        with pytest.raises(StorageUnavailable, match="Lost connection"):
            get_member("ann", SqlShop(engine))


@pytest.fixture(params=["postgres", "mariadb"])
def restartable(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Engine]]:
    """A separate server, of each kind in turn, and an engine on it."""
    own, missing, new_database = {
        "postgres": (postgres_programs.own_postgres, postgres_programs.PostgresMissing, postgres_programs.new_database),
        "mariadb": (mariadb_programs.own_mariadb, mariadb_programs.MariadbMissing, mariadb_programs.new_database),
    }[request.param]
    with required(own(), missing) as (url, server), new_database(url) as database, members_engine(database) as engine:
        yield server, engine


@pytest.mark.promise(14, 15)
def test_an_engine_survives_a_restart(restartable: tuple[Server, Engine]) -> None:
    """A server that restarts is unavailable for a while, and then serves the same engine.

    Units that run at that time, and those that get an old connection, fail. They may be tried again, and stored
    nothing.
    """
    server, engine = restartable
    uow = SqlShop(engine)
    create_member("ann", "ann@example.com", uow)
    with pytest.raises(StorageUnavailable, match="cannot be used") as caught, uow:
        uow.members.add(new_member("bob"))
        written(uow)
        create_member("cid", "cid@example.com", SqlShop(engine))
        server.stop()
        uow.members.page()
    assert caught.value.retryable
    with pytest.raises(StorageUnavailable, match=r"(?i)connect"):
        create_member("dan", "dan@example.com", uow)
    server.start()
    assert ["ann", "cid"] == stored_names(sql_storage(engine))
    create_member("dan", "dan@example.com", uow)
    for meet in (partial(get_member, "ann", uow), partial(create_member, "eve", "eve@example.com", uow)):
        server.stop()
        server.start()
        with pytest.raises(StorageUnavailable):
            meet()
        assert get_member("ann", uow).version == 1
    create_member("eve", "eve@example.com", uow)
    assert ["ann", "cid", "dan", "eve"] == stored_names(sql_storage(engine))


@pytest.mark.promise(14)
@pytest.mark.parametrize("wrong", [{"password": "sesame"}, {"username": "nobody"}, {"database": "no_such_database"}])
def test_a_refused_log_in_hides_the_password(server: FaultyServer, wrong: dict[str, Any]) -> None:
    """The error of a refused log-in has the server's own words and the address, but not the password."""
    url = server.engine.url.set(**wrong)
    with pytest.raises(StorageUnavailable, match=r"(?i)fail|denied|unknown") as caught:
        get_member("ann", SqlShop(make_engine(url.render_as_string(hide_password=False))))
    assert f"{url.host}:{url.port}/{url.database} cannot be used" in str(caught.value)
    assert str(url.password) not in str(caught.value)


@pytest.mark.slow
@pytest.mark.promise(14)
@pytest.mark.usefixtures("migrations")
def test_a_database_made_later_serves_the_engine(server: FaultyServer) -> None:
    """A database that is made later serves the same engine: first it is missing, then its tables are."""
    name = f"plumbline_test_{secrets.token_hex(8)}"
    engine = make_engine(server.engine.url.set(database=name).render_as_string(hide_password=False))
    with pytest.raises(StorageUnavailable, match=name):
        get_member("ann", SqlShop(engine))
    with closing(server.observer.cursor()) as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            with pytest.raises(SchemaMismatch, match="run `app db upgrade`"):
                Schema(engine).make_ready()
            with pytest.raises(StorageError, match="members"):
                get_member("ann", SqlShop(engine))
            Schema(engine).upgrade()
            Schema(engine).make_ready()
            members_metadata.create_all(engine)
            assert create_member("ann", "ann@example.com", SqlShop(engine)).version == 1
        finally:
            engine.dispose()
            force = " WITH (FORCE)" if engine.dialect.name == "postgresql" else ""  # its sessions end a little later
            cursor.execute(f"DROP DATABASE {name}{force}")
