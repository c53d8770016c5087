"""Classes and tables for tests to map. They are right except for what each test makes wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from attrs import field, setters
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint, Uuid
from sqlalchemy.orm import relationship

from adapters.sql.mapping import map_aggregate, map_part, metadata
from domain.aggregate import Aggregate

SORTED: Any = field(factory=list, metadata={"order_by": ("name",)})
"""A list of parts that is sorted by their name."""


def _declare_types(fields: dict[str, Any]) -> None:
    """Declare attributes without a type as numbers or ``None``."""
    for one in fields.values():
        one.type = one.type or int | None


def _name() -> Any:
    return field(type=str, metadata={"max_length": 9})


def a_root(name: str = "Root", /, **fields: Any) -> type[Any]:
    """Return a class of aggregates with these attributes."""
    _declare_types(fields)
    return attrs.make_class(name, fields, bases=(Aggregate,), slots=False, eq=False, kw_only=True)


def a_part(**fields: Any) -> type[Any]:
    """Return a class of parts with a name and these attributes."""
    _declare_types(fields)
    return attrs.make_class("Part", {"name": _name(), **fields}, slots=False, eq=False, kw_only=True)


def a_frozen_part(**fields: Any) -> type[Any]:
    """Return a class of parts that cannot change."""
    frozen = {"on_setattr": setters.frozen, "unsafe_hash": True}
    _declare_types(fields)
    return attrs.make_class("Part", {"name": _name(), **fields}, slots=False, kw_only=True, **frozen)  # type: ignore[arg-type]  # they are of two types


def a_table(*columns: Any, name: str = "roots", meta: MetaData | None = None) -> Table:
    """Return a table for aggregates with these columns."""
    meta = meta or MetaData(naming_convention=metadata.naming_convention)
    return Table(name, meta, Column("id", Uuid, primary_key=True), Column("version", Integer, nullable=False), *columns)


def a_part_table(root: Table, *columns: Any, name: str = "parts", **options: Any) -> Table:
    """Return a table for parts of a root: with a unique name in it, a key of the database, and these columns.

    ``options`` are those of the foreign key.
    """
    return Table(
        name,
        root.metadata,
        Column("number", Integer, primary_key=True),
        Column("root_id", ForeignKey(root.c.id, **options), nullable=False),
        Column("name", String(9), nullable=False),
        UniqueConstraint("root_id", "name"),
        *columns,
    )


def owns(part: Any, **options: Any) -> Any:
    """Return a valid relationship to parts, except for these options."""
    return relationship(part, **{"lazy": "selectin", "cascade": "all, delete-orphan", **options})


def map_parts(
    part: type[Any] | None = None,
    *,
    columns: tuple[Any, ...] = (),
    held: Any = SORTED,
    options: Callable[[Table], dict[str, Any]] = lambda _: {},
    **more: Any,
) -> type[Any]:
    """Map a root with parts in its attribute ``parts``, and return its class.

    ``columns`` are further columns of the parts' table. ``held`` is the attribute. ``options`` returns the options of
    the relationship for the table of the parts. ``more`` are further relationships.
    """
    part = part or a_part()
    root = a_table()
    parts = a_part_table(root, *columns)
    map_part(part, parts)
    owner = a_root(parts=held)
    given = {"order_by": parts.c.name, **options(parts), **more}
    map_aggregate(owner, root, properties={"parts": owns(part, **given)})
    return owner
