"""Promises 7, 8, 10 and 14 on MariaDB: deadlocks and lock timeouts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, text, update

from domain.aggregate import new_id
from domain.errors import ConcurrentChange, StorageError, TransactionLost, UnitOfWorkMisuse
from tests.contract.members import (
    Member,
    members,
    new_member,
    stored_member,
    stored_names,
    stored_values,
    values,
    written,
)
from tests.contract.shop import SqlShop
from tests.storages import sql_storage

pymysql = pytest.importorskip("pymysql")


@pytest.fixture
def ann(mariadb_engine: Engine) -> Member:
    """A stored member, whose row the rivals below wait for."""
    return stored_member(sql_storage(mariadb_engine), "ann")


@pytest.fixture
def bob(ann: Member, mariadb_engine: Engine) -> Member:  # noqa: ARG001  # stored after her
    """A stored member, whose row the rivals below hold."""
    return stored_member(sql_storage(mariadb_engine), "bob")


def somebody() -> Member:
    """Return a member with a new name: one that was given up before can lock its neighbours."""
    return new_member(f"member-{new_id()}")


def deactivate(connection: Connection, member: Member) -> None:
    """Write the row of a member."""
    connection.execute(update(members).where(members.c.id == member.id).values(active=False))


@contextmanager
def rival(engine: Engine, *, holds: Member, wants: Member) -> Iterator[None]:
    """Let another transaction hold the row of one member and wait for that of another. At the end it rolls back.

    In a deadlock this one goes on: the server gives up the one that has written less.
    """
    with engine.connect() as connection, ThreadPoolExecutor(1) as pool:
        rows = [{**values(somebody()), "version": 1} for _ in range(50)]
        connection.execute(insert(members), rows)
        deactivate(connection, holds)
        waiting = pool.submit(deactivate, connection, wants)
        yield
        waiting.result()
        connection.rollback()


@pytest.mark.promise(8)
def test_a_unit_is_usable_after_a_deadlock(mariadb_engine: Engine, ann: Member, bob: Member) -> None:
    """After a deadlock the unit can do the same work in its next block. The first block's objects keep their values."""
    storage = sql_storage(mariadb_engine)
    uow = storage.unit()
    with pytest.raises(TransactionLost), uow:
        lost = [uow.members.get(member.id) for member in (ann, bob)]
        lost[0].deactivate()
        uow.members.page()
        with rival(mariadb_engine, holds=bob, wants=ann):
            lost[1].deactivate()
            uow.members.page()
    assert [("ann", False), ("bob", False)] == [(member.name, member.active) for member in lost]
    assert [values(ann), values(bob)] == stored_values(storage)
    with uow:
        mine = [uow.members.get(member.id) for member in (ann, bob)]
        for member in mine:
            member.deactivate()
        uow.commit()
    assert [(False, 2), (False, 2)] == [(member.active, member.version) for member in mine]
    assert [values(member) for member in mine] == stored_values(storage)


@pytest.mark.promise(10)
@pytest.mark.parametrize("how", ["a change", "a removal"])
def test_a_deadlock_in_a_savepoint_ends_the_unit(mariadb_engine: Engine, ann: Member, bob: Member, how: str) -> None:
    """A deadlock inside a savepoint ends the unit: the server has also undone the work before the savepoint."""
    storage = sql_storage(mariadb_engine)
    uow = storage.unit()
    with uow:
        mine = [uow.members.get(member.id) for member in (ann, bob)]
        mine[0].deactivate()
        uow.members.add(somebody())
        with pytest.raises(TransactionLost), uow.savepoint(), rival(mariadb_engine, holds=bob, wants=ann):
            if how == "a change":
                mine[1].deactivate()
            else:
                uow.members.remove(mine[1])  # this call writes it
            written(uow)
        for use in (uow.members.page, uow.commit, uow.savepoint().__enter__):
            with pytest.raises(UnitOfWorkMisuse, match="ended this unit of work"):
                use()
    assert [("ann", False), ("bob", how == "a removal")] == [(member.name, member.active) for member in mine]
    assert [values(ann), values(bob)] == stored_values(storage)
    with uow:
        uow.members.add(new_member("eve"))
        uow.commit()
    assert ["ann", "bob", "eve"] == stored_names(storage)


