"""Kill working clients by ``kill -9``, and look at what they leave behind."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import wait
from random import Random
from typing import Any

from attrs import define, field

from entrypoints.bootstrap import bootstrap
from proof.torture.clients import ACKNOWLEDGED, INTENDED, Client, Store, Unit, create_account, store_unit
from proof.torture.ledger import Ledger
from proof.torture.look import Look

CLIENTS = 16
"""How many clients work at the same time."""

WORK = (0.001, 0.030)
"""Seconds that a client goes on working after its first commit before it is killed, at least and at most."""

PATIENCE = 60
"""Seconds after which a client that does nothing, or a connection that does not end, is an error."""


@define
class Kills:
    """The results: counts, and what is wrong in a sentence each."""

    kills: int = 0
    acknowledged: int = 0
    stored_in_flight: int = 0
    absent_in_flight: int = 0
    seconds: float = 0.0
    violations: list[str] = field(factory=list)


def kill_clients(url: str, kills: int, random: Random, store: Store = store_unit, clients: int = CLIENTS) -> Kills:
    """Kill this many clients, or up to the first violation, on an empty database at the newest revision."""
    total = Kills()
    began = time.monotonic()
    with bootstrap(url) as application:
        for number in range(clients):
            create_account(number, application.unit_of_work())
    ledgers = [Ledger(number) for number in range(clients)]
    while total.kills < kills and not total.violations:
        due = ledgers[: kills - total.kills]
        started = [Client.start(url, ledger.client, store) for ledger in due]
        total.violations += _kill_each(started, [random.uniform(*WORK) for _ in started])
        total.kills += sum(client.process.exitcode == -signal.SIGKILL for client in started)
        _check(url, due, started, total)
    total.seconds = time.monotonic() - began
    return total


def _kill_each(clients: Sequence[Client], delays: Sequence[float]) -> list[str]:
    """Kill each client after its delay (seconds) from its first commit. Return the other reasons why clients ended."""
    by_pipe: dict[Any, tuple[Client, float]] = {
        client.pipe: (client, delay) for client, delay in zip(clients, delays, strict=True)
    }
    deadlines: dict[Any, float] = {}
    give_up = time.monotonic() + PATIENCE
    while by_pipe:
        now = time.monotonic()
        for pipe in [pipe for pipe, moment in deadlines.items() if moment <= now]:
            by_pipe[pipe][0].process.kill()
            del deadlines[pipe]
        for pipe in wait(list(by_pipe), max(0.0, min(deadlines.values(), default=give_up) - time.monotonic())):
            client, delay = by_pipe[pipe]
            is_new = ACKNOWLEDGED not in client.told.values()
            news = client.read()
            if news is None:
                client.close()
                del by_pipe[pipe]
                deadlines.pop(pipe, None)
            elif is_new and ACKNOWLEDGED in news:
                deadlines[pipe] = time.monotonic() + delay
        if time.monotonic() > give_up:
            for client, _ in by_pipe.values():
                client.end()
            raise TimeoutError(f"{len(by_pipe)} clients did not come to work within {PATIENCE} s")
    return [
        f"client {client.number} ended by itself, with {client.process.exitcode}: its own words are above"
        for client in clients
        if client.process.exitcode != -signal.SIGKILL
    ]


def _check(url: str, ledgers: Sequence[Ledger], clients: Sequence[Client], total: Kills) -> None:
    look = Look(url)
    # A server finishes the requests that it has read from a dead client. So its connections have to end first.
    give_up = time.monotonic() + PATIENCE
    while look.others():
        if time.monotonic() > give_up:
            raise TimeoutError(f"connections of dead clients are left after {PATIENCE} s")
        time.sleep(0.001)
    rows = look.users()
    checked: list[str] = []
    for ledger, client in zip(ledgers, clients, strict=True):
        told = client.told
        total.violations += ledger.violations(told, told, rows)
        total.violations += [
            f"client {client.number} met an error, though nobody has stopped the database: unit {number} is {what!r}"
            for number, what in told.items()
            if what not in (INTENDED, ACKNOWLEDGED)
        ]
        gone = ledger.settle(told, rows)
        total.acknowledged += sum(what == ACKNOWLEDGED for what in told.values())
        for number, what in told.items():
            if what == INTENDED:
                stored = Unit(client.number, number).usernames[0] in gone
                total.stored_in_flight += stored
                total.absent_in_flight += not stored
        checked += gone
    look.remove(checked)
    look.close()
