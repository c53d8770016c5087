"""An aggregate is read whole: root and parts are of one version, however many statements that takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from attrs import define, field
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import defer, lazyload, raiseload

from domain.errors import ConcurrentChange, NotFound, UnitOfWorkMisuse
from proof.laws.contract.parts import Oops, change_elsewhere, lamp_of, products, read, stored
from tests.contract.allocation import Batch, Note, Product
from tests.contract.graphs import values
from tests.contract.members import Member
from tests.contract.shop import Shop
from tests.storages import Storage, sql_storage

SKU: Any = Product.sku
"""The statement, as SQLAlchemy's options take it."""

ROUNDS = 10
"""How often a writer and a reader meet."""


@define
class Interruption:
    """An action of another unit, a number of times, before a statement that reads parts."""

    action: Callable[[], None]
    times: int
    done: int = 0
    busy: bool = False

    def before(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        """Act before a statement that reads batches, but not before one of the action itself."""
        if statement.startswith("SELECT") and "FROM batches" in statement and not self.busy and self.done < self.times:
            self.busy = True
            self.action()
            self.busy, self.done = False, self.done + 1


@define
class Interrupted:
    """A database on which another unit can act between the statements of a query."""

    storage: Storage
    engine: Engine
    installed: list[Interruption] = field(factory=list)

    def by(self, action: Callable[[], None], times: int = 1) -> Interruption:
        """Run an action between the statement that reads a root and those that read its parts."""
        self.installed.append(Interruption(action, times))
        event.listen(self.engine, "before_cursor_execute", self.installed[-1].before)
        return self.installed[-1]


@pytest.fixture
def interrupted(engine: Engine) -> Iterator[Interrupted]:
    """Each real database in turn. The fake has no statements: it reads a root with all its parts at one moment."""
    made = Interrupted(sql_storage(engine), engine)
    yield made
    for one in made.installed:
        event.remove(engine, "before_cursor_execute", one.before)


@pytest.fixture
def interrupted_postgres(postgres_engine: Engine) -> Iterator[Interrupted]:
    """The same on PostgreSQL alone."""
    made = Interrupted(sql_storage(postgres_engine), postgres_engine)
    yield made
    for one in made.installed:
        event.remove(postgres_engine, "before_cursor_execute", one.before)


def count_up(storage: Storage) -> Callable[[], None]:
    """Return an action: it raises all numbers of a product by one and adds a note, in a separate unit."""

    def action() -> None:
        with storage.unit() as uow:
            lamp = lamp_of(uow)
            for batch in lamp.batches:
                batch.quantity += 1
            lamp.notes.append(Note(text="one more"))
            uow.commit()

    return action


def rounds(product: Product) -> set[int]:
    """Return how often a product was counted up, by each sign of it. A single number, unless versions are mixed."""
    first, second = (batch.quantity for batch in product.batches)
    return {product.version - 1, first - 10, second - 20, len(product.notes) - 3}


QUERIES: dict[str, Callable[[Shop], Any]] = {
    "get by a value": lamp_of,
    "page": lambda uow: products(uow).page().items[0],
    "stream": lambda uow: next(iter(list(products(uow).stream()))),
    "query by a part": lambda uow: products(uow).list_with_batch("lamp-2")[0],
}

each_query = pytest.mark.parametrize("query", QUERIES)


@pytest.mark.every_case
@pytest.mark.promise(8)
@pytest.mark.parametrize("times", [1, 3])
@each_query
def test_an_interrupted_read_is_made_again(interrupted: Interrupted, query: str, times: int) -> None:
    """When another unit came between, an aggregate is read again until it is of one version. It can be changed."""
    storage = interrupted.storage
    stored(storage, "lamp", "chair")
    interruption = interrupted.by(count_up(storage), times)
    with storage.unit() as uow:
        lamp = QUERIES[query](uow)
        assert {times} == rounds(lamp)
        lamp.batches[0].eta = None
        lamp.notes.reverse()
        uow.commit()
    assert (times, 2 + times) == (interruption.done, lamp.version)
    assert values(lamp) == read(storage)


@pytest.mark.promise(8)
@each_query
def test_the_fourth_interruption_is_a_conflict(interrupted: Interrupted, query: str) -> None:
    """The fourth interrupted read is a concurrent change: one read and three more."""
    stored(interrupted.storage, "lamp")
    interruption = interrupted.by(count_up(interrupted.storage), 9)
    with pytest.raises(ConcurrentChange), interrupted.storage.unit() as uow:
        QUERIES[query](uow)
    assert interruption.done == 4


@pytest.mark.promise(8)
def test_what_was_removed_in_between_is_not_found(interrupted: Interrupted) -> None:
    """An aggregate that was removed in between is not found, and not on a page."""
    storage = interrupted.storage
    lamp, chair = stored(storage, "lamp", "chair")

    def remove() -> None:
        with storage.unit() as uow:
            products(uow).remove(lamp_of(uow))
            uow.commit()

    interrupted.by(remove)
    with pytest.raises(NotFound), storage.unit() as uow:
        products(uow).get(lamp.id)
    stored(storage, "lamp")
    interrupted.by(remove)
    with storage.unit() as uow:
        assert (chair,) == products(uow).page().items


@pytest.mark.promise(8)
def test_what_no_longer_matches_is_not_found(interrupted: Interrupted) -> None:
    """An aggregate that no longer matches is not found, as if the query had come later."""
    storage = interrupted.storage
    [lamp] = stored(storage, "lamp")

    def rename() -> None:
        with storage.unit() as uow:
            products(uow).get(lamp.id).change_sku("shade")
            uow.commit()

    interrupted.by(rename)
    with storage.unit() as uow:
        with pytest.raises(NotFound):
            lamp_of(uow)
        assert "shade" == products(uow).get(lamp.id).sku


@pytest.mark.promise(5, 8)
@each_query
def test_one_that_is_held_is_not_read_again(interrupted: Interrupted, query: str) -> None:
    """A held aggregate is not read again, whatever others did. The unit goes on with its object or is refused."""
    storage = interrupted.storage
    stored(storage, "lamp", "chair")
    with pytest.raises(ConcurrentChange), storage.unit() as uow:
        lamp = lamp_of(uow)
        first = lamp.batches[0]
        expected = values(lamp)
        interrupted.by(count_up(storage), 9)
        count_up(storage)()
        assert QUERIES[query](uow) is lamp
        assert lamp.batches[0] is first
        assert expected == values(lamp)
        first.quantity = 1
        uow.commit()


@pytest.mark.promise(5, 8)
def test_only_new_ones_of_a_page_are_read_again(interrupted: Interrupted) -> None:
    """On a page of held and new aggregates, only the new ones are read again. The held one stays as it is."""
    storage = interrupted.storage
    stored(storage, "chair", "lamp")
    with storage.unit() as uow:
        chair = products(uow).get_by_sku("chair")
        expected = values(chair)
        change_elsewhere(storage, "chair")
        interrupted.by(count_up(storage))
        found = products(uow).page().items
        assert found[0] is chair
        assert expected == values(chair)
        assert {1} == rounds(found[1])


@pytest.mark.every_case
@pytest.mark.promise(5, 8)
def test_a_part_moved_by_another_unit_conflicts(interrupted: Interrupted) -> None:
    """A part that another unit moved is a conflict. Otherwise it would stand in the old root and in the new one."""
    storage = interrupted.storage
    stored(storage, "chair", "lamp")
    with storage.unit() as uow:
        products(uow).get_by_sku("chair")
        with storage.unit() as other:
            chair, lamp = (products(other).get_by_sku(sku) for sku in ("chair", "lamp"))
            lamp.batches.append(chair.batches.pop())
            other.commit()
        with pytest.raises(ConcurrentChange):
            products(uow).get_by_sku("lamp")


@pytest.mark.promise(8)
@each_query
def test_no_reader_sees_a_mixture(storage: Storage, query: str) -> None:
    """On every storage, root and parts are of one version while another thread commits all the time."""
    stored(storage, "lamp")
    both = Barrier(2, timeout=10)
    count = count_up(storage)

    def write() -> None:
        for _ in range(ROUNDS):
            both.wait()
            count()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        seen: list[set[int]] = []
        for _ in range(ROUNDS):
            both.wait()
            for _ in range(2):
                with storage.unit(read_only=True) as uow:
                    seen.append(rounds(QUERIES[query](uow)))
        writer.result()
    assert 1 + ROUNDS == read(storage)["version"]
    assert {1} == {len(one) for one in seen}


def change_in_a_savepoint(uow: Shop, lamp: Product) -> None:
    """Change a product in a savepoint that is undone, so it is read again."""
    with pytest.raises(Oops), uow.savepoint():
        lamp.batches[0].quantity = 1000
        raise Oops


@pytest.mark.promise(8, 10)
@pytest.mark.parametrize("times", [1, 3])
def test_an_undone_savepoint_reads_whole_too(interrupted_postgres: Interrupted, times: int) -> None:
    """An undone savepoint reads its aggregates whole after up to three interruptions.

    On other databases the savepoint keeps its lock.
    """
    interrupted = interrupted_postgres
    stored(interrupted.storage, "lamp")
    with interrupted.storage.unit() as uow:
        lamp = lamp_of(uow)
        change = interrupted.by(count_up(interrupted.storage), times)
        change_in_a_savepoint(uow, lamp)
        assert change.done == times
        assert values(lamp) == read(interrupted.storage)
        uow.rollback()


@pytest.mark.promise(8, 10)
def test_an_undone_savepoint_gives_up_in_the_end(interrupted_postgres: Interrupted) -> None:
    """An undone savepoint gives up at the fourth interruption, as a query does."""
    interrupted = interrupted_postgres
    stored(interrupted.storage, "lamp")
    with interrupted.storage.unit() as uow:
        lamp = lamp_of(uow)
        interrupted.by(count_up(interrupted.storage), 9)
        with pytest.raises(ConcurrentChange), uow.savepoint():
            lamp.batches[0].quantity = 1000
            raise Oops


@pytest.mark.promise(8)
@pytest.mark.parametrize("option", [{"yield_per": 10}, {"stream_results": True}], ids=["yield_per", "stream_results"])
def test_a_query_in_pieces_is_refused(engine: Engine, option: dict[str, Any]) -> None:
    """Aggregates with parts are not read piece by piece. The message says what to write."""
    storage = sql_storage(engine)
    with storage.unit() as uow:
        session = uow.session
        with pytest.raises(UnitOfWorkMisuse, match=r"stream\(\)"):
            session.scalars(select(Product), execution_options=option).all()
        assert [] == session.scalars(select(Member), execution_options=option).all()


@pytest.mark.promise(5)
def test_a_part_read_alone_cannot_be_changed(engine: Engine) -> None:
    """A part that was read without its aggregate cannot be changed: nothing would compare the root's version."""
    stored(sql_storage(engine), "lamp")
    with sql_storage(engine).unit() as uow:
        batch = uow.session.scalars(select(Batch)).first()
        batch.quantity = 1000
        with pytest.raises(UnitOfWorkMisuse, match="get that, and change the part in it"):
            uow.commit()
        uow.rollback()


@pytest.mark.promise(3, 8)
@pytest.mark.parametrize("option", [lazyload, raiseload, lambda _: defer(SKU)], ids=["lazyload", "raiseload", "defer"])
def test_an_incomplete_query_is_refused(engine: Engine, option: Any) -> None:
    """A query that leaves something out is refused: the rest would be of another version, or never read."""
    stored(sql_storage(engine), "lamp")
    with sql_storage(engine).unit() as uow, pytest.raises(UnitOfWorkMisuse, match="a query has left out Product"):
        uow.session.scalars(select(Product).options(option("*"))).all()
