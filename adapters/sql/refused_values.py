"""Refuse mappings of attributes and their columns, in one table, as in adapters/sql/refused.py.

So every database stores each value that the domain accepts, and reads it back as it was.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum as PythonEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Date, Double, Enum, Integer, Interval, LargeBinary, String, Time, Uuid
from sqlalchemy.types import NullType, TypeDecorator

from adapters.sql.refused import Rows, refuse
from adapters.sql.types import Duration, Exact, Json, Text, UtcDateTime
from adapters.sql.value_objects import VALUE_OBJECT, composites_of
from domain.aggregate import Aggregate
from domain.limits import Unknown, limits_of

if TYPE_CHECKING:
    from sqlalchemy import Column
    from sqlalchemy.orm import Mapper

    from domain.limits import Limits

TYPES: dict[Any, tuple[type, ...]] = {
    "json": (Json,),
    str: (String, Text),
    bytes: (LargeBinary,),
    bool: (Boolean,),
    int: (Integer,),
    float: (Double,),
    Decimal: (Exact,),
    date: (Date,),
    datetime: (UtcDateTime,),
    time: (Time,),
    timedelta: (Duration,),
    UUID: (Uuid,),
    PythonEnum: (Enum,),
}
"""The types of column for each kind of value."""


def refuse_values(mapper: Mapper[Any]) -> None:
    """Raise ``ValueError`` for an attribute of a mapped class whose column would not keep its values alike."""
    kind = mapper.class_
    others = ("id", "version") if issubclass(kind, Aggregate) else ()
    for name, limits in limits_of(kind).items():
        if name in mapper.column_attrs and name not in others:
            refuse(f"{kind.__name__}.{name}", VALUES, limits, mapper.column_attrs[name].columns[0])
    for prop in composites_of(kind):
        held = limits_of(prop.info[VALUE_OBJECT])
        for name, column in zip(held, prop.columns, strict=True):
            refuse(f"{kind.__name__}.{prop.key}.{name}", VALUES, held[name], column)


_KNOWN = (Exact, Duration, Interval, Json, Text, UtcDateTime)


def _is_own(kind: Any) -> bool:
    """Return whether a type of column is a class of the project that checks its own values."""
    return isinstance(kind, TypeDecorator) and not isinstance(kind, _KNOWN)


def _kind(limits: Limits) -> Any:
    """Return the key in ``TYPES`` for the values of an attribute."""
    kind: Any = limits.kind
    base = next((one for one in (PythonEnum, str) if kind is not None and issubclass(kind, one)), kind)
    return "json" if limits.is_json else base


def _is_other_type(limits: Limits, column: Column[Any]) -> bool:
    kind: Any = column.type
    if _is_own(kind) or (isinstance(kind, NullType) and column.foreign_keys):  # NullType: the table is missing
        return False
    if isinstance(kind, Enum):
        return kind.enum_class is not limits.kind
    is_turned = getattr(kind, "asdecimal", False) or not getattr(kind, "as_uuid", True)
    return not isinstance(kind, TYPES.get(_kind(limits), ())) or (isinstance(kind, Double | Uuid) and is_turned)


def _is_narrow(limits: Limits, column: Column[Any]) -> bool:
    is_integer = isinstance(column.type, Integer) and not isinstance(column.type, BigInteger)
    return limits.kind is int and is_integer and not column.foreign_keys


def _is_other_text(limits: Limits, column: Column[Any]) -> bool:
    """Return whether a text would be read as one of another class."""
    read_as = column.type.value_object if isinstance(column.type, Text) else str
    return _kind(limits) is str and not _is_own(column.type) and read_as is not limits.kind


def _is_other_length(limits: Limits, column: Column[Any]) -> bool:
    kind: Any = column.type
    stored = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    if _kind(limits) not in (str, bytes) or not isinstance(stored, String | LargeBinary):
        return False
    return stored.length is None or (stored.length,) != limits.size


def _wrong(kind: Any) -> Any:
    """Return the condition that the values are of a kind and the column is not."""
    return lambda limits, column: _kind(limits) is kind and _is_other_type(limits, column)


VALUES: Rows = (
    (
        lambda limits, _: limits.kind is Unknown,
        "its annotation names what is unknown when the program runs: import that outside of TYPE_CHECKING",
    ),
    (
        lambda limits, column: limits.kind is None and not _is_own(column.type),
        "its annotation must be one kind of value, such as str, int or Decimal, perhaps with | None",
    ),
    (
        lambda limits, column: limits.allows_none and not column.nullable and limits.kind is not None,
        "it may be None, but its column is NOT NULL: leave None out of the annotation, or write nullable=True",
    ),
    (_is_narrow, "ints have 64 bits: write BigInteger"),
    (_wrong(float), "floats have 64 bits: write Double"),
    (_wrong(Decimal), "SQLite has no exact numbers: write Exact(digits, places) of adapters.sql.types"),
    (_wrong(datetime), "a point in time has a zone: write UtcDateTime of adapters.sql.types"),
    (_wrong(timedelta), "not every database has intervals: write Duration of adapters.sql.types"),
    (_wrong("json"), "a dict or a list needs a column of its own type: write Json of adapters.sql.types"),
    (
        lambda limits, column: isinstance(column.type, Json) and not limits.is_json,
        'changes inside of it would be lost: declare field(metadata={"json": True})',
    ),
    (
        lambda _, column: isinstance(column.type, Enum) and (column.type.native_enum or not column.type.enum_class),
        "a type of the database's own is hard to change: write Enum(Kind, native_enum=False, length=...)",
    ),
    (
        _is_other_type,
        "its column is for other values: TYPES in adapters/sql/refused_values.py lists what fits, or a TypeDecorator",
    ),
    (_is_other_text, "it would be read as another class of text: write Text(Kind, length) of adapters.sql.types"),
    (
        _is_other_length,
        'the greatest length differs from the domain: write field(metadata={"max_length": 40}) and String(40), say',
    ),
    (
        lambda limits, column: (
            isinstance(column.type, Exact) and limits.size != (column.type.digits, column.type.places)
        ),
        'the domain needs the digits of the column: write field(metadata={"digits": 12, "places": 2}), for example',
    ),
)
"""About what an attribute may hold, and its column."""
