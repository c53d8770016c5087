"""Promises 7, 14 and 15 on real databases: errors that say the truth, and connections that come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from adapters.sql.engine import make_engine
from domain.errors import (
    CommitOutcomeUnknown,
    StorageError,
    StorageUnavailable,
    UnitOfWorkMisuse,
)
from proof.laws.integration.lost_connections import at_commits, checked_out, end_connection_of
from tests.contract.members import (
    NameTaken,
    create_member,
    get_member,
    new_member,
    stored_member,
    stored_names,
    written,
)
from tests.contract.shop import SqlShop
from tests.storages import InATransaction, members_engine, sql_storage


def leave_normally(uow: SqlShop) -> None:
    """Read, and leave."""
    with uow:
        uow.members.page()


def leave_after_a_commit(uow: SqlShop) -> None:
    """Write in a transaction, and commit it."""
    with uow:
        uow.members.add(new_member("eve"))
        written(uow)
        uow.commit()


def leave_after_a_single_statement(uow: SqlShop) -> None:
    """Commit by the only statement."""
    with uow:
        uow.members.add(new_member("eve"))
        uow.commit()


def leave_by_an_error(uow: SqlShop) -> None:
    """Leave by an error of the caller."""
    with pytest.raises(ZeroDivisionError), uow:
        uow.members.add(new_member("eve"))
        written(uow)
        raise ZeroDivisionError


def leave_by_a_conflict(uow: SqlShop) -> None:
    """Leave by an error of the database, in a transaction."""
    with pytest.raises(NameTaken), uow:
        uow.members.add(new_member("ann"))
        written(uow)


def leave_by_a_conflict_of_a_single_statement(uow: SqlShop) -> None:
    """Leave by an error of the database, at the commit."""
    with pytest.raises(NameTaken), uow:
        uow.members.add(new_member("ann"))
        uow.commit()


def leave_a_stream_unfinished(uow: SqlShop) -> None:
    """Begin to read a stream, and leave."""
    with uow:
        next(uow.members.stream())


def leave_inside_a_savepoint(uow: SqlShop) -> None:
    """Leave a savepoint and the unit by one error."""
    with pytest.raises(ZeroDivisionError), uow, uow.savepoint():
        uow.members.add(new_member("eve"))
        written(uow)
        raise ZeroDivisionError


WAYS = [
    leave_normally,
    leave_after_a_commit,
    leave_after_a_single_statement,
    leave_by_an_error,
    leave_by_a_conflict,
    leave_by_a_conflict_of_a_single_statement,
    leave_a_stream_unfinished,
    leave_inside_a_savepoint,
]


@pytest.mark.every_case
@pytest.mark.promise(15)
@pytest.mark.parametrize("leave", WAYS, ids=lambda way: way.__name__)
def test_the_connection_comes_back(engine: Engine, leave: Callable[[SqlShop], None]) -> None:
    """However a unit is left, its connection comes back and carries no transaction over to the next one."""
    stored_member(sql_storage(engine), "ann")
    leave(SqlShop(engine))
    assert checked_out(engine) == 0
    assert get_member("ann", SqlShop(engine)).email == "ann@example.com"
    with SqlShop(engine) as uow:  # without its own transaction it would be stored in part
        uow.members.add(new_member("bob"))
        written(uow)
        uow.rollback()
    assert "bob" not in stored_names(sql_storage(engine))
    stored_member(sql_storage(engine), "bob")


@pytest.mark.promise(15)
@pytest.mark.parametrize("unit", [SqlShop, InATransaction])
def test_the_commit_returns_the_connection(engine: Engine, unit: type[SqlShop]) -> None:
    """The commit returns the connection: what a block does afterwards keeps none from others."""
    with unit(engine) as uow:
        uow.members.add(new_member())
        uow.commit()
        assert checked_out(engine) == 0


@pytest.mark.promise(15)
def test_a_full_pool_is_a_clear_error(own_engine: Engine) -> None:
    """A full pool is a clear error within the time limit. The next unit works as soon as a connection is back."""
    engine = make_engine(own_engine.url.render_as_string(hide_password=False), timeout=0.1)
    open_units = [SqlShop(engine) for _ in range(15)]
    for uow in open_units:
        uow.__enter__().members.page()
    started = time.monotonic()
    with pytest.raises(StorageUnavailable, match="became free in time") as caught:
        create_member("ann", "ann@example.com", SqlShop(engine))
    assert time.monotonic() - started < 10
    assert caught.value.retryable
    open_units.pop().__exit__(None, None, None)
    assert create_member("ann", "ann@example.com", SqlShop(engine)).version == 1
    for uow in open_units:
        uow.__exit__(None, None, None)
    engine.dispose()


@pytest.mark.promise(14)
def test_a_connection_lost_before_the_commit(server_engine: Engine) -> None:
    """A connection that dies before the commit stores nothing. The error may be tried again.

    The next unit gets a new connection, and objects stay readable.
    """
    ann = stored_member(sql_storage(server_engine), "ann")
    uow = SqlShop(server_engine)
    with pytest.raises(StorageUnavailable, match="cannot be used") as caught, uow:
        mine = uow.members.get(ann.id)
        mine.deactivate()
        uow.members.page()
        end_connection_of(uow, server_engine)
        uow.members.page()
    assert caught.value.retryable
    assert (ann.id, False) == (mine.id, mine.active)
    assert checked_out(server_engine) == 0
    with uow:
        assert uow.members.get(ann.id).active


@pytest.mark.promise(14)
def test_a_connection_lost_while_committing(server_engine: Engine) -> None:
    """A connection that dies while committing is an unknown outcome. It must not be tried again blindly."""
    uow = SqlShop(server_engine)
    with uow:
        uow.members.add(new_member())
        end_connection_of(uow, server_engine)
        with pytest.raises(CommitOutcomeUnknown, match="may or may not be stored") as caught:
            uow.commit()
        with pytest.raises(UnitOfWorkMisuse, match="may or may not be stored"):
            uow.commit()
    assert not caught.value.retryable
    assert checked_out(server_engine) == 0
    assert stored_names(sql_storage(server_engine)) == []


@pytest.mark.slow
@pytest.mark.promise(14)
@pytest.mark.parametrize("unit", [SqlShop, InATransaction])
def test_a_refused_commit_did_not_happen(postgres_database: str, unit: type[SqlShop]) -> None:
    """A commit that the database refuses did not happen, here by a check at the end of the transaction."""
    with members_engine(postgres_database) as engine:
        with engine.begin() as connection:
            connection.execute(
                text(
                    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
                    " AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$"
                )
            )
            connection.execute(
                text(
                    "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON members"
                    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
                )
            )
        with pytest.raises(StorageError, match="refused a statement: not today") as caught:
            create_member("ann", "ann@example.com", unit(engine))
        assert not isinstance(caught.value, CommitOutcomeUnknown)
        assert stored_names(sql_storage(engine)) == []


@pytest.mark.promise(14)
def test_a_commit_after_a_swallowed_error(postgres_engine: Engine) -> None:
    """A commit after a swallowed error is refused. PostgreSQL would roll back, and its driver would not say so."""
    with SqlShop(postgres_engine) as uow:
        uow.members.add(new_member())
        with pytest.raises(DBAPIError):
            uow.connection.execute(text("SELECT * FROM nowhere"))
        with pytest.raises(StorageError, match="nothing is stored"):
            uow.commit()
    assert stored_names(sql_storage(postgres_engine)) == []


@pytest.mark.promise(15)
@pytest.mark.parametrize("unit", [SqlShop, InATransaction])
def test_an_interrupt_after_the_commit(engine: Engine, unit: type[SqlShop], monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt just after the commit leaves the unit usable. It goes on, and the work stays committed."""
    uow = unit(engine)

    def interrupt(commit: Callable[[], object]) -> None:
        commit()
        raise KeyboardInterrupt

    with at_commits(engine, monkeypatch, interrupt), pytest.raises(KeyboardInterrupt), uow:
        uow.members.add(new_member("ann"))
        uow.commit()
    assert checked_out(engine) == 0
    with uow:
        uow.members.add(new_member("bob"))
        uow.commit()
    assert ["ann", "bob"] == stored_names(sql_storage(engine))


