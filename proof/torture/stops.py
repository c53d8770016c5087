"""Immediate stops of a PostgreSQL server with clients at work, which go on when it is back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from random import Random

from attrs import define, field

from entrypoints.bootstrap import bootstrap
from proof.torture.clients import (
    ACKNOWLEDGED,
    UNAVAILABLE,
    UNKNOWN,
    Client,
    Store,
    Unit,
    create_account,
    store_unit,
)
from proof.torture.ledger import Ledger, resolved
from proof.torture.look import Look
from tests.postgres_server import new_database, own_postgres
from tests.servers import Server
from tests.storages import migrated_engine

CLIENTS = 4
"""How many clients work at the same time."""

WORK = (0.0, 0.030)
"""Seconds from the moment at which every client works again to the stop, at least and at most."""

PATIENCE = 30
"""Seconds after which a client that does not start to work is an error."""

FAILURES = 2
"""How many units of a client may fail after the server is back: the one that it was in, and the one that gets an ended
connection (promise 15)."""


@define
class Stops:
    """The results: counts, and what is wrong in a sentence each."""

    stops: int = 0
    acknowledged: int = 0
    unavailable: int = 0
    unknown_stored: int = 0
    unknown_absent: int = 0
    seconds: float = 0.0
    violations: list[str] = field(factory=list)


def stop_server(stops: int, random: Random, store: Store = store_unit) -> Stops:
    """Stop a new server this many times, or up to the first violation."""
    began = time.monotonic()
    total = Stops()
    with own_postgres() as (administrator, server), new_database(administrator) as url:
        with migrated_engine(url), bootstrap(url) as application:
            for number in range(CLIENTS):
                create_account(number, application.unit_of_work())
        ledgers = [Ledger(number) for number in range(CLIENTS)]
        clients = [Client.start(url, number, store) for number in range(CLIENTS)]
        try:
            _go_on(clients, total, failures=0)
            while total.stops < stops and not total.violations:
                time.sleep(random.uniform(*WORK))
                _stop_once(server, clients, total)
                _check(url, ledgers, clients, total)
        finally:
            for client in clients:
                client.end()
    total.seconds = time.monotonic() - began
    return total


def _stop_once(server: Server, clients: Sequence[Client], total: Stops) -> None:
    server.stop()  # immediately, by SIGQUIT
    server.start()
    total.stops += 1
    for client in clients:
        client.drain()
    _go_on(clients, total, FAILURES)


def _go_on(clients: Sequence[Client], total: Stops, failures: int) -> None:
    """Wait until each client has stored a unit again. Before that it may get only a few errors."""
    give_up = time.monotonic() + PATIENCE
    for client in clients:
        news: list[bytes] = []
        while ACKNOWLEDGED not in news:
            more = client.read() if client.pipe.poll(max(0.0, give_up - time.monotonic())) else []
            if not more:
                state = "has ended by itself: see above" if more is None else f"stores nothing for {PATIENCE} s"
                total.violations.append(f"after stop {total.stops}: client {client.number} {state}")
                return
            news += more
        before = Counter(news[: news.index(ACKNOWLEDGED)])
        failed = before[UNAVAILABLE] + before[UNKNOWN]
        if failed > failures:
            total.violations.append(
                f"after stop {total.stops}: client {client.number} was told {failed} errors by a server that was there"
            )


def _check(url: str, ledgers: Sequence[Ledger], clients: Sequence[Client], total: Stops) -> None:
    dues = []
    for client in clients:
        client.drain()
        dues.append(resolved(client.told))
    look = Look(url)
    rows = look.users()
    for ledger, client, due in zip(ledgers, clients, dues, strict=True):
        client.drain()  # a client reports a unit before it begins it, so all that is stored has been reported by now
        total.violations += [f"after stop {total.stops}: {one}" for one in ledger.violations(due, client.told, rows)]
        gone = set(ledger.settle(due, rows))
        look.remove(gone)
        for number, what in due.items():
            stored = Unit(client.number, number).usernames[0] in gone
            total.acknowledged += what == ACKNOWLEDGED
            total.unavailable += what == UNAVAILABLE
            total.unknown_stored += what == UNKNOWN and stored
            total.unknown_absent += what == UNKNOWN and not stored
            del client.told[number]
    look.close()
