"""The storages that a test can run on. All offer the same: units of work on one database, empty at the start."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from attrs import frozen
from sqlalchemy import Dialect, Engine, Table, TextClause, event, text

from adapters.fake.database import FakeDatabase
from adapters.sql.engine import make_engine
from adapters.sql.mapping import metadata
from adapters.sql.schema import Schema
from adapters.sql.unit_of_work import SqlUnitOfWork
from tests.contract.members import members_metadata
from tests.contract.shop import SHOP_METADATA, FakeShop, Shop, SqlShop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine.interfaces import DBAPIConnection

    from entrypoints.bootstrap import Application

BACKENDS = ("fake", "sqlite", "postgres", "mariadb")

LOCK_TIMEOUT = 0.5
"""Seconds that a writer waits for another one: short, because some tests wait in vain on purpose."""


@frozen
class Storage:
    """A database of one kind. ``unit(read_only=False)`` opens another unit of work on it."""

    kind: str
    unit: Callable[..., Shop]


class InATransaction(SqlShop):
    """A unit that writes everything before it commits. So its commit is a COMMIT and never the only statement."""

    def commit(self) -> None:
        """Write what is pending, then commit."""
        self.flush()
        super().commit()


def fake_storage(lock_timeout: float = LOCK_TIMEOUT) -> Storage:
    """Return a new fake database."""
    database = FakeDatabase(lock_timeout)
    return Storage("fake", lambda *, read_only=False: FakeShop(database, read_only=read_only))


def sql_storage(engine: Engine) -> Storage:
    """Return the storage in an engine's database."""
    return Storage(engine.dialect.name, lambda *, read_only=False: SqlShop(engine, read_only=read_only))


def engine_of(application: Application) -> Engine:
    """Return the engine of an application on a database. Tests make tables and units on it."""
    uow = application.unit_of_work()
    assert isinstance(uow, SqlUnitOfWork)
    engine = uow.session.get_bind()
    assert isinstance(engine, Engine)
    return engine


@cache
def _tables() -> list[Table]:
    """Return the tables of all units of work. Those that refer to others come first."""
    return [table for one in (metadata, *SHOP_METADATA) for table in reversed(one.sorted_tables)]


@cache
def _which_are_filled(dialect: Dialect) -> TextClause:
    """Return a query for the names of the tables that have rows."""
    quoted = {one.name: dialect.identifier_preparer.format_table(one) for one in _tables()}
    rows = [f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {table})" for name, table in quoted.items()]  # noqa: S608  # own names
    return text(" UNION ALL ".join(rows))


def empty(engine: Engine) -> None:
    """Delete all rows: cheaper than new tables for each test. Most tables are empty, so they are checked first."""
    with engine.begin() as connection:
        filled = {*connection.execute(_which_are_filled(engine.dialect)).scalars()}
        for table in (one for one in _tables() if one.name in filled):
            own = {key.parent.name: None for key in table.foreign_keys if key.column.table is table}
            if own:  # MariaDB deletes row by row, and would find one that another row refers to
                connection.execute(table.update().values(own))
            connection.execute(table.delete())


@contextmanager
def migrated_engine(url: str, timeout: float = LOCK_TIMEOUT) -> Iterator[Engine]:
    """Yield an engine whose tables are at the newest revision."""
    engine = make_engine(url, timeout)
    try:
        Schema(engine).upgrade()
        yield engine
    finally:
        engine.dispose()


@contextmanager
def members_engine(url: str, timeout: float = LOCK_TIMEOUT) -> Iterator[Engine]:
    """Yield an engine with the table of members too, and no other table of the tests' aggregates."""
    with migrated_engine(url, timeout) as engine:
        members_metadata.create_all(engine)
        yield engine


@contextmanager
def shop_engine(url: str) -> Iterator[Engine]:
    """Yield an engine with the tables of all aggregates of the tests."""
    with migrated_engine(url) as engine:
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", without_the_disk)
        for one in SHOP_METADATA:
            one.create_all(engine)
        yield engine


@contextmanager
def impatient(engine: Engine, seconds: float = 0.02) -> Iterator[Engine]:
    """Yield an engine on the same database whose writers wait this long for each other, by default hardly at all."""
    other = make_engine(engine.url.render_as_string(hide_password=False), seconds)
    if engine.dialect.name == "sqlite":
        event.listen(other, "connect", without_the_disk)
    try:
        yield other
    finally:
        other.dispose()


def without_the_disk(connection: DBAPIConnection, _: object) -> None:
    """Let a new connection to SQLite not wait for the disk."""
    # No test cuts the power, and waiting for the disk is most of the cost of a small transaction.
    connection.execute("PRAGMA synchronous = OFF")
