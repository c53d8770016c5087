"""Fixtures for all tests: one of each storage, started once and emptied for each test. And the choice of cases."""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from zlib import crc32

import pytest
import stamina

from domain import repository as repositories
from tests import mariadb_server as mariadb_programs
from tests import postgres_server as postgres_programs
from tests.storages import (
    BACKENDS,
    Storage,
    empty,
    fake_storage,
    shop_engine,
    sql_storage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Engine

    from tests.contract.shop import Shop

Found = TypeVar("Found")

CASES = os.environ.get("CASES", "spread")
"""Which cases of a test that runs on each storage are run: ``all`` on each, or ``one`` on each. With ``spread``, each
case runs on one storage, and at least one on the fake and one on a database. Tests marked ``few`` run one case on the
fake and one on a database."""


_SERVERS = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Start each server once for all processes of a parallel run, unless its tests are left out."""
    if not getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        return
    config.stash[_SERVERS] = {}
    servers = ExitStack()
    config.add_cleanup(servers.close)
    for name, start in (("postgres", postgres_programs.postgres), ("mariadb", mariadb_programs.mariadb)):
        if f"not {name}" not in config.option.keyword:
            with suppress(postgres_programs.PostgresMissing, mariadb_programs.MariadbMissing):
                config.stash[_SERVERS][name] = servers.enter_context(start())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a process of a parallel run the addresses of the servers."""
    node.workerinput |= node.config.stash[_SERVERS]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out cases of the tests that run on each storage, as CASES says."""
    if CASES == "all" or any("::" in one for one in config.args):
        return
    cases: dict[str, dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    kept = set()
    for item in items:
        given = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
        storage = next((one for one in given if isinstance(one, str) and one in BACKENDS), None)
        if storage is None or item.get_closest_marker("every_case"):
            kept.add(item)
        else:
            cases[item.nodeid.partition("[")[0]][storage].append(item)
    for test, by_storage in cases.items():
        first = crc32(test.encode())  # so the choice is the same whichever files run
        databases = [one for one in by_storage if one != "fake"]
        always = {"fake", *databases[first % (len(databases) or 1) :][:1]}
        for place, (storage, some) in enumerate(by_storage.items(), first):
            if CASES == "spread" and not some[0].get_closest_marker("few"):
                kept |= {*some[place % len(by_storage) :: len(by_storage)]}
            if CASES == "one" or storage in always:
                kept.add(some[place % len(some)])
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def pytest_collection_finish() -> None:
    """Exclude what the run keeps anyway from garbage collection. Otherwise each collection takes 0.3 seconds."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _without_pauses() -> Iterator[None]:
    """Retry without pauses, as many times as the use case asks for."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture(scope="session")
def _sqlite_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with shop_engine(f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/test.db") as engine:
        yield engine


@pytest.fixture
def sqlite_engine(_sqlite_engine: Engine) -> Iterator[Engine]:
    """An engine on an SQLite file whose tables are empty."""
    yield _sqlite_engine
    empty(_sqlite_engine)


@contextmanager
def required(server: AbstractContextManager[Found], missing: type[Exception]) -> Iterator[Found]:
    """Yield a real server or its URL. Without one its tests are skipped, but fail in continuous integration."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(server)
        except missing as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(str(error))
        yield found


def shared(request: pytest.FixtureRequest, name: str) -> AbstractContextManager[str] | None:
    """Return the server that was started for all processes of this run, if any."""
    url = getattr(request.config, "workerinput", {}).get(name)
    return None if url is None else nullcontext(url)


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a real PostgreSQL server."""
    own = shared(request, "postgres") or postgres_programs.postgres()
    with required(own, postgres_programs.PostgresMissing) as server:
        yield server


@pytest.fixture
def postgres_database(postgres_server: str) -> Iterator[str]:
    """The URL of a separate PostgreSQL database without any table."""
    with postgres_programs.new_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def _postgres_engine(postgres_server: str) -> Iterator[Engine]:
    with postgres_programs.new_database(postgres_server) as url, shop_engine(url) as engine:
        yield engine


@pytest.fixture
def postgres_engine(_postgres_engine: Engine) -> Iterator[Engine]:
    """An engine on a real PostgreSQL whose tables are empty."""
    yield _postgres_engine
    empty(_postgres_engine)


@pytest.fixture(scope="session")
def mariadb_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a real MariaDB server."""
    own = shared(request, "mariadb") or mariadb_programs.mariadb()
    with required(own, mariadb_programs.MariadbMissing) as server:
        yield server


@pytest.fixture
def mariadb_database(mariadb_server: str) -> Iterator[str]:
    """The URL of a separate MariaDB database without any table."""
    with mariadb_programs.new_database(mariadb_server) as url:
        yield url


@pytest.fixture(scope="session")
def _mariadb_engine(mariadb_server: str) -> Iterator[Engine]:
    with mariadb_programs.new_database(mariadb_server) as url, shop_engine(url) as engine:
        yield engine


@pytest.fixture
def mariadb_engine(_mariadb_engine: Engine) -> Iterator[Engine]:
    """An engine on a real MariaDB whose tables are empty."""
    yield _mariadb_engine
    empty(_mariadb_engine)


@pytest.fixture(params=BACKENDS)
def storage(request: pytest.FixtureRequest) -> Storage:
    """Each storage in turn: the fake, SQLite, PostgreSQL and MariaDB."""
    if request.param == "fake":
        return fake_storage()
    return sql_storage(request.getfixturevalue(f"{request.param}_engine"))


@pytest.fixture(params=[name for name in BACKENDS if name != "fake"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """An engine on each real database in turn."""
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    return engine


@pytest.fixture
def uow(storage: Storage) -> Shop:
    """A unit of work on each storage in turn."""
    return storage.unit()


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let streams and bulks take a few at a time, and return how many. So a test meets the ends of several batches."""
    count = 20
    monkeypatch.setattr(repositories, "STREAM_BATCH", count)
    monkeypatch.setattr(repositories, "BULK_BATCH", count)
    return count
