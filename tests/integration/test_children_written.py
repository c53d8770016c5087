"""Child entities on real databases: a root is never stored without them, however few statements its commit has left."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from domain.errors import StorageError
from tests.contract.children import order_of, orders
from tests.contract.orders import ORDERS, OrderLine
from tests.contract.sample import Kit
from tests.storages import sql_storage


@pytest.mark.promise(1)
@pytest.mark.parametrize("how", ["added", "changed"])
def test_a_root_whose_children_are_refused_is_not_stored_without_them(engine: Engine, how: str) -> None:
    """Though it could be: it is written before them, and what they lack is not its own."""
    kit: Kit[Any] = Kit(sql_storage(engine), ORDERS)
    ann = kit.stored("ann")
    before = kit.all_values()
    lines = [OrderLine(sku="tea", quantity=None)]  # type: ignore[arg-type]  # the column has no place for it
    with kit.unit() as uow:
        if how == "added":
            orders(uow).add(order_of("bob", lines))
        else:
            orders(uow).get(ann.id).lines = tuple(lines)
        with pytest.raises(StorageError):
            uow.commit()
    assert before == kit.all_values()
