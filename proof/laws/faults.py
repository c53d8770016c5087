"""Faults that tests put into a storage: at which of its calls, and what happens there."""

from __future__ import annotations

import sqlite3
import struct
import threading
from typing import TYPE_CHECKING, Any

from attrs import define

from proof.laws.counting_proxy import Link, Proxy

if TYPE_CHECKING:
    from collections.abc import Callable

ERROR = "error"
"""The database answers with an error instead of doing the work."""

CONFLICT = "conflict"
"""The same, with the error of a transaction that was ended in favour of another one."""

BEFORE = "disconnect before"
"""The connection is lost before the database gets the request."""

AFTER = "disconnect after"
"""The connection is lost when the database has done the work, before it can say so."""

COMMIT = "commit"
"""The call that makes the work of a transaction last."""

ALONE = "alone"
"""A statement that writes outside of a transaction, so it is its own transaction."""

HOLD = "hold"
"""The database does the work. Its answer is held back until it is released or the connection is cut."""


@define
class Faults:
    """Counts calls, and says when one is to fail. At most one does, once."""

    kind: str = ""
    met: bool = False
    lasting: str = ""
    """Whether the failed call was :data:`COMMIT` or :data:`ALONE`, which make work last. Empty if neither."""
    _left: int = 0
    _only_commits: bool = False

    def plan(self, call: int, kind: str, *, only_commits: bool = False) -> None:
        """Let the ``call``-th call from now on fail, or the ``call``-th of those that make work last."""
        self.kind, self.met, self.lasting, self._left = kind, False, "", call
        self._only_commits = only_commits

    def next(self, lasting: str = "") -> str:
        """Count a call, which may be a COMMIT or go ALONE. Return how it is to fail, or an empty text."""
        if self._only_commits and not lasting:
            return ""
        self._left -= 1
        if self._left != 0:
            return ""
        self.met, self.lasting = True, lasting
        return self.kind


class FaultyProxy(Proxy):
    """A proxy before PostgreSQL or MariaDB that lets a call fail: a client's message after one of the server."""

    def __init__(self, host: str, port: int) -> None:
        self.faults = Faults()
        self.ended_ports: set[int] = set()
        self.held = threading.Event()
        self._let_go = threading.Event()
        self._doomed: set[Link] = set()
        self._held: Link | None = None
        self._links: set[Link] = set()
        super().__init__(host, port)

    def request(self, link: Link, data: bytes) -> bytes:
        """Let the call fail if it is its turn. A leaving client makes no call."""
        if data in _FAREWELLS:
            return data
        fault = self.faults.next(lasting(data, link.said))
        if fault == BEFORE:
            link.cut()
        elif fault == AFTER:
            self._doomed.add(link)
        elif fault == HOLD:
            self._held = link
        elif fault:
            return refusal(data, fault)
        return super().request(link, data)

    def answer(self, link: Link, data: bytes) -> bytes:
        """Keep the answer to a call that is to fail."""
        if link in self._doomed:
            link.cut()
        elif link is self._held:
            self.held.set()
            self._let_go.wait()
        return super().answer(link, data)

    def cut_idle(self) -> None:
        """Cut every connection. None of them waits for an answer."""
        for link in list(self._links):
            assert not link.waiting
            link.cut()

    def wait_for_ends(self) -> None:
        """Wait until every client knows that its connection has ended."""
        assert all(link.over.wait(10) for link in list(self._links))

    def let_go(self) -> None:
        """Pass on the answer that is held back."""
        self._held = None
        self._let_go.set()

    def cut_held(self) -> None:
        """Cut the connection whose answer is held back."""
        assert self._held is not None
        self._held.cut()
        self.let_go()

    def _begin(self, link: Link) -> None:
        port = link.server.getsockname()[1]
        self.ended_ports.discard(port)  # it is in use again
        self._links.add(link)
        super()._begin(link)
        self._links.discard(link)
        self.ended_ports.add(port)


_FAREWELLS = (b"X\0\0\0\4", b"\1\0\0\0\1")  # of PostgreSQL's clients and of MariaDB's

