"""Promises 7, 14 and 15 for the errors of a commit that is one statement and its own transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from domain.errors import (
    CommitOutcomeUnknown,
    StorageUnavailable,
)
from proof.laws.faults import AFTER, ALONE, BEFORE, ERROR
from proof.laws.faulty_storages import FaultyDatabase, FaultyServer, faulty_server, faulty_sqlite
from proof.laws.integration.lost_connections import check_back, end_connection, number_of
from service_layer.retrying import retrying
from tests.contract.members import change_email, create_member, new_member, stored_names, written
from tests.contract.shop import Shop, SqlShop
from tests.storages import InATransaction, members_engine, sql_storage

UNITS = [SqlShop, InATransaction]

ANN = ("ann", "ann@example.com", True, 1)

# What each use case leaves of the only member and of the one that it may create. (Not a removal: it writes in a
# transaction.)
USE_CASES: dict[str, tuple[Callable[[Shop], object], list[tuple[Any, ...]]]] = {
    "create_member": (
        lambda uow: create_member("bob", "bob@example.com", uow),
        [ANN, ("bob", "bob@example.com", True, 1)],
    ),
    "change_email": (
        lambda uow: change_email("ann", "new@example.com", uow),
        [("ann", "new@example.com", True, 2)],
    ),
}


def check_tidy(engine: Engine) -> None:
    """Fail if a connection is in use, or does not begin a transaction for the next unit that needs one."""
    check_back(engine)
    before = stored_names(sql_storage(engine))
    with SqlShop(engine) as uow:
        uow.members.add(new_member("zoe"))
        written(uow)
        uow.rollback()
    assert before == stored_names(sql_storage(engine))


@pytest.fixture(params=["sqlite", "postgres"])
def faulty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FaultyDatabase]:
    """Each database that lets a statement go alone, behind a layer that fails, with one member."""
    with ExitStack() as stack:
        found: FaultyDatabase
        if request.param == "sqlite":
            with members_engine(f"sqlite:///{tmp_path}/test.db"):
                found = stack.enter_context(faulty_sqlite(f"{tmp_path}/test.db"))
        else:
            engine: Engine = request.getfixturevalue("postgres_engine")
            found = stack.enter_context(faulty_server(engine.url.render_as_string(hide_password=False)))
        create_member("ann", "ann@example.com", found.unit())
        yield found


@pytest.mark.promise(14)
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("name", USE_CASES)
def test_a_connection_lost_during_the_statement(faulty: FaultyDatabase, name: str, stored: bool) -> None:
    """A connection that dies during the statement is an unknown outcome. The statement is not repeated.

    The database may or may not have run it.
    """
    use_case, after = USE_CASES[name]
    is_server = isinstance(faulty, FaultyServer)
    faulty.faults.plan(1, AFTER if stored else BEFORE if is_server else ERROR, only_commits=True)
    with pytest.raises(CommitOutcomeUnknown, match="may or may not be stored") as caught:
        retrying(use_case, faulty.unit())
    assert ALONE == faulty.faults.lasting
    assert not caught.value.retryable
    assert (after if stored else [ANN]) == faulty.rows()
    faulty.check_tidy()
    check_tidy(faulty.engine)


@pytest.mark.slow
@pytest.mark.promise(14, 15)
@pytest.mark.parametrize("faulty", ["postgres"], indirect=True)
@pytest.mark.parametrize("by", ["the server", "something between"])
@pytest.mark.parametrize("before", ["the unit", "its commit"])
@pytest.mark.parametrize("name", USE_CASES)
def test_a_connection_lost_before_the_statement(
    faulty: FaultyServer, postgres_engine: Engine, name: str, by: str, before: str
) -> None:
    """A connection that has ended before the statement is unavailable and may be tried again.

    The statement was not sent: the connection was idle, or the unit was at work elsewhere.
    """
    use_case, after = USE_CASES[name]
    with SqlShop(faulty.engine) as uow:
        number = number_of(uow, faulty.engine)

    def end() -> None:
        if by == "the server":
            end_connection(number, postgres_engine)
        else:
            faulty.proxy.cut_idle()
        faulty.proxy.wait_for_ends()

    class EndsBeforeItsCommit(SqlShop):
        def commit(self) -> None:
            end()
            super().commit()

    if before == "the unit":
        end()
    with pytest.raises(StorageUnavailable) as caught:
        use_case((EndsBeforeItsCommit if before == "its commit" else SqlShop)(faulty.engine))
    assert caught.value.retryable
    assert [ANN] == faulty.rows()
    use_case(faulty.unit())
    assert after == faulty.rows()
    check_tidy(faulty.engine)
