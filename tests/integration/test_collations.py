"""Lists that are ordered by a text, where a column has the order of a language, as PostgreSQL's have by default."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.contract.allocation import Product
from tests.contract.parts import Oops, lamp_of, products, references
from tests.storages import shop_engine, sql_storage

COLLATE = "ALTER TABLE batches MODIFY reference VARCHAR(40) COLLATE utf8mb4_general_ci NOT NULL"


def test_a_list_is_ordered_by_code_point(mariadb_database: str) -> None:
    """As it is in the fake; read by a query, and by an undone savepoint."""
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
