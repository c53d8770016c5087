"""Promise 8 on SQLite: the writers of a process take turns, so that one alone waits in SQLite, and none is left out."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event, Lock
from typing import Any

import pytest
from attrs import define, field
from sqlalchemy import Engine, event

from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import ConcurrentChange
from service_layer.users import create_user
from tests import plain_driver
from tests.contract.users import stored_names
from tests.storages import InATransaction, migrated_engine, sql_storage, without_the_disk

UNITS = [SqlUnitOfWork, InATransaction]
THREADS = 4
SHORT = 0.1
"""Seconds that a writer waits, where somebody is to wait in vain."""


@define
class Watch:
    """Counts who takes the write lock of SQLite at the same time, and calls ``meanwhile`` before each does."""

    meanwhile: Callable[[], object] = field(default=lambda: None)
    most: int = field(default=0, init=False)
    _now: int = field(default=0, init=False)
    _lock: Lock = field(factory=Lock, init=False)

    @contextmanager
    def taking_it(self) -> Iterator[None]:
        """Surround a statement that takes the lock."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            self.meanwhile()
            yield
        finally:
            with self._lock:
                self._now -= 1


@contextmanager
def watched_engine(url: str, timeout: float, watch: Watch) -> Iterator[Engine]:
    """Yield an engine on a new database, whose connections tell ``watch`` what they do."""

    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, *rest: Any) -> Any:
            if statement.startswith("INSERT") and not self.connection.in_transaction:
                with watch.taking_it():
                    return super().execute(statement, *rest)
            return super().execute(statement, *rest)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, statement: str, *rest: Any) -> Any:
            if statement.startswith("BEGIN"):
                with watch.taking_it():
                    return super().execute(statement, *rest)
            return super().execute(statement, *rest)

    def use(_dialect: object, _record: object, _arguments: object, named: dict[str, Any]) -> None:
        named["factory"] = Connection

    with migrated_engine(url, timeout) as engine:
        engine.dispose()
        event.listen(engine, "connect", without_the_disk)
        event.listen(engine, "do_connect", use)
        yield engine


def create(engine: Engine, name: str, unit: type[SqlUnitOfWork] = SqlUnitOfWork) -> None:
    """Store a user."""
    create_user(name, f"{name}@example.com", unit(engine))


@pytest.mark.promise(8)
def test_one_writer_of_a_process_alone_waits_in_sqlite(sqlite_database: str) -> None:
    """Whether its statement is a transaction by itself, or begins one; and all of them come to their turns."""
    watch = Watch(lambda: time.sleep(0.002))

    def write(engine: Engine, thread: int) -> None:
        for number in range(5):
            create(engine, f"user{thread}-{number}", UNITS[thread % 2])

    with watched_engine(sqlite_database, 10, watch) as engine, ThreadPoolExecutor(THREADS) as pool:
        done = [pool.submit(write, engine, thread) for thread in range(THREADS)]
        for one in done:
            one.result()
        assert 1 == watch.most
        assert THREADS * 5 == len(stored_names(sql_storage(engine)))


@pytest.mark.promise(8)
@pytest.mark.parametrize("unit", UNITS)
def test_all_who_wait_in_vain_for_another_process_are_told_so(sqlite_database: str, unit: type[SqlUnitOfWork]) -> None:
    """Each meets a conflict, and may try again: nobody waits for the others' limits, one after another."""
    with watched_engine(sqlite_database, SHORT, Watch()) as engine, ThreadPoolExecutor(THREADS) as pool:
        with closing(plain_driver.connect(str(engine.url))) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = [pool.submit(create, engine, f"user{number}", unit) for number in range(THREADS)]
            errors = [one.exception() for one in waiting]
            other.rollback()
        assert [(ConcurrentChange, True)] * THREADS == [(type(one), getattr(one, "retryable", None)) for one in errors]
        create(engine, "ann", unit)
        assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(8)
def test_a_turn_that_nobody_gives_back_is_waited_for_once(sqlite_database: str) -> None:
    """Who has waited for it long enough writes without it, and those who come later wait no longer."""
    stuck, released = Event(), Event()
    watch = Watch()

    def hold() -> None:
        if not stuck.is_set():
            stuck.set()
            released.wait(60)

    with watched_engine(sqlite_database, SHORT, watch) as engine, ThreadPoolExecutor(1) as pool:
        watch.meanwhile = hold
        first = pool.submit(create, engine, "ann")
        try:
            assert stuck.wait(60)
            start = time.monotonic()
            for number in range(100):
                create(engine, f"user{number}")
            assert time.monotonic() - start < 50 * SHORT
        finally:
            released.set()
        first.result()
        assert 101 == len(stored_names(sql_storage(engine)))
