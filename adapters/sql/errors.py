"""Translate the errors of SQLAlchemy and of the drivers into domain.errors."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from adapters.sql.urls import shown
from domain.errors import (
    CommitOutcomeUnknown,
    ConcurrentChange,
    IntegrityViolation,
    StorageError,
    StorageUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Column, Connection, Engine, ExceptionContext

Kind = Literal["unique", "foreign key", "not null", "check", "other"]
"""What a constraint demands."""

# Conflicts between transactions. The database ended this one, so nothing of it happened. SQLSTATE in PostgreSQL
# (Appendix A: serialization_failure, deadlock_detected, lock_not_available), SQLite's primary result codes
# (SQLITE_BUSY, SQLITE_LOCKED), and the error numbers of MariaDB and MySQL (ER_LOCK_WAIT_TIMEOUT, ER_CHECKREAD,
# ER_LOCK_TABLE_FULL, ER_LOCK_DEADLOCK).
_LOST_RACE = {"40001", "40P01", "55P03"}
_BUSY = {5, 6}
MYSQL_LOCK_TIMEOUT = 1205
MYSQL_ROLLED_BACK = {1020, 1206, 1213}  # these roll back the whole transaction, not the statement alone
_MYSQL_LOST_RACE = {MYSQL_LOCK_TIMEOUT, *MYSQL_ROLLED_BACK}

# SQLSTATE classes that mean that the server cannot be used now: connection exceptions, insufficient resources, and
# operator intervention, such as a shutdown. Refused connections carry no SQLSTATE.
_LACKING = "53"
_UNAVAILABLE = ("08", _LACKING, "57P")
# The errors of a server that was the primary and no longer is. Nothing is stored. SQLSTATE read_only_sql_transaction,
# ER_READ_ONLY_MODE, and ER_OPTION_PREVENTS_STATEMENT, whose message names the option.
_READ_ONLY = "25006"
_NOT_SUPPORTED = "0A000"
_MYSQL_READ_ONLY = {1792, 1836}
_MYSQL_OPTION = 1290
_SQLITE_FULL = 13
_SQLITE_CANNOT_OPEN = 14
# The codes of SQLite for a statement that it has not run: SQLITE_ERROR, SQLITE_READONLY, SQLITE_CANTOPEN,
# SQLITE_PROTOCOL (at the beginning of a transaction), SQLITE_MISMATCH, SQLITE_NOTADB.
_SQLITE_REFUSED = {1, 8, _SQLITE_CANNOT_OPEN, 15, 20, 26}
# The same for MariaDB and MySQL: too many connections, no access, no such database, a node that lost its cluster,
# shutdowns, and connections that were ended. The driver adds numbers from 2000 on for what it sees itself, and 0 for a
# closed connection.
_MYSQL_UNAVAILABLE = {0, 1040, 1044, 1045, 1047, 1049, 1053, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1203, 1226, 1927}
_MYSQL_CLIENT = range(2000, 3000)
_MYSQL_DUPLICATE = 1062
_MYSQL_CHECK = {3819, 4025}  # of MySQL and MariaDB; the driver does not report them as integrity errors


TRANSACTION_LOST = "transaction_lost"
"""The key in a connection's ``info`` that holds the error for which the database rolled back the whole transaction."""

ALONE = "alone"
"""The key in a connection's ``info`` that says that a statement is to be its own transaction."""

BULK = "bulk"
"""The execution option of a statement that stores many rows: the names of its parameters in the order of their places.

The error of such a statement does not say which row was refused.
"""


def translated(error: BaseException, engine: Engine) -> BaseException:
    """Return the domain's error for an error of a statement. Errors of other kinds are returned as they are."""
    if isinstance(error, DBAPIError):
        return _translated(error, engine)
    if isinstance(error, PoolTimeout):
        return StorageUnavailable(f"no connection to {name_of(engine)} became free in time: {error.args[0]}")
    if isinstance(error, PendingRollbackError):
        return StorageUnavailable(f"the connection to {name_of(engine)} was lost, and all that was done on it")
    if isinstance(error, ValueError | OverflowError | StatementError):  # the driver or the column's type cannot send it
        return StorageError(f"{name_of(engine)} cannot be given a value: {error}")
    # Such as NoResultFound, when a repository's query is too narrow, or a row of a class that is not mapped.
    if isinstance(error, SQLAlchemyError | AssertionError):
        return StorageError(f"SQLAlchemy refused a call of a repository: {error}")
    return error


