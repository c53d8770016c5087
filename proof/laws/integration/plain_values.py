"""A table with every type of column that COPY takes."""

from __future__ import annotations

import enum
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, Date, Enum, Float, Integer, MetaData, Numeric, String, Table

from adapters.sql.bulk import insert_rows
from adapters.sql.types import Text, UtcDateTime
from tests.contract.members import MemberName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection, Engine


@contextmanager
def connected_with(table: Table, engine: Engine) -> Iterator[Connection]:
    """Yield a connection to a database that has a table during the block."""
    with engine.begin() as connection:
        table.create(connection)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        with engine.begin() as connection:
            table.drop(connection)


def insert_all(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows in bulk, with a value for every column of a table."""
    insert_rows(connection, table, list(table.columns), rows)


class Colour(enum.Enum):
    """A type that SQLAlchemy stores by its members' names."""

    RED = 1


PLAIN = Table(
    "plain values",  # a name that has to be quoted, as does that of a column below
    MetaData(),
    Column("order", Integer, primary_key=True, autoincrement=False),
    Column("name", Text(MemberName, 64)),
    Column("text", String(100)),
    Column("at", UtcDateTime),
    Column("day", Date),
    Column("is_true", Boolean),
    Column("price", Numeric(10, 2)),
    Column("size", Float),
    Column("colour", Enum(Colour, native_enum=False)),
    Column("offset", Integer),  # a keyword of MariaDB alone
)
