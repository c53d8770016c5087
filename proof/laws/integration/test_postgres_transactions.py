"""When a transaction begins on PostgreSQL: as late as possible, since it costs two round trips to the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INTRANS
from sqlalchemy import Engine, func, select, text

from adapters.sql.engine import make_engine
from domain.errors import ConcurrentChange
from tests.contract.members import Member, get_member, members, new_member, stored_member, written
from tests.contract.shop import SqlShop
from tests.storages import impatient, sql_storage


def has_begun(uow: SqlShop) -> bool:
    """Return whether the server has an open transaction for the unit."""
    driver: Any = uow.connection.connection.driver_connection
    return {TRANSACTION_STATUS_IDLE: False, TRANSACTION_STATUS_INTRANS: True}[driver.info.transaction_status]


def test_a_reading_unit_has_no_transaction(postgres_engine: Engine) -> None:
    """A unit that only reads has no transaction, nor has a block after one that wrote on the same connection."""
    uow = SqlShop(postgres_engine)
    for _ in range(2):
        with uow:
            uow.members.page()
            assert not has_begun(uow)
        with uow:
            uow.members.add(new_member())
            written(uow)
            assert has_begun(uow)
            uow.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM members FOR UPDATE",
        "SELECT * FROM members\nFOR NO KEY UPDATE",
        "SELECT * FROM members FOR SHARE",
        "SELECT pg_advisory_xact_lock(1)",
        "WITH gone AS (DELETE FROM members RETURNING id) SELECT * FROM gone",
        "LOCK TABLE members",
        "UPDATE members SET active = true",
    ],
)
def test_locks_and_writes_begin_a_transaction(postgres_engine: Engine, statement: str) -> None:
    """A statement that locks or writes begins a transaction: its locks must last until the unit ends."""
    with SqlShop(postgres_engine) as uow:
        uow.members.page()
        uow.connection.execute(text(statement))
        assert has_begun(uow)


def test_a_sqlalchemy_lock_begins_a_transaction(postgres_engine: Engine) -> None:
    """A lock by SQLAlchemy's own means, as a repository may take it, begins a transaction."""
    with SqlShop(postgres_engine) as uow:
        uow.connection.execute(select(members).with_for_update(skip_locked=True))
        assert has_begun(uow)


@pytest.mark.promise(1)
def test_the_drivers_own_statements_are_undone(postgres_engine: Engine) -> None:
    """Statements on the driver itself are undone with the unit, even if the unit has not written before."""
    stored_member(sql_storage(postgres_engine), "ann")
    with SqlShop(postgres_engine) as uow:
        cursor = uow.connection.connection.cursor()
        cursor.execute("DELETE FROM members")
        cursor.close()
        uow.rollback()
    assert get_member("ann", SqlShop(postgres_engine)).name == "ann"


def test_a_savepoint_begins_a_transaction(postgres_engine: Engine) -> None:
    """A savepoint begins a transaction, since it is a part of one."""
    with SqlShop(postgres_engine) as uow, uow.savepoint():
        assert has_begun(uow)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_higher_level_begins_with_a_query(postgres_engine: Engine, level: str) -> None:
    """At a higher level a transaction begins with the first query: all that a unit reads must be of one moment."""
    option = f"-c default_transaction_isolation={level}".replace(" read", "\\ read")
    url = postgres_engine.url.update_query_dict({"options": option})
    engine = make_engine(url.render_as_string(hide_password=False).replace("+psycopg2", ""))
    for _ in range(2):
        with SqlShop(engine) as uow:
            uow.members.page()
            assert has_begun(uow)
    engine.dispose()


_ADVISORY_LOCK = func.pg_advisory_xact_lock(1).is_not(None)

LOCKS: dict[str, Callable[[SqlShop], object]] = {
    "rows, by a repository": lambda uow: uow.session.scalars(select(Member).with_for_update()).all(),
    "by a function, in a repository": lambda uow: uow.session.scalars(select(Member).where(_ADVISORY_LOCK)).all(),
    "rows": lambda uow: uow.connection.execute(select(members.c.id).with_for_update()).all(),
    "rows, in other words": lambda uow: uow.connection.execute(
        text("select id\nfrom members\nfor\tno key update")
    ).all(),
    "by a function": lambda uow: uow.connection.execute(select(text("pg_advisory_xact_lock(1)"))).all(),
}


@pytest.mark.promise(1)
@pytest.mark.parametrize("lock", LOCKS)
def test_a_querys_lock_lasts_until_the_end(postgres_engine: Engine, lock: str) -> None:
    """A row that a query locks is locked until the unit ends. Another unit waits for it in vain."""
    stored_member(sql_storage(postgres_engine), "ann")
    with impatient(postgres_engine) as quick, SqlShop(postgres_engine) as uow, SqlShop(quick) as other:
        with uow.reading:
            LOCKS[lock](uow)
        with pytest.raises(ConcurrentChange), other.reading:
            LOCKS[lock](other)
        uow.rollback()
        other.rollback()


@pytest.mark.promise(10)
def test_a_savepoint_can_be_the_first_of_a_unit(postgres_engine: Engine) -> None:
    """A savepoint can be the first action of a unit, before any write, and after a query."""
    stored_member(sql_storage(postgres_engine), "ann")
    with SqlShop(postgres_engine) as uow:
        ann = uow.members.get_by_name("ann")
        with uow.savepoint():
            ann.change_email("new@example.com")
        uow.rollback()
    assert get_member("ann", SqlShop(postgres_engine)).email == "ann@example.com"