def _translated(error: DBAPIError, engine: Engine) -> Exception:
    what = broken(error.orig)
    if what is not None or isinstance(error, IntegrityError):
        kind = what.kind if what else "other"
        return IntegrityViolation((what and (what.name or ", ".join(sorted(what.columns)))) or _first_line(error), kind)
    if _lost_race(error):
        return ConcurrentChange(f"{name_of(engine)} ended this unit of work for another one ({_first_line(error)})")
    if _unavailable(error):
        return StorageUnavailable(f"{name_of(engine)} cannot be used: {_first_line(error)}")
    return StorageError(f"{name_of(engine)} refused a statement: {_first_line(error)}")


def _is_read_only_server(error: BaseException | None) -> bool:
    """Return whether the whole server refuses to write, as a former primary does."""
    number, state = mysql_code(error), getattr(error, "pgcode", None)
    is_standby = state == _NOT_SUPPORTED and "hot standby" in str(error)
    is_option = number == _MYSQL_OPTION and re.search("read[-_]only", str(error)) is not None
    return state == _READ_ONLY or number in _MYSQL_READ_ONLY or is_option or is_standby


def give_up_read_only_server(context: ExceptionContext) -> None:
    """Give up all connections of a pool, so the next ones reach the new primary. This is a listener to errors."""
    if _is_read_only_server(context.original_exception):
        context.is_disconnect = True


def translated_at_commit(error: DBAPIError, engine: Engine) -> BaseException:
    """Return the domain's error for an error of COMMIT: unknown, unless the database certainly refused to commit."""
    refused = (_sqlstate(error) and not _unavailable(error)) or _is_read_only_server(error.orig)
    if isinstance(error, IntegrityError) or _lost_race(error) or refused:
        return translated(error, engine)
    if _sqlite_code(error) == _SQLITE_FULL:
        return StorageError(f"{name_of(engine)} is out of space, nothing was stored: {_first_line(error)}")
    return CommitOutcomeUnknown(
        f"{name_of(engine)} was lost while committing ({_first_line(error)}): the work may or may not be stored."
        " Look for it before you do it again"
    )


def translated_alone(error: DBAPIError, engine: Engine) -> BaseException:
    """Return the domain's error for one of a statement that commits by itself: unknown, unless nothing was stored."""
    refused = isinstance(error, ProgrammingError | DataError)  # by the driver, or by the server
    # PostgreSQL undoes a statement for which it has no space or memory, and keeps the connection.
    lacks = (_sqlstate(error) or "").startswith(_LACKING) and not error.connection_invalidated
    if refused or lacks or _sqlite_code(error) in _SQLITE_REFUSED:
        return translated(error, engine)
    return translated_at_commit(error, engine)


@frozen
class Broken:
    """The constraint that a database names as broken: its kind, and its name or its columns as ``table.column``."""

    kind: Kind
    name: str | None = None
    columns: frozenset[str] = frozenset()
    can_be_asked: bool = False
    """Whether the transaction can go on and another constraint may come first."""

    def is_of(self, name: str, columns: Iterable[Column[Any]]) -> bool:
        """Return whether this is the constraint with this name on these columns."""
        is_key = self.name == "PRIMARY" and all(column.primary_key for column in columns)  # MariaDB and MySQL
        return is_key or self.name == name or self.columns == {f"{one.table.name}.{one.name}" for one in columns}


