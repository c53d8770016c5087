"""Clients in separate processes, which report by a pipe what they do, and can be killed like a user's process.

A client does one unit of work after another. Most add two users that belong together and change a third one, the
client's account. Its address holds the number of the last such unit, so a torn unit would show. Every third unit only
adds one user, so its only statement may be its transaction.
"""

from __future__ import annotations

import multiprocessing
import os
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from attrs import define, field, frozen

from domain.errors import CommitOutcomeUnknown, StorageUnavailable
from domain.user import User
from entrypoints.bootstrap import bootstrap
from service_layer.unit_of_work import UnitOfWork
from service_layer.users import create_user, get_user

INTENDED, ACKNOWLEDGED, UNAVAILABLE, UNKNOWN = (bytes([letter]) for letter in b"IAUO")
"""A client's reports about a unit: that it begins, and how it has ended."""

PAUSE = 0.005
"""Seconds that a client waits after an error of storage, as it should."""

_RECORD = struct.Struct("=cQ")  # the report and the number of the unit: short enough to be written wholly or not

# Forked from a process that has imported everything and has no thread or connection, a client starts in milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["proof.torture.clients", "adapters.sql.unit_of_work", "adapters.sql.schema", "psycopg2.extras", "pymysql"]
    + [f"sqlalchemy.dialects.{name}" for name in ("sqlite.pysqlite", "postgresql.psycopg2", "mysql.pymysql")]
)


@frozen
class Unit:
    """The unit of work with a number, from 1 on, of a client."""

    client: int
    number: int

    @property
    def is_single(self) -> bool:
        """Whether it only adds one user."""
        return self.number % 3 == 0

    @property
    def usernames(self) -> list[str]:
        """The names of the users that it adds."""
        return [f"unit-{self.client}-{self.number}-{letter}" for letter in ("a" if self.is_single else "ab")]


Store = Callable[[Unit, UnitOfWork, Callable[[], None]], None]
"""Stores a unit, and calls its last argument when that is done."""


def store_unit(unit: Unit, uow: UnitOfWork, acknowledge: Callable[[], None]) -> None:
    """Store a unit in one transaction, and acknowledge it after its commit."""
    one, *others = unit.usernames
    with uow:
        uow.users.add(User.create(one, f"{one}@example.com"))
        if not unit.is_single:
            uow.users.get_by_username(account_name(unit.client)).change_email(account_email(unit.client, unit.number))
        for other in others:
            uow.users.add(User.create(other, f"{other}@example.com"))
        uow.commit()
    acknowledge()


def account_name(client: int) -> str:
    """Return the name of the user that the units of a client change."""
    return f"account-{client}"


def account_email(client: int, number: int) -> str:
    """Return the address of that user after the unit with this number."""
    return f"{number}@account-{client}.example.com"


def create_account(client: int, uow: UnitOfWork) -> None:
    """Store the account of a client as before its first unit."""
    create_user(account_name(client), account_email(client, 0), uow)


def work(url: str, client: int, pipe: Connection, store: Store) -> None:
    """Store one unit after another without end, after the last stored one, and report each step."""

    def tell(what: bytes, number: int) -> None:
        try:
            os.write(pipe.fileno(), _RECORD.pack(what, number))
        except BrokenPipeError:
            sys.exit()  # the parent no longer listens

    with bootstrap(url) as application:
        last = get_user(account_name(client), application.unit_of_work()).email
        number = int(last.partition("@")[0])
        while True:
            number += 1
            tell(INTENDED, number)
            try:
                store(Unit(client, number), application.unit_of_work(), partial(tell, ACKNOWLEDGED, number))
            except CommitOutcomeUnknown:
                tell(UNKNOWN, number)
                time.sleep(PAUSE)
            except StorageUnavailable:
                tell(UNAVAILABLE, number)
                time.sleep(PAUSE)


@define(eq=False)
class Client:
    """A running client as its parent sees it. ``told`` is its last report of each unit."""

    number: int
    process: BaseProcess
    pipe: Connection
    told: dict[int, bytes] = field(factory=dict)
    _rest: bytes = b""

    @classmethod
    def start(cls, url: str, number: int, store: Store) -> Client:
        """Start a client on a database that holds its account."""
        reading, writing = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=work, args=(url, number, writing, store), daemon=True)
        process.start()
        writing.close()  # so reading ends when the client does
        return cls(number, process, reading)

    def read(self) -> list[bytes] | None:
        """Return its reports since the last call, waiting for at least a part of one. ``None``: it has ended."""
        data = os.read(self.pipe.fileno(), 1 << 16)
        if not data:
            return None
        data = self._rest + data
        complete = len(data) - len(data) % _RECORD.size
        self._rest = data[complete:]
        news = []
        for what, number in _RECORD.iter_unpack(data[:complete]):
            self.told[number] = what
            news.append(what)
        return news

    def drain(self) -> list[bytes]:
        """Return its reports by now, without waiting."""
        news: list[bytes] = []
        while self.pipe.poll():
            more = self.read()
            if more is None:
                break
            news += more
        return news

    def end(self) -> None:
        """Kill a client unless it has ended, and release its resources."""
        self.process.kill()
        self.close()

    def close(self) -> None:
        """Wait until a client has ended, and release its resources."""
        self.process.join()
        self.pipe.close()
