"""A SQL repository compares what its port declares with the tables, and refuses a difference."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from attrs import field
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    func,
)

from adapters.sql.declared import unique_where
from adapters.sql.mapping import map_aggregate, map_part
from adapters.sql.repository import SqlRepository
from domain.constraints import Reference, Unique
from domain.errors import NotFound, ReferenceMissing, StillReferenced, ValueTaken
from proof.laws.integration.mappings import SORTED, a_part, a_part_table, a_root, a_table, map_parts, owns

pytestmark = pytest.mark.usefixtures("unmapped")

SHORT = {"max_length": 9}
AN_ID: Any = UUID | None

NAME = Unique("name", error=ValueTaken)
NAMED_HERE = Unique("name", where={"n": 1}, error=ValueTaken)
NAME_OF_PART = Unique("parts.name", per_parent=True, error=ValueTaken)


TEXT_OF_PART = Unique("parts.text", per_parent=True, error=ValueTaken)
NO_NAME = Unique("parts.more.name", error=ValueTaken)
BOTH = Unique("name", "n", error=ValueTaken)
OF_ALL_PARTS = Unique("parts.name", error=ValueTaken)


def declare(kind: type[Any], *declared: Any) -> type[SqlRepository[Any]]:
    """Declare a repository of a class with these unique values and references."""
    attributes: dict[str, Any] = {
        "aggregate": kind,
        "not_found": NotFound,
        "unique": tuple(one for one in declared if isinstance(one, Unique)),
        "references": tuple(one for one in declared if isinstance(one, Reference)),
    }
    return type("Roots", (SqlRepository,), attributes)


def a_kind(*columns: Any, change: Callable[[Table], object] = lambda _: None) -> type[Any]:
    """Map a class with a name and a number to a table with these columns and constraints. Return the class."""
    kind = a_root(
        name=field(default="", type=str, metadata=SHORT),
        n=field(default=0, type=int),
        other_id=field(default=None, type=AN_ID),
    )
    table = a_table(Column("name", String(9)), Column("n", BigInteger), *_with_other(columns))
    change(table)
    map_aggregate(kind, table)
    return kind


def _with_other(columns: tuple[Any, ...]) -> tuple[Any, ...]:
    has_it = any(isinstance(one, Column) and one.name == "other_id" for one in columns)
    return columns if has_it else (*columns, Column("other_id", Uuid))


def to(kind: type[Any], name: str = "other_id") -> Reference:
    """Return a reference to a class."""
    return Reference(name, to=kind, missing=ReferenceMissing, in_use=StillReferenced)


def an_other() -> tuple[type[Any], Table]:
    """Map another class to refer to. Return it with its table."""
    table = a_table(Column("number", Uuid, unique=True), name="others")
    kind = a_root("Other", number=field(default=None, type=AN_ID))
    map_aggregate(kind, table)
    return kind, table


def no_parts_there() -> None:
    """Declare a unique value of parts inside parts that have no parts."""
    declare(map_parts(), NAME_OF_PART, NO_NAME)


def no_parts_for_a_reference() -> None:
    """Declare a reference of parts inside parts that have no parts."""
    kind = map_parts()
    declare(kind, NAME_OF_PART, to(kind, "parts.more.other_id"))


def no_constraint() -> None:
    """Declare a unique value that the table does not keep."""
    declare(a_kind(), NAME)


def no_constraint_for_several() -> None:
    """Declare values that are unique together where each is unique by itself."""
    declare(a_kind(UniqueConstraint("name"), UniqueConstraint("n")), BOTH)


def no_constraint_for_each_parent() -> None:
    """Declare a unique value of parts that their table does not keep."""
    declare(
        map_parts(a_part(text=field(default="", type=str, metadata=SHORT)), columns=(Column("text", String(9)),)),
        NAME_OF_PART,
        TEXT_OF_PART,
    )


def no_constraint_with_a_condition() -> None:
    """Declare a condition that the table does not have."""
    declare(a_kind(UniqueConstraint("name")), NAMED_HERE)


def another_condition() -> None:
    """Declare a condition that differs from that of the table."""
    declare(a_kind(change=lambda table: unique_where(table, "name", where={"n": 2})), NAMED_HERE)


def a_condition_by_hand() -> None:
    """Write a column of the right name that is not computed."""
    declare(a_kind(Column("name_is_unique", Integer), UniqueConstraint("name", "name_is_unique")), NAMED_HERE)


def not_per_parent() -> None:
    """Declare a value as unique among all parts where the table has it for each parent."""
    declare(map_parts(), OF_ALL_PARTS)


def not_declared() -> None:
    """Declare no unique value where the table has one."""
    declare(a_kind(UniqueConstraint("name", "n")))


def not_declared_of_parts() -> None:
    """Declare no unique value of parts where the table has one."""
    declare(map_parts())


def partial() -> None:
    """Write a partial index that only some databases have."""

    def change(table: Table) -> None:
        Index("some", table.c.name, unique=True, sqlite_where=table.c.n == 1)

    declare(a_kind(change=change), NAMED_HERE)


def of_an_expression() -> None:
    """Write an index on an expression."""

    def change(table: Table) -> None:
        Index("lowered", func.lower(table.c.name), unique=True)

    declare(a_kind(change=change), NAME)


def no_foreign_key() -> None:
    """Declare a reference without a foreign key."""
    other, _ = an_other()
    declare(a_kind(), to(other))


def another_target() -> None:
    """Declare a reference to a class that differs from that of the foreign key."""
    _, table = an_other()
    declare(kind := a_kind(Column("other_id", ForeignKey(table.c.id))), to(kind))


def no_id() -> None:
    """Let a foreign key refer to a column other than the id."""
    other, table = an_other()
    declare(a_kind(Column("other_id", ForeignKey(table.c.number))), to(other))


def a_deferrable_key() -> None:
    """Let a reference be checked only at the commit."""
    other, table = an_other()
    declare(a_kind(Column("other_id", ForeignKey(table.c.id, deferrable=True, initially="DEFERRED"))), to(other))


def an_undeclared_key() -> None:
    """Declare no reference where the table has a foreign key."""
    _, table = an_other()
    declare(a_kind(Column("other_id", ForeignKey(table.c.id))))


def an_undeclared_key_of_parts() -> None:
    """Declare no reference of parts where their table has a foreign key."""
    _, table = an_other()
    other_id = Column("other_id", Uuid)
    key = ForeignKeyConstraint([other_id], [table.c.id], name="fk")
    declare(map_parts(columns=(other_id, key)), NAME_OF_PART)


def a_key_of_several_columns() -> None:
    """Let two columns refer to another table."""
    _, table = an_other()
    table.append_constraint(UniqueConstraint("id", "number"))
    columns = ["other_id", "second_id"]
    kind = a_root(other_id=field(default=None, type=AN_ID), second_id=field(default=None, type=AN_ID))
    key = ForeignKeyConstraint(columns, [table.c.id, table.c.number])
    map_aggregate(kind, a_table(Column("other_id", Uuid), Column("second_id", Uuid), key))
    declare(kind)


WRONG: dict[Callable[[], None], str] = {
    no_parts_there: f"no parts are at 'parts.more', which {NO_NAME} names",
    no_parts_for_a_reference: "no parts are at 'parts.more', which REFERENCE names",
    no_constraint: f"the table roots has no constraint for {NAME}: add UniqueConstraint('name')",
    no_constraint_for_several: f"the table roots has no constraint for {BOTH}: add UniqueConstraint('name', 'n')",
    no_constraint_for_each_parent: f"the table parts has no constraint for {TEXT_OF_PART}:"
    " add UniqueConstraint('root_id', 'text')",
    no_constraint_with_a_condition: f"the table roots has no constraint for {NAMED_HERE}:"
    " add unique_where(roots, 'name', where=...)",
    another_condition: f"roots.name_is_unique has another condition than {NAMED_HERE}: give both the same",
    a_condition_by_hand: f"roots.name_is_unique has another condition than {NAMED_HERE}: give both the same",
    not_per_parent: f"the table parts has no constraint for {OF_ALL_PARTS}: add UniqueConstraint('name')",
    not_declared: "roots is unique in n, name: add Unique('n', 'name', error=...)",
    not_declared_of_parts: "parts is unique in name, root_id: add Unique('parts.name', per_parent=True, error=...)",
    partial: "some is deferrable, partial or special: leave that out, or use unique_where()",
    of_an_expression: "lowered is deferrable, partial or special: leave that out, or use unique_where()",
    no_foreign_key: "the table roots has no foreign key for REFERENCE: add one",
    another_target: "roots.other_id refers to others.id, not to the id as in REFERENCE",
    no_id: "roots.other_id refers to others.number, not to the id as in REFERENCE",
    a_deferrable_key: "fk_roots_other_id_others is deferrable, so it would be checked at the commit: leave that out",
    an_undeclared_key: "roots has a foreign key of other_id:"
    " add Reference('other_id', to=..., missing=..., in_use=...)",
    an_undeclared_key_of_parts: "parts has a foreign key of other_id:"
    " add Reference('parts.other_id', to=..., missing=..., in_use=...)",
    a_key_of_several_columns: "roots has a foreign key of other_id, second_id: refer to an id alone",
}
"""The text of each refusal after the name of the repository. REFERENCE stands for the declared one."""


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_what_differs_from_the_table_is_refused(wrong: Callable[[], None]) -> None:
    """A port that differs from the table is refused. The message names the difference and says what to write."""
    with pytest.raises(TypeError) as caught:
        wrong()
    said = re.sub(r"Reference\(name=[^)]+\)", "REFERENCE", str(caught.value))
    assert f"Roots cannot be declared: {WRONG[wrong]}" == said


def test_a_deferrable_unique_value_is_refused() -> None:
    """A deferrable unique value is refused, since it would be checked at the commit."""
    with pytest.raises(TypeError, match=r"uq_roots_name is deferrable, partial or special: leave that out, or use"):
        declare(a_kind(UniqueConstraint("name", deferrable=True)), NAME)


def test_a_class_that_is_not_mapped_is_refused() -> None:
    """A class that is not mapped is refused: the comparison needs a table."""
    with pytest.raises(TypeError) as caught:
        declare(a_root())
    assert "Roots needs its class mapped first: call map_aggregate before it" == str(caught.value)


def test_what_does_not_differ_is_accepted() -> None:
    """A port without a difference is accepted, however and in whatever order columns are unique.

    A value may be unique with and without a condition.
    """
    other, others = an_other()
    declare(other, Unique("number", error=ValueTaken))

    def change(table: Table) -> None:
        Index("some", table.c.n, table.c.name, unique=True)
        Index("any", table.c.n)
        unique_where(table, "name", where={"n": 1, "other_id": None})

    kind = a_kind(
        Column("other_id", ForeignKey(others.c.id)), UniqueConstraint("name", deferrable=False), change=change
    )
    where = {"other_id": None, "n": 1}
    repository = declare(kind, BOTH, NAME, Unique("name", where=where, error=ValueTaken), to(other))
    assert "roots" == repository.table.name


@pytest.mark.parametrize("names", [("root_id", "text"), ("text",)], ids=["with the parent", "alone"])
def test_parts_may_be_unique_where_they_count(names: tuple[str, ...]) -> None:
    """Parts may be unique where they count, in each parent. The name of its key comes first."""
    root = a_table()
    parts = a_part_table(root, Column("text", String(9)), Column("n", BigInteger))
    unique_where(parts, *names, where={"n": None})
    map_part(part := a_part(text=field(default="", type=str, metadata=SHORT), n=field(default=None)), parts)
    map_aggregate(kind := a_root(parts=SORTED), root, properties={"parts": owns(part, order_by=parts.c.name)})
    here = Unique("parts.text", where={"parts.n": None}, per_parent=True, error=ValueTaken)
    if len(names) > 1:
        declare(kind, NAME_OF_PART, here)
        return
    with pytest.raises(TypeError, match=r"add unique_where\(parts, 'root_id', 'text', where=...\)$"):
        declare(kind, NAME_OF_PART, here)
