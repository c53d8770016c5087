"""Classes, columns and attributes that cannot be mapped: how to cause each refusal, and its text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import attrs
from attrs import field, setters
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    PickleType,
    String,
    Table,
    Uuid,
    inspect,
)
from sqlalchemy.orm import column_property, deferred, query_expression, synonym
from sqlalchemy.types import TypeDecorator

from adapters.sql.mapping import map_aggregate, map_part
from adapters.sql.types import Key
from domain.aggregate import Aggregate
from proof.laws.integration.mappings import a_part, a_part_table, a_root, a_table, owns
from proof.laws.integration.wrong_parts import FROZEN
from tests.contract.members import Member, MemberName


class OfJson(TypeDecorator[Any]):
    """A project's type that stores JSON."""

    impl = JSON
    cache_ok = True


def with_column(*arguments: Any, **options: Any) -> None:
    """Map an aggregate that has an attribute ``n`` with this column."""
    map_aggregate(a_root(n=field()), a_table(Column(*arguments, **options)))


def with_property(make: Callable[[Table], dict[str, Any]]) -> None:
    """Map an aggregate that has an attribute and a column ``n`` with these properties."""
    table = a_table(Column("n", Integer))
    map_aggregate(a_root(n=field()), table, properties=make(table))


def with_attribute(**options: Any) -> None:
    """Map an aggregate that has an attribute ``n`` and no column for it."""
    map_aggregate(a_root(n=field(**options)), a_table())


def part_with_key(kind: type[Any], *keys: Column[Any]) -> None:
    """Map a part with a primary key."""
    map_part(kind, Table("parts", MetaData(), *keys, Column("name", Integer)))


def with_unmapped_parts() -> None:
    """Map an aggregate before its parts."""
    map_aggregate(a_root(parts=field(factory=list)), a_table(), properties={"parts": owns(a_part())})


def with_ondelete(rule: str) -> None:
    """Map an aggregate that refers to another one."""
    other = a_table(name="others")
    reference: Any = Column("n", ForeignKey(other.c.id, ondelete=rule))
    map_aggregate(a_root(n=field()), a_table(reference, meta=other.metadata))


def with_key(key: Any, kind: Any, **options: Any) -> None:
    """Map an aggregate with ids of a type to a table whose column for them has this type."""
    fields = {"id": field(on_setattr=setters.frozen, metadata={"max_length": 40})}
    root = attrs.make_class("Root", fields, bases=(Aggregate[key],), slots=False, eq=False, kw_only=True)
    id = Column("id", kind, primary_key=True, **{"autoincrement": False, **options})
    map_aggregate(root, Table("roots", MetaData(), id, Column("version", Integer, nullable=False)))


def plain(**options: Any) -> type[Any]:
    """Return a class of attrs."""
    return attrs.make_class("Part", {"name": field()}, **options)


UNSTORED = {"metadata": {"stored": False}}
DEFAULT = "None would be stored as another value: leave out the column's default, and give one to the attribute"
INSIDE = "a change inside such a value would be lost: write Json of adapters.sql.types, or make parts of it"
KEY = "the domain makes the id: leave out any default, and write autoincrement=False for a number"
ONDELETE = "ondelete would change an aggregate without its version: leave it out"
ONUPDATE = "the objects would not have what onupdate writes: set the attribute in the domain"
PART_KEY = "its primary key is one column: the attribute id, or a number that the database makes and the class lacks"
PLAIN = "leave out deferred, synonym and computed: the fake knows only columns under their own names"
KEY_TYPE = "the type of its id is Uuid for UUID, BigInteger for int, and Key(Sku, 40) for a text of at most 40"
ROOT_KEY = "the primary key of an aggregate is one column, id"
OURS = "the mapping itself sets version_id_col, batch, primary_key and the like: leave these options out"

