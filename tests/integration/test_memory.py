"""Promise 16 on real databases: how much a unit of work holds while it streams and stores in bulk."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.repository import BATCH
from tests.contract.users import new_user


@pytest.mark.promise(16)
def test_a_stream_and_a_bulk_addition_hold_no_more_than_one_batch(engine: Engine) -> None:
    """Of what the caller lets go, the session keeps nothing."""
    held = []
    with SqlUnitOfWork(engine) as uow:
        uow.users.add_many(new_user(f"user{number}") for number in range(3 * BATCH))
        held.append(len(uow.session.identity_map))
        held += [len(uow.session.identity_map) for _ in uow.users.stream()]
        uow.commit()
    assert 3 * BATCH + 1 == len(held)
    assert held[0] == 0
    assert max(held) <= BATCH + 2  # and the one at hand, and the one that tells whether more follow
