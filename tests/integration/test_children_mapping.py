"""The mapping of child entities: a table that cannot hold them is refused when it is named, not when it is used."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, MetaData, String, Table, Uuid
from sqlalchemy.schema import SchemaItem

from adapters.sql.children import Children
from adapters.sql.metadata import mapped_tables
from tests.contract.orders import OrderLine, order_lines


def table_of(*keys: SchemaItem) -> Table:
    """Return a table of order lines with these keys."""
    values = (Column("sku", String(40), nullable=False), Column("quantity", Integer, nullable=False))
    return Table("wrong_lines", MetaData(), *keys, *values)


def root_id(*, ondelete: str | None = "CASCADE", primary_key: bool = True, name: str = "order_id") -> SchemaItem:
    """Return a foreign key to the root's id."""
    return Column(name, ForeignKey("orders.id", ondelete=ondelete), primary_key=primary_key)


def child_id(*, primary_key: bool = True, name: str = "id") -> SchemaItem:
    """Return the column of the child's own id."""
    return Column(name, Uuid, primary_key=primary_key)


WRONG: dict[str, Table] = {
    "no foreign key": table_of(Column("order_id", Uuid, primary_key=True), child_id()),
    "one that leaves the children behind": table_of(root_id(ondelete=None), child_id()),
    "one that keeps the root": table_of(root_id(ondelete="RESTRICT"), child_id()),
    "two that cascade": table_of(root_id(), child_id(), root_id(name="other_id", primary_key=False)),
    "two that cascade, of one column": table_of(
        root_id(), child_id(), ForeignKeyConstraint(["order_id"], ["others.id"], ondelete="CASCADE")
    ),
    "the root's id alone as the key": table_of(root_id(), child_id(primary_key=False)),
    "the child's id alone as the key": table_of(root_id(primary_key=False), child_id()),
    "the child's id first in the key": table_of(child_id(), root_id()),
    "the child's id under another name": table_of(root_id(), child_id(name="line_id")),
    "a third column in the key": table_of(root_id(), child_id(), Column("place", Integer, primary_key=True)),
    "no key at all": table_of(root_id(primary_key=False), child_id(primary_key=False)),
    "a foreign key of two columns": table_of(
        Column("order_id", Uuid, primary_key=True),
        child_id(),
        ForeignKeyConstraint(["order_id", "id"], ["orders.id", "orders.version"], ondelete="CASCADE"),
    ),
}


@pytest.mark.parametrize("table", WRONG.values(), ids=WRONG)
def test_a_table_that_cannot_hold_children_is_refused(table: Table) -> None:
    """The error names the table and says what its keys must be; and nothing is mapped to it."""
    advice = 'must be a foreign key to the root\'s id, with ondelete="CASCADE", and then the id of the child'
    with pytest.raises(ValueError, match=f"wrong_lines cannot hold child entities: .+{re.escape(advice)}"):
        Children(OrderLine, table)
    assert table not in mapped_tables()


def test_a_table_without_a_column_for_an_attribute_of_the_children_is_refused() -> None:
    """What has no column could not be stored."""
    table = Table("wrong_lines", MetaData(), root_id(), child_id(), Column("sku", String(40), nullable=False))
    with pytest.raises(ValueError, match=r"wrong_lines cannot hold OrderLine objects: it has no column \['quantity'\]"):
        Children(OrderLine, table)
    assert table not in mapped_tables()


def test_a_table_that_can_hold_them_differs_from_each_of_those_by_its_keys_alone() -> None:
    """The one that the tests of the contract use has the same columns, and is mapped."""
    right = table_of(root_id(), child_id())
    assert order_lines in mapped_tables()
    assert [column.name for column in order_lines.primary_key] == [column.name for column in right.primary_key]
    assert [column.name for column in order_lines.columns] == [column.name for column in right.columns]
