"""Attributes whose columns would not keep their values alike: how to cause each refusal, and its text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Literal
from uuid import UUID

from attrs import field
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Uuid,
)
from sqlalchemy.types import TypeDecorator

from adapters.sql.mapping import map_aggregate
from adapters.sql.types import Exact, Json, Text
from proof.laws.integration.mappings import a_root, a_table
from proof.laws.integration.wrong_parts import Kind
from tests.contract.members import MemberEmail, MemberName


class Lowered(TypeDecorator[str]):
    """A project's type that stores texts."""

    impl = String
    cache_ok = True


def with_value(kind: Any, column: Any, /, *, nullable: bool = True, **metadata: Any) -> None:
    """Map an aggregate with an attribute ``n`` of a kind, with this metadata, in a column of a type."""
    map_aggregate(a_root(n=field(type=kind, metadata=metadata)), a_table(Column("n", column, nullable=nullable)))


JSON = "a dict or a list needs a column of its own type: write Json of adapters.sql.types"
KIND = "its annotation must be one kind of value, such as str, int or Decimal, perhaps with | None"
LENGTH = 'the greatest length differs from the domain: write field(metadata={"max_length": 40}) and String(40), say'
NATIVE = "a type of the database's own is hard to change: write Enum(Kind, native_enum=False, length=...)"
OTHER = "its column is for other values: TYPES in adapters/sql/refused_values.py lists what fits, or a TypeDecorator"
TEXT = "it would be read as another class of text: write Text(Kind, length) of adapters.sql.types"
DIGITS = 'the domain needs the digits of the column: write field(metadata={"digits": 12, "places": 2}), for example'
EXACT = "SQLite has no exact numbers: write Exact(digits, places) of adapters.sql.types"
INTEGER, FLOAT = "ints have 64 bits: write BigInteger", "floats have 64 bits: write Double"

WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "unknown annotation": (
        partial(with_value, "Missing", String(9)),
        "its annotation names what is unknown when the program runs: import that outside of TYPE_CHECKING",
    ),
    "any value": (partial(with_value, Any, String(9)), KIND),
    "two kinds": (partial(with_value, int | str, String(9)), KIND),
    "literal": (partial(with_value, Literal["a"], String(9)), KIND),
    "None": (
        partial(with_value, int | None, BigInteger, nullable=False),
        "it may be None, but its column is NOT NULL: leave None out of the annotation, or write nullable=True",
    ),
    "Integer": (partial(with_value, int, Integer), INTEGER),
    "SmallInteger": (partial(with_value, int | None, SmallInteger), INTEGER),
    "Float": (partial(with_value, float, Float), FLOAT),
    "Float of 53 bits": (partial(with_value, float, Float(53)), FLOAT),
    "Double for Decimals": (partial(with_value, float, Double(asdecimal=True)), FLOAT),
    "Numeric": (partial(with_value, Decimal, Numeric(12, 2), digits=12, places=2), EXACT),
    "DateTime": (
        partial(with_value, datetime, DateTime(timezone=True)),
        "a point in time has a zone: write UtcDateTime of adapters.sql.types",
    ),
    "Interval": (
        partial(with_value, timedelta, Interval),
        "not every database has intervals: write Duration of adapters.sql.types",
    ),
    "JSON in a text": (partial(with_value, dict[str, Any], String(40), json=True), JSON),
    "Json without metadata": (
        partial(with_value, dict[str, Any], Json),
        'changes inside of it would be lost: declare field(metadata={"json": True})',
    ),
    "native enum": (partial(with_value, Kind, Enum(Kind)), NATIVE),
    "enum of texts": (partial(with_value, str, Enum("a", "b", native_enum=False), max_length=1), NATIVE),
    "enum for a text": (partial(with_value, str, Enum(Kind, native_enum=False), max_length=1), OTHER),
    "text for a day": (partial(with_value, date, String(10)), OTHER),
    "day for a truth": (partial(with_value, bool, Date), OTHER),
    "truth for bytes": (partial(with_value, bytes, Boolean), OTHER),
    "text for a UUID": (partial(with_value, UUID, Uuid(as_uuid=False)), OTHER),
    "a list": (partial(with_value, list[str], String(40)), OTHER),
    "value object in a String": (partial(with_value, MemberName, String(64)), TEXT),
    "another value object": (partial(with_value, MemberName, Text(MemberEmail, 64)), TEXT),
    "value object for a text": (partial(with_value, str, Text(MemberName, 64), max_length=64), TEXT),
    "no length": (partial(with_value, str, String(40)), LENGTH),
    "another length": (partial(with_value, str, String(40), max_length=41), LENGTH),
    "no length of the column": (partial(with_value, str, String, max_length=40), LENGTH),
    "another length of a value object": (partial(with_value, MemberName, Text(MemberName, 65)), LENGTH),
    "another length of a type": (partial(with_value, str, Lowered(40), max_length=41), LENGTH),
    "no length of bytes": (partial(with_value, bytes, LargeBinary, max_length=40), LENGTH),
    "other digits": (partial(with_value, Decimal, Exact(12, 2), digits=12, places=3), DIGITS),
    "no digits": (partial(with_value, Decimal, Exact(12, 2)), DIGITS),
}

WRONG_VALUES: dict[str, tuple[Callable[[], Any], str, str]] = {
    name: (wrong, "Root.n", advice) for name, (wrong, advice) in WRONG.items()
}