@pytest.mark.promise(1)
@pytest.mark.parametrize("how", ["by the caller's error", "by a rollback"])
def test_leaving_after_a_deadlock_in_a_savepoint(mariadb_engine: Engine, ann: Member, bob: Member, how: str) -> None:
    """After a deadlock inside a savepoint the unit can be left in every way. The rollback hides and raises nothing."""
    uow = SqlShop(mariadb_engine)
    with pytest.raises(ZeroDivisionError), uow:
        mine = [uow.members.get(member.id) for member in (ann, bob)]
        mine[0].deactivate()
        with pytest.raises(TransactionLost), uow.savepoint(), rival(mariadb_engine, holds=bob, wants=ann):
            uow.members.remove(mine[1])
        if how == "by a rollback":
            uow.rollback()
        raise ZeroDivisionError
    assert [values(ann), values(bob)] == stored_values(sql_storage(mariadb_engine))


def swallow_a_deadlock(uow: SqlShop, engine: Engine, ann: Member, bob: Member) -> None:
    """Lose the transaction, and swallow the error that says so, by the caller's own statement."""
    uow.members.get(ann.id).deactivate()
    uow.members.page()
    with rival(engine, holds=bob, wants=ann), suppress(TransactionLost):
        uow.connection.execute(update(members).where(members.c.id == bob.id).values(active=False))
        pytest.fail("there was no deadlock")


@pytest.mark.promise(14)
@pytest.mark.parametrize("then", ["nothing", "a query", "an addition", "a statement", "a savepoint"])
def test_a_commit_after_a_swallowed_deadlock(mariadb_engine: Engine, ann: Member, bob: Member, then: str) -> None:
    """A commit after a swallowed deadlock is refused. The server would store only the later work.

    The unit's next block works.
    """
    storage = sql_storage(mariadb_engine)
    uow = SqlShop(mariadb_engine)
    with uow:
        uow.members.add(somebody())
        swallow_a_deadlock(uow, mariadb_engine, ann, bob)
        if then == "a query":
            uow.members.page()
        elif then == "an addition":
            uow.members.add(new_member("dan"))
        elif then == "a statement":
            uow.connection.execute(text("UPDATE members SET email = 'dan@example.com'  WHERE name = 'ann'"))
        elif then == "a savepoint":
            with uow.savepoint():
                uow.members.add(new_member("dan"))
        with pytest.raises(StorageError, match="nothing is stored"):
            uow.commit()
    assert [values(ann), values(bob)] == stored_values(storage)
    with uow:
        uow.members.add(new_member("eve"))
        uow.commit()
    assert ["ann", "bob", "eve"] == stored_names(storage)


def test_a_deadlock_swallowed_on_a_raw_cursor(mariadb_engine: Engine, ann: Member, bob: Member) -> None:
    """As docs/promises.md says: such a cursor is past SQLAlchemy, and the server commits what came after."""
    with SqlShop(mariadb_engine) as uow:
        uow.members.get(ann.id).deactivate()
        uow.members.page()
        cursor = uow.connection.connection.cursor()
        with rival(mariadb_engine, holds=bob, wants=ann), suppress(pymysql.err.OperationalError):
            cursor.execute("UPDATE members SET active = false WHERE name = 'bob'")
            pytest.fail("there was no deadlock")
        uow.commit()
    assert [values(ann), values(bob)] == stored_values(sql_storage(mariadb_engine))


