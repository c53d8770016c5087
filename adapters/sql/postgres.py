"""What is special about PostgreSQL's transactions: how they begin, if at all."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, create_engine, event

from adapters.sql.constraints import name_constraint
from adapters.sql.errors import ALONE, give_up_read_only_server, is_autocommit
from adapters.sql.postgres_connect import LOCAL, SECRETS, Settings, set_for_transaction
from adapters.sql.postgres_copy import run_copy
from adapters.sql.postgres_url import check_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExecutionContext

# A query that locks rows, or that calls a function, may mean to do so for as long as the transaction lasts.
_READING = re.compile(r"SELECT (?!.*(?:\bFOR\b|\bINTO\b|;|[\"\w]\())", re.DOTALL | re.IGNORECASE)

STREAMED = {"stream_results", "yield_per"}
"""The execution options of what is read little by little."""


def postgres_engine(url: URL, timeout: float, options: Mapping[str, Any]) -> Engine:
    """Return an engine for a server; ``timeout`` (seconds) is how long to wait for it, or for a lock.

    Raises :class:`~domain.errors.ConfigurationError` for an option of the URL that the driver does not take.
    """
    check_options(url)
    # UTC, because not in every time zone can the driver read all times that can be stored.
    settings = Settings.of(str(url.query.get("options", "")), lock_timeout=str(round(timeout * 1000)), timezone="UTC")
    arguments: dict[str, Any] = {
        "connect_timeout": max(2, round(timeout)),  # libpq takes whole seconds, two at the least
    }
    # What the URL says itself has precedence; but without UTF-8, many a name could not be sent at all.
    arguments = {name: value for name, value in arguments.items() if name not in url.query}
    arguments |= {"client_encoding": "utf8", "options": settings.text}
    # Kept out of the engine's URL, of which SQLAlchemy shows all but a password before the @.
    arguments |= {name: value for name, value in url.query.items() if name in SECRETS}
    engine = create_engine(
        url.difference_update_query(["options", *SECRETS]),
        module=settings.driver(url),
        connect_args=arguments,
        skip_autocommit_rollback=True,
        **options,
    )
    event.listen(engine, "connect", partial(_prepare, settings))
    # Events of the dialect: those of the engine would cost each connection more than a statement does.
    event.listen(engine, "do_execute", _begin_before_writing)
    event.listen(engine, "do_execute_no_params", _begin_without_parameters)
    event.listen(engine, "do_execute_no_params", run_copy)
    event.listen(engine, "do_executemany", _begin_before_writing)
    event.listen(engine, "handle_error", give_up_read_only_server)
    event.listen(engine, "handle_error", name_constraint)
    event.listen(engine, "checkin", _end)
    return engine


def _prepare(settings: Settings, connection: DBAPIConnection, record: Any) -> None:
    """Note whether transactions need to begin with their first write only.

    At READ COMMITTED every statement sees what is committed when it begins, in a transaction or not; so what is read
    before the first write is read without one, which saves two round trips to the server.
    """
    isolation = settings.prepare(connection, record)
    record.info["begins_late"] = isolation == "read committed" and LOCAL not in record.info
    connection.autocommit = record.info["begins_late"]


def _begin_before_writing(cursor: Any, statement: str, _parameters: object, context: Any) -> None:
    """Let the driver begin a transaction at its next statement, unless that is a query and no transaction has begun."""
    driver, connection = cursor.connection, context.root_connection
    if not driver.autocommit:
        with suppress(NotImplementedError):  # there is no info yet while SQLAlchemy gets to know the server
            set_for_transaction(driver, connection.info)
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
    set_for_transaction(driver, connection.info)


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
