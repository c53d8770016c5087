"""What is refused when it is mapped, because the fake and the databases could not keep it alike.

Each row of the tables is a condition for the refusal, and what to write instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Enum, Table
from sqlalchemy.orm import MANYTOONE, RelationshipProperty

from adapters.sql.questions import (
    can_change,
    can_change_inside,
    collection,
    has_condition,
    has_default,
    has_onupdate,
    has_order,
    has_slots,
    has_ties,
    holds_something_else,
    inherits,
    is_frozen,
    is_made_key,
    is_needed,
    is_owned_twice,
    is_plain,
    is_stored,
    is_taken,
    is_unmapped,
    is_wrong_part_key,
    keys,
    names,
    order_columns,
    other_columns,
    passes_by,
    position,
    unique_names,
)
from domain.aggregate import Aggregate

if TYPE_CHECKING:
    from collections.abc import Callable

_OURS = {"version_id_col", "version_id_generator", "batch", "confirm_deleted_rows", "always_refresh", "primary_key"}

_CASCADES = {"save-update", "merge", "expunge", "refresh-expire", "delete", "delete-orphan"}

_FROZEN = "@define(slots=False, on_setattr=setters.frozen, unsafe_hash=True)"

Rows = tuple[tuple["Callable[..., object]", str], ...]


def refuse(name: str, rows: Rows, *about: Any) -> None:
    """Raise ``ValueError`` with the advice of the first row that applies."""
    for applies, advice in rows:
        if applies(*about):
            raise ValueError(f"{name} cannot be mapped: {advice}")


CLASSES: Rows = (
    (lambda kind, *_: not attrs.has(kind), "decorate the class with attrs' @define(slots=False, eq=False)"),
    (lambda kind, *_: is_frozen(kind), f"SQLAlchemy fills its objects: write {_FROZEN} instead of @frozen"),
    (lambda kind, *_: has_slots(kind), "SQLAlchemy keeps its state in __dict__: write @define(slots=False)"),
    (
        lambda kind, *_: kind.__hash__ is None,
        "it compares by its values, which can change: write @define(slots=False, eq=False)",
    ),
    (
        lambda kind, _, options: inherits(kind, options),
        "the fake does not keep inheritance: derive from no class that is mapped, and leave out inherits",
    ),
    (lambda _, table, __: not isinstance(table, Table), "map it to one Table, and query what you join"),
    (
        lambda _, table, __: is_taken(table),
        "another class is mapped to its table: give each its own table",
    ),
    (
        lambda _, __, options: not _OURS.isdisjoint(options),
        "the mapping itself sets version_id_col, batch, primary_key and the like: leave these options out",
    ),
)
"""About a class, its table and the options."""

ROOTS: Rows = (
    (lambda kind, _: not issubclass(kind, Aggregate), "derive it from Aggregate, or map it as a part, by map_part"),
    (lambda _, table: keys(table) != ["id"], "the primary key of an aggregate is one column, id"),
    (
        lambda _, table: "version" not in table.c,
        'updates would be lost: add Column("version", Integer, nullable=False) to the table',
    ),
)
"""About an aggregate and its table."""

PARTS: Rows = (
    (lambda kind, _: issubclass(kind, Aggregate), "it is an aggregate: map it by map_aggregate"),
    (
        is_wrong_part_key,
        "its primary key is one column: the attribute id, or a number that the database makes and the class lacks",
    ),
)
"""About a part and its table."""

COLUMNS: Rows = (
    (lambda column, _: column.name != column.key, "it needs the name of its attribute, and no other key"),
    (
        lambda column, kind: column.name in names(kind) and is_made_key(column),
        "the domain makes the id: leave out any default, and write autoincrement=False for a number",
    ),
    (
        lambda column, kind: column.name in names(kind) and has_default(column),
        "None would be stored as another value: leave out the column's default, and give one to the attribute",
    ),
    (
        lambda column, kind: column.name in names(kind) and has_onupdate(column),
        "the objects would not have what onupdate writes: set the attribute in the domain",
    ),
    (
        lambda column, _: can_change_inside(column.type),
        "a change inside such a value would be lost: store a text, or make parts of it",
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

OPTIONS: Rows = (
    (lambda name, _, kind: name not in names(kind), "the class has no such attribute: declare it as a field"),
    (
        lambda _, option, __: option.backref or option.back_populates,
        "a part does not lead to its parent: remove backref and back_populates",
    ),
    (lambda _, option, kind: is_unmapped(option, kind), "map the class of its parts first, by map_part"),
)
"""About the name of a relationship, the relationship before it is set up, and the class."""

PROPERTIES: Rows = (
    (
        lambda prop: not isinstance(prop, RelationshipProperty) and not is_plain(prop),
        "leave out deferred, composite, synonym and computed: the fake knows only columns under their own names",
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

RELATIONSHIPS: Rows = (
    (
        lambda one: one.secondary is not None,
        "many-to-many would share a part: hold the other's id, or give the part's table a foreign key to its parent",
    ),
    (
        lambda one: issubclass(one.mapper.class_, Aggregate),
        "it leads to an aggregate, which is read and changed by itself: hold its id instead",
    ),
    (lambda one: one.direction is MANYTOONE, "a part does not lead to its parent: remove this relationship"),
    (
        lambda one: one.mapper is one.parent,
        "parts of its own class would not all be read: let the root hold them, each with the id of the one above",
    ),
    (lambda one: one.viewonly, "it would not be written: remove viewonly, or read it by a query"),
    (lambda one: one.post_update, "its parts would be written without their parent: remove post_update"),
    (
        lambda one: not _CASCADES.issubset(one.cascade),
        'parts live and die with their parent: write cascade="all, delete-orphan"',
    ),
    (
        lambda one: one.lazy != "selectin",
        'it would be read after the unit of work has ended, or many times over: write lazy="selectin"',
    ),
    (is_owned_twice, "another relationship holds parts of this class: give each its own class and table"),
    (
        lambda one: one.local_columns != {*one.parent.primary_key},
        "its foreign key would refer to what can change: refer to the primary key of the parent",
    ),
    (has_condition, "a part that does not meet its condition would be stored, but not read: leave out primaryjoin"),
    (
        lambda one: not isinstance(collection(one), list | set | None),
        "parts are held by a list or a set: leave out collection_class, or write set or ordering_list(...)",
    ),
    (
        holds_something_else,
        "the class has another kind of value for it: declare a list, a set for collection_class=set, or None for one",
    ),
    (
        lambda one: not has_order(one),
        (
            'say its order, by order_by=table.c.a here and field(metadata={"order_by": ("a",)}); or number the parts'
            ' in a column that their class does not have, by order_by=table.c.a, collection_class=ordering_list("a")'
        ),
    ),
    (
        lambda one: any(column.nullable or isinstance(column.type, Enum) for column in order_columns(one)),
        "None and enums are sorted in different ways: order by columns that have neither",
    ),
    (has_ties, "two parts may come in any order: order by the id of the part last"),
    (
        lambda one: position(one) in names(one.mapper.class_),
        "an ordering_list numbers its parts: remove the attribute of that name from their class",
    ),
    (
        lambda one: any(position(one) in columns for columns in unique_names(one)),
        "the numbers of an ordering_list change one row after another: leave them out of the unique constraint",
    ),
    (
        lambda one: any(key.name in names(one.mapper.class_) for key in one.remote_side),
        "the relationship writes the foreign key: remove the attribute of that name from the class of its parts",
    ),
    (
        lambda one: any(columns <= {key.name for key in one.remote_side} for columns in unique_names(one)),
        "a part may move in before the old one is deleted: do not make the foreign key alone unique",
    ),
    (
        lambda one: isinstance(collection(one), set) and can_change(one.mapper.class_),
        f"a set holds parts that cannot change: write {_FROZEN}, or use a list",
    ),
    (
        lambda one: collection(one) is None and one.mapper.class_.__hash__ is not object.__hash__,
        "a single part that compares by its values would be a value: write @define(slots=False, eq=False)",
    ),
    (
        lambda one: any(is_needed(column, one.mapper.class_) for column in other_columns(one)),
        "a column of its parts has no attribute: add one, or a server_default, or nullable=True",
    ),
    (
        lambda one: any(passes_by(key) for column in other_columns(one) for key in column.foreign_keys),
        "ondelete would remove a part without a new version: leave it out where parts refer to others",
    ),
)
"""About a relationship that is set up."""
