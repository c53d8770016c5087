"""All that is special about MariaDB and MySQL: their sessions, their tables, and the transactions that they lose."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Time, create_engine, event
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable

from adapters.sql.constraints import name_constraint
from adapters.sql.errors import (
    MYSQL_LOCK_TIMEOUT,
    MYSQL_ROLLED_BACK,
    TRANSACTION_LOST,
    give_up_read_only_server,
    mysql_code,
    name_of,
)
from adapters.sql.mysql_connect import driver_of, options_of
from domain.errors import TransactionLost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import URL, Connection, Engine, ExceptionContext
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExecutionContext


def mysql_engine(url: URL, timeout: float, options: Mapping[str, Any]) -> Engine:
    """Return an engine for a MariaDB or MySQL server.

    ``timeout`` (seconds) is how long to wait for the server or for a lock. Transactions are READ COMMITTED, as on
    PostgreSQL. An ``init_command`` in the URL replaces this level and the limits of waiting. Raises
    :class:`~domain.errors.ConfigurationError` for an option that the driver does not take.
    """
    asked = options_of(url)
    seconds = max(1, round(timeout))  # neither server takes fractions
    arguments: dict[str, Any] = {
        "connect_timeout": seconds,
        # Strict, so a value that does not fit is refused and never cut, whatever the settings of the server.
        "sql_mode": "TRADITIONAL",
    }
    arguments |= asked
    arguments["charset"] = "utf8mb4"  # the one that holds every character
    arguments["autocommit"] = False  # or there would be no transactions
    # Without its options, which can hold a password: SQLAlchemy shows the whole URL but a password before the @.
    engine = create_engine(url.set(query={}), module=driver_of(url), connect_args=arguments, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        # Ids are stored as text: MariaDB has a type for UUIDs, but it sorts them by version before value.
        engine.dialect.supports_native_uuid = False
        cursor = connection.cursor()
        cursor.execute("SET SESSION lc_messages = 'en_US'")  # some languages do not put the key at the end of a message
        if "init_command" not in asked:
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}")
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.close()

    event.listen(engine, "begin", _forget_transaction)
    event.listen(engine, "do_execute", _note_transaction)
    event.listen(engine, "handle_error", _give_up_what_is_out_of_step)
    event.listen(engine, "handle_error", _note_lost_transaction)
    event.listen(engine, "handle_error", give_up_read_only_server)
    event.listen(engine, "handle_error", name_constraint)
    return engine


@compiles(CreateTable, "mysql")
def _create_table(create: CreateTable, compiler: Any, **options: Any) -> str:
    """Give every table transactions, and texts that compare as on the other databases.

    By default both servers take "Ann", "Änn" and "ann " for the same unique value.
    """
    collation = "utf8mb4_nopad_bin" if compiler.dialect.is_mariadb else "utf8mb4_0900_bin"
    statement = compiler.visit_create_table(create, **options).rstrip()
    return f"{statement} ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {collation}"


@compiles(DateTime, "mysql")
def _date_time(_type: DateTime, _compiler: Any, **_options: Any) -> str:
    """Keep a point in time to the microsecond. By default both servers cut it to the second."""
    return "DATETIME(6)"


@compiles(Time, "mysql")
def _time(_type: Time, _compiler: Any, **_options: Any) -> str:
    """Keep a time of day to the microsecond."""
    return "TIME(6)"


# The keys in a connection's ``info`` that say that its transaction has begun, and that a statement has ended it.
_BEGUN = "begun"
_ENDED = "ended"

# ER_SP_DOES_NOT_EXIST: a Galera node that ends a transaction may report a taken value, and only this afterwards.
_NO_SAVEPOINT = 1305
_IN_TRANSACTION = 1  # SERVER_STATUS_IN_TRANS (MariaDB's documentation, *OK_Packet*)


def _forget_transaction(connection: Connection) -> None:
    for key in (TRANSACTION_LOST, _BEGUN, _ENDED):
        connection.info.pop(key, None)


def _note_transaction(cursor: Any, _statement: str, _parameters: object, context: ExecutionContext) -> None:
    """Note before each statement whether the transaction of an earlier statement is still open."""
    with suppress(NotImplementedError):  # there is no info yet while SQLAlchemy gets to know the server
        info = context.root_connection.info
        if cursor.connection.server_status & _IN_TRANSACTION:
            info[_BEGUN] = True
        elif _BEGUN in info:
            info[_ENDED] = True


def has_ended(connection: Connection) -> bool:
    """Return whether a statement ended the transaction. A statement that changes tables does."""
    driver: Any = connection.connection.dbapi_connection
    is_over = _BEGUN in connection.info and not driver.server_status & _IN_TRANSACTION
    return is_over or _ENDED in connection.info


def _give_up_what_is_out_of_step(context: ExceptionContext) -> None:
    """Give up a connection when a call raised something other than an error of the driver.

    A signal handler may have raised it while the driver waited for the server. The server's answer would then be taken
    for that of the next statement. A value that the driver cannot send was never sent.
    """
    known: Any = (context.dialect.loaded_dbapi.Error, ValueError, TypeError)
    was_asked = context.execution_context is not None or context.statement is None  # no statement: a COMMIT
    if was_asked and not isinstance(context.original_exception, known):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


def _note_lost_transaction(context: ExceptionContext) -> Exception | None:
    """Note and report that the server rolled back the whole transaction, not the statement alone.

    The server goes on with a new transaction. A COMMIT would succeed and store only the later statements.
    """
    error, connection = context.original_exception, context.connection
    number = mysql_code(error)
    if connection is None or connection.invalidated:
        return None
    is_gone = number == _NO_SAVEPOINT and "SAVEPOINT sa_savepoint_" in str(error) and not has_ended(connection)
    if number in MYSQL_ROLLED_BACK or is_gone or (number == MYSQL_LOCK_TIMEOUT and _rolls_back_on_timeout(connection)):
        connection.info[TRANSACTION_LOST] = TransactionLost(
            f"{name_of(connection.engine)} ended this unit of work ({error.args[-1]})"
        )
    return copy(connection.info.get(TRANSACTION_LOST))


def _rolls_back_on_timeout(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql("SELECT @@innodb_rollback_on_timeout").scalar())
