"""Promise 16 on real databases: what a stream has read, and when."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import StorageError
from tests.contract.users import new_user, stored_names
from tests.integration.lost_connections import checked_out
from tests.storages import sql_storage


def store_many(engine: Engine, count: int) -> None:
    """Store users."""
    with SqlUnitOfWork(engine) as uow:
        uow.users.add_many(new_user(f"user{number}") for number in range(count))
        uow.commit()


@pytest.mark.promise(16)
@pytest.mark.parametrize("options", [{}, {"stream_results": True}, {"yield_per": 10}])
def test_a_stream_is_whole_whatever_else_is_read_in_its_loop(
    engine: Engine, options: dict[str, object], small_batches: int
) -> None:
    """Also where somebody has the driver read the results of all queries little by little."""
    store_many(engine, small_batches + 1)
    with SqlUnitOfWork(engine.execution_options(**options)) as uow:
        met = [uow.users.get(user.id) for user in uow.users.stream()]
        uow.rollback()
    assert stored_names(sql_storage(engine)) == sorted(str(user.username) for user in met)


@pytest.mark.promise(7)
@pytest.mark.parametrize("reads_on", [True, False])
def test_a_stored_value_that_cannot_be_read_fails_a_stream_that_comes_to_it(
    postgres_engine: Engine, reads_on: bool, small_batches: int
) -> None:
    """And nobody else: a stream that is left in a batch before ends as any other does."""
    store_many(postgres_engine, small_batches + 1)
    with postgres_engine.begin() as connection:
        last = "(SELECT id FROM users ORDER BY id DESC LIMIT 1)"
        connection.execute(text(f"UPDATE users SET created_at = '0044-03-15 BC' WHERE id = {last}"))  # noqa: S608  # our own text
    uow = SqlUnitOfWork(postgres_engine)
    with uow:
        stream = uow.users.stream()
        next(stream)
        if reads_on:
            with pytest.raises(StorageError, match="year"):
                list(stream)
    assert checked_out(postgres_engine) == 0
