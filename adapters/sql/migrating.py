"""The lock that keeps two programs from changing the tables of one database at the same time."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from adapters.sql.errors import MYSQL_ROLLED_BACK, mysql_code, name_of
from adapters.sql.mapping import VERSION_TABLE
from domain.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

# The second program waits, and then finds nothing left to do. The number is arbitrary and the same in every program.
_LOCK = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(4206513817)",
    "mysql": "SELECT GET_LOCK(SHA1(CONCAT('plumbline ', DATABASE())), @@innodb_lock_wait_timeout)",
}
_GALERA = "SHOW VARIABLES WHERE variable_name = 'wsrep_on' AND value = 'ON'"
# A node's errors when another node was faster: the table exists, it is being made just now, or a conflict.
_LOST_RACE = {1050, 1684, *MYSQL_ROLLED_BACK}

LOCK_TABLE = f"{VERSION_TABLE}_lock"
"""The table that is the lock of a Galera cluster while it exists."""


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """Yield a connection for migrations. No other program changes the tables of this database until it ends.

    Raises :class:`~domain.errors.StorageUnavailable` when another program takes longer than the time limit. The
    database's own error about that limit is raised as it is.
    """
    kind = engine.dialect.name
    # There, statements that change tables commit. So what Alembic notes between them must be stored as well.
    options = {"isolation_level": "AUTOCOMMIT"} if kind == "mysql" else {}
    with engine.connect().execution_options(**options) as connection:
        try:
            with connection.begin():
                if kind == "mysql" and connection.exec_driver_sql(_GALERA).first():
                    with _cluster_locked(connection):
                        yield connection
                    return
                if kind == "sqlite":
                    # Alembic alters a table by dropping the old one, which would delete its child entities.
                    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
                locked = connection.exec_driver_sql(_LOCK[kind])
                if kind == "mysql" and not locked.scalar():
                    raise StorageUnavailable(in_use(engine))
                yield connection
        finally:
            connection.invalidate()  # and not used again: in MariaDB the lock is held until its connection is closed


def in_use(engine: Engine) -> str:
    """Return the message for when another program holds the tables."""
    return f"another program is using or changing the tables of {name_of(engine)}: try again when it has ended"


@contextmanager
def _cluster_locked(connection: Connection) -> Iterator[None]:
    """Hold the lock of a Galera cluster, where GET_LOCK is local to a node.

    All nodes run the statements that change tables in one order. So the CREATE TABLE of only one program succeeds.
    """
    deadline = time.monotonic() + connection.exec_driver_sql("SELECT @@innodb_lock_wait_timeout").scalar_one()
    while not _created(connection):
        if time.monotonic() > deadline:
            raise StorageUnavailable(
                f"{in_use(connection.engine)}. If none is running, one was stopped halfway: look at the tables, then"
                f" run DROP TABLE {LOCK_TABLE}"
            )
        time.sleep(0.1)
    try:
        yield
    finally:
        with suppress(DBAPIError):  # the connection is lost: the table stays, and the next program says what to do
            connection.exec_driver_sql(f"DROP TABLE {LOCK_TABLE}")


def _created(connection: Connection) -> bool:
    try:
        if inspect(connection).has_table(LOCK_TABLE):  # all nodes would run the statement below, and log that it failed
            return False
        connection.exec_driver_sql(f"CREATE TABLE {LOCK_TABLE} (id INTEGER PRIMARY KEY)")
    except DBAPIError as error:
        if mysql_code(error.orig) not in _LOST_RACE:
            raise
        return False
    return True