@pytest.mark.promise(10)
@pytest.mark.parametrize("left", ["normally", "by an error"])
def test_a_deadlock_swallowed_in_a_savepoint(mariadb_engine: Engine, ann: Member, bob: Member, left: str) -> None:
    """A deadlock swallowed inside a savepoint is raised at its end: the savepoint is gone with its transaction."""
    storage = sql_storage(mariadb_engine)
    with SqlShop(mariadb_engine) as uow:
        uow.members.add(somebody())
        with pytest.raises(TransactionLost), uow.savepoint():
            swallow_a_deadlock(uow, mariadb_engine, ann, bob)
            if left == "by an error":
                raise ZeroDivisionError
        with pytest.raises(UnitOfWorkMisuse, match="ended this unit of work"):
            uow.commit()
    assert [values(ann), values(bob)] == stored_values(storage)


@pytest.mark.promise(14)
def test_a_rollback_after_a_swallowed_deadlock(mariadb_engine: Engine, ann: Member, bob: Member) -> None:
    """A rollback after a swallowed deadlock leaves nothing. The unit's next block can commit."""
    storage = sql_storage(mariadb_engine)
    uow = SqlShop(mariadb_engine)
    with uow:
        swallow_a_deadlock(uow, mariadb_engine, ann, bob)
        uow.members.add(new_member("dan"))
        written(uow)
        uow.rollback()
    assert [values(ann), values(bob)] == stored_values(storage)
    with uow:
        uow.members.add(new_member("eve"))
        uow.commit()
    assert ["ann", "bob", "eve"] == stored_names(storage)


@pytest.mark.promise(14)
def test_a_race_lost_at_the_commit_left_nothing(mariadb_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A race that is lost at the commit certainly stored nothing. A cluster compares its transactions at the end."""
    storage = sql_storage(mariadb_engine)

    def lose(connection: Any) -> None:
        connection.rollback()
        raise pymysql.err.OperationalError(1213, "Deadlock found when trying to get lock; try restarting transaction")

    with monkeypatch.context() as patch:
        patch.setattr(mariadb_engine.dialect, "do_commit", lose)
        with pytest.raises(TransactionLost) as caught, storage.unit() as uow:
            uow.members.add(new_member("ann"))
            uow.commit()
    assert caught.value.retryable
    assert [] == stored_names(storage)


@pytest.mark.slow
@pytest.mark.promise(10)
def test_a_lock_timeout_in_a_savepoint(mariadb_engine: Engine, ann: Member, bob: Member) -> None:
    """A lock timeout inside a savepoint leaves the unit usable. By default only the statement is undone.

    The error may be tried again, and the rest is stored.
    """
    storage = sql_storage(mariadb_engine)
    with mariadb_engine.connect() as other, storage.unit() as uow:
        deactivate(other, bob)
        mine = [uow.members.get(member.id) for member in (ann, bob)]
        mine[0].change_email("ann@example.org")
        with pytest.raises(ConcurrentChange, match="Lock wait timeout exceeded") as caught, uow.savepoint():
            mine[1].change_email("bob@example.org")
        uow.members.add(new_member("cid"))
        uow.commit()
        other.rollback()
    assert (ConcurrentChange, True) == (caught.type, caught.value.retryable)
    emails = [row["email"] for row in stored_values(storage)]
    assert ["ann@example.org", "bob@example.com", "cid@example.com"] == emails
    assert values(bob) == values(mine[1])


@pytest.mark.slow
@pytest.mark.promise(7)
def test_a_lock_timeout_outside_of_a_savepoint(mariadb_engine: Engine, ann: Member, bob: Member) -> None:
    """A lock timeout outside of a savepoint ends the unit. Nothing is stored, although the server would go on."""
    storage = sql_storage(mariadb_engine)
    with mariadb_engine.connect() as other, storage.unit() as uow:
        deactivate(other, bob)
        uow.members.get(ann.id).change_email("ann@example.org")
        uow.members.page()
        with pytest.raises(ConcurrentChange):
            uow.members.remove(uow.members.get(bob.id))
        with pytest.raises(UnitOfWorkMisuse, match="Lock wait timeout exceeded"):
            uow.commit()
        other.rollback()
    assert [values(ann), values(bob)] == stored_values(storage)
