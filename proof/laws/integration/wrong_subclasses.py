"""Subclasses of aggregates that cannot be mapped: how to cause each refusal, and its text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from attrs import field
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint, Uuid

from adapters.sql.mapping import map_aggregate, map_part
from proof.laws.contract.staff import Badge, Employee
from proof.laws.contract.staff import staff as employees_table
from proof.laws.integration.mappings import a_part, a_part_table, a_root, a_table
from tests.contract.members import Member


def a_base(*columns: Any, **options: Any) -> tuple[type[Any], Table]:
    """Map an aggregate that can have subclasses. Return its class and its table."""
    table = a_table(Column("kind", String(9), nullable=False), Column("n", BigInteger), *columns, name="bases")
    base = a_root("Base")
    map_aggregate(base, table, **{"polymorphic_on": table.c.kind, "polymorphic_identity": "base", **options})
    return base, table


def a_subclass(base: type[Any], **fields: Any) -> type[Any]:
    """Return a subclass with these attributes."""
    return attrs.make_class("Root", fields, bases=(base,), slots=False, eq=False, kw_only=True)


def single(**options: Any) -> type[Any]:
    """Map a subclass to the table of its base class with these options, and return it."""
    base, _ = a_base()
    kind = a_subclass(base, n=field())
    map_aggregate(kind, **{"inherits": base, "polymorphic_identity": "root", **options})
    return kind


def joined(*columns: Any, **options: Any) -> type[Any]:
    """Map a subclass to a separate table with these columns, and return it."""
    base, table = a_base()
    key: Column[Any] = Column("id", ForeignKey(table.c.id), primary_key=True)
    kind = a_subclass(base, m=field())
    own = Table("roots", table.metadata, key, Column("m", BigInteger), *columns)
    map_aggregate(kind, own, **{"inherits": base, "polymorphic_identity": "root", **options})
    return kind


def in_base_table() -> None:
    """Map a subclass with the table of its base class."""
    base, table = a_base()
    map_aggregate(a_subclass(base), table, inherits=base, polymorphic_identity="root")


def derived(**options: Any) -> None:
    """Map a class that derives from a mapped one, with these options."""
    map_aggregate(a_subclass(Member), a_table(), **options)


def with_column_of_the_class() -> None:
    """Map a base class whose class column is an attribute."""
    table = a_table(Column("n", Integer, nullable=False))
    map_aggregate(a_root(n=field()), table, polymorphic_on=table.c.n, polymorphic_identity=1)


def with_class_column_in_subclass() -> None:
    """Map a subclass that has the class column of the base table as an attribute."""
    base, _ = a_base()
    map_aggregate(a_subclass(base, kind=field()), inherits=base, polymorphic_identity="root")


def with_polymorphic_on(make: Callable[[Table], Any], **options: Any) -> None:
    """Map a base class with this class column."""
    table = a_table(Column("kind", String(9), nullable=False))
    map_aggregate(a_root(), table, polymorphic_on=make(table), **{"polymorphic_identity": "root", **options})


def part_of_a_part() -> None:
    """Map a part that derives from a mapped one."""
    derived = attrs.make_class("Part", {"name": field()}, bases=(Badge,), slots=False, eq=False)
    map_part(derived, a_part_table(a_table()))


def part_with(**options: Any) -> None:
    """Map a part with these options."""
    map_part(a_part(), a_part_table(a_table()), **options)


CLASS_COLUMN = "polymorphic_on is a column of the base table that no class has as an attribute"
DECLARED = "a port declares unique values and references of the base class alone: move the column to the base table"
IDENTITY = "say what polymorphic_on holds for this class: write polymorphic_identity=..."
NO_BASE = "inherits is not its base class, or that is not mapped yet: map it first, by map_aggregate"
OURS = "the mapping itself sets version_id_col, batch, primary_key and the like: leave these options out"
PARTS = "the fake does not keep the inheritance of parts: derive from no class that is mapped, and leave out inherits"

WRONG_SUBCLASSES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "derived part": (part_of_a_part, "Part", PARTS),
    "part that inherits": (lambda: part_with(inherits=Badge), "Part", PARTS),
    "part with subclasses": (lambda: part_with(polymorphic_on="name"), "Part", PARTS),
    "concrete": (
        lambda: derived(inherits=Member, concrete=True),
        "Root",
        "no table would have all ids: leave out concrete, and let inherits lead to a class with polymorphic_on",
    ),
    "derived": (derived, "Root", "its base class is mapped: write inherits=... and polymorphic_identity=..."),
    "inherits another": (lambda: map_aggregate(a_root(), a_table(), inherits=Member), "Root", NO_BASE),
    "inherits what is not mapped": (
        lambda: map_aggregate(a_subclass(base := a_root()), inherits=base),
        "Root",
        NO_BASE,
    ),
    "inherits a class alone": (
        lambda: derived(inherits=Member, polymorphic_identity="root"),
        "Root",
        "its base class does not say of which class a row is: map that with polymorphic_on and polymorphic_identity",
    ),
    "subclass with a class column": (
        lambda: single(polymorphic_on=employees_table.c.kind),
        "Root",
        "the base class alone has polymorphic_on: leave it out here",
    ),
    "subclass without an identity": (lambda: single(polymorphic_identity=None), "Root", IDENTITY),
    "base without an identity": (
        lambda: with_polymorphic_on(lambda table: table.c.kind, polymorphic_identity=None),
        "Root",
        IDENTITY,
    ),
    "class column by name": (lambda: with_polymorphic_on(lambda _: "kind"), "Root", CLASS_COLUMN),
    "class column of another table": (
        lambda: with_polymorphic_on(lambda _: employees_table.c.kind),
        "Root",
        CLASS_COLUMN,
    ),
    "class column that is an attribute": (with_column_of_the_class, "Root", CLASS_COLUMN),
    "class column that a subclass has": (with_class_column_in_subclass, "Root", CLASS_COLUMN),
    "identity of another": (
        lambda: single(polymorphic_identity="base"),
        "Root",
        "another class has this polymorphic_identity: give each its own",
    ),
    "subclass in the base table": (
        in_base_table,
        "Root",
        "it is stored in the table of its base class: leave out the table",
    ),
    "column of the base": (
        lambda: joined(Column("n", BigInteger)),
        "Root",
        "its table has a column that the base class has too: give it another name",
    ),
    "unique column of a subclass": (lambda: joined(Column("k", Integer, unique=True)), "Root", DECLARED),
    "unique index of a subclass": (lambda: joined(Column("k", Integer, unique=True, index=True)), "Root", DECLARED),
    "unique columns of a subclass": (
        lambda: joined(Column("k", Integer), UniqueConstraint("k", "m")),
        "Root",
        DECLARED,
    ),
    "reference of a subclass": (lambda: joined(Column("k", ForeignKey("bases.id"))), "Root", DECLARED),
    "with_polymorphic": (lambda: single(with_polymorphic=None), "Root", OURS),
    "polymorphic_load": (lambda: joined(polymorphic_load="inline"), "Root", OURS),
    "subclass with a key of another name": (
        lambda: map_aggregate(
            a_subclass(Employee),
            Table("roots", MetaData(), Column("key", Uuid, primary_key=True)),
            inherits=Employee,
            polymorphic_identity="root",
        ),
        "Root",
        "the primary key of an aggregate is one column, id",
    ),
    "subclass without a column": (
        lambda: map_aggregate(a_subclass((base := a_base()[0]), k=field()), inherits=base, polymorphic_identity="root"),
        "Root.k",
        'it has no column: add one to the table, or declare field(default=..., metadata={"stored": False})',
    ),
    "no table and no base class": (
        lambda: map_aggregate(a_root()),
        "Root",
        "map it to one Table, and query what you join",
    ),
}
