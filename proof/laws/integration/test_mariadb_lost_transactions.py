"""Promises 10 and 14 on MariaDB: transactions that the server gave up, for whatever reason."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Engine, text

from adapters.sql.engine import make_engine
from domain.aggregate import new_id
from domain.errors import StorageError, TransactionLost, UnitOfWorkMisuse
from tests.contract.members import new_member, stored_member, stored_values, values
from tests.contract.shop import SqlShop
from tests.storages import sql_storage

pymysql = pytest.importorskip("pymysql")


def give_up_at_updates(engine: Engine, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server roll back the whole transaction at every UPDATE and answer with an error."""
    execute = engine.dialect.do_execute

    def give_up(cursor: Any, statement: str, *arguments: Any) -> None:
        if statement.startswith("UPDATE"):
            cursor.execute("ROLLBACK")
            raise pymysql.err.OperationalError(number, "as the server says it")
        execute(cursor, statement, *arguments)

    monkeypatch.setattr(engine.dialect, "do_execute", give_up)


# The errors for which InnoDB rolls back the whole transaction, not the statement alone: a changed row with
# innodb_snapshot_isolation, too many locks, and a deadlock.
GIVEN_UP = [1020, 1206, 1213]


@pytest.mark.promise(10)
@pytest.mark.parametrize("number", GIVEN_UP)
@pytest.mark.parametrize("by", ["a change", "a statement"])
def test_a_transaction_lost_in_a_savepoint(
    mariadb_engine: Engine, monkeypatch: pytest.MonkeyPatch, number: int, by: str
) -> None:
    """A transaction lost in a savepoint, for any reason, ends the unit. Its commit would store only later work."""
    storage = sql_storage(mariadb_engine)
    ann = stored_member(storage)
    give_up_at_updates(mariadb_engine, number, monkeypatch)
    with SqlShop(mariadb_engine) as uow:
        uow.members.add(new_member("cid"))
        with pytest.raises(TransactionLost), uow.savepoint():
            if by == "a change":
                uow.members.get(ann.id).deactivate()
            else:
                with uow.writing:
                    uow.connection.execute(text("UPDATE members SET active = false"))
        with pytest.raises(UnitOfWorkMisuse, match="can only be rolled back or left"):
            uow.members.add(new_member("dan"))
            uow.commit()
    assert [values(ann)] == stored_values(storage)


@pytest.mark.promise(14)
@pytest.mark.parametrize("number", GIVEN_UP)
def test_a_commit_of_a_lost_transaction_is_refused(
    mariadb_engine: Engine, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A commit is refused after the server gave up the transaction, for any reason, also if the error was swallowed."""
    storage = sql_storage(mariadb_engine)
    ann = stored_member(storage)
    give_up_at_updates(mariadb_engine, number, monkeypatch)
    with SqlShop(mariadb_engine) as uow:
        uow.members.add(new_member("cid"))
        with suppress(TransactionLost):
            uow.connection.execute(text("UPDATE members SET active = false"))
        uow.members.add(new_member("dan"))
        with pytest.raises(StorageError, match="nothing is stored"):
            uow.commit()
    assert [values(ann)] == stored_values(storage)


@pytest.mark.promise(10)
def test_an_old_snapshot_in_a_savepoint(mariadb_engine: Engine) -> None:
    """A snapshot that is too old in a savepoint ends the unit.

    At a higher isolation level, which a URL can choose, the server refuses to overwrite what it does not see.
    """
    with mariadb_engine.connect() as connection:
        if not connection.exec_driver_sql("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'").first():
            pytest.skip("this server does not know such snapshots")
    settings = "SET SESSION innodb_snapshot_isolation = ON, tx_isolation = 'REPEATABLE-READ'"
    url = mariadb_engine.url.update_query_dict({"init_command": settings})
    engine = make_engine(url.render_as_string(hide_password=False))
    storage = sql_storage(mariadb_engine)
    ann = stored_member(storage)
    try:
        with SqlShop(engine) as uow:
            mine = uow.members.get(ann.id)
            # A new name, because one that was given up before can lock its neighbours.
            uow.members.add(new_member(f"cid{new_id()}"))
            with storage.unit() as other:
                other.members.get(ann.id).deactivate()
                other.commit()
            before = stored_values(storage)
            with pytest.raises(TransactionLost), uow.savepoint():
                mine.change_email("new@example.com")
            with pytest.raises(UnitOfWorkMisuse, match="can only be rolled back or left"):
                uow.members.add(new_member("dan"))
                uow.commit()
    finally:
        engine.dispose()
    assert before == stored_values(storage)


@pytest.mark.promise(10)
def test_a_taken_name_that_hides_a_lost_transaction_ends_the_unit(
    mariadb_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a node of a Galera cluster answers that has just ended the transaction: only the savepoint shows it."""
    storage = sql_storage(mariadb_engine)
    ann = stored_member(storage)
    execute = mariadb_engine.dialect.do_execute

    def hide(cursor: Any, *arguments: Any) -> None:
        try:
            execute(cursor, *arguments)
        except pymysql.err.IntegrityError:
            status = cursor.connection.server_status
            cursor.connection.rollback()
            cursor.connection.server_status = status  # an error does not bring a new one
            raise

    monkeypatch.setattr(mariadb_engine.dialect, "do_execute", hide)
    with SqlShop(mariadb_engine) as uow:
        uow.members.get(ann.id).deactivate()
        with pytest.raises(TransactionLost), uow.savepoint():
            uow.members.add(new_member(ann.name))
        with pytest.raises(UnitOfWorkMisuse, match="can only be rolled back or left"):
            uow.commit()
    assert [values(ann)] == stored_values(storage)


@pytest.mark.promise(14)
def test_the_connection_of_a_lost_transaction(mariadb_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of a lost transaction serves the next one. Its commit is not refused."""
    mariadb_engine.dispose()  # so there is only one connection
    storage = sql_storage(mariadb_engine)
    with monkeypatch.context() as patch, SqlShop(mariadb_engine) as uow:
        give_up_at_updates(mariadb_engine, 1213, patch)
        used = uow.connection.execute(text("SELECT connection_id()")).scalar()
        with pytest.raises(TransactionLost), uow.writing:
            uow.connection.execute(text("UPDATE members SET active = false"))
    with SqlShop(mariadb_engine) as uow:
        uow.members.add(new_member("ann"))
        assert used == uow.connection.execute(text("SELECT connection_id()")).scalar()
        uow.commit()
    assert ["ann"] == [row["name"] for row in stored_values(storage)]
