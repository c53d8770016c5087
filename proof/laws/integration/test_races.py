"""Promises 7 and 8 with several threads, at each isolation level of the servers and with SQLite's only writer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Engine, event

from adapters.sql.engine import make_engine
from domain.errors import ConcurrentChange, TransactionLost
from tests.contract.members import (
    Member,
    NameTaken,
    change_email,
    create_member,
    get_member,
    stored_member,
    stored_names,
    stored_values,
    values,
)
from tests.contract.shop import SqlShop
from tests.storages import InATransaction, members_engine, sql_storage, without_the_disk

LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
RACERS = 6
UNITS = [SqlShop, InATransaction]
"""Units whose commit may be their only statement, and others. They meet in each race."""
PATIENCE = 10
"""Seconds that a writer waits for another one: none should wait in vain, however busy the machine is."""


@pytest.fixture
def engine_at(server_engine: Engine, level: str) -> Iterator[Engine]:
    """An engine on each kind of server in turn. Its URL sets the level of the transactions."""
    asked = {
        "postgresql": {
            "options": f"-c default_transaction_isolation={level.lower().replace(' ', chr(92) + ' ')}"
            f" -c lock_timeout={PATIENCE}s"
        },
        "mysql": {
            "init_command": "SET SESSION tx_isolation = "
            f"'{level.replace(' ', '-')}', innodb_lock_wait_timeout = {PATIENCE}"
        },
    }
    url = server_engine.url.update_query_dict(asked[server_engine.dialect.name])
    engine = make_engine(url.render_as_string(hide_password=False), PATIENCE)
    with engine.connect() as connection:
        assert level == connection.get_isolation_level()
    yield engine
    engine.dispose()


@pytest.mark.slow
@pytest.mark.promise(7)
@pytest.mark.parametrize("level", LEVELS)
def test_one_of_many_wins_a_name(engine_at: Engine, level: str) -> None:
    """Of many who race for a name one wins. All others learn that it is taken.

    They learn it immediately on PostgreSQL below SERIALIZABLE. Elsewhere they may first meet a conflict and try again.
    """
    start = Barrier(RACERS, timeout=PATIENCE)
    conflicts: list[ConcurrentChange] = []

    def register(number: int) -> str:
        uow = UNITS[number % 2](engine_at)
        start.wait()
        for _ in range(100):
            try:
                create_member("ann", f"member{number}@example.com", uow)
            except NameTaken:
                return "taken"
            except ConcurrentChange as conflict:
                conflicts.append(conflict)
            else:
                return "stored"
        return "never"

    with ThreadPoolExecutor(RACERS) as pool:
        outcomes = list(pool.map(register, range(RACERS)))
    assert ["stored", *["taken"] * (RACERS - 1)] == sorted(outcomes)
    assert ["ann"] == stored_names(sql_storage(engine_at))
    if engine_at.dialect.name == "postgresql" and level != "SERIALIZABLE":
        assert [] == conflicts


@pytest.mark.slow
@pytest.mark.promise(8)
@pytest.mark.parametrize("level", LEVELS)
def test_one_of_many_changes_a_member(engine_at: Engine) -> None:
    """Of many who change one member at the same time one wins at each level. The others can try again.

    All have read the same version, and get no other error.
    """
    ann = stored_member(sql_storage(engine_at), "ann")
    all_have_read = Barrier(RACERS, timeout=PATIENCE)

    def change(number: int) -> str:
        try:
            with UNITS[number % 2](engine_at) as uow:
                mine = uow.members.get(ann.id)
                all_have_read.wait()
                mine.change_email(f"member{number}@example.com")
                uow.commit()
        except ConcurrentChange:
            return "conflict"
        return mine.email

    with ThreadPoolExecutor(RACERS) as pool:
        outcomes = list(pool.map(change, range(RACERS)))
    [won] = [one for one in outcomes if one != "conflict"]
    found = get_member("ann", SqlShop(engine_at))
    assert (won, 2) == (found.email, found.version)


@pytest.mark.promise(8)
def test_one_of_two_waiting_units_goes_on(server_engine: Engine) -> None:
    """Of two units that wait for each other one goes on. The other may be tried again, and no update is lost."""
    storage = sql_storage(server_engine)
    ann, bob = stored_member(storage, "ann"), stored_member(storage, "bob")
    both_hold_one = Barrier(2, timeout=PATIENCE)

    def change_both(first: Member, second: Member) -> list[Member]:
        with storage.unit() as uow:
            mine = [uow.members.get(member.id) for member in (first, second)]
            mine[0].change_email(f"{first.name}.first@example.org")
            uow.members.page()
            both_hold_one.wait()
            mine[1].change_email(f"{first.name}.second@example.org")
            uow.commit()
        return mine

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(change_both, ann, bob), pool.submit(change_both, bob, ann)]
    [lost] = [error for error in (one.exception() for one in both) if error is not None]
    [won] = [one.result() for one in both if one.exception() is None]
    expected = {"postgresql": ConcurrentChange, "mysql": TransactionLost}[server_engine.dialect.name]
    assert (expected, True) == (type(lost), getattr(lost, "retryable", None))
    assert [values(member) for member in sorted(won, key=lambda member: member.id)] == stored_values(storage)
    assert [2, 2] == [member.version for member in won]


@pytest.mark.promise(8)
def test_writers_on_sqlite_queue_up(sqlite_database: str) -> None:
    """Writers on SQLite queue up: each of eight threads writes twenty times. Ten members are stored and changed.

    Half of the threads write by single statements that are transactions.
    """

    def write(thread: int) -> None:
        uow = UNITS[thread % 2](engine)
        for number in range(10):
            name = f"member{thread}-{number}"
            create_member(name, f"{name}@example.com", uow)
            change_email(name, f"{name}@example.org", uow)

    with members_engine(sqlite_database, PATIENCE) as engine:
        event.listen(engine, "connect", without_the_disk)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(8)))
        rows = stored_values(sql_storage(engine))
    assert (80, {2}) == (len(rows), {row["version"] for row in rows})
