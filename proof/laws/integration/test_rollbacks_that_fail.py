"""Promises 3, 10, 14 and 15 if the connection is lost just when something is to be undone on it."""

from __future__ import annotations

import re
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event, text

from domain.errors import ConcurrentChange, StorageError, StorageUnavailable, UnitOfWorkMisuse
from proof.laws.contract.orders import Order, new_order
from proof.laws.integration.lost_connections import checked_out, end_connection, number_of
from tests.contract.members import Member, NameTaken, change_email, new_member, stored_member, stored_values, values
from tests.contract.shop import SqlShop
from tests.storages import sql_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def end_of(uow: SqlShop, engine: Engine) -> Callable[[], None]:
    """Return a function that ends the connection of a unit: by its server, or by closing a file."""
    if engine.dialect.name == "sqlite":
        driver: Any = uow.connection.connection.dbapi_connection

        def close() -> None:
            driver.rollback()  # otherwise its lock stays until its last statement is gone
            driver.close()

        return close
    number = number_of(uow, engine)
    return lambda: end_connection(number, engine)


@contextmanager
def ended_at(name: str, engine: Engine, end: Callable[[], None]) -> Iterator[None]:
    """End a connection at the first event of this name about a write, before the unit hears of it."""
    waiting = [end]

    def listen(*told: Any) -> None:
        statement = told[0].statement if name == "handle_error" else told[2]
        if waiting and (statement or "").startswith(("INSERT", "UPDATE")):
            waiting.pop()()

    event.listen(engine, name, listen)
    yield
    event.remove(engine, name, listen)
    assert not waiting


@pytest.fixture
def ann(engine: Engine) -> Member:
    """A stored member."""
    return stored_member(sql_storage(engine), "ann")


@pytest.mark.promise(14, 15)
@pytest.mark.parametrize("flushed", [False, True])
def test_a_commit_on_a_closed_connection(sqlite_engine: Engine, flushed: bool) -> None:
    """A commit on a closed connection is translated, however it was closed. Nothing is stored."""
    with pytest.raises(StorageError), SqlShop(sqlite_engine) as uow:
        uow.members.add(new_member("ann"))
        if flushed:
            uow.flush()
        end_of(uow, sqlite_engine)()
        uow.commit()
    assert checked_out(sqlite_engine) == 0
    assert [] == stored_values(sql_storage(sqlite_engine))


@pytest.mark.promise(10, 15)
def test_an_unreadable_savepoint_raises_why(engine: Engine, ann: Member) -> None:
    """A savepoint that cannot be read again raises why, and not the taken value. The unit can only be left."""
    with SqlShop(engine) as uow:
        mine = uow.members.get(ann.id)
        end = end_of(uow, engine)
        with pytest.raises(StorageUnavailable) as caught, uow.savepoint():
            mine.deactivate()
            uow.members.add(new_member("ann"))
            try:
                uow.flush()
            except NameTaken:
                end()
                raise
        with pytest.raises(UnitOfWorkMisuse, match=re.escape(str(caught.value))):
            uow.members.page()
        assert ("ann", False) == (mine.name, mine.active)
    assert caught.value.retryable
    assert checked_out(engine) == 0
    assert [values(ann)] == stored_values(sql_storage(engine))


@pytest.mark.promise(10, 15)
@pytest.mark.parametrize("depth", [1, 2])
def test_a_savepoint_that_cannot_roll_back(engine: Engine, ann: Member, depth: int) -> None:
    """A savepoint whose rollback fails raises why, and not the caller's error. So does the one around it."""
    with SqlShop(engine) as uow:
        mine = uow.members.get(ann.id)
        end = end_of(uow, engine)
        with pytest.raises(StorageUnavailable), uow.savepoint(), uow.savepoint() if depth == 2 else nullcontext():
            mine.deactivate()
            uow.flush()
            end()
            raise ZeroDivisionError
        with pytest.raises(UnitOfWorkMisuse):
            uow.commit()
        assert ("ann", False) == (mine.name, mine.active)
    assert checked_out(engine) == 0
    assert [values(ann)] == stored_values(sql_storage(engine))


@pytest.mark.slow
@pytest.mark.promise(3, 14, 15)
@pytest.mark.parametrize("inside", [False, True], ids=["outside", "inside"])
@pytest.mark.parametrize("refused", ["a taken value", "a stale version"])
def test_objects_survive_a_failed_rollback(engine: Engine, ann: Member, refused: str, inside: bool) -> None:
    """Objects stay readable with all parts when the rollback fails: the connection dies after a refused write."""
    with SqlShop(engine) as uow:
        uow.orders.add(new_order("lamp"))
        uow.commit()
    with SqlShop(engine) as uow:
        order, mine = uow.orders.get_by_reference("lamp"), uow.members.get(ann.id)
        if refused == "a stale version":
            change_email("ann", "ann@example.org", SqlShop(engine))
        order.set_quantity("cup", 5)
        uow.flush()
        end = end_of(uow, engine)
        # SQLAlchemy's flush does not write a single row, so nothing rolls back before the error leaves the block.
        errors = (StorageUnavailable,) if inside else (StorageUnavailable, NameTaken, ConcurrentChange)
        with pytest.raises(errors), uow.savepoint() if inside else nullcontext():
            if refused == "a taken value":
                uow.members.add(new_member("ann"))
            mine.deactivate()
            with ended_at("handle_error" if refused == "a taken value" else "after_cursor_execute", engine, end):
                uow.flush()
        assert ("ann", False) == (mine.name, mine.active)
        assert {"cup": 5, "tea": 1} == quantities(order)
        with pytest.raises(UnitOfWorkMisuse):
            uow.commit()
    assert checked_out(engine) == 0
    with SqlShop(engine) as uow:
        assert {"cup": 10, "tea": 1} == quantities(uow.orders.get_by_reference("lamp"))


def quantities(order: Order) -> dict[str, int]:
    """Return the ordered quantity of each thing."""
    return {line.sku: line.quantity for line in order.lines}


@pytest.mark.promise(10, 14)
def test_a_refused_statement_without_a_savepoint(sqlite_engine: Engine) -> None:
    """A refused statement whose savepoint is gone ends the unit. The error says why it could not be undone."""
    ann = stored_member(sql_storage(sqlite_engine), "ann")
    with SqlShop(sqlite_engine) as uow:
        mine = uow.members.get(ann.id)
        with pytest.raises(StorageError, match="no such savepoint"), uow.savepoint():
            mine.deactivate()
            uow.flush()
            uow.connection.exec_driver_sql("ROLLBACK TO SAVEPOINT sa_savepoint_1")
            uow.connection.exec_driver_sql("RELEASE SAVEPOINT sa_savepoint_1")
            uow.session.execute(text("broken"))
    assert checked_out(sqlite_engine) == 0
    assert [values(ann)] == stored_values(sql_storage(sqlite_engine))
