"""The common ground of the contenders on SQLAlchemy: their engine, and the type of a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, create_engine, event, make_url
from sqlalchemy.types import TypeDecorator

from proof.benchmarks.contenders.contender import THREADS, TIMEOUT

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Engine


def engine_for(url: str) -> Engine:
    """Return an engine with a connection for each thread."""
    if not url.startswith("sqlite"):
        return create_engine(make_url(url).set(drivername="postgresql+psycopg2"), pool_size=THREADS)
    # IMMEDIATE is how the driver then begins a transaction, at the first write.
    arguments = {"timeout": TIMEOUT, "isolation_level": "IMMEDIATE"}
    engine = create_engine(url, connect_args=arguments, pool_size=THREADS)
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")


class _SqliteTime(TypeDecorator[datetime]):
    """A time in UTC, which SQLite stores without a zone: the recipe of SQLAlchemy's documentation, in our words."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return the time without the zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return the time with the zone."""
        return None if value is None else value.replace(tzinfo=UTC)


TIME = DateTime(timezone=True).with_variant(_SqliteTime(), "sqlite")
"""A column type for aware times. It costs something only where the database has no such type."""
