"""Value objects in several columns that cannot be mapped: how to cause each refusal, and its text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from attrs import field, setters
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import composite

from adapters.sql.mapping import map_aggregate, map_part
from adapters.sql.value_objects import value_object
from proof.laws.integration.mappings import a_part, a_part_table, a_root, a_table


@attrs.frozen
class Money:
    """A value object."""

    amount: int
    currency: str = field(metadata={"max_length": 3})


@attrs.define
class Changing:
    """A class that compares by values that can change."""

    amount: int
    currency: str = field(metadata={"max_length": 3})


@attrs.define(slots=False, on_setattr=setters.frozen, eq=False)
class Unequal:
    """A class that cannot change but compares by identity."""

    amount: int
    currency: str = field(metadata={"max_length": 3})


@attrs.define(unsafe_hash=True)
class Hashed:
    """A class that can change though it has a hash."""

    amount: int
    currency: str = field(on_setattr=setters.frozen)


@attrs.frozen
class OfList:
    """A value object that holds a list."""

    amount: int
    currency: list[str]


@attrs.frozen
class OfNone:
    """A value object that may hold ``None`` alone."""

    amount: int | None
    currency: str | None


def with_value(
    kind: Any = Money,
    *,
    type: Any = None,  # noqa: A002  # as attrs calls it
    columns: Callable[[], tuple[Any, ...]] = lambda: (
        Column("a", BigInteger, nullable=False),
        Column("b", String(3), nullable=False),
    ),
    more: Callable[[], tuple[Any, ...]] = tuple,
    mapped: tuple[str, ...] = ("a", "b"),
    name: str = "m",
    fields: tuple[str, ...] = (),
    default: Any = attrs.NOTHING,
) -> type[Any]:
    """Map an aggregate whose attribute ``m`` holds a value object, and return its class."""
    table = a_table(*columns(), *more())
    root = a_root(m=field(type=type or kind, default=default), **{each: field(default=None) for each in fields})
    map_aggregate(root, table, properties={name: value_object(kind, *(table.c[each] for each in mapped))})
    return root


def bare() -> None:
    """Map a composite of SQLAlchemy."""
    table = a_table(Column("a", BigInteger), Column("b", String(3)))
    map_aggregate(a_root(m=field()), table, properties={"m": composite(Money, table.c.a, table.c.b)})


def of_another_table() -> None:
    """Map a value object to columns of another table."""
    other = a_table(Column("a", BigInteger, nullable=False), Column("b", String(3), nullable=False), name="others")
    root = a_root(m=field(type=Money))
    map_aggregate(root, a_table(), properties={"m": value_object(Money, other.c.a, other.c.b)})


def sharing_a_column() -> None:
    """Map two value objects that share a currency column, with another one between them."""
    table = a_table(*(Column(name, Integer, nullable=False) for name in ("a", "b", "c", "d", "e")))
    pairs = {"m": (table.c.a, table.c.b), "mm": (table.c.c, table.c.d), "n": (table.c.e, table.c.b)}
    values = {name: value_object(Money, *pair) for name, pair in pairs.items()}
    map_aggregate(a_root(**{name: field(type=Money) for name in pairs}), table, properties=values)


def of_a_part() -> None:
    """Map a part whose value object can change."""
    parts = a_part_table(a_table(), Column("a", BigInteger), Column("b", String(3)))
    map_part(a_part(m=field()), parts, properties={"m": value_object(Changing, parts.c.a, parts.c.b)})


def _columns(*, a: Any = None, b: Any = None, **options: Any) -> Callable[[], tuple[Any, ...]]:
    return lambda: (Column("a", BigInteger, **(a or options)), Column("b", String(3), **(b or options)))


FILLED = "its columns are filled by the object alone: leave out defaults, onupdate and the primary key"
ANNOTATION = "its annotation is not the class of the value objects: write that, not only for type checkers"
FROZEN_VALUE = "a value object does not change: decorate its class with attrs' @frozen"
HOLDS = "what a value object holds does not change: hold plain values in it"
NULLS = "either it can be None, and all of its columns are nullable; or it cannot, and none is"
NUMBER = "give it one column for each attribute of its class, in their order"
REFERENCE = "no port can declare a reference inside of it: hold the id in an attribute of its own"
UNIQUE = "no port can declare a unique value inside of it: hold that in an attribute of its own"

NOT_NULL: Any = {"nullable": False}

WRONG_COMPOSITES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "composite": (bare, "Root.m", "write value_object(...) instead of composite(...)"),
    "value object without an attribute": (
        lambda: with_value(name="n"),
        "Root.n",
        "the class has no attribute of this name that could hold the value object: declare it as a field",
    ),
    "value object that can change": (lambda: with_value(Changing), "Root.m", FROZEN_VALUE),
    "value object with a hash that can change": (lambda: with_value(Hashed), "Root.m", FROZEN_VALUE),
    "value object without equality": (lambda: with_value(Unequal), "Root.m", FROZEN_VALUE),
    "value object that is no attrs class": (lambda: with_value(complex), "Root.m", FROZEN_VALUE),
    "value object of a part": (of_a_part, "Part.m", FROZEN_VALUE),
    "value object with a list": (lambda: with_value(OfList), "Root.m", HOLDS),
    "value object of None alone": (
        lambda: with_value(OfNone),
        "Root.m",
        "a value that holds None alone would be read as None: let one of its attributes be never None",
    ),
    "value object of another class": (lambda: with_value(type=Hashed), "Root.m", ANNOTATION),
    "value object without an annotation": (lambda: with_value(type=Any), "Root.m", ANNOTATION),
    "value object that is unknown": (lambda: with_value(type="Nothing | None"), "Root.m", ANNOTATION),
    "value object with another type of column": (
        lambda: with_value(columns=lambda: (Column("a", Integer, nullable=False), _b())),
        "Root.m.amount",
        "ints have 64 bits: write BigInteger",
    ),
    "value object with too few columns": (lambda: with_value(mapped=("a",), columns=_columns()), "Root.m", NUMBER),
    "value object with columns of another table": (
        of_another_table,
        "Root.m",
        "its columns are those of the table that is mapped",
    ),
    "value object whose column is an attribute": (
        lambda: with_value(fields=("a",)),
        "Root.m",
        "one of its columns is an attribute too, which would not change with it: remove that attribute",
    ),
    "value objects with one column": (
        sharing_a_column,
        "Root.n",
        "another value object has one of its columns: give each its own",
    ),
    "value object with a default": (lambda: with_value(columns=_columns(default=1, nullable=False)), "Root.m", FILLED),
    "value object with a server_default": (
        lambda: with_value(columns=_columns(server_default="1", nullable=False)),
        "Root.m",
        FILLED,
    ),
    "value object with onupdate": (
        lambda: with_value(columns=_columns(onupdate=1, nullable=False)),
        "Root.m",
        FILLED,
    ),
    "value object that is NULL but not None": (lambda: with_value(columns=_columns()), "Root.m", NULLS),
    "value object that is None but not NULL": (lambda: with_value(type=Money | None), "Root.m", NULLS),
    "value object with a column that is NULL": (
        lambda: with_value(type=Money | None, columns=_columns(a=NOT_NULL, b={"nullable": True})),
        "Root.m",
        NULLS,
    ),
    "value object with a reference": (
        lambda: with_value(columns=lambda: (Column("a", ForeignKey("roots.version"), nullable=False), _b())),
        "Root.m",
        REFERENCE,
    ),
    "value object with a unique column": (
        lambda: with_value(columns=_columns(a={"unique": True, **NOT_NULL}, b=NOT_NULL)),
        "Root.m",
        UNIQUE,
    ),
    "value object with a unique index": (
        lambda: with_value(columns=_columns(a={"unique": True, "index": True, **NOT_NULL}, b=NOT_NULL)),
        "Root.m",
        UNIQUE,
    ),
    "value object that is unique": (
        lambda: with_value(columns=_columns(nullable=False), more=lambda: (UniqueConstraint("a", "b"),)),
        "Root.m",
        UNIQUE,
    ),
}


def _b() -> Column[Any]:
    return Column("b", String(3), nullable=False)
