"""Measure the server beside a bare FastAPI application on hand-written SQLAlchemy ORM, by wrk.

    python -m proof.benchmarks.http [--seconds 3] [--turns 3] [--connections 20] [--write]

Each is a process with one uvicorn worker, on a separate PostgreSQL database with the same 10,000 users. They take
turns: never two at a time, another one begins in each turn, and each turn starts its server anew. wrk (Debian: wrk) is
on the same machine. Exits with 2 without it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from proof.benchmarks.contenders.contender import PAGE
from proof.benchmarks.databases import databases
from proof.benchmarks.people import person
from proof.benchmarks.report import machine, put_between_marks
from proof.benchmarks.turns import WorkNotDone, expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proof.benchmarks.databases import Database

ROOT = Path(__file__).parents[2]
SCRIPT = str(Path(__file__).with_suffix(".lua"))
PATIENCE = 30
"""How many seconds a server has to start or to end."""

READ = person(77)

OURS, BY_HAND = "Plumbline", "FastAPI by hand"
COMMANDS = {
    OURS: [sys.executable, "-m", "entrypoints.cli", "serve"],
    BY_HAND: [sys.executable, "-m", "uvicorn", "proof.benchmarks.contenders.fastapi_by_hand:app"],
}


@frozen
class Load:
    """What wrk sends: a path, and the arguments of the script beside the name of new users."""

    path: str
    creates: bool = False
    is_keyed: bool = False


LOADS = {
    "`GET /users/{username}`": Load(f"/users/{READ.username}"),
    f"`GET /users?limit={PAGE}`": Load(f"/users?limit={PAGE}"),
    "`POST /users`": Load("/users", creates=True),
    "`POST /users` with a key": Load("/users", creates=True, is_keyed=True),
}
FOR_BOTH = list(LOADS)[:3]


@frozen
class Measured:
    """What wrk found: requests and errors, requests a second, and the milliseconds of which half and 99 % took less."""

    requests: int
    errors: int
    rate: float
    half: float
    most: float


@define
class Figures:
    """What was found for one server, by turn."""

    started: list[float] = field(factory=list)
    measured: dict[str, list[Measured]] = field(factory=dict)

    def middle(self, load: str, name: str) -> float:
        """Return the median of a figure."""
        return float(median(getattr(one, name) for one in self.measured[load]))


@frozen
class Running:
    """A server that answers on a port of 127.0.0.1."""

    port: int

    def ask(self, method: str, path: str, values: Any = None) -> tuple[int, Any]:
        """Return the status and the values of an answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            body = None if values is None else json.dumps(values)
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def check(self) -> None:
        """Raise :class:`WorkNotDone` unless the server does the work that is measured."""
        expect("the status of a user", (200, READ.email), _part(self.ask("GET", f"/users/{READ.username}"), "email"))
        expect("the status of a stranger", 404, self.ask("GET", "/users/nobody")[0])
        status, page = self.ask("GET", f"/users?limit={PAGE}")
        expected = [person(number).username for number in range(PAGE)]
        expect("a page", (200, expected), (status, [user["username"] for user in page["users"]]))
        for taken in ({"username": READ.username}, {"email": READ.email}):
            new = {"username": "new", "email": "new@example.com", **taken}
            expect(f"the status for {taken}, which is taken", 409, self.ask("POST", "/users", new)[0])

    def load(self, load: Load, name: str, seconds: int, connections: int) -> Measured:
        """Let wrk send requests for some seconds. New users are called by ``name`` and a number."""
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "-s",
            SCRIPT,
            f"http://127.0.0.1:{self.port}{load.path}",
        ]
        command += ["--", name, *(["keyed"] if load.is_keyed else [])] if load.creates else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = re.search(r"^RESULT (\d+) (\d+) (\S+) (\S+) (\S+)$", done.stdout, re.MULTILINE)
        if done.returncode or not found:
            raise WorkNotDone(f"wrk has failed: {done.stdout}{done.stderr}")
        requests, errors, rate, half, most = found.groups()
        return Measured(int(requests), int(errors), float(rate), float(half), float(most))