# The requests that replace those of the client. Each makes the server raise its own error.
_REFUSALS = {
    ERROR: (
        b"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = 'XX000'; END $$",
        b"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'injected'",
    ),
    CONFLICT: (
        b"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '40001'; END $$",
        b"SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'injected'",
    ),
}


# The whole messages, since a value or a comment may end with the same letters.
_COMMITS = (b"Q\0\0\0\x0bCOMMIT\0", b"\7\0\0\0\3COMMIT")


def is_commit(data: bytes) -> bool:
    """Return whether a call is a COMMIT, as either driver sends it."""
    return data in _COMMITS


# The end of an answer that leaves PostgreSQL's client outside of a transaction (*ReadyForQuery*).
_IDLE = b"Z\0\0\0\5I"

_WRITES = (b"INSERT ", b"UPDATE ", b"DELETE ")


def lasting(data: bytes, said: bytes) -> str:
    """Return whether a call is a COMMIT or goes ALONE, by the server's last message. Empty if neither.

    No statement goes alone on MariaDB: its driver has turned that off.
    """
    if is_commit(data):
        return COMMIT
    is_alone = said.endswith(_IDLE) and data[:1] == b"Q" and data[5:].startswith(_WRITES)
    return ALONE if is_alone else ""


def refusal(data: bytes, kind: str) -> bytes:
    """Return a request that the server answers with an error, in place of a call. A log-in stays unchanged.

    The messages are those of a simple query and of a COPY (PostgreSQL manual, *Message Formats*), and of a COM_QUERY
    (MariaDB manual, *Client/Server Protocol*).
    """
    postgres, mariadb = _REFUSALS[kind]
    if is_commit(data):
        postgres = b"ROLLBACK; " + postgres  # a COMMIT that PostgreSQL refuses ends the transaction
    if data[:1] == b"Q":
        return b"Q" + struct.pack("!I", len(postgres) + 5) + postgres + b"\0"
    if data[:1] == b"d":  # the data of a COPY: its end is a failure
        return b"f" + struct.pack("!I", len(b"injected") + 5) + b"injected\0"
    if data[3:5] == b"\0\3":
        return struct.pack("<I", len(mariadb) + 1) + b"\3" + mariadb
    return data


LOST = "transaction lost"
"""SQLite answers with an error after rolling back the whole transaction, as it does when the disk is full."""

_SQLITE_ERRORS = {CONFLICT: ("database is locked", sqlite3.SQLITE_BUSY)}


def _lasting_on_sqlite(connection: sqlite3.Connection, statement: str) -> str:
    return ALONE if statement.encode().startswith(_WRITES) and not connection.in_transaction else ""


def faulty_connections(faults: Faults) -> type[sqlite3.Connection]:
    """Return a class of SQLite connections whose calls fail as planned: statements, commits and rollbacks."""

    def call(connection: sqlite3.Connection, work: Callable[[], Any], lasting: str = "") -> Any:
        fault = faults.next(lasting)
        if fault == AFTER:
            work()
        if fault == LOST:
            sqlite3.Connection.rollback(connection)
        if fault:
            message, code = _SQLITE_ERRORS.get(fault, ("disk I/O error", sqlite3.SQLITE_IOERR_WRITE))
            error = sqlite3.OperationalError(message)
            error.sqlite_errorcode = code
            raise error
        return work()

    class FaultyCursor(sqlite3.Cursor):
        def execute(self, statement: str, *rest: Any) -> Any:
            lasting = _lasting_on_sqlite(self.connection, statement)
            return call(self.connection, lambda: super(FaultyCursor, self).execute(statement, *rest), lasting)

        def executemany(self, *arguments: Any) -> Any:
            return call(self.connection, lambda: super(FaultyCursor, self).executemany(*arguments))

    class FaultyConnection(sqlite3.Connection):
        def cursor(self, factory: Any = FaultyCursor) -> Any:
            return super().cursor(factory)

        def commit(self) -> None:
            call(self, super().commit, COMMIT)

        def rollback(self) -> None:
            call(self, super().rollback)

    return FaultyConnection
