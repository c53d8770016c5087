"""Promise 8 on SQLite: the writers of a process take turns. Only one is in SQLite, and none is left out."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from threading import Event, Lock
from typing import Any

import pytest
from attrs import define, field
from sqlalchemy import Engine, event

from domain.errors import ConcurrentChange, StorageError, UnitOfWorkMisuse
from proof.laws import plain_driver
from tests.contract.members import NameTaken, create_member, new_member, stored_names, written
from tests.contract.shop import SqlShop
from tests.storages import InATransaction, members_engine, sql_storage, without_the_disk

UNITS = [SqlShop, InATransaction]
THREADS = 4
SHORT = 0.1
"""Seconds that a writer waits if it is to wait in vain."""


@define
class Watch:
    """Counts the writers in SQLite at the same time, and calls ``meanwhile`` whenever one comes in."""

    meanwhile: Callable[[], object] = field(default=lambda: None)
    most: int = field(default=0, init=False)
    _now: int = field(default=0, init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def come(self) -> None:
        """Count a writer that begins."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self.meanwhile()

    def go(self) -> None:
        """Count a writer that has ended."""
        with self._lock:
            self._now -= 1


@contextmanager
def watched_engine(url: str, timeout: float, watch: Watch) -> Iterator[Engine]:
    """Yield an engine on a new database, whose connections report to ``watch``."""

    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, *rest: Any) -> Any:
            is_alone = statement.startswith("INSERT") and not self.connection.in_transaction
            if is_alone:
                watch.come()
            try:
                return super().execute(statement, *rest)
            finally:
                if is_alone:
                    watch.go()

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, statement: str, *rest: Any) -> Any:
            if statement.startswith("BEGIN"):
                watch.come()
            return super().execute(statement, *rest)

        def commit(self) -> None:
            if self.in_transaction:
                watch.go()
            super().commit()

    def use(_dialect: object, _record: object, _arguments: object, named: dict[str, Any]) -> None:
        named["factory"] = Connection

    with members_engine(url, timeout) as engine:
        engine.dispose()
        event.listen(engine, "connect", without_the_disk)
        event.listen(engine, "do_connect", use)
        yield engine


def create(engine: Engine, name: str, unit: type[SqlShop] = SqlShop) -> None:
    """Store a member."""
    create_member(name, f"{name}@example.com", unit(engine))


@pytest.mark.promise(8)
def test_one_writer_of_a_process_is_in_sqlite(sqlite_database: str) -> None:
    """Only one writer of a process is in SQLite until it ends, by a transaction or a statement. All get turns."""
    watch = Watch(lambda: time.sleep(0.002))

    def write(engine: Engine, thread: int) -> None:
        for number in range(5):
            create(engine, f"member{thread}-{number}", UNITS[thread % 2])

    with watched_engine(sqlite_database, 10, watch) as engine, ThreadPoolExecutor(THREADS) as pool:
        done = [pool.submit(write, engine, thread) for thread in range(THREADS)]
        for one in done:
            one.result()
        assert 1 == watch.most
        assert THREADS * 5 == len(stored_names(sql_storage(engine)))


@pytest.mark.promise(8)
@pytest.mark.parametrize("unit", UNITS)
def test_writers_wait_in_vain_together(sqlite_database: str, unit: type[SqlShop]) -> None:
    """Writers that wait in vain for another process all meet a conflict and may try again.

    None waits for the limits of the others, one after another.
    """
    many, limit = 12, 0.25
    with watched_engine(sqlite_database, limit, Watch()) as engine, ThreadPoolExecutor(many) as pool:
        with closing(plain_driver.connect(str(engine.url))) as other:
            other.execute("BEGIN IMMEDIATE")
            start = time.monotonic()
            waiting = [pool.submit(create, engine, f"member{number}", unit) for number in range(many)]
            errors = [one.exception() for one in waiting]
            took = time.monotonic() - start
            other.rollback()
        assert {(ConcurrentChange, True)} == {(type(one), getattr(one, "retryable", None)) for one in errors}
        assert took < many / 2 * limit
        create(engine, "ann", unit)
        assert ["ann"] == stored_names(sql_storage(engine))


def commits(uow: SqlShop) -> None:
    """Create a member."""
    uow.members.add(new_member("bob"))
    uow.commit()


def is_refused(uow: SqlShop) -> None:
    """Create a member whose name is taken."""
    uow.members.add(new_member("ann"))
    uow.commit()


def rolls_back(uow: SqlShop) -> None:
    """Write, and roll back."""
    uow.members.add(new_member("bob"))
    written(uow)
    uow.rollback()


def fails(uow: SqlShop) -> None:
    """Write, and meet an error of another kind."""
    uow.members.add(new_member("bob"))
    written(uow)
    raise NameTaken("somebody")


def loses_the_connection(uow: SqlShop) -> None:
    """Write, and lose the connection."""
    uow.members.add(new_member("bob"))
    uow.connection.invalidate()
    uow.commit()


@pytest.mark.promise(8)
@pytest.mark.parametrize("work", [commits, is_refused, rolls_back, fails, loses_the_connection])
@pytest.mark.parametrize("unit", UNITS)
def test_a_turn_ends_with_its_unit(sqlite_database: str, work: Callable[[SqlShop], None], unit: type[SqlShop]) -> None:
    """A turn ends with its unit, however that ends. Later writers do not wait."""
    with watched_engine(sqlite_database, 10, Watch()) as engine:
        create(engine, "ann")
        start = time.monotonic()
        for number in range(4):
            with suppress(NameTaken, StorageError), unit(engine) as uow:
                work(uow)
            create(engine, f"member{number}")
        assert time.monotonic() - start < 2  # a turn that has not ended is waited for a second


@pytest.mark.promise(8)
def test_nobody_waits_for_a_unit_that_has_failed(sqlite_database: str) -> None:
    """A failed unit keeps no writer waiting: its transaction has ended, though its block has not."""
    with watched_engine(sqlite_database, 10, Watch()) as engine, ThreadPoolExecutor(1) as pool:
        create(engine, "ann")
        with SqlShop(engine) as uow:
            uow.members.add(new_member("bob"))
            uow.members.add(new_member("ann"))
            with pytest.raises(NameTaken):
                written(uow)
            start = time.monotonic()
            pool.submit(create, engine, "cid").result()
            assert time.monotonic() - start < 0.8
            uow.rollback()
        assert ["ann", "cid"] == stored_names(sql_storage(engine))


@pytest.mark.promise(8)
def test_another_thread_leaves_a_block_and_its_turn(sqlite_database: str) -> None:
    """A block that another thread leaves ends without its turn. That is waited for once."""
    with watched_engine(sqlite_database, SHORT, Watch()) as engine, ThreadPoolExecutor(1) as pool:

        def block() -> Iterator[None]:
            with SqlShop(engine) as uow:
                uow.members.add(new_member("bob"))
                written(uow)
                yield

        blocks = block()
        pool.submit(next, blocks).result()
        with pytest.raises(UnitOfWorkMisuse, match="another thread"):
            next(blocks)
        create(engine, "ann")
        assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(8)
def test_a_lost_turn_is_waited_for_once(sqlite_database: str) -> None:
    """A turn that is never given back is waited for once. Then that writer and later ones go on."""
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
                create(engine, f"member{number}")
            assert time.monotonic() - start < 50 * SHORT
        finally:
            released.set()
        first.result()
        assert 101 == len(stored_names(sql_storage(engine)))