def _part(answer: tuple[int, Any], name: str) -> tuple[int, Any]:
    return answer[0], answer[1].get(name)


@contextmanager
def serving(command: list[str], url: str) -> Iterator[tuple[Running, float]]:
    """Run a server; yield it with the seconds from its start to its first answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        running = Running(free.getsockname()[1])
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
    with TemporaryFile() as log:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--port", str(running.port)], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            while True:
                try:
                    running.ask("GET", f"/users/{READ.username}")
                    break
                except ConnectionRefusedError:
                    if process.poll() is not None or time.perf_counter() - begun > PATIENCE:
                        log.seek(0)
                        raise WorkNotDone(f"the server did not start: {log.read().decode()}") from None
                    time.sleep(0.005)
            yield running, time.perf_counter() - begun
        finally:
            process.terminate()
            process.wait(PATIENCE)


def turn(name: str, database: Database, number: int, options: argparse.Namespace, found: Figures) -> None:
    """Start a server, let wrk send each kind of requests, and look into the database for what it has created."""
    url = database.url if name == OURS else database.url.replace("postgresql:", "postgresql+psycopg2:", 1)
    before, created, limit = database.count(), 0, 0
    with serving(COMMANDS[name], url) as (server, seconds):
        found.started.append(seconds)
        server.check()
        for place, (title, load) in enumerate(LOADS.items()):
            if name != OURS and title not in FOR_BOTH:
                continue
            warm = server.load(load, f"warm{number}x{place}x", 1, options.connections)
            measured = server.load(load, f"new{number}x{place}x", options.seconds, options.connections)
            expect(f"the errors of {name}, {title}", (0, 0), (warm.errors, measured.errors))
            found.measured.setdefault(title, []).append(measured)
            if load.creates:
                created += warm.requests + measured.requests
                limit += 2 * options.connections  # those whose answers wrk did not wait for
    stored = database.count() - before
    if not created <= stored <= created + limit:
        raise WorkNotDone(f"{name} has answered that it created {created} users, and stored {stored}")
    database.analyze()


def tables(found: dict[str, Figures]) -> str:
    """Return the medians."""
    ours, theirs = found[OURS], found[BY_HAND]
    lines = [
        f"| | {OURS}, a second | p50 and p99, ms | {BY_HAND}, a second | p50 and p99, ms | times as fast |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for title in LOADS:
        if title in FOR_BOTH:
            ratio = ours.middle(title, "rate") / theirs.middle(title, "rate")
            lines.append(f"| {title} | {_cells(ours, title)} | {_cells(theirs, title)} | **{ratio:.2f}** |")
        else:
            lines.append(f"| {title} | {_cells(ours, title)} | | | |")
    first, second = median(ours.started), median(theirs.started)
    lines.append(f"| start to first answer | {first:.2f} s | | {second:.2f} s | | **{second / first:.2f}** |")
    return "\n".join(lines)


def _cells(figures: Figures, title: str) -> str:
    rate, half, most = (figures.middle(title, name) for name in ("rate", "half", "most"))
    return f"{rate:,.0f} | {half:.1f}, {most:.1f}"


def measured(options: argparse.Namespace) -> dict[str, Figures]:
    """Return the figures of each server, which take turns."""
    found = {name: Figures() for name in COMMANDS}
    with databases("postgresql", found, options.server) as owned:
        for number in range(options.turns):
            for name in found if number % 2 == 0 else reversed(found):
                turn(name, owned[name], number, options, found[name])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--server", help="the URL of a PostgreSQL server to use (default: a throw-away one)")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed: apt-get install -y wrk", file=sys.stderr)
        sys.exit(2)
    load = os.getloadavg()[0]
    found = measured(options)
    requests = sum(one.requests for figures in found.values() for some in figures.measured.values() for one in some)
    text = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `python -m proof.benchmarks.http --seconds {options.seconds}"
        f" --turns {options.turns} --connections {options.connections}`, on {machine()}, at a load of {load:.1f} when"
        f" it began. {requests:,} requests, no errors.\n\n{tables(found)}"
    )
    print(text)
    if options.write:
        put_between_marks("http", text)


if __name__ == "__main__":
    main()
