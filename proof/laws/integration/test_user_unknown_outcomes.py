"""Promise 14 on real databases: use cases of users after a commit of unknown outcome."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.aggregate import new_id
from domain.errors import CommitOutcomeUnknown
from proof.laws.integration.lost_connections import failing_commit
from service_layer.users import IMPORT_BATCH, ImportSummary, UserRow, create_user, import_users
from tests.contract.sample import Kit
from tests.contract.users import USERS
from tests.storages import InATransaction, sql_storage


@pytest.mark.slow
@pytest.mark.promise(14)
@pytest.mark.parametrize("stored", [False, True])
def test_an_import_finds_out_and_goes_on(engine: Engine, stored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import finds out and goes on: every row is stored once and counted once."""
    rows = [UserRow(number, f"user{number}", f"user{number}@example.com") for number in range(IMPORT_BATCH + 5)]
    with failing_commit(engine, stored, monkeypatch):
        summary = import_users(rows, lambda *_: None, SqlUnitOfWork(engine))
    assert ImportSummary(stored=len(rows)) == summary
    assert sorted(row.username for row in rows) == Kit(sql_storage(engine), USERS).words()


@pytest.mark.every_case
@pytest.mark.promise(14)
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("unit", [SqlUnitOfWork, InATransaction])
def test_creating_a_user_again_finds_out(
    engine: Engine, unit: type[SqlUnitOfWork], stored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Creating a user again by its id stores it once, whether the INSERT was its own transaction or part of one."""
    uow, id = unit(engine), new_id()
    with failing_commit(engine, stored, monkeypatch), pytest.raises(CommitOutcomeUnknown):
        create_user("ann", "ann@example.com", uow, id)
    assert (id, 1) == ((ann := create_user("ann", "ann@example.com", uow, id)).id, ann.version)
    assert ["ann"] == Kit(sql_storage(engine), USERS).words()