@pytest.mark.promise(1)
def test_the_callers_statements_join_the_transaction(engine: Engine) -> None:
    """The caller's own statements belong to the transaction, plain texts too."""
    stored_member(sql_storage(engine), "ann")
    with SqlShop(engine) as uow:
        with uow.writing:
            uow.connection.execute(text("UPDATE members SET name = 'bob'"))
        uow.rollback()
    assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(14)
@pytest.mark.parametrize("next_step", [written, SqlShop.commit], ids=["a query", "a commit"])
def test_an_overlooked_lost_connection(server_engine: Engine, next_step: Callable[[SqlShop], None]) -> None:
    """A lost connection that the caller overlooked is an error of the next step. Earlier work is not stored."""
    with SqlShop(server_engine) as uow:
        uow.members.add(new_member("ann"))
        end_connection_of(uow, server_engine)
        with uow.reading, suppress(DBAPIError):
            uow.connection.execute(text("SELECT 1"))
        uow.members.add(new_member("bob"))
        with pytest.raises(StorageUnavailable, match=r"the connection to .+ was lost"):
            next_step(uow)
    assert stored_names(sql_storage(server_engine)) == []


@pytest.mark.promise(1)
def test_the_callers_error_survives_a_rollback(server_engine: Engine) -> None:
    """The caller's error goes on when the rollback fails: the transaction is gone with its connection."""
    uow = SqlShop(server_engine)
    with pytest.raises(ZeroDivisionError), uow:
        uow.members.add(new_member())
        end_connection_of(uow, server_engine)
        raise ZeroDivisionError
    assert checked_out(server_engine) == 0
    assert stored_names(sql_storage(server_engine)) == []


@pytest.mark.promise(1)
def test_an_interrupt_while_rolling_back(engine: Engine) -> None:
    """An interrupt while rolling back goes on and leaves no connection behind. Its return rolls the rest back."""

    def interrupt(_connection: object) -> None:
        raise KeyboardInterrupt

    uow = SqlShop(engine)
    with pytest.raises(KeyboardInterrupt), uow:
        uow.members.add(new_member())
        written(uow)
        event.listen(engine, "rollback", interrupt)
    event.remove(engine, "rollback", interrupt)
    assert checked_out(engine) == 0
    assert stored_names(sql_storage(engine)) == []


@pytest.mark.promise(10)
def test_a_savepoint_with_a_lost_connection(server_engine: Engine) -> None:
    """A savepoint whose connection dies ends the unit: no transaction is left."""
    with SqlShop(server_engine) as uow:
        with pytest.raises(StorageUnavailable), uow.savepoint():
            uow.members.add(new_member())
            end_connection_of(uow, server_engine)
            uow.members.page()
        with pytest.raises(UnitOfWorkMisuse, match="cannot be used"):
            uow.members.page()
    assert stored_names(sql_storage(server_engine)) == []
