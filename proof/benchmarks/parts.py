"""Measure how long it takes to load and to change an aggregate with 100 parts, beside hand-written SQLAlchemy ORM.

    python -m proof.benchmarks.parts [--rounds 15] [--database sqlite] [--write]

Both use one mapping and take turns in one process. The hand-written one reads by ``selectinload`` and compares the
version at its commit as SQLAlchemy does. It does not check that root and parts are of one version.
"""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from functools import partial
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from attrs import frozen
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from adapters.sql.engine import make_engine
from proof.benchmarks.databases import databases
from proof.benchmarks.report import NAMES, put_between_marks
from tests.contract.allocation import Batch, Product, allocation_metadata, products
from tests.contract.shop import SqlShop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

KINDS = ["sqlite", "postgresql"]
PARTS = 100
CALLS = 20


@frozen
class Contender:
    """Ways to load a product and to change one of its batches."""

    load: Callable[[], int]
    change: Callable[[int], None]


def skeleton(engine: Engine) -> Contender:
    """Return the way of the skeleton."""
    reading, writing = SqlShop(engine, read_only=True), SqlShop(engine)

    def load() -> int:
        with reading as uow:
            return len(uow.products.get_by_sku("lamp").batches)

    def change(number: int) -> None:
        with writing as uow:
            uow.products.get_by_sku("lamp").batches[number].quantity += 1
            uow.commit()

    return Contender(load, change)


def by_hand(engine: Engine) -> Contender:
    """Return the hand-written way."""
    everything = (selectinload(Product.batches).selectinload(Batch.allocations), selectinload(Product.notes))  # type: ignore[arg-type]  # an imperative mapping has no types

    def read(session: Session) -> Product:
        return session.scalars(select(Product).where(products.c.sku == "lamp").options(*everything)).one()

    def load() -> int:
        with Session(engine) as session:
            return len(read(session).batches)

    def change(number: int) -> None:
        with Session(engine) as session:
            product = read(session)
            product.batches[number].quantity += 1
            product.version += 1
            session.commit()

    return Contender(load, change)


CONTENDERS = {"Plumbline": skeleton, "SQLAlchemy ORM": by_hand}


@contextmanager
def filled(kind: str) -> Iterator[Engine]:
    """Yield an engine on a new database with a product of 100 batches."""
    with databases(kind, ["parts"], None) as owned:
        engine = make_engine(owned["parts"].url)
        allocation_metadata.create_all(engine)
        product = Product(sku="lamp")
        for number in range(PARTS):
            product.add_batch(f"lamp-{number:03}", 1)
        with SqlShop(engine) as uow:
            uow.products.add(product)
            uow.commit()
        try:
            yield engine
        finally:
            engine.dispose()


def timed(work: Callable[[], object]) -> float:
    """Return how many milliseconds a call takes."""
    start = perf_counter()
    for _ in range(CALLS):
        work()
    return (perf_counter() - start) / CALLS * 1e3


def measured(engine: Engine, rounds: int) -> dict[str, dict[str, float]]:
    """Return the median milliseconds of each operation, by contender."""
    ways = {name: make(engine) for name, make in CONTENDERS.items()}
    found: dict[str, dict[str, list[float]]] = {"load": {}, "change": {}}
    for number in range(rounds + 1):  # the first is for warming up
        for name, way in ways.items():
            assert way.load() == PARTS
            loading, changing = timed(way.load), timed(partial(way.change, number % PARTS))
            if number:
                found["load"].setdefault(name, []).append(loading)
                found["change"].setdefault(name, []).append(changing)
    return {operation: {name: median(taken) for name, taken in times.items()} for operation, times in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--database", action="append", choices=KINDS, help="may be given twice (default: both)")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md")
    given = parser.parse_args()
    lines = ["| | Plumbline, ms | by hand, ms | times as fast |", "|---|---:|---:|---:|"]
    for kind in given.database or KINDS:
        with filled(kind) as engine:
            for operation, times in measured(engine, given.rounds).items():
                ours, theirs = times.values()
                lines.append(f"| {NAMES[kind]}: {operation} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.2f} |")
    print("\n".join(lines))
    if given.write:
        put_between_marks("parts", "\n".join(lines))


if __name__ == "__main__":
    main()
