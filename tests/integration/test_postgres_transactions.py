"""When a transaction begins on PostgreSQL: as late as possible, since it costs two round trips to the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, TRANSACTION_STATUS_INTRANS
from sqlalchemy import Engine, func, select, text

from adapters.sql.engine import make_engine
from adapters.sql.unit_of_work import SqlUnitOfWork
from adapters.sql.users import users
from domain.errors import ConcurrentChange
from domain.user import User
from service_layer.users import get_user
from tests.contract.users import new_user, stored_user, written
from tests.storages import impatient, sql_storage


def has_begun(uow: SqlUnitOfWork) -> bool:
    """Tell whether the server has a transaction open for the unit."""
    driver: Any = uow.connection.connection.driver_connection
    return {TRANSACTION_STATUS_IDLE: False, TRANSACTION_STATUS_INTRANS: True}[driver.info.transaction_status]


def test_a_unit_that_only_reads_has_no_transaction(postgres_engine: Engine) -> None:
    """Nor has the block after one that wrote, on the same connection."""
    uow = SqlUnitOfWork(postgres_engine)
    for _ in range(2):
        with uow:
            uow.users.page()
            assert not has_begun(uow)
        with uow:
            uow.users.add(new_user())
            written(uow)
            assert has_begun(uow)
            uow.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM users FOR UPDATE",
        "SELECT * FROM users\nFOR NO KEY UPDATE",
        "SELECT * FROM users FOR SHARE",
        "SELECT pg_advisory_xact_lock(1)",
        "WITH gone AS (DELETE FROM users RETURNING id) SELECT * FROM gone",
        "LOCK TABLE users",
        "UPDATE users SET active = true",
    ],
)
def test_a_statement_that_locks_or_writes_begins_a_transaction(postgres_engine: Engine, statement: str) -> None:
    """What it locks must stay locked until the unit ends."""
    with SqlUnitOfWork(postgres_engine) as uow:
        uow.users.page()
        uow.connection.execute(text(statement))
        assert has_begun(uow)


def test_a_lock_by_sqlalchemys_own_means_begins_a_transaction_too(postgres_engine: Engine) -> None:
    """As a repository may take one."""
    with SqlUnitOfWork(postgres_engine) as uow:
        uow.connection.execute(select(users).with_for_update(skip_locked=True))
        assert has_begun(uow)


@pytest.mark.promise(1)
def test_what_the_driver_itself_is_told_is_undone_with_the_unit(postgres_engine: Engine) -> None:
    """As for what SQLAlchemy has no way to say; the unit has not written before."""
    stored_user(sql_storage(postgres_engine), "ann")
    with SqlUnitOfWork(postgres_engine) as uow:
        cursor = uow.connection.connection.cursor()
        cursor.execute("DELETE FROM users")
        cursor.close()
        uow.rollback()
    assert get_user("ann", SqlUnitOfWork(postgres_engine)).username == "ann"


def test_a_savepoint_begins_a_transaction(postgres_engine: Engine) -> None:
    """It is a part of one."""
    with SqlUnitOfWork(postgres_engine) as uow, uow.savepoint():
        assert has_begun(uow)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_at_a_higher_level_a_transaction_begins_with_the_first_query(postgres_engine: Engine, level: str) -> None:
    """All that a unit reads must be of one moment then."""
    option = f"-c default_transaction_isolation={level}".replace(" read", "\\ read")
    url = postgres_engine.url.update_query_dict({"options": option})
    engine = make_engine(url.render_as_string(hide_password=False).replace("+psycopg2", ""))
    for _ in range(2):
        with SqlUnitOfWork(engine) as uow:
            uow.users.page()
            assert has_begun(uow)
    engine.dispose()


_ADVISORY_LOCK = func.pg_advisory_xact_lock(1).is_not(None)

LOCKS: dict[str, Callable[[SqlUnitOfWork], object]] = {
    "rows, by a repository": lambda uow: uow.session.scalars(select(User).with_for_update()).all(),
    "by a function, in a repository": lambda uow: uow.session.scalars(select(User).where(_ADVISORY_LOCK)).all(),
    "rows": lambda uow: uow.connection.execute(select(users.c.id).with_for_update()).all(),
    "rows, in other words": lambda uow: uow.connection.execute(text("select id\nfrom users\nfor\tno key update")).all(),
    "by a function": lambda uow: uow.connection.execute(select(text("pg_advisory_xact_lock(1)"))).all(),
}


@pytest.mark.promise(1)
@pytest.mark.parametrize("lock", LOCKS)
def test_what_a_query_locks_is_locked_until_the_unit_ends(postgres_engine: Engine, lock: str) -> None:
    """Another unit waits for it, in vain while the first is open."""
    stored_user(sql_storage(postgres_engine), "ann")
    with impatient(postgres_engine) as quick, SqlUnitOfWork(postgres_engine) as uow, SqlUnitOfWork(quick) as other:
        with uow.reading:
            LOCKS[lock](uow)
        with pytest.raises(ConcurrentChange), other.reading:
            LOCKS[lock](other)
        uow.rollback()
        other.rollback()


@pytest.mark.promise(10)
def test_a_savepoint_can_be_the_first_of_a_unit(postgres_engine: Engine) -> None:
    """Before any write, and after a query."""
    stored_user(sql_storage(postgres_engine), "ann")
    with SqlUnitOfWork(postgres_engine) as uow:
        ann = uow.users.get_by_username("ann")
        with uow.savepoint():
            ann.change_email("new@example.com")
        uow.rollback()
    assert get_user("ann", SqlUnitOfWork(postgres_engine)).email == "ann@example.com"
