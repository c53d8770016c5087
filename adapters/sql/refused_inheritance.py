"""Refuse mappings of subclasses, as in adapters/sql/refused.py."""

from __future__ import annotations

from typing import Any

from attrs import fields_dict
from sqlalchemy import Column, Table, UniqueConstraint, inspect

from adapters.sql.refused import Rows, refuse
from domain.aggregate import makers


def refuse_inheritance(kind: type, table: Table | None, options: dict[str, Any], *, is_part: bool) -> None:
    """Raise ``ValueError`` for inheritance that could not be kept alike."""
    refuse(kind.__name__, INHERITANCE, kind, table, options, is_part)


def _derives(kind: Any) -> bool:
    return any(base in makers for base in kind.__mro__[1:])


def _base(options: dict[str, Any]) -> Any:
    """Return the mapper of the base class, or ``None`` without one."""
    return inspect(options["inherits"]) if "inherits" in options else None


def _is_wrong_class_column(kind: Any, table: Any, options: dict[str, Any]) -> bool:
    """Return whether the column that names the class of a row could be missing, or changed by the domain."""
    base = _base(options)
    column = options.get("polymorphic_on") if base is None else base.polymorphic_on
    if column is None:
        return False
    return (
        not isinstance(column, Column) or column.name in fields_dict(kind) or (not base and column.table is not table)
    )


def _declares(table: Table) -> bool:
    """Return whether a table has unique values or references besides its key to the base class."""
    unique = any(isinstance(one, UniqueConstraint) for one in table.constraints) or any(
        one.unique for one in table.indexes
    )
    return unique or any(column.foreign_keys for column in table.columns if not column.primary_key)


INHERITANCE: Rows = (
    (
        lambda kind, _, options, is_part: (
            is_part and ({"inherits", "polymorphic_on"} & options.keys() or _derives(kind))
        ),
        "the fake does not keep the inheritance of parts: derive from no class that is mapped, and leave out inherits",
    ),
    (
        lambda _, __, options, ___: "concrete" in options,
        "no table would have all ids: leave out concrete, and let inherits lead to a class with polymorphic_on",
    ),
    (
        lambda kind, _, options, __: _derives(kind) and "inherits" not in options,
        "its base class is mapped: write inherits=... and polymorphic_identity=...",
    ),
    (
        lambda kind, _, options, __: (
            "inherits" in options and options["inherits"] not in {*kind.__mro__[1:]} & makers.keys()
        ),
        "inherits is not its base class, or that is not mapped yet: map it first, by map_aggregate",
    ),
    (
        lambda _, __, options, ___: "inherits" in options and _base(options).polymorphic_on is None,
        "its base class does not say of which class a row is: map that with polymorphic_on and polymorphic_identity",
    ),
    (
        lambda _, __, options, ___: "inherits" in options and "polymorphic_on" in options,
        "the base class alone has polymorphic_on: leave it out here",
    ),
    (
        lambda _, __, options, ___: (
            {"inherits", "polymorphic_on"} & options.keys() and options.get("polymorphic_identity") is None
        ),
        "say what polymorphic_on holds for this class: write polymorphic_identity=...",
    ),
    (
        lambda kind, table, options, _: _is_wrong_class_column(kind, table, options),
        "polymorphic_on is a column of the base table that no class has as an attribute",
    ),
    (
        lambda _, __, options, ___: (
            "inherits" in options and options["polymorphic_identity"] in _base(options).polymorphic_map
        ),
        "another class has this polymorphic_identity: give each its own",
    ),
    (
        lambda _, table, options, __: "inherits" in options and table in _base(options).tables,
        "it is stored in the table of its base class: leave out the table",
    ),
    (
        lambda _, table, options, __: (
            "inherits" in options
            and table is not None
            and any(one.name in _base(options).columns and not one.primary_key for one in table.columns)
        ),
        "its table has a column that the base class has too: give it another name",
    ),
    (
        lambda _, table, options, __: "inherits" in options and table is not None and _declares(table),
        "a port declares unique values and references of the base class alone: move the column to the base table",
    ),
)
"""About a class, its table, the options, and whether it is a part."""
