"""Storages whose calls can fail on purpose, and an independent look at them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from adapters.fake.database import FakeDatabase
from adapters.sql.engine import make_engine
from domain.errors import CommitOutcomeUnknown, ConcurrentChange, StorageUnavailable
from proof.laws import plain_driver
from proof.laws.counting_proxy import proxy_to
from proof.laws.faults import AFTER, BEFORE, CONFLICT, ERROR, LOST, Faults, FaultyProxy, faulty_connections
from tests.contract.shop import FakeShop, SqlShop
from tests.storages import without_the_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from adapters.fake.database import Key
    from tests.contract.shop import Shop

Rows = list[tuple[Any, ...]]
"""The stored data of each member or user, sorted: name, address, whether active, version."""

SECONDS = 10
"""How long a server may take to notice a lost connection."""


class FaultyStorage(ABC):
    """A storage whose n-th call from now on can be made to fail, once."""

    kinds: ClassVar[tuple[str, ...]]
    secrets: tuple[str, ...] = ()
    table, name = "members", "name"
    """The table that is looked at, and its column of names."""

    refusals: tuple[str, ...]
    """The kinds of failures that say that the storage has certainly not done the work, a commit included."""

    @abstractmethod
    def plan(self, call: int, kind: str) -> None:
        """Let the ``call``-th call from now on fail."""

    @property
    @abstractmethod
    def met(self) -> bool:
        """Whether that call was made."""

    @property
    @abstractmethod
    def at_commit(self) -> bool:
        """Whether it would have made work last: a COMMIT, or a statement that is its own transaction."""

    @abstractmethod
    def unit(self) -> Shop:
        """Return a unit of work."""

    @abstractmethod
    def forget_connections(self) -> None:
        """Let the next unit begin with a new connection."""

    @abstractmethod
    def rows(self) -> Rows:
        """Return what is stored, as an outsider sees it."""

    @abstractmethod
    def keep(self) -> None:
        """Keep the present data for :meth:`restore`."""

    @abstractmethod
    def restore(self) -> None:
        """Store the kept data again, and nothing else."""

    @abstractmethod
    def check_tidy(self) -> None:
        """Fail if a connection is in use or in a transaction. A cut connection gets some time to end."""


# The errors for the fake to raise, by the kind of the call and what happens there.
_FAKE_ERRORS: dict[str, Callable[[], Exception]] = {
    "read": lambda: StorageUnavailable("the server is away"),
    "write": lambda: StorageUnavailable("the server is away"),
    "write refused": lambda: ConcurrentChange("somebody was faster"),
    "commit": lambda: CommitOutcomeUnknown("lost while committing"),
    "commit stored": lambda: CommitOutcomeUnknown("lost while committing"),
    "commit refused": lambda: ConcurrentChange("somebody was faster"),
}


class FaultyFake(FaultyStorage):
    """The fake, which raises planned errors."""

    kinds = tuple(_FAKE_ERRORS)
    refusals = tuple(kind for kind in _FAKE_ERRORS if kind not in ("commit", "commit stored"))

    def __init__(self) -> None:
        self._database = FakeDatabase()
        self._kept: tuple[dict[Any, Any], dict[Any, Any]] = {}, {}
        self._kind, self._calls = "", 0
        self._error: Exception | None = None

    def plan(self, call: int, kind: str) -> None:
        self._forget_plan()
        self._kind, self._calls, self._error = kind, call, None
        if not kind:
            return
        self._error = _FAKE_ERRORS[kind]()
        self._database.fail(self._at, self._error, call=call, stored=kind == "commit stored")

    @property
    def _at(self) -> Any:
        return self._kind.partition(" ")[0]

    def _forget_plan(self) -> None:
        """Use up a failure that no call has met, by as many calls as it was planned for."""
        for _ in range(0 if self.met else self._calls):
            self._database.failure(self._at)

    @property
    def met(self) -> bool:
        return self._error is not None and self._error.__traceback__ is not None

    @property
    def at_commit(self) -> bool:
        return self._kind.startswith("commit")

    def unit(self) -> Shop:
        return FakeShop(self._database)

    def forget_connections(self) -> None:
        """Do nothing: the fake has no connections."""

    def rows(self) -> Rows:
        of = self._database.rows.values()
        return sorted((getattr(row, self.name), row.email, row.active, row.version) for row in of)

    def keep(self) -> None:
        self._kept = dict(self._database.rows), dict(self._database.index)

    def restore(self) -> None:
        rows, index = self._kept
        self._database.rows.clear()
        self._database.rows.update(rows)
        self._database.index.clear()
        self._database.index.update(index)

    def check_tidy(self) -> None:
        assert [] == self._database.open_sessions()
        keys: set[Key] = {*self._database.rows, *self._database.index}
        for key in keys:
            self._database.lock(key, self)
        self._database.release(keys, self)


class FaultyDatabase(FaultyStorage):
    """A database behind a driver or a wire that fails. The observer is a plain connection that does not."""

    def __init__(self, engine: Engine, observer: Any, faults: Faults) -> None:
        self.engine = engine
        self.observer = observer
        self.faults = faults
        self.unit_of_work: type[SqlShop] = SqlShop
        self._kept: list[Any] = []

    def plan(self, call: int, kind: str) -> None:
        self.faults.plan(call, kind)

    @property
    def met(self) -> bool:
        return self.faults.met

    @property
    def at_commit(self) -> bool:
        return self.faults.lasting != ""

    def unit(self) -> Shop:
        return self.unit_of_work(self.engine)

    def forget_connections(self) -> None:
        self.engine.dispose()

    def ask(self, query: str) -> list[Any]:
        """Return the observer's answer."""
        with closing(self.observer.cursor()) as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def rows(self) -> Rows:
        look = f"SELECT {self.name}, email, active, version FROM {self.table} ORDER BY {self.name}"  # noqa: S608  # our own
        return [(name, email, bool(active), version) for name, email, active, version in self.ask(look)]

    def keep(self) -> None:
        self._kept = self.ask(f"SELECT * FROM {self.table}")  # noqa: S608  # our own name

    def restore(self) -> None:
        mark = "?" if self.engine.dialect.name == "sqlite" else "%s"
        with closing(self.observer.cursor()) as cursor:
            cursor.execute(f"DELETE FROM {self.table}")  # noqa: S608  # our own name
            marks = ", ".join([mark] * len(self._kept[0]))
            cursor.executemany(f"INSERT INTO {self.table} VALUES ({marks})", self._kept)  # noqa: S608  # our own

    def check_tidy(self) -> None:
        assert isinstance(self.engine.pool, QueuePool)
        assert self.engine.pool.checkedout() == 0, "a connection is still in use"
        deadline = time.monotonic() + SECONDS
        while self.is_busy():
            assert time.monotonic() < deadline, "a connection is still in a transaction"
            time.sleep(0.001)

    @abstractmethod
    def is_busy(self) -> bool:
        """Return whether a connection is in a transaction, or a cut one is still there."""


