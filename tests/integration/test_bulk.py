"""Rows that are stored many at once: by COPY on PostgreSQL where it can take them, by INSERT elsewhere."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    Engine,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    TypeDecorator,
    Uuid,
    event,
    func,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from adapters.sql.statements import insert_many
from adapters.sql.types import Text, UtcDateTime
from domain.aggregate import new_id
from domain.user import Username

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Colour(enum.Enum):
    """A type that SQLAlchemy stores by its members' names."""

    RED = 1


class Loud(str, enum.Enum):  # noqa: UP042  # StrEnum shows itself as it is
    """A text that shows itself in another way than it is."""

    YES = "yes"


PLAIN = Table(
    "plain values",  # a name that has to be quoted, as that of a column below
    MetaData(),
    Column("order", Integer, primary_key=True, autoincrement=False),
    Column("name", Text(Username, 64)),
    Column("text", String(100)),
    Column("at", UtcDateTime),
    Column("day", Date),
    Column("is_true", Boolean),
    Column("price", Numeric(10, 2)),
    Column("size", Float),
    Column("colour", Enum(Colour, native_enum=False)),
)

BINARY = Table(
    "binary_values",
    MetaData(),
    Column("order", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary),
    Column("tree", JSON(none_as_null=True)),
)


class Lowered(TypeDecorator[str]):
    """A text that the database itself makes what is stored of."""

    impl = String
    cache_ok = True

    def bind_expression(self, bindparam: Any) -> Any:
        """Return what stands in a statement in the place of the value."""
        return func.lower(bindparam)


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
    (PLAIN, {"text": NASTY, "name": [Username("ann")], "at": [datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)]}),
    (PLAIN, {"day": [date(1, 1, 1), date(9999, 12, 31)], "is_true": [True, False], "colour": [Colour.RED]}),
    (PLAIN, {"price": [Decimal("-0.01"), Decimal("12345678.90")], "size": [0.1, 1e30, -3.0]}),
    (BINARY, {"data": [b"", b"\\x00", b"\x00\n\t\\"], "tree": [{"a": ["\\", "\n"]}, []]}),
]


@pytest.mark.parametrize(("table", "values"), EXAMPLES, ids=["texts", "days", "numbers", "binary"])
def test_what_is_stored_in_bulk_comes_back_as_it_was(
    engine: Engine, table: Table, values: dict[str, list[Any]]
) -> None:
    """To the last character and of the same type; nothing stays nothing, and is told from an empty text."""
    nothing = dict.fromkeys(column.name for column in table.columns)
    each = [{**nothing, name: value} for name, found in values.items() for value in found]
    rows = [{**row, "order": number} for number, row in enumerate([nothing, *each])]
    with engine.connect() as connection:
        table.create(connection)
        insert_many(connection, table, rows)
        stored = connection.execute(select(table).order_by(table.c.order)).all()
        table.drop(connection)
        connection.commit()
    assert rows == [dict(row._mapping) for row in stored]  # noqa: SLF001  # public, the name only avoids a clash
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
    with engine.connect() as connection:
        IDS.create(connection)
        connection.commit()
        yield connection
        connection.rollback()
        IDS.drop(connection)
        connection.commit()


def test_ids_that_are_stored_in_bulk_come_back_as_they_were(ids: Connection) -> None:
    """Those that the caller holds as texts, too, and whatever the table is called."""
    row = {"id": new_id(), "text": str(new_id())}
    insert_many(ids, IDS, [row])
    assert row == dict(ids.execute(select(IDS)).one()._mapping)  # noqa: SLF001  # public, the name only avoids a clash


def test_a_value_that_is_missing_in_a_bulk_is_refused_by_the_database(ids: Connection) -> None:
    """As it is in a single row."""
    with pytest.raises(IntegrityError):
        insert_many(ids, IDS, [{"id": new_id(), "text": None}])


@pytest.fixture
def plain(engine: Engine) -> Iterator[Connection]:
    """A connection to a database with the table of plain values."""
    with engine.connect() as connection:
        PLAIN.create(connection)
        connection.commit()
        yield connection
    with engine.begin() as connection:
        PLAIN.drop(connection)


@pytest.mark.parametrize("wrong", [{"name": 5}, {"at": "today"}])
def test_a_value_that_a_column_cannot_hold_is_refused_in_a_bulk(plain: Connection, wrong: dict[str, Any]) -> None:
    """By one error, whatever the column's type makes of it, and whichever way the rows go."""
    with pytest.raises(ValueError, match=r"str|int"):
        insert_many(plain, PLAIN, [dict.fromkeys(PLAIN.columns.keys()) | {"order": 1, **wrong}])


