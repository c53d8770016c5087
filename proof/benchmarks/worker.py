"""The process of one contender. It reads orders from its standard input and writes answers, a line of JSON each.

The first order names the contender. Each of the others is one turn (see ``benchmarks/turns.py``). An answer has the
seconds of the turn and evidence of its results, which is collected when the clock has stopped.
"""

from __future__ import annotations

import gc
import json
import resource
import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from proof.benchmarks.contenders import load
from proof.benchmarks.contenders.contender import THREADS
from proof.benchmarks.people import checksum, person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proof.benchmarks.contenders.contender import Contender

CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")
statements = 0


def steps(contender: Contender, order: dict[str, Any]) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Return the calls of a turn of many calls, all prepared."""
    people = [person(number) for number in order["numbers"]]
    if order["operation"] == "get":
        return [(contender.get, (one.username,)) for one in people]
    if order["operation"] == "create":
        return [(contender.create, (contender.prepare(one),)) for one in people]
    if order["operation"] == "page":
        return [(contender.page, (one.id,)) for one in people]
    addresses = [contender.prepare_email(f"{order['tag']}.{one.email}") for one in people]
    return [(contender.change, (one.username, address)) for one, address in zip(people, addresses, strict=True)]


def many(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """Take a turn of many calls, one after another."""
    calls = steps(contender, order)
    start = started()
    found = [call(*values) for call, values in calls]
    seconds = time.perf_counter() - start
    evidence: list[Any] = []
    if order["operation"] == "get":
        evidence = [shown(contender, one) for one in found]
    if order["operation"] == "page":
        evidence = [[shown(contender, one)[0] for one in page] for page in found]
    return {"seconds": seconds, "evidence": evidence}


def mix(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """Let threads work at the same time. Each makes as many creations after four times as many reads."""
    news = [contender.prepare(person(number)) for number in order["new"]]
    ready = threading.Barrier(THREADS + 1, timeout=60)

    def work(place: int) -> tuple[float, list[Any]]:
        mine = contender.for_thread()
        names = [person(number).username for number in order["numbers"][place::THREADS]]
        mine.get(names[0])  # so the thread has its connection
        ready.wait()
        found = []
        for turn, new in enumerate(news[place::THREADS]):
            found += [mine.get(name) for name in names[4 * turn : 4 * turn + 4]]
            mine.create(new)
        end = time.perf_counter()
        evidence = [shown(mine, one) for one in found]
        mine.end_thread()
        return end, evidence

    with ThreadPoolExecutor(THREADS) as pool:
        threads = [pool.submit(work, place) for place in range(THREADS)]
        ready.wait()
        start = started()
        done = [thread.result() for thread in threads]
    evidence = [one for _, found in done for one in found]
    return {"seconds": max(end for end, _ in done) - start, "evidence": evidence}


def bulk(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """Store many users. They are made one by one on demand, to measure the memory."""
    numbers = range(order["first"], order["first"] + order["count"])
    users: Iterable[Any] = (contender.prepare_bulk(person(number)) for number in numbers)
    if not order["memory"]:
        users = list(users)
    before = forgotten_peak()
    start = started()
    contender.bulk(users)
    return {"seconds": time.perf_counter() - start, "memory": peak() - before}


def stream(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """Read all users. Only the turns before the clock counts look at every id."""
    if order["look"]:
        return {"evidence": checksum(contender.facts(one)[0] for one in contender.stream())}
    before = forgotten_peak()
    start = time.perf_counter()  # nothing was prepared, so the garbage collector's time belongs to the stream
    count = sum(1 for _ in contender.stream())
    return {"seconds": time.perf_counter() - start, "memory": peak() - before, "evidence": count}


def shown(contender: Contender, found: Any) -> tuple[str, str]:
    """Return the id and address of a result as JSON values."""
    id, email = contender.facts(found)
    if not isinstance(id, UUID):
        raise TypeError(f"{type(contender).__name__} found an id that is no UUID: {id!r}")
    return id.hex, email


def started() -> float:
    """Return the time, after hiding prepared objects from the garbage collector."""
    gc.collect()
    gc.freeze()
    return time.perf_counter()


def peak() -> int:
    """Return the most bytes that this process ever had in memory."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes there, and kibibytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forgotten_peak() -> int:
    """Return the bytes in memory, and let :func:`peak` begin anew. If the system cannot, return the peak so far."""
    gc.collect()
    if CLEAR_REFS.exists():
        CLEAR_REFS.write_text("5")
    return peak()


def count_statements() -> None:
    """Count from now on what SQLite runs on every new connection, by any library."""
    connect: Any = sqlite3.connect

    def counting(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **named)
        connection.set_trace_callback(count)
        return connection

    def count(_statement: str) -> None:
        global statements  # noqa: PLW0603  # a process counts for itself alone
        statements += 1

    sqlite3.connect = sqlite3.dbapi2.connect = counting  # type: ignore[assignment]  # its overloads


TURNS = {"mix": mix, "bulk": bulk, "stream": stream}


def main() -> None:
    """Follow orders until the input ends."""
    first = json.loads(sys.stdin.readline())
    if first["counting"]:
        count_statements()
    contender = load(first["name"], first["url"])
    for line in sys.stdin:
        order = json.loads(line)
        before = statements
        answer = TURNS.get(order["operation"], many)(contender, order)
        gc.unfreeze()
        print(json.dumps(answer | {"statements": statements - before}), flush=True)


if __name__ == "__main__":
    main()
