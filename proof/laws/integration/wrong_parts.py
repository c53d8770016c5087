"""Relationships that cannot be mapped: how to cause each refusal, and its text."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum as PythonEnum
from functools import partial
from typing import Any, cast
from uuid import UUID

from attrs import field
from attrs.validators import instance_of
from sqlalchemy import (
    BigInteger,
    Column,
    Enum,
    ForeignKey,
    Integer,
    String,
    Table,
    UniqueConstraint,
    and_,
    inspect,
)
from sqlalchemy.ext.orderinglist import ordering_list
from sqlalchemy.orm import attribute_keyed_dict, relationship

from adapters.sql.mapping import map_aggregate, map_part
from proof.laws.integration.mappings import (
    SORTED,
    a_frozen_part,
    a_part,
    a_part_table,
    a_root,
    a_table,
    map_parts,
    owns,
)
from tests.contract.members import Member

LIST: Any = field(factory=list)
SET: Any = field(factory=set)


class Kind(PythonEnum):
    """A value that is one of a few."""

    A = "a"


def two_lists() -> None:
    """Map a root with two lists of one class of parts, each by a separate foreign key."""
    root = a_table()
    parts = a_part_table(root, Column("done_id", ForeignKey(root.c.id)))
    map_part(part := a_part(), parts)
    properties = {
        "done": owns(part, order_by=parts.c.name, foreign_keys=parts.c.done_id),
        "parts": owns(part, order_by=parts.c.name, foreign_keys=parts.c.root_id),
    }
    map_aggregate(a_root(done=SORTED, parts=SORTED), root, properties=properties)


def two_roots() -> None:
    """Map two roots with one class of parts."""
    first = a_table()
    second = a_table(name="seconds", meta=first.metadata)
    parts = a_part_table(first, Column("second_id", ForeignKey(second.c.id)))
    map_part(part := a_part(), parts)
    map_aggregate(a_root(parts=SORTED), first, properties={"parts": owns(part, order_by=parts.c.name)})
    map_aggregate(a_root("Other", parts=SORTED), second, properties={"parts": owns(part, order_by=parts.c.name)})


def tree() -> None:
    """Map a part with parts of the same class."""
    parts = a_part_table(a_table(), Column("above", ForeignKey("parts.number")))
    map_part(part := a_part(parts=SORTED), parts, properties={"parts": owns(lambda: part, order_by=parts.c.name)})


def way_back() -> None:
    """Map a part that leads to its parent."""
    root = a_table()
    parts = a_part_table(root, Column("above_number", ForeignKey("parts.number")))
    part = a_part(above=field(default=None))
    options: Any = {"remote_side": parts.c.number, "cascade": "all", "lazy": "selectin"}
    map_part(part, parts, properties={"above": relationship(lambda: part, **options)})


def aggregate() -> None:
    """Map a root that leads to another one."""
    other = a_table(name="others")
    map_aggregate(kind := a_root("Other"), other)
    table = a_table(Column("other_id", ForeignKey(other.c.id)), meta=other.metadata)
    map_aggregate(a_root(other=field(default=None)), table, properties={"other": relationship(kind)})


def many_to_many() -> None:
    """Map a root with parts that others also have."""
    root = a_table()
    parts = Table("parts", root.metadata, Column("number", Integer, primary_key=True), Column("name", String(9)))
    columns: Any = [Column("root_id", ForeignKey(root.c.id)), Column("part", ForeignKey(parts.c.number))]
    map_part(part := a_part(), parts)
    between = Table("between", root.metadata, *columns)
    map_aggregate(a_root(parts=SORTED), root, properties={"parts": relationship(part, secondary=between)})


def natural_key() -> None:
    """Map a root whose parts refer to its name."""
    root = a_table(Column("name", String(9), unique=True))
    parts = Table(
        "parts", root.metadata, Column("n", Integer, primary_key=True), Column("name", ForeignKey(root.c.name))
    )
    map_part(part := a_frozen_part(), parts)
    map_aggregate(
        a_root(name=field(type=str, metadata={"max_length": 9}), parts=SET),
        root,
        properties={"parts": owns(part, collection_class=set)},
    )


def no_field() -> None:
    """Map a root with a relationship that its class does not know."""
    parts = a_part_table(root := a_table())
    map_part(part := a_part(), parts)
    map_aggregate(a_root(), root, properties={"parts": owns(part)})


def held_in(held: Any, **options: Any) -> None:
    """Map a root with an attribute for its parts."""
    map_parts(a_frozen_part(), held=held, order_by=False, **options)


def ordered(*columns: Any, by: tuple[str, ...] = ("n",), part: Any = None) -> None:
    """Map a root with a list that is sorted by columns."""
    held: Any = field(factory=list, metadata={"order_by": by})
    options = lambda parts: {"order_by": [parts.c[name] for name in by]}  # noqa: E731  # it is one of many
    map_parts(part or a_part(n=field()), columns=columns, held=held, options=options)


def numbered(*columns: Any, part: Any = None, held: Any = LIST) -> type[Any]:
    """Map a root with a list that is numbered in a column ``n``."""
    options = lambda parts: {"order_by": parts.c.n, "collection_class": ordering_list("n")}  # noqa: E731  # likewise
    return map_parts(part or a_part(), columns=columns, held=held, options=options)


def referring(rule: str) -> type[Any]:
    """Map a root with parts that refer to another aggregate."""
    return map_parts(
        a_part(member_id=field(type=UUID)),
        columns=(Column("member_id", ForeignKey(inspect(Member).c.id, ondelete=rule)),),
    )


FROZEN = "@define(slots=False, on_setattr=setters.frozen, unsafe_hash=True)"
CASCADE = 'parts live and die with their parent: write cascade="all, delete-orphan"'
COLLECTION = "parts are held by a list or a set: leave out collection_class, or write set or ordering_list(...)"
KIND = "the class has another kind of value for it: declare a list, a set for collection_class=set, or None for one"
LAZY = 'it would be read after the unit of work has ended, or many times over: write lazy="selectin"'
NO_NULLS = "None and enums are sorted in different ways: order by columns that have neither"
ORDER = (
    'say its order, by order_by=table.c.a here and field(metadata={"order_by": ("a",)}); or number the parts in a'
    ' column that their class does not have, by order_by=table.c.a, collection_class=ordering_list("a")'
)
TIES = "two parts may come in any order: order by the id of the part last"
TWICE = "another relationship holds parts of this class: give each its own class and table"
WAY_BACK = "a part does not lead to its parent: remove backref and back_populates"

WRONG_PARTS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "no field": (no_field, "Root.parts", "the class has no such attribute: declare it as a field"),
    "backref": (lambda: map_parts(backref="root"), "Root.parts", WAY_BACK),
    "back_populates": (lambda: map_parts(back_populates="root"), "Root.parts", WAY_BACK),
    "many-to-many": (
        many_to_many,
        "Root.parts",
        "many-to-many would share a part: hold the other's id, or give the part's table a foreign key to its parent",
    ),
    "aggregate": (
        aggregate,
        "Root.other",
        "it leads to an aggregate, which is read and changed by itself: hold its id instead",
    ),
    "way back": (way_back, "Part.above", "a part does not lead to its parent: remove this relationship"),
    "tree": (
        tree,
        "Part.parts",
        "parts of its own class would not all be read: let the root hold them, each with the id of the one above",
    ),
    "viewonly": (
        lambda: map_parts(viewonly=True, cascade="merge"),
        "Root.parts",
        "it would not be written: remove viewonly, or read it by a query",
    ),
    "cascade": (lambda: map_parts(cascade="all"), "Root.parts", CASCADE),
    "cascade without expunge": (
        lambda: map_parts(cascade="save-update, delete, delete-orphan"),
        "Root.parts",
        CASCADE,
    ),
    "no cascade": (lambda: map_parts(cascade="save-update"), "Root.parts", CASCADE),
    **{
        f"lazy={lazy}": (partial(map_parts, lazy=lazy), "Root.parts", LAZY)
        for lazy in ("select", "joined", "subquery", "immediate", "raise", "dynamic", "write_only", True, False)
    },
    "post_update": (
        lambda: map_parts(post_update=True),
        "Root.parts",
        "its parts would be written without their parent: remove post_update",
    ),
    "natural key": (
        natural_key,
        "Root.parts",
        "its foreign key would refer to what can change: refer to the primary key of the parent",
    ),
    "foreign key in the class": (
        lambda: map_parts(a_part(root_id=field(default=None, type=UUID))),
        "Root.parts",
        "the relationship writes the foreign key: remove the attribute of that name from the class of its parts",
    ),
    "two lists": (two_lists, "Root.done", TWICE),
    "two roots": (two_roots, "Other.parts", TWICE),
    "condition": (
        lambda: map_parts(options=lambda parts: {"primaryjoin": joined(parts)}),
        "Root.parts",
        "a part that does not meet its condition would be stored, but not read: leave out primaryjoin",
    ),
    "dict": (
        lambda: map_parts(held=field(factory=dict), collection_class=attribute_keyed_dict("name")),
        "Root.parts",
        COLLECTION,
    ),
    "tuple": (lambda: held_in(field(default=())), "Root.parts", KIND),
    "type tuple": (lambda: held_in(field(type=tuple[Any, ...])), "Root.parts", KIND),
    "type Tuple": (lambda: held_in(field(type=cast("type", "Tuple[Part, ...]"))), "Root.parts", KIND),
    "frozenset": (lambda: held_in(field(factory=frozenset), collection_class=set), "Root.parts", KIND),
    "list for a set": (lambda: held_in(LIST, collection_class=set), "Root.parts", KIND),
    "set for a list": (lambda: held_in(SET), "Root.parts", KIND),
    "sorted set": (
        lambda: held_in(field(factory=set, metadata={"order_by": ("name",)}), collection_class=set),
        "Root.parts",
        KIND,
    ),
    "list for one": (lambda: held_in(LIST, uselist=False), "Root.parts", KIND),
    "None for a list": (lambda: held_in(field(default=None)), "Root.parts", KIND),
    "no order": (lambda: map_parts(order_by=False), "Root.parts", ORDER),
    "order not in the domain": (lambda: map_parts(held=LIST), "Root.parts", ORDER),
    "descending": (lambda: map_parts(options=lambda parts: {"order_by": parts.c.name.desc()}), "Root.parts", ORDER),
    "expression": (lambda: map_parts(options=lambda parts: {"order_by": parts.c.name + "a"}), "Root.parts", ORDER),
    "another order": (lambda: map_parts(options=lambda parts: {"order_by": parts.c.number}), "Root.parts", ORDER),
    "sorted and numbered": (lambda: numbered(Column("n", Integer), held=SORTED), "Root.parts", ORDER),
    "order by no attribute": (
        lambda: ordered(Column("n", Integer, server_default="1", nullable=False), part=a_part()),
        "Root.parts",
        ORDER,
    ),
    "nullable order": (lambda: ordered(Column("n", BigInteger)), "Root.parts", NO_NULLS),
    "order of enums": (
        lambda: ordered(Column("n", Enum(Kind, native_enum=False)), part=a_part(n=field(type=Kind))),
        "Root.parts",
        NO_NULLS,
    ),
    "ties": (
        lambda: ordered(Column("n", BigInteger, nullable=False), part=a_part(n=field(type=int))),
        "Root.parts",
        TIES,
    ),
    "numbered attribute": (
        lambda: numbered(Column("n", BigInteger), part=a_part(n=field(default=0))),
        "Root.parts",
        "an ordering_list numbers its parts: remove the attribute of that name from their class",
    ),
    "unique number": (
        lambda: numbered(Column("n", Integer), UniqueConstraint("root_id", "n")),
        "Root.parts",
        "the numbers of an ordering_list change one row after another: leave them out of the unique constraint",
    ),
    "unique foreign key": (
        lambda: map_parts(
            held=field(default=None), order_by=False, uselist=False, columns=(UniqueConstraint("root_id"),)
        ),
        "Root.parts",
        "a part may move in before the old one is deleted: do not make the foreign key alone unique",
    ),
    "set of changing parts": (
        lambda: map_parts(held=SET, order_by=False, collection_class=set),
        "Root.parts",
        f"a set holds parts that cannot change: write {FROZEN}, or use a list",
    ),
    "set of parts with a rule": (
        lambda: map_parts(
            a_part(name=field(validator=instance_of(str), type=str, metadata={"max_length": 9})),
            held=SET,
            order_by=False,
            collection_class=set,
        ),
        "Root.parts",
        f"a set holds parts that cannot change: write {FROZEN}, or use a list",
    ),
    "single value": (
        lambda: held_in(field(default=None), uselist=False),
        "Root.parts",
        "a single part that compares by its values would be a value: write @define(slots=False, eq=False)",
    ),
    "needed column": (
        lambda: map_parts(columns=(Column("n", Integer, nullable=False),)),
        "Root.parts",
        "a column of its parts has no attribute: add one, or a server_default, or nullable=True",
    ),
    "ondelete": (
        lambda: referring("CASCADE"),
        "Root.parts",
        "ondelete would remove a part without a new version: leave it out where parts refer to others",
    ),
}


def joined(parts: Table) -> Any:
    """Return a condition for the parts that are shown."""
    [key] = parts.c.root_id.foreign_keys
    return and_(key.column == parts.c.root_id, parts.c.name != "hidden")
