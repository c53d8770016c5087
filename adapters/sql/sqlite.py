"""All that is special about SQLite: how its files are made, and how its transactions begin."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import suppress
from copy import copy
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import create_engine, event

from adapters.sql.constraints import ROWS_BEFORE, name_constraint
from adapters.sql.errors import ALONE, TRANSACTION_LOST, is_autocommit, translated
from domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import URL, Connection, Engine, ExceptionContext
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExecutionContext
    from sqlalchemy.pool import ConnectionPoolEntry

# A statement that begins in another way may write, if only behind a comment.
_READING = re.compile(r"\s*(SELECT|VALUES|PRAGMA|EXPLAIN)\b", re.IGNORECASE)

_BEGIN = "BEGIN IMMEDIATE"
_BEGINNING = re.compile(r"\s*BEGIN\b", re.IGNORECASE)

# The driver's own options. SQLite reads others, but only in a URI. Elsewhere they would be ignored.
_OPTIONS = {"timeout", "check_same_thread", "cached_statements", "detect_types", "isolation_level", "uri"}

# The key in a connection's ``info`` that says that it has begun a transaction.
_BEGUN = "begun"
_ENDED = "ended"  # the same: a statement of the application has ended one
_TURNS = "turns"  # the same: the turns that the writers of its engine take
_TURN = "turn"  # the same: what ends its own turn

PARAMSTYLE: Literal["named"] = "named"
"""The parameters of a statement have names, so a constraint error can say which value was taken."""


def sqlite_engine(url: URL, timeout: float, options: Mapping[str, Any]) -> Engine:
    """Return an engine for a database file. ``timeout`` (seconds) is how long a writer waits for another one.

    Raises :class:`~domain.errors.ConfigurationError` for a database in memory, and for an option that would be ignored.
    """
    name = (url.database or "").removeprefix("file:")
    if name in ("", ":memory:") or url.query.get("mode") == "memory" or url.query.get("vfs") == "memdb":
        raise ConfigurationError(
            "DATABASE_URL names an SQLite database in memory, which belongs to one connection alone: use a file, as in"
            " sqlite:///app.db, or memory:// for the fake"
        )
    unknown = url.query.keys() - _OPTIONS
    if unknown and "uri" not in url.query:
        names = ", ".join(sorted(unknown))
        raise ConfigurationError(f"DATABASE_URL has an option that needs file: and uri=true as well: {names}")
    engine = create_engine(url, connect_args={"timeout": timeout}, paramstyle=PARAMSTYLE, **options)
    event.listen(engine, "do_connect", _create_file)
    return in_charge(engine, timeout)


def in_charge(engine: Engine, timeout: float) -> Engine:
    """Return an engine of :data:`PARAMSTYLE` after taking charge of its transactions and errors."""
    turns = _Turns(timeout)
    event.listen(engine, "connect", lambda _, record: record.info.update({_TURNS: turns}))
    event.listen(engine, "connect", _prepare)
    # Events of the dialect: those of the engine would cost each connection more than a statement does.
    event.listen(engine, "do_execute", _begin_before_writing)
    event.listen(engine, "do_execute_no_params", _begin_without_parameters)
    event.listen(engine, "do_executemany", _begin_before_many)
    event.listen(engine, "handle_error", _note_lost_transaction)
    event.listen(engine, "checkin", _forget_transaction)
    event.listen(engine, "handle_error", name_constraint)
    return engine


def _create_file(_dialect: object, _record: object, arguments: Sequence[str], named: Mapping[str, Any]) -> None:
    """Make a missing file that SQLite would make, because SQLite would let every account read it.

    The files that SQLite keeps beside it get the same rights.
    """
    path = arguments[0]
    if named.get("uri"):
        parts = urlsplit(path)
        if parse_qs(parts.query).get("mode", ["rwc"]) != ["rwc"]:
            return
        path = unquote(parts.path)
    # An existing file must not be opened here: closing it would end this process's locks on it (SQLite, *How To
    # Corrupt*, section 2.2). Nor must another thread connect before it is closed. SQLite itself reports what is wrong.
    with _creating, suppress(OSError):
        os.close(os.open(os.path.realpath(path), os.O_CREAT | os.O_EXCL, 0o600))


_creating = Lock()


def _prepare(connection: DBAPIConnection, _record: object) -> None:
    # None: the driver never begins a transaction by itself. It would begin too late and break savepoints.
    connection.isolation_level = None
    cursor = connection.cursor()
    # Readers and the one writer do not block each other then. A file keeps that mode. If another program holds a new
    # file now, a later start will set it. A file with pages may be another program's, which must stay as it is.
    with suppress(sqlite3.OperationalError):
        if cursor.execute("PRAGMA page_count").fetchone() == (0,):
            cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


class _Turns:
    """The turns that the writers of one engine take, one after another, before SQLite's write lock.

    SQLite would let each of them sleep for up to a tenth of a second and then check again whether the lock is free. It
    still does so for other processes, and for a writer that takes longer than a second. No writer waits longer for a
    turn.
    """

    def __init__(self, timeout: float) -> None:
        self._limit = min(timeout, 1.0)
        self._lock = RLock()  # another unit of a thread that has the turn would wait in vain

    def begin(self) -> RLock | None:
        """Wait for a turn and return what is to be released at its end. ``None``: it did not come in time."""
        lock = self._lock
        if lock.acquire(timeout=self._limit):
            return lock
        if self._lock is lock:  # an interrupt may have hit the writer that has the turn, so it is never ended
            self._lock = RLock()
        return None


def _end_turn(info: dict[str, Any]) -> None:
    """End the turn of a connection with this ``info``, if it has one: its transaction has ended."""
    turn = info.pop(_TURN, None)
    if turn is not None:
        with suppress(RuntimeError):  # another thread leaves the block; no other writer waits for this lock again
            turn.release()


def _begin_before_writing(cursor: Any, statement: str, _parameters: object, context: ExecutionContext) -> None:
    """Begin a transaction at its first write, and take the write lock immediately.

    So concurrent writers wait for each other, up to the timeout. A transaction that reads first could not wait: SQLite
    refuses to let it write after another one has. Reads before the first write see what is committed at that moment, as
    at PostgreSQL's READ COMMITTED. Versions make sure that nothing read in this way is overwritten blindly.
    """
    driver, connection = cursor.connection, context.root_connection
    if _READING.match(statement) or driver.in_transaction or is_autocommit(connection):
        return
    info = connection.info
    if _TURN not in info:
        info[_TURN] = info[_TURNS].begin()
    if ALONE in info:
        return
    if not _BEGINNING.match(statement):  # the application may send its own, and end it as well
        driver.execute(_BEGIN)
    info[_ENDED] = _BEGUN in info  # only a statement can have ended it
    info[_BEGUN] = True


def _begin_without_parameters(cursor: Any, statement: str, context: ExecutionContext) -> None:
    _begin_before_writing(cursor, statement, None, context)


def _begin_before_many(cursor: Any, statement: str, parameters: object, context: ExecutionContext) -> None:
    """Do the same before a statement of many rows, and note where they begin."""
    _begin_before_writing(cursor, statement, parameters, context)
    context.root_connection.info[ROWS_BEFORE] = cursor.connection.total_changes


def can_write_alone(connection: Connection) -> bool:
    """Return whether the next statement could be its own transaction: none has begun, and the driver begins none.

    The driver would begin one on a connection whose isolation level was set.
    """
    driver: Any = connection.connection.dbapi_connection
    return _BEGUN not in connection.info and not driver.in_transaction and driver.isolation_level is None


def has_ended(connection: Connection) -> bool:
    """Return whether a statement ended a transaction that had begun, even if another one has begun since."""
    driver: Any = connection.connection.dbapi_connection
    try:
        return _BEGUN in connection.info and (connection.info[_ENDED] or not driver.in_transaction)
    except sqlite3.ProgrammingError:  # it is closed
        return True


def _forget_transaction(connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    if connection is not None:
        connection.isolation_level = None  # SQLAlchemy has reset it in its own way if it was set
    record.info.pop(_BEGUN, None)
    record.info.pop(_ENDED, None)
    record.info.pop(TRANSACTION_LOST, None)
    _end_turn(record.info)


def _note_lost_transaction(context: ExceptionContext) -> BaseException | None:
    """Note that the database has rolled back the whole transaction, as it does when the disk is full.

    The next write would begin another one, and COMMIT would store only what came after. (SQLite's *Transactions*,
    section "Response To Errors Within A Transaction".) The error of a savepoint that is gone with it says why.
    """
    connection, error = context.connection, context.sqlalchemy_exception
    if (
        connection is None
        or error is None
        or connection.invalidated
        or context.is_disconnect
        or is_autocommit(connection)
    ):
        return None
    driver: Any = connection.connection.dbapi_connection
    if TRANSACTION_LOST in connection.info and str(context.original_exception).startswith("no such savepoint"):
        lost: BaseException = connection.info[TRANSACTION_LOST]
        return copy(lost)
    if _BEGUN in connection.info and not driver.in_transaction:
        connection.info[TRANSACTION_LOST] = translated(error, connection.engine)
    return None
