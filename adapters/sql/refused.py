"""Refuse mappings that the fake and the databases could not keep alike.

Each row of a table is a condition for the refusal, and the advice what to write instead. The table about relationships
is in adapters/sql/refused_parts.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
from attrs import fields_dict
from sqlalchemy import ARRAY, JSON, BigInteger, Column, PickleType, Table, Uuid, inspect
from sqlalchemy.orm import CompositeProperty, RelationshipProperty
from sqlalchemy.types import TypeDecorator

from adapters.sql.types import Json, Key
from adapters.sql.value_objects import FILLED
from domain.aggregate import Aggregate, empty, makers
from domain.attributes import is_stored
from domain.keys import key_length, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ForeignKey
    from sqlalchemy.orm import Mapper
    from sqlalchemy.types import TypeEngine

Rows = tuple[tuple["Callable[..., object]", str], ...]
"""Conditions, each with its advice."""

FROZEN = "@define(slots=False, on_setattr=setters.frozen, unsafe_hash=True)"

_OURS = {"version_id_col", "version_id_generator", "batch", "confirm_deleted_rows", "always_refresh", "primary_key"}
_OURS |= {"with_polymorphic", "polymorphic_load", "polymorphic_abstract", "exclude_properties"}


def refuse(name: str, rows: Rows, *about: Any) -> None:
    """Raise ``ValueError`` with the advice of the first row that applies."""
    for applies, advice in rows:
        if applies(*about):
            raise ValueError(f"{name} cannot be mapped: {advice}")


def refuse_declared(kind: type, table: Table, options: dict[str, Any]) -> None:
    """Raise ``ValueError`` for what is wrong with a class, its table and its options before they are mapped."""
    refuse(kind.__name__, CLASSES, kind, table, options)
    for column in table.columns:
        refuse(f"{table.name}.{column.name}", COLUMNS, column, kind)
    for name, option in options.get("properties", {}).items():
        if isinstance(option, RelationshipProperty):
            refuse(f"{kind.__name__}.{name}", OPTIONS, name, option, kind)


def refuse_mapped(mapper: Mapper[Any]) -> None:
    """Raise ``ValueError`` for what is wrong with the attributes and columns of a mapped class."""
    kind = mapper.class_
    for prop in mapper.attrs:
        refuse(f"{kind.__name__}.{prop.key}", PROPERTIES, prop)
    for field in attrs.fields(kind):
        refuse(f"{kind.__name__}.{field.name}", ATTRIBUTES, field, mapper)


def mappers() -> list[Any]:
    """Return the mappers of all classes mapped so far."""
    found: list[Any] = [inspect(kind, raiseerr=False) for kind in makers]
    return [mapper for mapper in found if mapper is not None]


def can_change(kind: Any) -> bool:
    """Return whether an attribute of an object of a class can be set."""
    return any(_can_be_set(kind, name) for name in fields_dict(kind))


def _can_be_set(kind: Any, name: str) -> bool:
    try:
        setattr(empty(kind), name, None)
    except Exception as error:  # noqa: BLE001  # a validator or a converter refuses None, so another value can be set
        return not isinstance(error, attrs.exceptions.FrozenError)
    return True


def _has_slots(kind: Any) -> bool:
    return not hasattr(kind.__new__(kind), "__dict__")


def _is_frozen(kind: Any) -> bool:
    """Return whether no attribute can be set at all, not even by SQLAlchemy."""
    try:
        kind.__new__(kind).frozen = None
    except AttributeError as error:  # or it has slots
        return isinstance(error, attrs.exceptions.FrozenInstanceError)
    return False


CLASSES: Rows = (
    (lambda kind, *_: not attrs.has(kind), "decorate the class with attrs' @define(slots=False, eq=False)"),
    (lambda kind, *_: _is_frozen(kind), f"SQLAlchemy fills its objects: write {FROZEN} instead of @frozen"),
    (lambda kind, *_: _has_slots(kind), "SQLAlchemy keeps its state in __dict__: write @define(slots=False)"),
    (
        lambda kind, *_: kind.__hash__ is None,
        "it compares by its values, which can change: write @define(slots=False, eq=False)",
    ),
    (lambda _, table, __: not isinstance(table, Table), "map it to one Table, and query what you join"),
    (
        lambda _, table, __: not re.fullmatch(r"[A-Za-z_]\w*", table.name),
        "the databases differ in quoting: name its table by letters, digits and underscores",
    ),
    (
        lambda _, table, options: (
            any(mapper.local_table is table for mapper in mappers()) and "inherits" not in options
        ),
        "another class is mapped to its table: give each its own table",
    ),
    (
        lambda _, __, options: not _OURS.isdisjoint(options),
        "the mapping itself sets version_id_col, batch, primary_key and the like: leave these options out",
    ),
)
"""About a class, its table and the options."""


def _keys(table: Table) -> list[str]:
    return [column.name for column in table.primary_key.columns]


def _is_wrong_part_key(kind: Any, table: Table) -> bool:
    """Return whether the key of a part is neither its id nor a number that the database makes."""
    if fields_dict(kind).keys() & _keys(table):
        return _keys(table) != ["id"]
    return len(_keys(table)) != 1 or table.autoincrement_column is None


def _is_wrong_type(kind: Any, column: Column[Any]) -> bool:
    """Return whether the column of the id takes other values than the class, or sorts them in another way."""
    key, type_ = key_of(kind), column.type
    if key is UUID:
        return not (isinstance(type_, Uuid) and type_.as_uuid)
    if key is int:
        return not isinstance(type_, BigInteger)
    return not (isinstance(type_, Key) and type_.value_object is key and type_.on_postgres.length == key_length(kind))


ROOTS: Rows = (
    (lambda kind, _: not issubclass(kind, Aggregate), "derive it from Aggregate, or map it as a part, by map_part"),
    (lambda _, table: _keys(table) != ["id"], "the primary key of an aggregate is one column, id"),
    (
        lambda kind, table: _is_wrong_type(kind, table.c.id),
        "the type of its id is Uuid for UUID, BigInteger for int, and Key(Sku, 40) for a text of at most 40",
    ),
    (
        lambda kind, table: "version" not in table.c and not any(base in makers for base in kind.__mro__[1:]),
        'updates would be lost: add Column("version", Integer, nullable=False) to the table',
    ),
)
"""About an aggregate and its table."""

PARTS: Rows = (
    (lambda kind, _: issubclass(kind, Aggregate), "it is an aggregate: map it by map_aggregate"),
    (
        _is_wrong_part_key,
        "its primary key is one column: the attribute id, or a number that the database makes and the class lacks",
    ),
)
"""About a part and its table."""


def _has_default(column: Column[Any]) -> bool:
    return column.default is not None or column.server_default is not None


def is_needed(column: Column[Any], kind: Any) -> bool:
    """Return whether a row needs a value in this column that neither the object nor the database has."""
    given = column.nullable or column.primary_key or _has_default(column) or FILLED in column.info
    return not given and column.name not in fields_dict(kind)


def passes_by(key: ForeignKey) -> bool:
    """Return whether the database itself changes or deletes rows when the row that they refer to is removed."""
    return (key.ondelete or "RESTRICT").upper() not in ("RESTRICT", "NO ACTION")


def _can_change_inside(kind: TypeEngine[Any]) -> bool:
    """Return whether a value of this type can be changed without setting the attribute."""
    if isinstance(kind, TypeDecorator) and not isinstance(kind, PickleType):
        return _can_change_inside(kind.impl_instance)
    return isinstance(kind, JSON | PickleType | ARRAY) or not kind.hashable


COLUMNS: Rows = (
    (lambda column, _: column.name != column.key, "it needs the name of its attribute, and no other key"),
    (
        lambda column, kind: (
            column.name in fields_dict(kind)
            and column.primary_key
            and (column is column.table.autoincrement_column or _has_default(column))
        ),
        "the domain makes the id: leave out any default, and write autoincrement=False for a number",
    ),
    (
        lambda column, kind: column.name in fields_dict(kind) and _has_default(column),
        "None would be stored as another value: leave out the column's default, and give one to the attribute",
    ),
    (
        lambda column, kind: column.name in fields_dict(kind) and {column.onupdate, column.server_onupdate} != {None},
        "the objects would not have what onupdate writes: set the attribute in the domain",
    ),
    (
        lambda column, _: not isinstance(column.type, Json) and _can_change_inside(column.type),
        "a change inside such a value would be lost: write Json of adapters.sql.types, or make parts of it",
    ),
    (
        lambda column, kind: issubclass(kind, Aggregate) and is_needed(column, kind),
        "inserts would fail, as it has no attribute: add one, or a server_default, or nullable=True",
    ),
    (
        lambda column, kind: issubclass(kind, Aggregate) and any(map(passes_by, column.foreign_keys)),
        "ondelete would change an aggregate without its version: leave it out",
    ),
)
"""About a column and the class."""


def _is_unmapped(option: Any, kind: Any) -> bool:
    target = option.argument
    return isinstance(target, type) and target is not kind and inspect(target, raiseerr=False) is None


OPTIONS: Rows = (
    (lambda name, _, kind: name not in fields_dict(kind), "the class has no such attribute: declare it as a field"),
    (
        lambda _, option, __: option.backref or option.back_populates,
        "a part does not lead to its parent: remove backref and back_populates",
    ),
    (lambda _, option, kind: _is_unmapped(option, kind), "map the class of its parts first, by map_part"),
)
"""About the name of a relationship, the relationship before it is set up, and the class."""


def _is_plain(prop: Any) -> bool:
    """Return whether a property is a column under its own name that is read together with the others."""
    column = getattr(prop, "expression", None)
    return isinstance(column, Column) and prop.key == column.name and not getattr(prop, "deferred", False)


PROPERTIES: Rows = (
    (
        lambda prop: not isinstance(prop, RelationshipProperty | CompositeProperty) and not _is_plain(prop),
        "leave out deferred, synonym and computed: the fake knows only columns under their own names",
    ),
)
"""About what SQLAlchemy has made of a column or an option."""

ATTRIBUTES: Rows = (
    (
        lambda field, mapper: is_stored(field) and field.name not in mapper.attrs,
        'it has no column: add one to the table, or declare field(default=..., metadata={"stored": False})',
    ),
    (
        lambda field, mapper: not is_stored(field) and field.name in mapper.attrs,
        'it is declared as {"stored": False}, but has a column: remove one of the two',
    ),
    (
        lambda field, _: not is_stored(field) and field.default is attrs.NOTHING,
        "an attribute that is not stored gets its default when the object is read: declare field(default=...)",
    ),
    (
        lambda field, _: not is_stored(field) and getattr(field.default, "takes_self", False),
        "its default is made before all parts are read: declare a factory that does not take the object",
    ),
)
"""About an attribute of the class, and the mapper."""

_LISTENED = ("before_insert", "after_insert", "before_update", "after_update")

FLAT: Rows = (
    (
        lambda mapper: (
            mapper.relationships or mapper.composites or mapper.inherits or mapper.polymorphic_on is not None
        ),
        "flat=True is for a class that is one row: leave it out where there are parts, composites or inheritance",
    ),
    (
        # The only place that knows of listeners to this class and to all mappers.
        lambda mapper: any(getattr(mapper.dispatch, name) for name in _LISTENED),
        "flat=True would pass its event listeners by: leave one of the two out",
    ),
)
"""About the mapper of an aggregate with ``flat=True``."""