_ASKED: set[Kind] = {"unique", "foreign key"}  # the others come first anyway
_POSTGRES_KINDS: dict[str, Kind] = {"23502": "not null", "23503": "foreign key", "23505": "unique", "23514": "check"}
_MYSQL_KINDS: dict[int, Kind] = {
    **dict.fromkeys((1048, 1364), "not null"),
    **dict.fromkeys((1216, 1217, 1451, 1452), "foreign key"),
    _MYSQL_DUPLICATE: "unique",
    **dict.fromkeys(_MYSQL_CHECK, "check"),
}
# Where a message has the name of a constraint. The message of a duplicate ends with it, behind the value. MySQL puts
# the name of the table before it.
_MYSQL_NAMES: dict[str, str] = {"unique": r"'(?:[^'.]+\.)?([^'.]+)'$", "foreign key": r"CONSTRAINT `([^`]+)`"}
_SQLITE_KINDS: dict[str, Kind] = {
    "UNIQUE": "unique",
    "FOREIGN KEY": "foreign key",
    "NOT NULL": "not null",
    "CHECK": "check",
}


def broken(error: BaseException | None) -> Broken | None:
    """Return the constraint that a driver's error is about, or ``None`` for any other error.

    The name comes from the driver's own field, or from a place in the message that no value of the caller can reach.
    Values of the caller must not choose the error.
    """
    number = mysql_code(error)
    if number in _MYSQL_KINDS and error is not None:
        kind = _MYSQL_KINDS[number]
        named = re.search(_MYSQL_NAMES.get(kind, r"[`']([\w.]+)[`']"), str(error.args[-1]))
        return Broken(kind, named[1] if named else None, can_be_asked=kind in _ASKED)
    state = getattr(error, "pgcode", None) or ""
    if state.startswith("23"):
        diag: Any = getattr(error, "diag", None)
        name = diag.constraint_name or diag.column_name  # NOT NULL names the column only
        return Broken(_POSTGRES_KINDS.get(state, "other"), name)
    told = re.match(r"(UNIQUE|FOREIGN KEY|NOT NULL|CHECK) constraint failed(?:: (.+))?", str(error))
    if told and isinstance(error, sqlite3.IntegrityError):
        columns = frozenset((told[2] or "").split(", ")) if told[1] == "UNIQUE" else frozenset()
        name = None if columns else (told[2] or "").rpartition(".")[2] or None
        kind = _SQLITE_KINDS[told[1]]
        return Broken(kind, name, columns, can_be_asked=kind in _ASKED)
    return None


def is_autocommit(connection: Connection) -> bool:
    """Return whether a connection is to work without transactions, as some statements need it."""
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def name_of(engine: Engine) -> str:
    """Return the URL of an engine without its password and options, which can also hold one."""
    return shown(engine.url)


def _lost_race(error: DBAPIError) -> bool:
    return _sqlstate(error) in _LOST_RACE or _sqlite_code(error) in _BUSY or mysql_code(error.orig) in _MYSQL_LOST_RACE


def _unavailable(error: DBAPIError) -> bool:
    state, code, number = _sqlstate(error), _sqlite_code(error), mysql_code(error.orig)
    if error.connection_invalidated:
        return True
    if state is None and code is None and number is None:
        return isinstance(error, OperationalError | InterfaceError)  # no answer from the server at all
    return (
        code == _SQLITE_CANNOT_OPEN
        or (state or "").startswith(_UNAVAILABLE)
        or number in _MYSQL_UNAVAILABLE
        or number in _MYSQL_CLIENT
    )


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "pgcode", None)


def _sqlite_code(error: DBAPIError) -> int | None:
    extended: int | None = getattr(error.orig, "sqlite_errorcode", None)
    return None if extended is None else extended & 0xFF


def mysql_code(error: BaseException | None) -> int | None:
    """Return the number of an error of the MariaDB or MySQL driver, or ``None`` for an error of another driver."""
    first = error.args[0] if error is not None and error.args else None
    return first if isinstance(first, int) else None


def _first_line(error: DBAPIError) -> str:
    said = error.orig.args[-1] if mysql_code(error.orig) is not None and error.orig else error.orig
    return str(said).strip().partition("\n")[0] or "the connection is closed"
