"""Promises 7, 8, 10 and 14 on MariaDB: deadlocks, and locks that are waited for in vain."""

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
    """A member who is stored, and whose row the rivals below wait for."""
    return stored_member(sql_storage(mariadb_engine), "ann")


@pytest.fixture
def bob(ann: Member, mariadb_engine: Engine) -> Member:  # noqa: ARG001  # stored after her
    """A member who is stored, and whose row the rivals below hold."""
    return stored_member(sql_storage(mariadb_engine), "bob")


def somebody() -> Member:
    """Return a member of a name that no test has had, because one that was given up before can lock its neighbours."""
    return new_member(f"member-{new_id()}")


def deactivate(connection: Connection, member: Member) -> None:
    """Write the row of a member."""
    connection.execute(update(members).where(members.c.id == member.id).values(active=False))


@contextmanager
def rival(engine: Engine, *, holds: Member, wants: Member) -> Iterator[None]:
    """Let another transaction hold the row of one member and wait for that of another one; at the end it rolls back.

    When a deadlock comes of it, this is the one that goes on: the server gives up the one that has written less.
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
def test_after_a_deadlock_a_unit_can_be_used_again(mariadb_engine: Engine, ann: Member, bob: Member) -> None:
    """For the same work in its next block; the objects of the first one can be read, and hold what was done to them."""
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
def test_a_deadlock_inside_a_savepoint_ends_the_whole_unit(
    mariadb_engine: Engine, ann: Member, bob: Member, how: str
) -> None:
    """The server has undone what was done before the savepoint, too, so there is nothing to go on with."""
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
                uow.members.remove(mine[1])  # which is written by this call
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
def test_after_a_deadlock_inside_a_savepoint_the_unit_can_be_left_in_every_way(
    mariadb_engine: Engine, ann: Member, bob: Member, how: str
) -> None:
    """The rollback has nothing to do any more: it hides no error, and raises none."""
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
    """Lose the transaction, and the error that says so, by a statement of one's own."""
    uow.members.get(ann.id).deactivate()
    uow.members.page()
    with rival(engine, holds=bob, wants=ann), suppress(TransactionLost):
        uow.connection.execute(update(members).where(members.c.id == bob.id).values(active=False))
        pytest.fail("there was no deadlock")


@pytest.mark.promise(14)
@pytest.mark.parametrize("then", ["nothing", "a query", "an addition", "a statement", "a savepoint"])
def test_a_commit_after_a_deadlock_that_somebody_swallowed_is_refused(
    mariadb_engine: Engine, ann: Member, bob: Member, then: str
) -> None:
    """The server would store what came after the deadlock alone; the unit's next block works."""
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
def test_a_deadlock_that_somebody_swallowed_inside_a_savepoint_is_met_at_its_end(
    mariadb_engine: Engine, ann: Member, bob: Member, left: str
) -> None:
    """The savepoint has gone with the transaction, so that it can be neither kept nor undone."""
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
def test_a_rollback_after_a_deadlock_that_somebody_swallowed_leaves_nothing(
    mariadb_engine: Engine, ann: Member, bob: Member
) -> None:
    """Nor does it keep the unit's next block from its commit."""
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
def test_a_race_that_is_lost_at_the_commit_itself_surely_left_nothing(
    mariadb_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a cluster says it, whose nodes compare their transactions at the end."""
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


@pytest.mark.promise(10)
def test_a_lock_waited_for_in_vain_inside_a_savepoint_leaves_the_unit_usable(
    mariadb_engine: Engine, ann: Member, bob: Member
) -> None:
    """By default the server undoes the statement alone: the error may be tried again, and the rest is stored."""
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


@pytest.mark.promise(7)
def test_a_lock_waited_for_in_vain_outside_of_a_savepoint_ends_the_unit(
    mariadb_engine: Engine, ann: Member, bob: Member
) -> None:
    """Nothing of it is stored, although the server would go on."""
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