@pytest.mark.parametrize(
    ("table", "command"), [(PLAIN, "COPY"), (BINARY, "INSERT"), (LOWERED, "INSERT"), (LISTS, "INSERT")]
)
def test_postgres_gets_the_rows_by_copy_where_it_can_take_the_types(
    postgres_engine: Engine, table: Table, command: str
) -> None:
    """It takes them as they are printed, which not every type has."""
    sent: list[str] = []
    with postgres_engine.connect() as connection:
        table.create(connection)
        event.listen(connection, "before_cursor_execute", lambda *told: sent.append(told[2]))
        insert_many(connection, table, [dict.fromkeys(table.columns.keys()) | {"order": 1}])
        connection.rollback()
    assert [command] == [statement.split()[0] for statement in sent]


def test_a_text_that_shows_itself_in_another_way_is_stored_as_it_is(engine: Engine) -> None:
    """In bulk as alone."""
    with engine.connect() as connection:
        PLAIN.create(connection)
        nothing = dict.fromkeys(PLAIN.columns.keys())
        insert_many(connection, PLAIN, [{**nothing, "order": 1, "text": Loud.YES, "name": Loud.YES}])
        connection.execute(PLAIN.insert(), {**nothing, "order": 2, "text": Loud.YES, "name": Loud.YES})
        stored = connection.execute(select(PLAIN.c.text, PLAIN.c.name)).all()
        PLAIN.drop(connection)
        connection.commit()
    assert [("yes", "yes")] * 2 == [tuple(row) for row in stored]


def test_what_a_statement_makes_of_a_value_is_made_of_it_in_a_bulk(engine: Engine) -> None:
    """A column whose type has an expression of SQL is stored by it."""
    with engine.connect() as connection:
        LOWERED.create(connection)
        insert_many(connection, LOWERED, [{"order": number, "text": "ANN"} for number in (1, 2)])
        stored = connection.execute(select(LOWERED.c.text)).scalars().all()
        LOWERED.drop(connection)
        connection.commit()
    assert ["ann", "ann"] == stored


MANY = 3000
"""Rows of a bulk that does not end before the server is at work."""


def rows_until(end: Callable[[], object]) -> Iterator[dict[str, Any]]:
    """Yield many rows, and call something before the last of them."""
    nothing = dict.fromkeys(PLAIN.columns.keys())
    for number in range(MANY):
        yield {**nothing, "order": number, "text": "some text"}
    end()
    yield {**nothing, "order": MANY}


def stop(error: BaseException) -> None:
    """Raise an error."""
    raise error


@pytest.mark.parametrize("error", [ZeroDivisionError("in the rows"), KeyboardInterrupt()], ids=type)
def test_what_stops_the_rows_of_a_bulk_stops_the_bulk(plain: Connection, error: BaseException) -> None:
    """As it was raised, however many rows have been sent; none of them is stored."""
    with pytest.raises(type(error)) as caught:
        insert_many(plain, PLAIN, rows_until(lambda: stop(error)))
    assert error is caught.value
    plain.rollback()
    assert [] == plain.execute(select(PLAIN.c.order)).all()


def test_a_value_that_comes_late_in_a_bulk_is_refused_like_any_other(plain: Connection) -> None:
    """Not by what the database says of a bulk that ends too early."""
    wrong = {**dict.fromkeys(PLAIN.columns.keys()), "order": MANY + 1, "at": "today"}
    with pytest.raises(ValueError, match="str"):
        insert_many(plain, PLAIN, [*rows_until(lambda: None), wrong])


def test_a_broken_constraint_of_a_long_bulk_is_told(plain: Connection) -> None:
    """Though the database finds it while more is on its way."""
    again = {**dict.fromkeys(PLAIN.columns.keys()), "order": 0}
    with pytest.raises(IntegrityError):
        insert_many(plain, PLAIN, [again, *rows_until(lambda: None)])


def test_a_bulk_whose_connection_ends_fails(postgres_engine: Engine) -> None:
    """In the middle of it: what was sent before is not stored."""
    with postgres_engine.connect() as connection, postgres_engine.connect() as other:
        PLAIN.create(other)
        other.commit()
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        end = text("SELECT pg_terminate_backend(:own, 5000)")
        with pytest.raises(OperationalError):
            insert_many(connection, PLAIN, rows_until(lambda: other.execute(end, {"own": own})))
        assert connection.invalidated
        assert [] == other.execute(select(PLAIN.c.order)).all()
        PLAIN.drop(other)
        other.commit()


def test_a_bulk_holds_few_of_its_rows_at_a_time(plain: Connection) -> None:
    """They are made as they are sent."""
    alive = [0]
    most = [0]

    class Row(dict[str, Any]):
        """A row that counts those that are there."""

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            alive[0] += 1
            most[0] = max(alive[0], most[0])

        def __del__(self) -> None:
            alive[0] -= 1

    insert_many(plain, PLAIN, map(Row, rows_until(lambda: None)))
    plain.rollback()
    assert most[0] <= MANY // 2
