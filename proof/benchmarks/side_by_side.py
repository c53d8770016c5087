"""Compare the speed of the skeleton with other ways to do the same work on the same tables.

    python -m proof.benchmarks.side_by_side [--rounds 15] [--bulk 100000] [--database sqlite] [--write]

Each contender has a separate process and database. They take turns, never two at a time. Another one begins in each
round. The work of each turn is checked. docs/performance.md says what is measured, and --write updates its figures.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from attrs import Factory, define

from proof.benchmarks.contenders import CONTENDERS, installed
from proof.benchmarks.databases import databases
from proof.benchmarks.report import tables, write
from proof.benchmarks.turns import SIZES, Worker
from proof.laws.counting_proxy import Proxy, proxy_to

if TYPE_CHECKING:
    from proof.benchmarks.databases import Database

KINDS = ["sqlite", "postgresql"]
COUNTED_CALLS = 5
COUNTED_ROWS = 10_000
PART = 8
"""A bulk runs once in eight rounds, because it takes as long as the rest of a round."""


@define
class Figures:
    """The figures of one kind of database, by operation and contender."""

    kind: str
    version: str
    microseconds: dict[str, dict[str, list[float]]] = Factory(dict)
    """Microseconds for each call, or for each row of a bulk or a stream. Each turn gives one figure."""

    trips: dict[str, dict[str, float]] = Factory(dict)
    """Round trips to PostgreSQL, or statements that SQLite ran, for each call."""

    mebibytes: dict[str, dict[str, float]] = Factory(dict)
    """How far the peak of memory rose."""

    def note(self, operation: str, name: str, seconds: float, count: int) -> None:
        """Note the time of a turn."""
        self.microseconds.setdefault(operation, {}).setdefault(name, []).append(seconds / count * 1e6)


def compete(found: Figures, owned: dict[str, Database], rounds: int, bulk: int) -> None:
    """Time all operations, contender by contender in turn. Round 0 is for warming up."""
    names = list(owned)
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(name, owned[name], owned[name].url)) for name in names}
        for worker in workers.values():
            for operation, size in SIZES.items():
                worker.turn(operation, 0, size)
        for number in range(1, rounds + 1):
            order = names[number % len(names) :] + names[: number % len(names)]
            for operation, size in SIZES.items():
                for name in order:
                    found.note(operation, name, workers[name].turn(operation, number, size)["seconds"], size)
        for number in range(1, -(-rounds // PART) + 1):
            order = names[number % len(names) :] + names[: number % len(names)]
            for name in order:
                found.note("bulk", name, workers[name].turn("bulk", number, bulk)["seconds"], bulk)
                if number == 1:
                    workers[name].look_at_stream(bulk)
            for name in order:
                found.note("stream", name, workers[name].turn("stream", number, bulk)["seconds"], bulk)


def count_trips(found: Figures, name: str, database: Database) -> None:
    """Count the round trips of each operation. On SQLite, count the statements, because it has no network."""
    is_sqlite = found.kind == "sqlite"
    with ExitStack() as stack:
        proxy, url = (None, database.url) if is_sqlite else stack.enter_context(proxy_to(database.url, Proxy))
        worker = stack.enter_context(Worker(name, database, url, counting=is_sqlite))
        sizes = {one: COUNTED_CALLS for one in SIZES if one != "mix"} | {"bulk": COUNTED_ROWS, "stream": COUNTED_ROWS}
        for operation, size in sizes.items():
            if operation == "stream":
                worker.look_at_stream(size)
            elif operation != "bulk":
                worker.turn(operation, 0, size)
            before = proxy.trips if proxy else 0
            answer = worker.turn(operation, 1, size)
            counted = proxy.trips - before if proxy else answer["statements"]
            found.trips.setdefault(operation, {})[name] = counted / (size if size == COUNTED_CALLS else 1)


def weigh(found: Figures, name: str, database: Database, bulk: int) -> None:
    """Measure what a bulk and a stream add to the memory of a process that has done each in small before."""
    for operation in ("bulk", "stream"):
        with Worker(name, database, database.url) as worker:
            worker.bulk(COUNTED_CALLS, memory=False)
            worker.look_at_stream(COUNTED_CALLS)
            if operation == "bulk":
                answer = worker.bulk(bulk, memory=True)
            else:
                worker.prepare_stream(bulk)
                answer = worker.turn("stream", 0, bulk)
        found.mebibytes.setdefault(operation, {})[name] = answer["memory"] / 2**20


def measure(kind: str, server: str | None, rounds: int, bulk: int, names: list[str]) -> Figures:
    """Return the figures of one kind of database."""
    with databases(kind, names, server) as owned:
        found = Figures(kind, next(iter(owned.values())).version())
        compete(found, owned, rounds, bulk)
    with databases(kind, names, server) as owned:
        for name, database in owned.items():
            count_trips(found, name, database)
            weigh(found, name, database, bulk)
    return found


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="how often each contender's turn comes (default: 15)")
    parser.add_argument("--bulk", type=int, default=100_000, help="rows of a bulk and a stream (default: 100000)")
    parser.add_argument("--database", action="append", choices=KINDS, help="may be given twice (default: both)")
    parser.add_argument("--server", help="the URL of a PostgreSQL server; without it, a throw-away one is started")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md, with a chart")
    given = parser.parse_args()
    if given.rounds < 1 or given.bulk < 1:
        parser.error("there must be at least one round, and one row")
    names = installed()
    if missing := [entry.title for name, entry in CONTENDERS.items() if name not in names]:
        print(f"left out, because they are not installed here: {', '.join(missing)} (`make bench` has all)")
        if given.write:
            sys.exit("error: nothing is written without all contenders")
    found = [measure(kind, given.server, given.rounds, given.bulk, names) for kind in given.database or KINDS]
    print(tables(found, given.bulk))
    if given.write:
        write(found, given.bulk, sys.argv[1:])


if __name__ == "__main__":
    main()
