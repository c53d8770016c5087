"""Lists that are ordered by a text in a column with the collation of a language, PostgreSQL's default."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, text

from adapters.sql.queries import parameters_of, statement_of
from domain.query import Query
from proof.laws.contract.parts import Oops, lamp_of, products, references
from proof.laws.contract.wares import Sku, Ware, wares
from tests.contract.allocation import Product
from tests.storages import shop_engine, sql_storage

COLLATE = "ALTER TABLE batches MODIFY reference VARCHAR(40) COLLATE utf8mb4_general_ci NOT NULL"


def test_a_list_is_ordered_by_code_point(mariadb_database: str) -> None:
    """A list is ordered by code point, as in the fake, when a query or an undone savepoint reads it."""
    with shop_engine(mariadb_database) as engine:
        with engine.begin() as connection:
            connection.execute(text(COLLATE))
        storage = sql_storage(engine)
        lamp = Product(sku="lamp")
        for reference in ("a", "_c", "B"):
            lamp.add_batch(reference, 1)
        with storage.unit() as uow:
            products(uow).add(lamp)
            uow.commit()
        with storage.unit() as uow:
            assert ["B", "_c", "a"] == references(lamp_of(uow))
            with pytest.raises(Oops), uow.savepoint():
                lamp_of(uow).batches.pop()
                uow.flush()
                raise Oops
            assert ["B", "_c", "a"] == references(lamp_of(uow))


def test_a_text_id_sorts_by_code_point_anywhere(postgres_engine: Engine) -> None:
    """The column of a text id has the collation C, whatever the collation of its database."""
    named = (
        "SELECT collname FROM pg_attribute JOIN pg_collation ON attcollation = pg_collation.oid"
        " WHERE attrelid = to_regclass(:name) AND attname = 'id'"
    )
    with postgres_engine.connect() as connection:
        assert "C" == connection.execute(text(named), {"name": wares.name}).scalar()


@pytest.mark.parametrize(("after", "order_by", "sorts"), [(None, "id", 0), (Sku("a"), "-id", 0), (None, "name", 1)])
def test_text_ids_are_paged_by_their_index(postgres_engine: Engine, after: Any, order_by: str, sorts: int) -> None:
    """Text ids are paged by their index and not sorted. The index of other texts has the database's order."""
    query = Query(limit=2, after=after, order_by=order_by)
    statement = str(statement_of(Ware, query).compile(postgres_engine))
    with postgres_engine.connect() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters_of(query)).scalars()
        assert sorts == sum("->  Sort" in line or "Incremental Sort" in line for line in plan)
