"""Promises 12, 13 and 14 for the statements that a repository runs itself, on its session or past it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, Executable, delete, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from domain.errors import StorageError, UncommittedChanges, UnitOfWorkMisuse
from proof.laws.integration.lost_connections import checked_out
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
from tests.storages import sql_storage


class OpenRepository(SqlMemberRepository):
    """Members, and a way to run any statement of a test."""

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
def test_a_repositorys_error_is_translated(engine: Engine) -> None:
    """The call itself translates an error of a repository's statement. The unit has failed, and the cause is kept."""
    with OpenUnit(engine) as uow:
        with pytest.raises(StorageError, match="nowhere") as caught:
            uow.open.run(text(BROKEN))
        with pytest.raises(UnitOfWorkMisuse, match="nowhere"):
            uow.members.page()
        assert checked_out(engine) == 0
    assert isinstance(caught.value.__cause__, SQLAlchemyError)


@pytest.mark.promise(14, 15)
def test_an_error_past_the_session_is_translated(engine: Engine) -> None:
    """An error past the session leaves the block translated, so no caller must know the insides of a repository."""
    with pytest.raises(StorageError, match="nowhere") as caught, OpenUnit(engine) as uow:
        uow.open.run_past_the_session(BROKEN)
    assert isinstance(caught.value.__cause__, SQLAlchemyError)
    assert checked_out(engine) == 0


@pytest.mark.promise(10, 14)
@pytest.mark.parametrize("past_the_session", [False, True])
def test_a_savepoint_undoes_a_broken_statement(engine: Engine, past_the_session: bool) -> None:
    """A savepoint undoes a broken statement, and the unit goes on, also where the database would refuse the rest."""
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
def test_a_statements_taken_value_is_declared(engine: Engine) -> None:
    """A value taken by a statement of a repository raises the error that the constraint declares."""
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
    """A forgotten commit of a statement warns like that of an object, and nothing is stored."""
    ann = stored_member(sql_storage(engine), "ann")
    with pytest.warns(UncommittedChanges), OpenUnit(engine) as uow:
        uow.open.run(WRITES[name])
    assert [values(ann)] == stored_values(sql_storage(engine))


@pytest.mark.promise(13)
@pytest.mark.parametrize("name", WRITES)
def test_a_read_only_unit_refuses_a_statement(engine: Engine, name: str) -> None:
    """A read-only unit refuses a statement that writes before it is sent."""
    ann = stored_member(sql_storage(engine), "ann")
    with OpenUnit(engine, read_only=True) as uow:
        with pytest.raises(UnitOfWorkMisuse, match="read-only"):
            uow.open.run(WRITES[name])
        assert ["ann"] == [member.name for member in uow.members.page().items]
    assert [values(ann)] == stored_values(sql_storage(engine))


@pytest.mark.promise(13)
@pytest.mark.parametrize("statement", READS)
def test_a_read_only_unit_runs_a_text_that_reads(engine: Engine, statement: str) -> None:
    """A read-only unit runs a text that reads, and does not count it as an uncommitted write."""
    for read_only in (True, False):
        with OpenUnit(engine, read_only=read_only) as uow:
            uow.open.run(text(statement))


@pytest.mark.promise(2, 9)
def test_a_statement_follows_an_addition(engine: Engine) -> None:
    """A statement follows the addition before it: it sees that, and the commit stores it."""
    with OpenUnit(engine) as uow:
        uow.members.add(new_member("ann"))
        uow.open.run(update(Member).values(active=False).execution_options(synchronize_session=False))
        uow.commit()
    assert [False] == [row["active"] for row in stored_values(sql_storage(engine))]


@pytest.mark.promise(5, 6, 12, 13)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_query_that_is_a_text_is_no_write(engine: Engine, read_only: bool) -> None:
    """A text that queries is no write: it needs no commit, is allowed in a read-only unit, and finds held objects."""
    stored_member(sql_storage(engine), "ann")
    query = text("SELECT * FROM members")
    with OpenUnit(engine, read_only=read_only) as uow:
        mine = uow.members.get_by_name("ann")
        uow.open.run(query)
        assert mine is uow.session.scalars(select(Member).from_statement(query)).one()
