"""Requests to the real server that are sent again under their key, while COMMITs are cut, and servers killed.

Each client creates a user, changes it, and asks again until it has an answer of success. Whoever gets a refusal was
answered falsely before: the user is there, and only this client can have stored it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import httpx
from attrs import define, field

from proof.laws.counting_proxy import proxy_to
from proof.laws.faults import AFTER, BEFORE, FaultyProxy
from proof.torture import report
from proof.torture.look import Look
from tests.postgres_server import new_database, own_postgres
from tests.storages import migrated_engine

SERVER = (sys.executable, "-m", "entrypoints.cli", "serve", "--port")
"""The real server; its last argument is the port."""

CLIENTS = 4
"""How many clients send requests at the same time."""

PATIENCE = 60
"""How many seconds a client asks for the same, at the most."""

ROOT = Path(__file__).parents[2]


@define
class Requests:
    """What came of it: counts, and what is wrong in a sentence each."""

    disturbances: int = 0
    acknowledged: int = 0
    repeated: int = 0
    answers: Counter[str] = field(factory=Counter)
    seconds: float = 0.0
    stored: dict[str, tuple[str, int]] = field(factory=dict)
    """The address and the version of each user, as the last answer has it."""
    violations: list[str] = field(factory=list)


@define
class WebServer:
    """A server as a process, which can be killed and started again on the same port."""

    url: str
    command: Sequence[str]
    port: int
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        environment = {**os.environ, "DATABASE_URL": self.url, "PYTHONPATH": str(ROOT), "DATABASE_TIMEOUT": "2"}
        self.process = subprocess.Popen(
            [*self.command, str(self.port)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        assert "serving" in self.process.stdout.readline()

    def kill(self) -> None:
        """End it without a warning."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate()


@contextmanager
def web_server(url: str, command: Sequence[str] = SERVER) -> Iterator[WebServer]:
    """Run a server on the database of a URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = WebServer(url, command, port)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@define
class Client:
    """A client that sends each request again until it gets an answer."""

    port: int
    number: int
    found: Requests

    def work(self, place: int) -> None:
        """Create a user and change its address."""
        name = f"user-{self.number}-{place}"
        created = self.ask("POST", "/users", {"username": name, "email": f"{name}@example.com"}, f"{name}-created", {})
        if not self.acknowledge(name, created, 201):
            return
        version = {"If-Match": created.headers["etag"]}
        changed = self.ask("PATCH", f"/users/{name}", {"email": f"{name}@example.org"}, f"{name}-changed", version)
        self.acknowledge(name, changed, 200)

    def ask(self, method: str, path: str, body: Any, key: str, headers: dict[str, str]) -> httpx.Response:
        """Send a request until it is answered by the application itself."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                url = f"http://127.0.0.1:{self.port}{path}"
                answer = httpx.request(method, url, json=body, headers={"Idempotency-Key": key, **headers}, timeout=20)
                is_problem = answer.headers.get("content-type") == "application/problem+json"
                kind = answer.json()["type"] if is_problem else str(answer.status_code)
            except httpx.TransportError as error:
                answer, kind = None, type(error).__name__
            self.found.answers[kind] += 1
            if answer is not None and answer.status_code < 500:
                return answer
            assert time.monotonic() < deadline, f"{key}: no answer, at last {kind}"
            self.found.repeated += 1
            time.sleep(0.02)

    def acknowledge(self, name: str, answer: httpx.Response, expected: int) -> bool:
        """Note what an answer says is stored."""
        if answer.status_code != expected:
            self.found.violations.append(f"{name}: answered {answer.status_code}, {answer.text}")
            return False
        self.found.acknowledged += 1
        self.found.stored[name] = (answer.json()["email"], answer.json()["version"])
        return True


