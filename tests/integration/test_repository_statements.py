"""Promises 12, 13 and 14 for the statements that a repository runs by itself, on its session or past it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, Executable, delete, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from domain.errors import StorageError, UncommittedChanges, UnitOfWorkMisuse
from tests.contract.members import (
    Member,
    NameTaken,
    SqlMemberRepository,
    members,
    new_member,
    stored_member,
    stored_names,
    stored_values,
    values,
)
from tests.contract.shop import SqlShop
from tests.integration.lost_connections import checked_out
from tests.storages import sql_storage


class OpenRepository(SqlMemberRepository):
    """Members, and whatever a test wants to run."""

    def run(self, statement: Executable, parameters: dict[str, Any] | None = None) -> None:
        """Run a statement on the session."""
        self.session.execute(statement, parameters)

    def run_past_the_session(self, statement: str) -> None:
        """Run a statement on the session's connection."""
        self.session.connection().exec_driver_sql(statement)


class OpenUnit(SqlShop):
    """A unit of work with such a repository."""

    def __init__(self, engine: Engine, *, read_only: bool = False) -> None:
        super().__init__(engine, read_only=read_only)
        self.open = OpenRepository(self, self.session)


BROKEN = "SELECT * FROM nowhere"


@pytest.mark.promise(14, 15)
def test_a_broken_statement_of_a_repository_is_translated(engine: Engine) -> None:
    """By the call itself, and the unit has failed; the database's own error is the cause."""
    with OpenUnit(engine) as uow:
        with pytest.raises(StorageError, match="nowhere") as caught:
            uow.open.run(text(BROKEN))
        with pytest.raises(UnitOfWorkMisuse, match="nowhere"):
            uow.members.page()
        assert checked_out(engine) == 0
    assert isinstance(caught.value.__cause__, SQLAlchemyError)


@pytest.mark.promise(14, 15)
def test_a_broken_statement_past_the_session_leaves_the_block_translated(engine: Engine) -> None:
    """There at the latest, so that no caller has to know what a repository is made of."""
    with pytest.raises(StorageError, match="nowhere") as caught, OpenUnit(engine) as uow:
        uow.open.run_past_the_session(BROKEN)
    assert isinstance(caught.value.__cause__, SQLAlchemyError)
    assert checked_out(engine) == 0


@pytest.mark.promise(10, 14)
@pytest.mark.parametrize("past_the_session", [False, True])
def test_a_broken_statement_in_a_savepoint_is_undone_with_it(engine: Engine, past_the_session: bool) -> None:
    """And the unit goes on, also on a database that would refuse all that follows."""
    with OpenUnit(engine) as uow:
        uow.members.add(new_member("ann"))
        with pytest.raises((StorageError, SQLAlchemyError)), uow.savepoint():
            uow.members.add(new_member("bob"))
            if past_the_session:
                uow.open.run_past_the_session(BROKEN)
            uow.open.run(text(BROKEN))
        uow.members.add(new_member("cid"))
        uow.commit()
    assert ["ann", "cid"] == stored_names(sql_storage(engine))


@pytest.mark.promise(7)
def test_a_value_taken_by_a_statement_of_a_repository_is_told(engine: Engine) -> None:
    """By the error that the constraint declares."""
    stored_member(sql_storage(engine), "ann")
    with pytest.raises(NameTaken), OpenUnit(engine) as uow:
        uow.open.run(insert(members), {**values(new_member("ann")), "version": 1})


READS = ("SELECT count(*) FROM members", "WITH few AS (SELECT 1 AS one) SELECT one FROM few")
WRITES: dict[str, Executable] = {
    "an update": update(Member).values(active=False),
    "an update of the table": update(members).values(active=False),
    "a deletion": delete(Member),
    "a text": text("UPDATE members SET active = false"),
    "a text that begins as a query can": text("EXPLAIN UPDATE members SET active = false"),
}


@pytest.mark.promise(12)
@pytest.mark.parametrize("name", WRITES)
def test_a_forgotten_commit_of_a_statement_warns(engine: Engine, name: str) -> None:
    """As that of an object does; nothing is stored."""
    ann = stored_member(sql_storage(engine), "ann")
    with pytest.warns(UncommittedChanges), OpenUnit(engine) as uow:
        uow.open.run(WRITES[name])
    assert [values(ann)] == stored_values(sql_storage(engine))


@pytest.mark.promise(13)
@pytest.mark.parametrize("name", WRITES)
def test_a_read_only_unit_refuses_a_statement_that_writes(engine: Engine, name: str) -> None:
    """Before it is sent."""
    ann = stored_member(sql_storage(engine), "ann")
    with OpenUnit(engine, read_only=True) as uow:
        with pytest.raises(UnitOfWorkMisuse, match="read-only"):
            uow.open.run(WRITES[name])
        assert ["ann"] == [member.name for member in uow.members.page().items]
    assert [values(ann)] == stored_values(sql_storage(engine))


@pytest.mark.promise(13)
@pytest.mark.parametrize("statement", READS)
def test_a_read_only_unit_runs_a_text_that_reads(engine: Engine, statement: str) -> None:
    """And does not take it for a write, whose commit was forgotten."""
    for read_only in (True, False):
        with OpenUnit(engine, read_only=read_only) as uow:
            uow.open.run(text(statement))


@pytest.mark.promise(2, 9)
def test_a_statement_comes_after_what_was_added_before_it(engine: Engine) -> None:
    """It meets the addition, and is stored by the commit."""
    with OpenUnit(engine) as uow:
        uow.members.add(new_member("ann"))
        uow.open.run(update(Member).values(active=False).execution_options(synchronize_session=False))
        uow.commit()
    assert [False] == [row["active"] for row in stored_values(sql_storage(engine))]


@pytest.mark.promise(5, 6, 12, 13)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_query_that_is_a_text_is_no_write(engine: Engine, read_only: bool) -> None:
    """It needs no commit, is allowed in a read-only unit, and finds the objects that the unit holds."""
    stored_member(sql_storage(engine), "ann")
    query = text("SELECT * FROM members")
    with OpenUnit(engine, read_only=read_only) as uow:
        mine = uow.members.get_by_name("ann")
        uow.open.run(query)
        assert mine is uow.session.scalars(select(Member).from_statement(query)).one()
