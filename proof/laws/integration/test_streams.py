"""Promise 16 on real databases: what a stream has read, and when."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from domain.errors import StorageError
from proof.laws.integration.lost_connections import checked_out
from tests.contract.members import new_member, stored_names
from tests.contract.shop import SqlShop
from tests.storages import sql_storage


def store_many(engine: Engine, count: int) -> None:
    """Store members."""
    with SqlShop(engine) as uow:
        uow.members.add_many(new_member(f"member{number}") for number in range(count))
        uow.commit()


@pytest.mark.promise(16)
@pytest.mark.parametrize("options", [{}, {"stream_results": True}, {"yield_per": 10}])
def test_a_stream_is_whole_beside_other_reads(engine: Engine, options: dict[str, object], small_batches: int) -> None:
    """A stream is whole whatever else its loop reads, also if the driver reads all results in batches."""
    store_many(engine, small_batches + 1)
    with SqlShop(engine.execution_options(**options)) as uow:
        met = [uow.members.get(member.id) for member in uow.members.stream()]
        uow.rollback()
    assert stored_names(sql_storage(engine)) == sorted(str(member.name) for member in met)


@pytest.mark.promise(7)
@pytest.mark.parametrize("reads_on", [True, False])
def test_an_unreadable_value_fails_its_stream(postgres_engine: Engine, reads_on: bool, small_batches: int) -> None:
    """A stored value that cannot be read fails a stream that comes to it, and no stream that ends before it."""
    store_many(postgres_engine, small_batches + 1)
    with postgres_engine.begin() as connection:
        last = "(SELECT id FROM members ORDER BY id DESC LIMIT 1)"
        connection.execute(text(f"UPDATE members SET created_at = '0044-03-15 BC' WHERE id = {last}"))  # noqa: S608  # our own text
    uow = SqlShop(postgres_engine)
    with uow:
        stream = uow.members.stream()
        next(stream)
        if reads_on:
            with pytest.raises(StorageError, match="year"):
                list(stream)
    assert checked_out(postgres_engine) == 0
