"""Column types for values that no database knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, DateTime, Numeric, String, Uuid
from sqlalchemy.types import TypeDecorator

from domain.kinds import MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from uuid import UUID

    from sqlalchemy import Column, Dialect
    from sqlalchemy.types import TypeEngine


def bind_processor(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return the function that makes the driver's value for a column. ``None``: the value is sent as it is."""
    kind = column.type.dialect_impl(dialect)
    if dialect.driver == "psycopg2" and isinstance(kind, Uuid) and kind.as_uuid:
        return _hexadecimal  # the driver's own way takes twice as long: an object for each, and hyphens
    return kind.bind_processor(dialect)


def driver_values(column: Column[Any], rows: Iterable[Mapping[str, Any]], dialect: Dialect) -> list[Any]:
    """Return the driver's values of one column of many rows. A bulk is a tenth quicker than row by row.

    Raises ``ValueError`` for a value that the column's type cannot take.
    """
    values = [row[column.key] for row in rows]
    process = bind_processor(column, dialect)
    return converted(values, process) if process else values


def converted(values: Iterable[Any], convert: Callable[[Any], Any]) -> list[Any]:
    """Return what a function makes of each value. Raises ``ValueError`` for one that it cannot take."""
    try:
        return list(map(convert, values))
    except Exception as error:  # a type may raise anything for a value of another type
        raise ValueError(error) from error


def _hexadecimal(value: UUID | None) -> str | None:
    return None if value is None else value.hex


class Text(TypeDecorator[str]):
    """A value object that is a ``str``, such as a user name, in a VARCHAR of its greatest length.

    Reading does not validate again. What is stored was valid when it was stored. Stricter rules of a later version must
    not make old data unreadable.
    """

    impl = String
    cache_ok = True

    def __init__(self, value_object: type[str], length: int) -> None:
        super().__init__(length)
        self.value_object = value_object

    # Functions for both ways, because they are called for each value.

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:
        """Return the function that makes plain text: drivers look up how to send a value by its exact type."""
        plain = str.__str__
        return lambda value: None if value is None else plain(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], str | None]:
        """Return the function that makes the value object."""
        value_object, new = self.value_object, str.__new__
        return lambda value: None if value is None else new(value_object, value)


class Key(Text):
    """The id of an aggregate that is a text. Every database sorts it by code point.

    PostgreSQL sorts other texts, and their indexes, as the database is set up.
    """

    cache_ok = True

    def __init__(self, value_object: type[str], length: int) -> None:
        super().__init__(value_object, length)
        self.on_postgres = String(length, collation="C")

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of a database."""
        return dialect.type_descriptor(self.on_postgres if dialect.name == "postgresql" else self.impl_instance)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time, aware and in UTC on both sides, to the microsecond.

    It is stored with a time zone where the database has such a type, and as plain UTC otherwise.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def compare_values(self, x: Any, y: Any) -> bool:
        """Return whether two times are the same. Python finds none of a repeated hour equal to one in UTC (PEP 495)."""
        return bool(_since_the_first(x) == _since_the_first(y))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], datetime | str | None]:
        """Return the function that makes the time in UTC: on SQLite a text, in the form of SQLAlchemy's own type."""
        return _as_text if dialect.name == "sqlite" else _in_utc

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Return the function that makes the time. A time without a time zone is in UTC."""
        return _from_text if dialect.name == "sqlite" else _read


_FIRST = datetime.min.replace(tzinfo=UTC)


def _since_the_first(value: Any) -> Any:
    """Return how long after the first day of all a time is. Return anything else as it is."""
    offset = value.utcoffset() if isinstance(value, datetime) else None
    return value if offset is None else value.replace(tzinfo=UTC) - _FIRST - offset


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def _as_text(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat(" ", "microseconds").removesuffix("+00:00")


def _from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(f"{value}+00:00")


def _read(value: datetime | None) -> datetime | None:
    if value is None or value.tzinfo is UTC:
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Exact(TypeDecorator[Decimal]):
    """A ``Decimal`` of ``digits`` digits, ``places`` of them behind the point: NUMERIC, and a whole number on SQLite.

    SQLite has no exact numbers but whole ones, so it counts in the smallest unit. What it compares, sorts and sums
    comes out right. Raises ``ValueError`` for more digits than such a number is sure to have.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, digits: int, places: int) -> None:
        if not 0 <= places <= digits <= 18:
            raise ValueError(f"Exact has at most 18 digits, places included, not {digits} and {places}")
        super().__init__(digits, places)
        self.digits = digits
        self.places = places

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that the database has for it."""
        plain: TypeEngine[Any] = BigInteger() if dialect.name == "sqlite" else Numeric(self.digits, self.places)
        return dialect.type_descriptor(plain)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | int | None:
        """Return what the database is sent."""
        if value is None or dialect.name != "sqlite":
            return value
        return int(_WIDE.scaleb(value, self.places))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return the number with all its places."""
        if value is None or dialect.name != "sqlite":
            return None if value is None else Decimal(value)
        return _WIDE.scaleb(Decimal(value), -self.places)


_WIDE = Context(prec=60)


class Duration(TypeDecorator[timedelta]):
    """A ``timedelta``, as a whole number of microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        """Return the number."""
        return None if value is None else value // MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> timedelta | None:
        """Return the interval."""
        return None if value is None else timedelta(microseconds=int(value))


class Json(TypeDecorator[Any]):
    """A dict or a list of JSON values. ``None`` is NULL. The unit of work finds changes inside."""

    impl = JSON
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(none_as_null=True)
