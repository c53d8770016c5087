"""Promises 7 and 8 on SQLite for a commit that is one statement: it waits as a transaction does, and says the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve
from sqlalchemy import Engine

from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import ConcurrentChange, Conflict, DuplicateIdentity
from domain.user import EmailAddress, EmailTaken, User, UsernameTaken
from service_layer.users import change_email, create_user, delete_user
from tests import plain_driver
from tests.contract.users import new_user, stored_names, stored_user, written
from tests.storages import InATransaction, impatient, migrated_engine, sql_storage

UNITS = [SqlUnitOfWork, InATransaction]

WRITES: dict[str, Callable[[SqlUnitOfWork], object]] = {
    "create_user": lambda uow: create_user("bob", "bob@example.com", uow),
    "change_email": lambda uow: change_email("ann", "new@example.com", uow),
    "delete_user": lambda uow: delete_user("ann", uow),
}

PATIENCE = 10
"""Seconds that a writer waits for another one: nobody here shall wait in vain, however busy the machine is."""


@pytest.fixture
def engine(sqlite_database: str) -> Iterator[Engine]:
    """An engine on an SQLite file of the test's own, which holds the user ann."""
    with migrated_engine(sqlite_database, PATIENCE) as engine:
        stored_user(sql_storage(engine), "ann")
        yield engine


@contextmanager
def another_writer(engine: Engine) -> Iterator[SqlUnitOfWork]:
    """Yield an open unit that has written."""
    with SqlUnitOfWork(engine) as uow:
        uow.users.add(new_user("zoe"))
        written(uow)
        yield uow


@pytest.mark.promise(8)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", WRITES)
def test_a_commit_waits_for_another_writer(engine: Engine, name: str, unit: type[SqlUnitOfWork]) -> None:
    """And is done when that one has ended."""
    with ThreadPoolExecutor(1) as pool, another_writer(engine) as other:
        outcome = pool.submit(WRITES[name], unit(engine))
        with pytest.raises(TimeoutError):
            outcome.result(0.05)
        other.commit()
        outcome.result(PATIENCE)
    expected = {"create_user": ["ann", "bob"], "change_email": ["ann"], "delete_user": []}[name]
    assert [*expected, "zoe"] == stored_names(sql_storage(engine))


@pytest.mark.promise(8)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", WRITES)
def test_a_commit_that_waits_in_vain_is_a_conflict(engine: Engine, name: str, unit: type[SqlUnitOfWork]) -> None:
    """Which may be tried again, and has stored nothing."""
    with impatient(engine) as quick:
        with another_writer(engine) as other:
            with pytest.raises(ConcurrentChange, match="database is locked") as caught:
                WRITES[name](unit(quick))
            other.rollback()
        assert caught.value.retryable
        assert ["ann"] == stored_names(sql_storage(engine))
        WRITES[name](unit(quick))


@pytest.fixture
def _gone_when_looked_for(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the user ann be removed by somebody else as soon as a statement has failed."""
    execute = engine.dialect.do_execute
    with closing(plain_driver.connect(str(engine.url))) as other:

        def fail_and_remove(*arguments: Any) -> None:
            try:
                execute(*arguments)
            except sqlite3.IntegrityError:
                other.execute("DELETE FROM users WHERE username = 'ann'")
                raise

        monkeypatch.setattr(engine.dialect, "do_execute", fail_and_remove)
        yield


def same_id(ann: User, uow: SqlUnitOfWork) -> None:
    """Add a user with her id."""
    uow.users.add(evolve(new_user("bob"), id=ann.id))


def same_name(ann: User, uow: SqlUnitOfWork) -> None:
    """Add a user with her name."""
    uow.users.add(evolve(new_user("bob"), username=ann.username))


def same_address(ann: User, uow: SqlUnitOfWork) -> None:
    """Add a user with her address."""
    uow.users.add(evolve(new_user("bob"), email=ann.email))


TAKEN: list[tuple[Callable[[User, SqlUnitOfWork], None], type[Exception]]] = [
    (same_id, DuplicateIdentity),
    (same_name, UsernameTaken),
    (same_address, EmailTaken),
]


@pytest.mark.promise(7)
@pytest.mark.usefixtures("_gone_when_looked_for")
@pytest.mark.parametrize(("add", "expected"), TAKEN)
def test_the_constraint_is_named_even_if_who_held_the_value_has_gone_since(
    engine: Engine, add: Callable[[User, SqlUnitOfWork], None], expected: type[Conflict]
) -> None:
    """SQLite has said which one it was; outside of a transaction the rows may be others a moment later."""
    with SqlUnitOfWork(engine) as uow:
        ann = uow.users.get_by_username("ann")
    with pytest.raises(expected) as caught, SqlUnitOfWork(engine) as uow:
        add(ann, uow)
        uow.commit()
    assert [] == stored_names(sql_storage(engine))
    value = {DuplicateIdentity: str(ann.id), UsernameTaken: "'ann'", EmailTaken: "'ann@example.com'"}[expected]
    assert value in str(caught.value)


@pytest.mark.promise(7)
@pytest.mark.parametrize("unit", UNITS)
def test_a_change_names_the_value_that_is_taken(engine: Engine, unit: type[SqlUnitOfWork]) -> None:
    """By the row that it would make, of which the statement holds what is different alone."""
    stored_user(sql_storage(engine), "bob")
    with pytest.raises(EmailTaken, match=r"'ann@example\.com' is taken"):
        change_email("bob", "ann@example.com", unit(engine))


@pytest.mark.promise(7)
@pytest.mark.usefixtures("_gone_when_looked_for")
def test_a_change_names_the_value_even_if_who_held_it_has_gone_since(engine: Engine) -> None:
    """Likewise."""
    stored_user(sql_storage(engine), "bob")
    with pytest.raises(EmailTaken, match=r"'ann@example\.com' is taken"):
        change_email("bob", "ann@example.com", SqlUnitOfWork(engine))
    assert ["bob"] == stored_names(sql_storage(engine))


@pytest.mark.promise(7)
@pytest.mark.parametrize("unit", UNITS)
def test_of_several_broken_constraints_the_first_is_named(engine: Engine, unit: type[SqlUnitOfWork]) -> None:
    """The id before the name, the name before the address, whichever SQLite has met first."""
    with SqlUnitOfWork(engine) as uow:
        ann = uow.users.get_by_username("ann")
    for user, expected in (
        (evolve(ann), DuplicateIdentity),
        (evolve(ann, id=UUID(int=1)), UsernameTaken),
        (evolve(ann, id=UUID(int=1), username=new_user("bob").username), EmailTaken),
        (evolve(ann, id=UUID(int=1), email=EmailAddress("bob@example.com")), UsernameTaken),
    ):
        with pytest.raises(expected), unit(engine) as uow:
            uow.users.add(user)
            uow.commit()