def cut_requests(url: str, cuts: int, random: Random, command: Sequence[str] = SERVER) -> Requests:
    """Cut so many COMMITs of a server, one after the other, or up to the first violation."""
    found, began = Requests(), time.monotonic()
    with proxy_to(url, FaultyProxy) as (proxy, through), web_server(through, command) as server:
        client = Client(server.port, 0, found)
        while found.disturbances < cuts and not found.violations:
            proxy.faults.plan(random.choice((1, 1, 2)), random.choice((BEFORE, AFTER)), only_commits=True)
            client.work(found.disturbances)
            found.disturbances += proxy.faults.met
    return _checked(url, found, began)


def kill_servers(url: str, kills: int, random: Random) -> Requests:
    """Kill a server so many times while clients send requests."""
    found, began = Requests(), time.monotonic()
    with web_server(url) as server:

        def disturb() -> None:
            time.sleep(random.uniform(0.05, 0.4))
            server.kill()
            server.start()

        _load(server, found, disturb, kills)
    return _checked(url, found, began)


def stop_databases(stops: int, random: Random) -> Requests:
    """Stop a PostgreSQL of our own so many times while clients send requests."""
    found, began = Requests(), time.monotonic()
    with own_postgres() as (administrator, database), new_database(administrator) as url:
        with migrated_engine(url), web_server(url) as server:

            def disturb() -> None:
                time.sleep(random.uniform(0.05, 0.4))
                database.stop()
                database.start()

            _load(server, found, disturb, stops)
        return _checked(url, found, began)


def _load(server: WebServer, found: Requests, disturb: Any, times: int) -> None:
    """Let clients send requests as long as they are disturbed, and end what they have begun."""
    over = Event()

    def send(number: int) -> None:
        client, place = Client(server.port, number, found), 0
        while not over.is_set():
            client.work(place := place + 1)

    with ThreadPoolExecutor(CLIENTS) as threads:
        running = [threads.submit(send, number) for number in range(CLIENTS)]
        try:
            while found.disturbances < times and not found.violations:
                disturb()
                found.disturbances += 1
        finally:
            over.set()
        for one in running:
            one.result()


def _checked(url: str, found: Requests, began: float) -> Requests:
    look = Look(url)
    stored = look.users()
    look.close()
    for name in sorted(stored.keys() | found.stored.keys()):
        if stored.get(name) != found.stored.get(name):
            found.violations.append(f"{name}: answered {found.stored.get(name)}, and stored is {stored.get(name)}")
    found.seconds = time.monotonic() - began
    return found


def main(arguments: Sequence[str]) -> int:
    """Disturb a server on PostgreSQL in each way, and return 1 if any answer was false."""
    parser = report.parser("requests", __doc__)
    parser.add_argument("--cuts", type=int, default=1_000, help="of COMMITs")
    parser.add_argument("--kills", type=int, default=300, help="of the server")
    parser.add_argument("--stops", type=int, default=100, help="of PostgreSQL")
    options = parser.parse_args(arguments)
    random = Random(options.seed)  # noqa: S311  # to be repeated
    print(f"seed {options.seed}", flush=True)
    found = {}
    with own_postgres() as (administrator, _), new_database(administrator) as url, migrated_engine(url):
        found["COMMITs cut"] = cut_requests(url, options.cuts, random)
    with own_postgres() as (administrator, _), new_database(administrator) as url, migrated_engine(url):
        found["kills of the server"] = kill_servers(url, options.kills, random)
    found["stops of PostgreSQL"] = stop_databases(options.stops, random)
    for name, one in found.items():
        print(
            f"{one.disturbances:,} {name} in {one.seconds:.0f} s: {one.acknowledged:,} answers of success,"
            f" {one.repeated:,} requests sent again, {dict(one.answers)}, {len(one.violations):,} violations",
            flush=True,
        )
    report.write(
        "requests",
        options,
        f"requests --cuts {options.cuts} --kills {options.kills} --stops {options.stops}",
        ["", "answers of success", "requests sent again", "seconds", "violations"],
        [
            (f"{one.disturbances:,} {name}", one.acknowledged, one.repeated, f"{one.seconds:.0f}", len(one.violations))
            for name, one in found.items()
        ],
    )
    return report.complain([violation for one in found.values() for violation in one.violations])
