"""Rows that are stored in bulk: by COPY on PostgreSQL where it can take them, by INSERT elsewhere."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    Uuid,
    event,
    func,
    select,
)
from sqlalchemy.exc import IntegrityError

from adapters.sql import postgres_copy
from domain.aggregate import new_id
from proof.laws.integration.plain_values import PLAIN, Colour, connected_with, insert_all
from tests.contract.members import MemberName

if TYPE_CHECKING:
    from collections.abc import Iterator


class Loud(str, enum.Enum):  # noqa: UP042  # StrEnum shows itself as it is
    """A text that prints differently from its value."""

    YES = "yes"


BINARY = Table(
    "binary_values",
    MetaData(),
    Column("order", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary),
    Column("tree", JSON(none_as_null=True)),
)


class Lowered(TypeDecorator[str]):
    """A text that an SQL expression changes when it is stored."""

    impl = String
    cache_ok = True

    def bind_expression(self, bindparam: Any) -> Any:
        """Return the expression for a value in a statement."""
        return func.coalesce(func.lower(bindparam), bindparam)


LOWERED = Table(
    "lowered", MetaData(), Column("order", Integer, primary_key=True, autoincrement=False), Column("text", Lowered(100))
)

LISTS = Table(
    "lists",
    MetaData(),
    Column("order", Integer, primary_key=True, autoincrement=False),
    Column("texts", String(100).with_variant(ARRAY(String), "postgresql")),
)

NASTY = ["", "\\", "\\N", "\\.", "a\tb", "a\nb", "a\rb", "a\\tb", "NULL", "'", '"', ",", "𠀀é", " a ", "a\r\n\\.\r\n"]

EXAMPLES: list[tuple[Table, dict[str, list[Any]]]] = [
    (PLAIN, {"text": NASTY, "name": [MemberName("ann")], "at": [datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)]}),
    (PLAIN, {"day": [date(1, 1, 1), date(9999, 12, 31)], "is_true": [True, False], "colour": [Colour.RED]}),
    (PLAIN, {"price": [Decimal("-0.01"), Decimal("12345678.90")], "size": [0.1, 1e30, -3.0]}),
    (BINARY, {"data": [b"", b"\\x00", b"\x00\n\t\\"], "tree": [{"a": ["\\", "\n"]}, []]}),
]


@pytest.mark.parametrize(("table", "values"), EXAMPLES, ids=["texts", "days", "numbers", "binary"])
def test_a_bulk_comes_back_as_it_was(engine: Engine, table: Table, values: dict[str, list[Any]]) -> None:
    """A bulk comes back to the last character and of the same type. None stays None and is no empty text."""
    nothing = dict.fromkeys(column.name for column in table.columns)
    each = [{**nothing, name: value} for name, found in values.items() for value in found]
    rows = [{**row, "order": number} for number, row in enumerate([nothing, *each])]
    with connected_with(table, engine) as connection:
        insert_all(connection, table, rows)
        stored = connection.execute(select(table).order_by(table.c.order)).all()
    assert rows == [dict(row._mapping) for row in stored]  # public, the name only avoids a clash
    assert [[type(value) for value in row.values()] for row in rows] == [
        [type(value) for value in row] for row in stored
    ]


IDS = Table(
    "100% ids",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("text", Uuid(as_uuid=False), nullable=False),
)


@pytest.fixture
def ids(engine: Engine) -> Iterator[Connection]:
    """A connection to a database with the table of ids."""
    with connected_with(IDS, engine) as connection:
        yield connection


def test_ids_of_a_bulk_come_back(ids: Connection) -> None:
    """Ids of a bulk come back, also those that the caller holds as texts, whatever the table is called."""
    row = {"id": new_id(), "text": str(new_id())}
    insert_all(ids, IDS, [row])
    assert row == dict(ids.execute(select(IDS)).one()._mapping)  # public, the name only avoids a clash


def test_a_missing_value_of_a_bulk_is_refused(ids: Connection) -> None:
    """The database refuses a missing value of a bulk as in a single row."""
    with pytest.raises(IntegrityError):
        insert_all(ids, IDS, [{"id": new_id(), "text": None}])


@pytest.mark.parametrize(
    ("table", "command"), [(PLAIN, "COPY"), (BINARY, "INSERT"), (LOWERED, "INSERT"), (LISTS, "INSERT")]
)
def test_postgres_gets_rows_by_copy(postgres_engine: Engine, table: Table, command: str) -> None:
    """PostgreSQL gets rows by COPY where it takes their types as printed, which not every type allows."""
    sent: list[str] = []
    with postgres_engine.connect() as connection:
        table.create(connection)
        event.listen(connection, "before_cursor_execute", lambda *told: sent.append(told[2]))
        insert_all(connection, table, [dict.fromkeys(table.columns.keys()) | {"order": 1}])
        connection.rollback()
    assert [command] == [statement.split()[0] for statement in sent]


def test_a_text_is_stored_as_its_value(engine: Engine) -> None:
    """A text that prints differently is stored as its value, in bulk as alone."""
    with connected_with(PLAIN, engine) as connection:
        nothing = dict.fromkeys(PLAIN.columns.keys())
        insert_all(connection, PLAIN, [{**nothing, "order": 1, "text": Loud.YES, "name": Loud.YES}])
        connection.execute(PLAIN.insert(), {**nothing, "order": 2, "text": Loud.YES, "name": Loud.YES})
        stored = connection.execute(select(PLAIN.c.text, PLAIN.c.name)).all()
    assert [("yes", "yes")] * 2 == [tuple(row) for row in stored]


def test_a_bulk_keeps_expressions_of_columns(engine: Engine) -> None:
    """A bulk stores a column whose type has an SQL expression by that expression."""
    with connected_with(LOWERED, engine) as connection:
        insert_all(connection, LOWERED, [{"order": number, "text": "ANN"} for number in (1, 2)])
        stored = connection.execute(select(LOWERED.c.text)).scalars().all()
    assert ["ann", "ann"] == stored


class Level(int, enum.Enum):
    """A number that prints differently from its value."""

    TOP = 3


TIMES = Table(
    "times",
    MetaData(),
    Column("order", Integer, primary_key=True, autoincrement=False),
    Column("at", DateTime),
    Column("zoned", DateTime(timezone=True)),
    Column("day", Date),
    Column("level", Integer),
)

EAST = datetime(2026, 1, 2, 1, 30, 0, 5, tzinfo=timezone(timedelta(hours=2)))


def test_a_bulk_stores_what_a_single_row_stores(engine: Engine) -> None:
    """A bulk stores what a single row stores: a time of any zone, also in a column without one or a DATE column."""
    values: list[dict[str, Any]] = [{"at": EAST, "zoned": EAST}, {"at": EAST.replace(tzinfo=None)}]
    if engine.dialect.name == "postgresql":  # its driver takes them
        values += [{"day": EAST}, {"level": Level.TOP}]
    nothing = dict.fromkeys(TIMES.columns.keys())
    with connected_with(TIMES, engine) as connection:
        insert_all(connection, TIMES, [{**nothing, **row, "order": place} for place, row in enumerate(values)])
        for place, row in enumerate(values):
            connection.execute(TIMES.insert(), {**nothing, **row, "order": 100 + place})
        stored = [row[1:] for row in connection.execute(select(TIMES).order_by(TIMES.c.order))]
    assert stored[: len(values)] == stored[len(values) :]


def test_what_is_sent_may_end_anywhere(postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bulk is cut into pieces that the driver takes, however long its texts are."""
    monkeypatch.setattr(postgres_copy, "_PIECE", 7)
    test_a_bulk_comes_back_as_it_was(postgres_engine, *EXAMPLES[0])
