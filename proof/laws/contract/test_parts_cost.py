"""The cost of reading parts: as many statements for many roots as for few, and as many rows as parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define, field
from sqlalchemy import Connection, Engine, event

from proof.laws.contract.parts import lamp_of, products
from tests.contract.allocation import Note, OrderLine, Product
from tests.contract.members import stored_member
from tests.contract.shop import Shop
from tests.storages import sql_storage


@define
class Wire:
    """What is sent to a database."""

    engine: Engine
    sent: list[tuple[str, Any]] = field(factory=list)

    def note(self, _connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        """Note a statement and its parameters."""
        self.sent.append((statement, parameters))

    def cost(self, work: Callable[[Shop], object]) -> tuple[int, int]:
        """Return how many statements a unit sends and how many rows they return."""
        with sql_storage(self.engine).unit() as uow:
            self.sent.clear()
            work(uow)
            sent = list(self.sent)
        with self.engine.connect() as connection:
            return len(sent), sum(len(connection.exec_driver_sql(*one).all()) for one in sent)


@pytest.fixture
def wire(engine: Engine) -> Iterator[Wire]:
    """Each real database in turn, and what is sent to it."""
    made = Wire(engine)
    event.listen(engine, "before_cursor_execute", made.note)
    yield made
    event.remove(engine, "before_cursor_execute", made.note)


def store(engine: Engine, size: int) -> None:
    """Store a product with a number of batches and of notes. Each batch serves an order."""
    product = Product(sku="lamp")
    for number in range(size):
        batch = product.add_batch(f"{number:03}", 10)
        batch.allocations.add(OrderLine(order=str(number), quantity=1))
        product.notes.append(Note(text=str(number)))
    with sql_storage(engine).unit() as uow:
        products(uow).add_many([product])
        uow.commit()


QUERIES: dict[str, Callable[[Shop], object]] = {
    "get": lamp_of,
    "page": lambda uow: products(uow).page(),
    "query by a part": lambda uow: products(uow).list_with_batch("000"),
}


@pytest.mark.slow
@pytest.mark.promise(8)
@pytest.mark.parametrize("size", [10, 100, 300])
@pytest.mark.parametrize("query", QUERIES)
def test_parts_are_read_at_linear_cost(wire: Wire, query: str, size: int) -> None:
    """Two lists of parts cost a statement for each kind of part, with those rows, and one to compare the versions."""
    store(wire.engine, size)
    statements, rows = wire.cost(QUERIES[query])
    assert statements <= 5
    assert rows <= 1 + 3 * size + 1


@pytest.mark.promise(8)
def test_many_roots_cost_as_many_statements_as_one(wire: Wire) -> None:
    """Many roots are read with as many statements as one, because their parts come together."""
    with sql_storage(wire.engine).unit() as uow:
        for number in range(20):
            product = Product(sku=str(number))
            product.add_batch(str(number), 1)
            products(uow).add(product)
        uow.commit()
    statements, rows = wire.cost(lambda uow: products(uow).page())
    assert statements <= 5
    assert rows <= 20 + 20 + 20


@pytest.mark.promise(8)
def test_an_aggregate_without_parts_costs_one(wire: Wire) -> None:
    """An aggregate without parts costs no further statement, even if others in the unit have parts."""
    ann = stored_member(sql_storage(wire.engine), "ann")
    store(wire.engine, 1)
    assert (1, 1) == wire.cost(lambda uow: uow.members.get(ann.id))
