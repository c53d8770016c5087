"""Refuse mappings of value objects in several columns, as in adapters/sql/refused.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Column, Table, UniqueConstraint
from sqlalchemy.orm import CompositeProperty

from adapters.sql.refused import Rows, can_change, refuse
from adapters.sql.value_objects import VALUE_OBJECT
from domain.attributes import stored_names
from domain.limits import limits_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from domain.limits import Limits


def refuse_value_objects(kind: type, table: Table, properties: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for a value object of a class that could not be kept alike."""
    seen: set[Any] = set()
    for name, option in properties.items():
        if isinstance(option, CompositeProperty):
            refuse(f"{kind.__name__}.{name}", VALUE_OBJECTS, _Mapped(kind, table, name, option, seen))
            seen |= {*option.columns}


@attrs.frozen(eq=False)
class _Mapped:
    """A value object that is to be mapped, and the columns of those before it."""

    kind: Any
    table: Table
    name: str
    option: Any
    seen: set[Any]

    @property
    def values(self) -> Any:
        """The class of the value objects."""
        return self.option.info[VALUE_OBJECT]

    @property
    def columns(self) -> list[Column[Any]]:
        """Its columns."""
        return list(self.option.columns)

    @property
    def limits(self) -> Limits:
        """What the attribute may hold."""
        return limits_of(self.kind)[self.name]


def _can_change(kind: Any) -> bool:
    """Return whether an object of a class can change, or compares by its identity."""
    return not attrs.has(kind) or kind.__hash__ in (None, object.__hash__) or can_change(kind)


def _holds_what_can_change(kind: Any) -> bool:
    """Return whether something in an object of a class can change."""
    held = limits_of(kind).values()
    return any(one.is_json or one.kind in (list, dict, set) for one in held)


def _is_filled(column: Column[Any]) -> bool:
    """Return whether the database or SQLAlchemy gives a column its values."""
    ways = (column.default, column.server_default, column.onupdate, column.server_onupdate)
    return column.primary_key or any(way is not None for way in ways)


def _unique_columns(table: Table) -> Iterator[Column[Any]]:
    constraints: list[Any] = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    for one in (*constraints, *(one for one in table.indexes if one.unique)):
        yield from one.columns


VALUE_OBJECTS: Rows = (
    (lambda one: VALUE_OBJECT not in one.option.info, "write value_object(...) instead of composite(...)"),
    (
        lambda one: one.name not in stored_names(one.kind),
        "the class has no attribute of this name that could hold the value object: declare it as a field",
    ),
    (lambda one: _can_change(one.values), "a value object does not change: decorate its class with attrs' @frozen"),
    (
        lambda one: _holds_what_can_change(one.values),
        "what a value object holds does not change: hold plain values in it",
    ),
    (
        lambda one: one.limits.kind is not one.values,
        "its annotation is not the class of the value objects: write that, not only for type checkers",
    ),
    (
        lambda one: all(limits.allows_none for limits in limits_of(one.values).values()),
        "a value that holds None alone would be read as None: let one of its attributes be never None",
    ),
    (
        lambda one: len(one.columns) != len(stored_names(one.values)),
        "give it one column for each attribute of its class, in their order",
    ),
    (
        lambda one: any(column.table is not one.table for column in one.columns),
        "its columns are those of the table that is mapped",
    ),
    (
        lambda one: not attrs.fields_dict(one.kind).keys().isdisjoint(column.name for column in one.columns),
        "one of its columns is an attribute too, which would not change with it: remove that attribute",
    ),
    (
        lambda one: not one.seen.isdisjoint(one.columns),
        "another value object has one of its columns: give each its own",
    ),
    (
        lambda one: any(map(_is_filled, one.columns)),
        "its columns are filled by the object alone: leave out defaults, onupdate and the primary key",
    ),
    (
        lambda one: {column.nullable for column in one.columns} != {one.limits.allows_none},
        "either it can be None, and all of its columns are nullable; or it cannot, and none is",
    ),
    (
        lambda one: any(column.foreign_keys for column in one.columns),
        "no port can declare a reference inside of it: hold the id in an attribute of its own",
    ),
    (
        lambda one: not {*_unique_columns(one.table)}.isdisjoint(one.columns),
        "no port can declare a unique value inside of it: hold that in an attribute of its own",
    ),
)
"""About a value object that is to be mapped."""
