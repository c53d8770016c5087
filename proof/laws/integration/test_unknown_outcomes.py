"""Promise 14 on real databases: a commit of unknown outcome."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from domain.errors import CommitOutcomeUnknown, UnitOfWorkMisuse
from proof.laws.integration.lost_connections import failing_commit
from tests.contract.members import new_member, stored_names
from tests.contract.shop import SqlShop
from tests.storages import InATransaction, sql_storage


@pytest.mark.promise(14)
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("unit", [SqlShop, InATransaction])
def test_a_driver_error_while_committing_is_unknown(
    engine: Engine, unit: type[SqlShop], stored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the driver while committing is an unknown outcome, before or after the database's part."""
    with unit(engine) as uow:
        uow.members.add(new_member("ann"))
        with (
            failing_commit(engine, stored, monkeypatch),
            pytest.raises(CommitOutcomeUnknown, match="may or may not be stored") as caught,
        ):
            uow.commit()
        with pytest.raises(UnitOfWorkMisuse, match="may or may not be stored"):
            uow.commit()
    assert not caught.value.retryable
    assert (["ann"] if stored else []) == stored_names(sql_storage(engine))
