"""How often a use case of users waits for an answer of PostgreSQL. See test_round_trips.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from adapters.sql.engine import make_engine
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.aggregate import new_id
from proof.laws.counting_proxy import Proxy, proxy_to
from service_layer import users
from service_layer.unit_of_work import UnitOfWork

READING = 1
ALONE = 1  # a statement that is its own transaction
WRITING = 3  # the beginning, the writing, and the commit
ANN = new_id()

BUDGETS: dict[str, tuple[Callable[[UnitOfWork], object], int]] = {
    "get_user": (lambda uow: users.get_user("ann", uow), READING),
    "list_users": (lambda uow: users.list_users(None, 100, uow), READING),
    "create_user": (lambda uow: users.create_user("new", "new@example.com", uow), ALONE),
    "create_user with an id": (lambda uow: users.create_user("new", "new@example.com", uow, new_id()), ALONE),
    "create_user again": (lambda uow: users.create_user("ann", "ann@example.com", uow, ANN), ALONE + READING),
    "change_email": (lambda uow: users.change_email("ann", "new@example.com", uow), READING + ALONE),
    "deactivate_user": (lambda uow: users.deactivate_user("ann", uow), READING + ALONE),
    "delete_user": (lambda uow: users.delete_user("ann", uow), READING + WRITING),
    "export_users": (lambda uow: list(users.export_users(uow)), READING),
}


@pytest.fixture
def counted(postgres_engine: Engine) -> Iterator[tuple[Proxy, SqlUnitOfWork]]:
    """A unit of work with a stored user, and the count of its round trips."""
    with proxy_to(postgres_engine.url.render_as_string(hide_password=False), Proxy) as (proxy, url):
        engine = make_engine(url)
        uow = SqlUnitOfWork(engine)
        users.create_user("ann", "ann@example.com", uow, ANN)
        users.create_user("bob", "bob@example.com", uow)
        yield proxy, uow
        engine.dispose()


@pytest.mark.parametrize("name", BUDGETS)
def test_user_use_cases_keep_to_their_round_trips(counted: tuple[Proxy, SqlUnitOfWork], name: str) -> None:
    """A use case of users keeps to its round trips. One that needs fewer has a new budget."""
    (proxy, uow), (use_case, budget) = counted, BUDGETS[name]
    before = proxy.trips
    use_case(uow)
    assert budget == proxy.trips - before