class FaultySqlite(FaultyDatabase):
    """An SQLite file."""

    kinds = (ERROR, CONFLICT, AFTER, LOST)
    refusals = (CONFLICT,)

    def is_busy(self) -> bool:
        # Written data can be moved into the file, and the log be emptied, only while no connection reads or writes.
        [(busy, _, _)] = self.ask("PRAGMA wal_checkpoint(TRUNCATE)")
        return bool(busy)


class FaultyServer(FaultyDatabase):
    """A server behind a proxy."""

    kinds = (ERROR, CONFLICT, BEFORE, AFTER)

    def __init__(self, engine: Engine, observer: Any, proxy: FaultyProxy) -> None:
        super().__init__(engine, observer, proxy.faults)
        self.proxy = proxy
        self.secrets = (str(engine.url.password),)
        # MariaDB may have stored what it commits when it answers with an error.
        self.refusals = (CONFLICT, ERROR) if engine.dialect.name == "postgresql" else (CONFLICT,)

    def is_busy(self) -> bool:
        query, in_transaction = _SESSIONS[self.engine.dialect.name]
        sessions = [(int(port or 0), state) for port, state in self.ask(query)]
        ended = list(self.proxy.ended_ports)
        return in_transaction(self.engine) or any(port in ended or state for port, state in sessions)


def _pymysql_is_in_transaction(engine: Engine) -> bool:
    connection = engine.raw_connection()
    try:
        driver: Any = connection.driver_connection
        return bool(driver.server_status & 1)  # SERVER_STATUS_IN_TRANS
    finally:
        connection.close()


# The ports of the server's clients, and whether they are in a transaction. On MariaDB only the client itself knows.
_SESSIONS: dict[str, tuple[str, Callable[[Engine], bool]]] = {
    "postgresql": (
        "SELECT client_port, state <> 'idle' FROM pg_stat_activity WHERE datid > 0 AND pid <> pg_backend_pid()",
        lambda _: False,
    ),
    "mysql": (
        "SELECT substring_index(host, ':', -1), 0 FROM information_schema.processlist WHERE db = database()",
        _pymysql_is_in_transaction,
    ),
}


@contextmanager
def faulty_sqlite(path: str) -> Iterator[FaultyDatabase]:
    """Yield an SQLite file with its tables and with faults."""
    engine, faults = make_engine(f"sqlite:///{path}", SECONDS), Faults()
    factory = faulty_connections(faults)

    @event.listens_for(engine, "do_connect")
    def with_faults(_dialect: object, _record: object, _arguments: object, named: dict[str, Any]) -> None:
        named["factory"] = factory

    event.listen(engine, "connect", without_the_disk)
    made: list[Any] = []
    event.listen(engine, "connect", lambda connection, _: made.append(connection))
    with closing(plain_driver.connect(f"sqlite:///{path}")) as observer:
        observer.execute("PRAGMA synchronous = OFF")
        yield FaultySqlite(engine, observer, faults)
        engine.dispose()
        for connection in made:  # a unit that lies may have kept one
            connection.close()


@contextmanager
def faulty_server(url: str, timeout: float = SECONDS) -> Iterator[FaultyServer]:
    """Yield the database of a server with its tables, behind a proxy. ``timeout`` is that of the engine."""
    with ExitStack() as stack:
        proxy, through = stack.enter_context(proxy_to(url, FaultyProxy))
        engine = make_engine(through, timeout)
        stack.callback(engine.dispose)
        observer = stack.enter_context(closing(plain_driver.connect(url)))
        yield FaultyServer(engine, observer, proxy)
