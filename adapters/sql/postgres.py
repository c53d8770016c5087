"""PostgreSQL's transactions: whether they begin, and how."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, create_engine, event

from adapters.sql.constraints import name_constraint
from adapters.sql.errors import ALONE, give_up_read_only_server, is_autocommit
from adapters.sql.postgres_connect import SECRETS, Settings, set_for_transaction
from adapters.sql.postgres_copy import run_copy
from adapters.sql.postgres_url import check_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExecutionContext

# A query that locks rows or calls a function may need its effect until the transaction ends.
_READING = re.compile(r"SELECT (?!.*(?:\bFOR\b|\bINTO\b|;|[\"\w]\())", re.DOTALL | re.IGNORECASE)

STREAMED = {"stream_results", "yield_per"}
"""The execution options of a query that is read in batches."""


def postgres_engine(url: URL, timeout: float, options: Mapping[str, Any]) -> Engine:
    """Return an engine for a server.

    ``timeout`` (seconds) is how long to wait for the server or for a lock. Raises
    :class:`~domain.errors.ConfigurationError` for an option of the URL that the driver does not take.
    """
    check_options(url)
    # UTC, because in some time zones the driver cannot read all times that can be stored.
    settings = Settings.of(str(url.query.get("options", "")), lock_timeout=str(round(timeout * 1000)), timezone="UTC")
    arguments: dict[str, Any] = {
        "connect_timeout": max(2, round(timeout)),  # libpq takes whole seconds, two at the least
    }
    # The URL's own values have precedence. But without UTF-8, many names could not be sent at all.
    arguments = {name: value for name, value in arguments.items() if name not in url.query}
    arguments |= {"client_encoding": "utf8", "options": settings.text}
    # Kept out of the engine's URL: SQLAlchemy shows the whole URL but a password before the @.
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
    """Note whether transactions need to begin only with their first write.

    At READ COMMITTED every statement sees what is committed when it begins, in a transaction or not. So reads before
    the first write need no transaction. That saves two round trips to the server.
    """
    record.info["begins_late"] = connection.autocommit = settings.prepare(connection, record)


def _begin_before_writing(cursor: Any, statement: str, _parameters: object, context: Any) -> None:
    """Let the driver begin a transaction at its next statement. A query before the first write needs no transaction."""
    driver, connection = cursor.connection, context.root_connection
    if not driver.autocommit:
        with suppress(NotImplementedError):  # there is no info yet while SQLAlchemy gets to know the server
            set_for_transaction(driver, connection.info)
        return
    is_query = context.compiled is not None and isinstance(context.compiled.statement, Select)
    # A query that is read in batches needs a transaction.
    if is_query and STREAMED.isdisjoint(context.execution_options) and _only_reads(statement):
        return
    if not (ALONE in connection.info or is_autocommit(connection)):
        driver.autocommit = False


def _begin_without_parameters(cursor: Any, statement: str, context: ExecutionContext) -> None:
    _begin_before_writing(cursor, statement, None, context)


def begin_with_next(connection: Connection) -> None:
    """Let the driver begin a transaction at the next statement, whatever it is and however it is run."""
    driver: Any = connection.connection.dbapi_connection
    if driver.autocommit and not is_autocommit(connection):
        driver.autocommit = False
    set_for_transaction(driver, connection.info)


def can_write_alone(connection: Connection) -> bool:
    """Return whether the next statement could be its own transaction, on a connection that the server still keeps.

    If the server ended an idle connection, the outcome of such a statement would be unknown. ``BEGIN`` has certainly
    stored nothing.
    """
    driver: Any = connection.connection.dbapi_connection
    try:
        driver.poll()  # may read why the server has ended the connection,
        driver.poll()  # and this one meets the end
    except connection.dialect.loaded_dbapi.Error:
        return False
    return bool(driver.autocommit)


# psycopg2's STATUS_IN_TRANSACTION, TRANSACTION_STATUS_IDLE and TRANSACTION_STATUS_INERROR. The first is what the driver
# has begun and ended itself. The others are what the server reports.
_IN_TRANSACTION = 2
_IDLE = 0
_IN_ERROR = 3


def has_ended(connection: Connection) -> bool:
    """Return whether a statement ended a transaction that the driver had begun."""
    driver: Any = connection.connection.dbapi_connection
    return bool(driver.status == _IN_TRANSACTION and driver.info.transaction_status == _IDLE)


def is_aborted(connection: Connection) -> bool:
    """Return whether an error has made the server wait for the end of the transaction."""
    driver: Any = connection.connection.dbapi_connection
    return bool(driver.info.transaction_status == _IN_ERROR)


@lru_cache(1000)
def _only_reads(statement: str) -> bool:
    return _READING.match(statement) is not None


def _end(connection: DBAPIConnection | None, record: Any) -> None:
    """Go back to reading without a transaction when the connection goes back to the pool."""
    # Setting it releases the GIL. With eight threads, that costs more each time than everything else here.
    if connection is not None and connection.autocommit != record.info["begins_late"]:
        connection.autocommit = record.info["begins_late"]
