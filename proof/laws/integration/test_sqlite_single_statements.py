"""Promises 7 and 8 on SQLite for a commit of one statement: it waits and fails as a transaction does."""

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

from domain.errors import ConcurrentChange, Conflict, DuplicateIdentity
from proof.laws import plain_driver
from tests.contract.members import (
    EmailTaken,
    Member,
    MemberEmail,
    NameTaken,
    change_email,
    create_member,
    delete_member,
    new_member,
    stored_member,
    stored_names,
    written,
)
from tests.contract.shop import SqlShop
from tests.storages import InATransaction, impatient, members_engine, sql_storage

UNITS = [SqlShop, InATransaction]

WRITES: dict[str, Callable[[SqlShop], object]] = {
    "create_member": lambda uow: create_member("bob", "bob@example.com", uow),
    "change_email": lambda uow: change_email("ann", "new@example.com", uow),
    "delete_member": lambda uow: delete_member("ann", uow),
}

PATIENCE = 10
"""Seconds that a writer waits for another one: none should wait in vain, however busy the machine is."""


@pytest.fixture
def engine(sqlite_database: str) -> Iterator[Engine]:
    """An engine on a new SQLite file with the member ann."""
    with members_engine(sqlite_database, PATIENCE) as engine:
        stored_member(sql_storage(engine), "ann")
        yield engine


@contextmanager
def another_writer(engine: Engine) -> Iterator[SqlShop]:
    """Yield an open unit that has written."""
    with SqlShop(engine) as uow:
        uow.members.add(new_member("zoe"))
        written(uow)
        yield uow


@pytest.mark.slow
@pytest.mark.promise(8)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", WRITES)
def test_a_commit_waits_for_another_writer(engine: Engine, name: str, unit: type[SqlShop]) -> None:
    """A commit waits for another writer, and succeeds when that one has ended."""
    with ThreadPoolExecutor(1) as pool, another_writer(engine) as other:
        outcome = pool.submit(WRITES[name], unit(engine))
        with pytest.raises(TimeoutError):
            outcome.result(0.05)
        other.commit()
        outcome.result(PATIENCE)
    expected = {"create_member": ["ann", "bob"], "change_email": ["ann"], "delete_member": []}[name]
    assert [*expected, "zoe"] == stored_names(sql_storage(engine))


@pytest.mark.promise(8)
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", WRITES)
def test_a_commit_that_waits_in_vain(engine: Engine, name: str, unit: type[SqlShop]) -> None:
    """A commit that waits in vain is a conflict. It may be tried again, and has stored nothing."""
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
    """Let another unit remove the member ann as soon as a statement has failed."""
    execute = engine.dialect.do_execute
    with closing(plain_driver.connect(str(engine.url))) as other:

        def fail_and_remove(*arguments: Any) -> None:
            try:
                execute(*arguments)
            except sqlite3.IntegrityError:
                other.execute("DELETE FROM members WHERE name = 'ann'")
                raise

        monkeypatch.setattr(engine.dialect, "do_execute", fail_and_remove)
        yield


def same_id(ann: Member, uow: SqlShop) -> None:
    """Add a member with her id."""
    uow.members.add(evolve(new_member("bob"), id=ann.id))


def same_name(ann: Member, uow: SqlShop) -> None:
    """Add a member with her name."""
    uow.members.add(evolve(new_member("bob"), name=ann.name))


def same_address(ann: Member, uow: SqlShop) -> None:
    """Add a member with her address."""
    uow.members.add(evolve(new_member("bob"), email=ann.email))


TAKEN: list[tuple[Callable[[Member, SqlShop], None], type[Exception]]] = [
    (same_id, DuplicateIdentity),
    (same_name, NameTaken),
    (same_address, EmailTaken),
]


@pytest.mark.promise(7)
@pytest.mark.usefixtures("_gone_when_looked_for")
@pytest.mark.parametrize(("add", "expected"), TAKEN)
def test_a_constraint_is_named_without_its_holder(
    engine: Engine, add: Callable[[Member, SqlShop], None], expected: type[Conflict]
) -> None:
    """The constraint is named even if the holder of the value has gone since: SQLite has said which one it was.

    Outside of a transaction the rows may change a moment later.
    """
    with SqlShop(engine) as uow:
        ann = uow.members.get_by_name("ann")
    with pytest.raises(expected) as caught, SqlShop(engine) as uow:
        add(ann, uow)
        uow.commit()
    assert [] == stored_names(sql_storage(engine))
    value = {DuplicateIdentity: str(ann.id), NameTaken: "'ann'", EmailTaken: "'ann@example.com'"}[expected]
    assert value in str(caught.value)


@pytest.mark.promise(7)
@pytest.mark.parametrize("unit", UNITS)
def test_a_change_names_the_value_that_is_taken(engine: Engine, unit: type[SqlShop]) -> None:
    """A change names the taken value, from the row that it would make: its statement holds only the differences."""
    stored_member(sql_storage(engine), "bob")
    with pytest.raises(EmailTaken, match=r"'ann@example\.com' is taken"):
        change_email("bob", "ann@example.com", unit(engine))


@pytest.mark.promise(7)
@pytest.mark.usefixtures("_gone_when_looked_for")
def test_a_change_names_the_value_without_a_holder(engine: Engine) -> None:
    """A change names the value even if its holder has gone since."""
    stored_member(sql_storage(engine), "bob")
    with pytest.raises(EmailTaken, match=r"'ann@example\.com' is taken"):
        change_email("bob", "ann@example.com", SqlShop(engine))
    assert ["bob"] == stored_names(sql_storage(engine))


@pytest.mark.promise(7)
@pytest.mark.parametrize("unit", UNITS)
def test_the_first_of_several_constraints_is_named(engine: Engine, unit: type[SqlShop]) -> None:
    """Of several broken constraints the first is named: the id, the name, the address, whichever SQLite met first."""
    with SqlShop(engine) as uow:
        ann = uow.members.get_by_name("ann")
    for member, expected in (
        (evolve(ann), DuplicateIdentity),
        (evolve(ann, id=UUID(int=1)), NameTaken),
        (evolve(ann, id=UUID(int=1), name=new_member("bob").name), EmailTaken),
        (evolve(ann, id=UUID(int=1), email=MemberEmail("bob@example.com")), NameTaken),
    ):
        with pytest.raises(expected), unit(engine) as uow:
            uow.members.add(member)
            uow.commit()
