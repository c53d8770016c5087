"""Laws of value objects in several columns that need a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import field
from sqlalchemy import BigInteger, Column, Engine, String, event, select

from adapters.sql.mapping import map_aggregate, map_part
from adapters.sql.repository import SqlRepository
from adapters.sql.value_objects import value_object
from domain.constraints import Reference, Unique
from domain.errors import NotFound, ReferenceMissing, StillReferenced, ValueTaken
from proof.laws.contract.catalog import Article, Stamp, articles, euros, new_article, stamps
from proof.laws.integration.mappings import a_part, a_part_table, a_root, a_table, owns
from proof.laws.integration.wrong_composites import Money, with_value
from tests.contract.shop import SqlShop


def a_repository(kind: type[Any], **declared: Any) -> type[Any]:
    """Declare a repository."""
    return type("Roots", (SqlRepository,), {"aggregate": kind, "not_found": NotFound, **declared})


def with_parts(order: str = "name") -> type[Any]:
    """Map an aggregate whose parts have a value object ``m`` and are sorted by an attribute."""
    parts = a_part_table(
        root := a_table(), Column("a", BigInteger, nullable=False), Column("b", String(3), nullable=False)
    )
    map_part(part := a_part(m=field(type=Money)), parts, properties={"m": value_object(Money, parts.c.a, parts.c.b)})
    kind = a_root(parts=field(factory=list, metadata={"order_by": (order,)}))
    by = parts.c.name if order == "name" else parts.c.a
    map_aggregate(kind, root, properties={"parts": owns(part, order_by=by)})
    return kind


DECLARED: dict[str, tuple[Callable[[], type[Any]], Any]] = {
    "unique": (with_value, Unique("m", error=ValueTaken)),
    "where": (with_value, Unique("id", where={"m": None}, error=ValueTaken)),
    "of parts": (with_parts, Unique("parts.name", "parts.m", error=ValueTaken)),
    "reference": (with_value, Reference("m", to=Article, missing=ReferenceMissing, in_use=StillReferenced)),
}


@pytest.mark.usefixtures("unmapped")
@pytest.mark.parametrize("case", DECLARED)
def test_nothing_is_declared_of_a_value_object(case: str) -> None:
    """A port declares neither a unique value nor a reference of a value object."""
    mapped, one = DECLARED[case]
    declared = {"references" if isinstance(one, Reference) else "unique": (one,)}
    with pytest.raises(TypeError) as caught:
        a_repository(mapped(), **declared)
    wanted = f"Roots cannot be declared: m is a value object: hold what {one} is about in an attribute of its own"
    assert wanted == str(caught.value)


@pytest.mark.usefixtures("unmapped")
@pytest.mark.parametrize("order", ["m", "a"], ids=["value object", "column"])
def test_no_list_is_sorted_by_a_value_object(order: str) -> None:
    """No list is sorted by a value object or one of its columns: they have no common order."""
    with pytest.raises(ValueError, match="say its order"):
        with_parts(order)


def test_reading_a_value_object_costs_no_statement(sqlite_engine: Engine) -> None:
    """Reading a value object takes no statement, after a read, a write, and another write."""
    with SqlShop(sqlite_engine) as uow:
        uow.goods.add(ann := new_article())
        uow.commit()
    sent: list[str] = []

    def note(*given: Any) -> None:
        sent.append(given[2])

    with SqlShop(sqlite_engine) as uow:
        mine: Article = uow.goods.get(ann.id)
        mine.price = euros(11)
        uow.flush()
        event.listen(sqlite_engine, "before_cursor_execute", note)
        assert (euros(11), euros(8)) == (mine.price, mine.offers[1].price)
        event.remove(sqlite_engine, "before_cursor_execute", note)
        uow.commit()
    assert [] == sent
    assert (euros(11), euros(8)) == (mine.price, mine.offers[1].price)


def test_a_query_reads_what_is_in_a_value_object(engine: Engine) -> None:
    """A query, as SQLAlchemy's users write it, reads inside a value object by the column or the composite."""
    with SqlShop(engine) as uow:
        uow.stamps.add_many([Stamp(name=name, price=euros(price)) for name, price in (("a", 1), ("b", 2))])
        prices: Any = Stamp
        for where in (stamps.c.price_amount == 2, prices.price == euros(2)):
            assert ["b"] == [one.name for one in uow.session.scalars(select(Stamp).where(where))]
        found = uow.session.execute(select(prices.price).order_by(stamps.c.name)).scalars()
        assert [euros(1), euros(2)] == list(found)
        uow.rollback()


def test_the_columns_of_a_value_object_are_plain(engine: Engine) -> None:
    """The columns of a value object are plain: ``None`` is NULL in each of them."""
    with SqlShop(engine) as uow:
        uow.goods.add(new_article())
        columns = articles.c.price_currency, articles.c.old_price_amount, articles.c.old_price_currency
        assert [("EUR", None, None)] == [tuple(row) for row in uow.session.execute(select(*columns))]
        uow.rollback()