WRONG_CLASSES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "no attrs": (
        lambda: map_aggregate(type("Root", (), {}), a_table()),
        "Root",
        "decorate the class with attrs' @define(slots=False, eq=False)",
    ),
    "part without attrs": (
        lambda: map_part(type("Part", (), {}), a_part_table(a_table())),
        "Part",
        "decorate the class with attrs' @define(slots=False, eq=False)",
    ),
    "frozen": (
        lambda: map_part(plain(frozen=True, slots=False), a_part_table(a_table())),
        "Part",
        f"SQLAlchemy fills its objects: write {FROZEN} instead of @frozen",
    ),
    "slots": (
        lambda: map_part(plain(slots=True, eq=False), a_part_table(a_table())),
        "Part",
        "SQLAlchemy keeps its state in __dict__: write @define(slots=False)",
    ),
    "compared by values": (
        lambda: map_part(plain(slots=False), a_part_table(a_table())),
        "Part",
        "it compares by its values, which can change: write @define(slots=False, eq=False)",
    ),
    "no table": (
        lambda: map_aggregate(a_root(), (root := a_table()).join(a_part_table(root))),  # type: ignore[arg-type]  # the point
        "Root",
        "map it to one Table, and query what you join",
    ),
    "table of an awkward name": (
        lambda: map_aggregate(a_root(), a_table(name="open-roots")),
        "Root",
        "the databases differ in quoting: name its table by letters, digits and underscores",
    ),
    "table of another": (
        lambda: map_aggregate(a_root(), inspect(Member).local_table),
        "Root",
        "another class is mapped to its table: give each its own table",
    ),
    "version_id_col": (lambda: map_aggregate(a_root(), a_table(), version_id_col=None), "Root", OURS),
    "batch": (lambda: map_part(a_part(), a_part_table(a_table()), batch=True), "Part", OURS),
    "confirm_deleted_rows": (lambda: map_aggregate(a_root(), a_table(), confirm_deleted_rows=False), "Root", OURS),
    "no aggregate": (
        lambda: map_aggregate(a_part(), a_table()),
        "Part",
        "derive it from Aggregate, or map it as a part, by map_part",
    ),
    "key of two": (lambda: map_aggregate(a_root(), a_table(Column("n", Integer, primary_key=True))), "Root", ROOT_KEY),
    "key of another name": (
        lambda: map_aggregate(a_root(), Table("roots", MetaData(), Column("key", Uuid, primary_key=True))),
        "Root",
        ROOT_KEY,
    ),
    "UUID as a text": (lambda: with_key(UUID, String(32)), "Root", KEY_TYPE),
    "UUID read as a text": (lambda: with_key(UUID, Uuid(as_uuid=False)), "Root", KEY_TYPE),
    "small number": (lambda: with_key(int, Integer), "Root", KEY_TYPE),
    "text in the order of a language": (lambda: with_key(str, String(40)), "Root", KEY_TYPE),
    "text of another class": (lambda: with_key(str, Key(MemberName, 40)), "Root", KEY_TYPE),
    "text of another length": (lambda: with_key(str, Key(str, 41)), "Root", KEY_TYPE),
    "number that the server makes": (lambda: with_key(int, BigInteger, autoincrement="auto"), "roots.id", KEY),
    "no version": (
        lambda: map_aggregate(a_root(), Table("roots", MetaData(), Column("id", Uuid, primary_key=True))),
        "Root",
        'updates would be lost: add Column("version", Integer, nullable=False) to the table',
    ),
    "part that is an aggregate": (
        lambda: map_part(a_root(), a_table()),
        "Root",
        "it is an aggregate: map it by map_aggregate",
    ),
    "part with a key of two": (
        lambda: part_with_key(a_part(), Column("a", Integer, primary_key=True), Column("b", Integer, primary_key=True)),
        "Part",
        PART_KEY,
    ),
    "part with a key of another name": (
        lambda: part_with_key(a_part(key=field()), Column("key", Uuid, primary_key=True)),
        "Part",
        PART_KEY,
    ),
    "part with a key that is no number": (
        lambda: part_with_key(a_part(), Column("key", Uuid, primary_key=True, default=1)),
        "Part",
        PART_KEY,
    ),
    "column with a key": (
        lambda: with_column("number", Integer, key="n"),
        "roots.number",
        "it needs the name of its attribute, and no other key",
    ),
    "key that the server makes": (
        lambda: part_with_key(a_part(id=field()), Column("id", Integer, primary_key=True)),
        "parts.id",
        KEY,
    ),
    "key with an identity": (
        lambda: part_with_key(a_part(id=field()), Column("id", Integer, Identity(), primary_key=True)),
        "parts.id",
        KEY,
    ),
    "onupdate": (lambda: with_column("n", Integer, onupdate=1), "roots.n", ONUPDATE),
    "server_onupdate": (lambda: with_column("n", Integer, server_onupdate="1"), "roots.n", ONUPDATE),
    "default": (lambda: with_column("n", Integer, default=1), "roots.n", DEFAULT),
    "server_default": (lambda: with_column("n", Integer, server_default="1"), "roots.n", DEFAULT),
    "json": (lambda: with_column("n", JSON), "roots.n", INSIDE),
    "json in a type": (lambda: with_column("n", OfJson), "roots.n", INSIDE),
    "pickle": (lambda: with_column("n", PickleType), "roots.n", INSIDE),
    "needed": (
        lambda: map_aggregate(a_root(), a_table(Column("n", Integer, nullable=False))),
        "roots.n",
        "inserts would fail, as it has no attribute: add one, or a server_default, or nullable=True",
    ),
    "set null": (lambda: with_ondelete("set null"), "roots.n", ONDELETE),
    "cascade": (lambda: with_ondelete("CASCADE"), "roots.n", ONDELETE),
    "unmapped parts": (with_unmapped_parts, "Root.parts", "map the class of its parts first, by map_part"),
    "column under another name": (lambda: with_property(lambda table: {"m": table.c.n}), "Root.m", PLAIN),
    "deferred": (lambda: with_property(lambda table: {"n": deferred(table.c.n)}), "Root.n", PLAIN),
    "synonym": (lambda: with_property(lambda _: {"m": synonym("n")}), "Root.m", PLAIN),
    "computed": (lambda: with_property(lambda table: {"m": column_property(table.c.n + 1)}), "Root.m", PLAIN),
    "expression": (lambda: with_property(lambda _: {"m": query_expression()}), "Root.m", PLAIN),
    "no column": (
        with_attribute,
        "Root.n",
        'it has no column: add one to the table, or declare field(default=..., metadata={"stored": False})',
    ),
    "column of what is not stored": (
        lambda: map_aggregate(a_root(n=field(default=0, **UNSTORED)), a_table(Column("n", Integer))),  # type: ignore[call-overload]  # it is one
        "Root.n",
        'it is declared as {"stored": False}, but has a column: remove one of the two',
    ),
    "no default": (
        lambda: with_attribute(**UNSTORED),
        "Root.n",
        "an attribute that is not stored gets its default when the object is read: declare field(default=...)",
    ),
    "default of the object": (
        lambda: with_attribute(default=attrs.Factory(lambda one: one.id, takes_self=True), **UNSTORED),
        "Root.n",
        "its default is made before all parts are read: declare a factory that does not take the object",
    ),
}
