"""All that is special about PostgreSQL: how its transactions begin, if at all, and how it stores many rows at once."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from attrs import define, field
from sqlalchemy import (
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    Numeric,
    Select,
    String,
    TypeDecorator,
    Uuid,
    bindparam,
    create_engine,
    event,
)

from adapters.sql.errors import ALONE, is_autocommit
from adapters.sql.types import driver_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import URL, Column, Connection, Dialect, Engine, Table
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExecutionContext
    from sqlalchemy.types import TypeEngine

# A query that locks rows, or that calls a function, may mean to do so for as long as the transaction lasts.
_READING = re.compile(r"SELECT (?!.*(?:\bFOR\b|\bINTO\b|;|[\"\w]\())", re.DOTALL | re.IGNORECASE)

STREAMED = {"stream_results", "yield_per"}
"""The execution options of what is read little by little."""


def postgres_engine(url: URL, timeout: float, options: Mapping[str, Any]) -> Engine:
    """Return an engine for a server; ``timeout`` (seconds) is how long to wait for it, or for a lock."""
    arguments: dict[str, Any] = {
        "connect_timeout": max(2, round(timeout)),  # libpq takes whole seconds, two at the least
        # UTC, because not in every time zone can the driver read all times that can be stored.
        "options": f"-c lock_timeout={round(timeout * 1000)} -c timezone=UTC",
    }
    # What the URL says itself has precedence; but without UTF-8, many a name could not be sent at all.
    arguments = {name: value for name, value in arguments.items() if name not in url.query}
    arguments["client_encoding"] = "utf8"
    engine = create_engine(url, connect_args=arguments, skip_autocommit_rollback=True, **options)
    event.listen(engine, "connect", _prepare)
    # Events of the dialect: those of the engine would cost each connection more than a statement does.
    event.listen(engine, "do_execute", _begin_before_writing)
    event.listen(engine, "do_execute_no_params", _begin_without_parameters)
    event.listen(engine, "do_execute_no_params", _copy)
    event.listen(engine, "do_executemany", _begin_before_writing)
    event.listen(engine, "checkin", _end)
    return engine


def _prepare(connection: DBAPIConnection, record: Any) -> None:
    """Note whether transactions need to begin with their first write only.

    At READ COMMITTED every statement sees what is committed when it begins, in a transaction or not; so what is read
    before the first write is read without one, which saves two round trips to the server.
    """
    cursor = connection.cursor()
    cursor.execute("SHOW default_transaction_isolation")
    record.info["begins_late"] = cursor.fetchone() == ("read committed",)
    cursor.close()
    connection.rollback()  # the driver has begun a transaction for that query
    connection.autocommit = record.info["begins_late"]


def _begin_before_writing(cursor: Any, statement: str, _parameters: object, context: Any) -> None:
    """Let the driver begin a transaction at its next statement, unless that is a query and no transaction has begun."""
    driver, connection = cursor.connection, context.root_connection
    if not driver.autocommit:
        return
    is_query = context.compiled is not None and isinstance(context.compiled.statement, Select)
    # What is read little by little needs a transaction, too.
    if is_query and STREAMED.isdisjoint(context.execution_options) and _only_reads(statement):
        return
    if not (ALONE in connection.info or is_autocommit(connection)):
        driver.autocommit = False


def _begin_without_parameters(cursor: Any, statement: str, context: ExecutionContext) -> None:
    _begin_before_writing(cursor, statement, None, context)


def begin_with_next(connection: Connection) -> None:
    """Let the driver begin a transaction at the next statement, whatever it is, and by whatever means it is run."""
    driver: Any = connection.connection.dbapi_connection
    if driver.autocommit and not is_autocommit(connection):
        driver.autocommit = False


def can_write_alone(connection: Connection) -> bool:
    """Tell whether the next statement could be a transaction by itself, on a connection that the server still keeps.

    On one that has ended while nobody used it, nobody could tell whether such a statement has happened; ``BEGIN`` has
    surely stored nothing.
    """
    driver: Any = connection.connection.dbapi_connection
    try:
        driver.poll()  # may read why the server has ended it,
        driver.poll()  # and this one meets the end
    except connection.dialect.loaded_dbapi.Error:
        return False
    return bool(driver.autocommit)


# What psycopg2 calls STATUS_IN_TRANSACTION, TRANSACTION_STATUS_IDLE and TRANSACTION_STATUS_INERROR. The first is what
# it has begun and ended itself, the others are what the server says.
_IN_TRANSACTION = 2
_IDLE = 0
_IN_ERROR = 3


def has_ended(connection: Connection) -> bool:
    """Tell whether a transaction that the driver has begun was ended by a statement."""
    driver: Any = connection.connection.dbapi_connection
    return bool(driver.status == _IN_TRANSACTION and driver.info.transaction_status == _IDLE)


def is_aborted(connection: Connection) -> bool:
    """Tell whether the server only waits for the end of the transaction, after an error."""
    driver: Any = connection.connection.dbapi_connection
    return bool(driver.info.transaction_status == _IN_ERROR)


@lru_cache(1000)
def _only_reads(statement: str) -> bool:
    return _READING.match(statement) is not None


def _end(connection: DBAPIConnection | None, record: Any) -> None:
    """Go back to reading without a transaction when the connection goes back to the pool."""
    # Setting it lets go of the interpreter's lock, and each time that costs eight threads more than all the rest here.
    if connection is not None and connection.autocommit != record.info["begins_late"]:
        connection.autocommit = record.info["begins_late"]


# Whose values COPY takes as Python prints them.
_PRINTED = (Boolean, Date, DateTime, Float, Integer, Numeric, String, Uuid)


def can_copy(table: Table, dialect: Dialect) -> bool:
    """Tell whether the rows of a table can be stored by :func:`copy_rows`."""
    return dialect.name == "postgresql" and all(
        isinstance(_stored_type(column, dialect), _PRINTED)
        and column.type.dialect_impl(dialect).bind_expression(bindparam("value")) is None  # COPY has no expressions
        for column in table.columns
    )


def _stored_type(column: Column[Any], dialect: Dialect) -> TypeEngine[Any]:
    """Return the type that a column has here, below what a class of our own adds to it."""
    kind = column.type.dialect_impl(dialect)
    return kind.type_engine(dialect) if isinstance(kind, TypeDecorator) else kind


def copy_rows(connection: Connection, table: Table, slices: Iterator[Sequence[Mapping[str, Any]]]) -> None:
    """Insert rows by one COPY, in a third of the time of an INSERT (PostgreSQL manual, *Populating a Database*).

    Each slice of them is printed when those before are on their way, so the server is at work at the same time.
    """
    quoted = connection.dialect.identifier_preparer
    names = ", ".join(quoted.quote(column.name) for column in table.columns)
    connection.exec_driver_sql(
        f"COPY {quoted.format_table(table)} ({names}) FROM STDIN",
        execution_options={
            _COPIED: _Lines(_printed(table, rows, connection.dialect) for rows in slices),
            "no_parameters": True,
        },
    )


_COPIED = "copied"  # the execution option that holds what is sent along with a COPY


@define(eq=False)
class _Lines:
    """What COPY reads as if from a file, and the error that has stopped it, of which the driver would say little."""

    _texts: Iterator[str]
    error: BaseException | None = field(default=None, init=False)

    def read(self, _size: int) -> str:
        """Return the next text, however long; none at the end."""
        try:
            return next(self._texts, "")
        except BaseException as error:
            self.error = error
            raise


_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _printed(table: Table, rows: Sequence[Mapping[str, Any]], dialect: Dialect) -> str:
    """Return the lines that COPY takes for rows."""
    columns = [_printed_column(column, rows, dialect) for column in table.columns]
    return "".join([f"{line}\n" for line in map("\t".join, zip(*columns, strict=True))])


def _printed_column(column: Column[Any], rows: Sequence[Mapping[str, Any]], dialect: Dialect) -> Iterable[str]:
    values = driver_values(column, rows, dialect)
    as_text = isinstance(_stored_type(column, dialect), String) or None in values
    return map(_text if as_text else str, values)


def _text(value: object) -> str:
    if not isinstance(value, str):
        return r"\N" if value is None else str(value)
    text = str.__str__(value)  # what a subclass shows of itself is not what it holds
    has_none = text.isprintable() and "\\" not in text  # of what must be escaped; most texts have none
    return text if has_none else text.translate(_ESCAPED)


def _copy(cursor: Any, statement: str, context: Any) -> bool:
    """Run a COPY in the place of SQLAlchemy, which knows none, but wraps its errors like those of any statement."""
    lines = context.execution_options.get(_COPIED)
    if lines is None:
        return False
    try:
        cursor.copy_expert(statement.replace("%%", "%"), lines)  # doubled for parameters, of which it has none
    except context.dialect.loaded_dbapi.Error as error:
        raise lines.error or error from None
    return True
