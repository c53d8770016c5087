"""How often a use case waits for PostgreSQL: a budget, so that a change that adds a query is noticed.

Each wait is a round trip over the network, and most of the cost of a use case. They are counted on the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine

from adapters.sql.engine import make_engine
from domain.repository import BULK_BATCH
from proof.laws.contract.orders import ORDERS
from proof.laws.counting_proxy import Proxy, proxy_to
from tests.contract.members import (
    change_email,
    create_member,
    deactivate_member,
    delete_member,
    export_members,
    get_member,
    list_members,
    new_member,
)
from tests.contract.products import PRODUCTS
from tests.contract.sample import Kit
from tests.contract.shop import SqlShop
from tests.storages import sql_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.contract.members import Member
    from tests.contract.shop import Shop

READING = 1
ALONE = 1  # a statement that is its own transaction
WRITING = 3  # the beginning, the writing, and the commit


def some_members(count: int) -> list[Member]:
    """Return a number of new members."""
    return [new_member(f"new{number}") for number in range(count)]


def store(new: Iterable[Member], uow: Shop) -> None:
    """Store members in bulk."""
    with uow:
        uow.members.add_many(new)
        uow.commit()


def store_one_by_one(count: int, uow: Shop) -> None:
    """Store members one by one, each by one statement."""
    with uow:
        for number in range(count):
            uow.members.add(new_member(f"new{number}"))
        uow.commit()


def give_up(uow: Shop) -> None:
    """Add something, and roll back before it is written."""
    with uow:
        uow.members.add(new_member("new"))
        uow.rollback()


def take_back(uow: Shop) -> None:
    """Write something, see it, and roll it back."""
    with uow:
        uow.members.add(new_member("new"))
        uow.members.get_by_name("new")
        uow.rollback()


def change_two(uow: Shop) -> None:
    """Change two members."""
    with uow:
        for member in uow.members.page(limit=2).items:
            member.deactivate()
        uow.commit()


def commit_nothing(uow: Shop) -> None:
    """Read a member, change nothing, and commit."""
    with uow:
        uow.members.get_by_name("ann")
        uow.commit()


BUDGETS: dict[str, tuple[Callable[[Shop], object], int]] = {
    "get_member": (lambda uow: get_member("ann", uow), READING),
    "list_members": (lambda uow: list_members(None, 100, uow), READING),
    "create_member": (lambda uow: create_member("new", "new@example.com", uow), ALONE),
    "change_email": (lambda uow: change_email("ann", "new@example.com", uow), READING + ALONE),
    "deactivate_member": (lambda uow: deactivate_member("ann", uow), READING + ALONE),
    "delete_member": (lambda uow: delete_member("ann", uow), READING + WRITING),
    "export_members": (lambda uow: list(export_members(uow)), READING),
    "an empty block": (lambda uow: uow.__enter__().__exit__(None, None, None), 0),
    "a commit of nothing": (commit_nothing, READING),
    "a rollback before the writing": (give_up, 0),
    "a rollback": (take_back, WRITING + READING),
    "two changes": (change_two, READING + WRITING + 1),
    "three additions": (lambda uow: store_one_by_one(3, uow), WRITING + 2),
    # A COPY is answered twice: when it may begin to send, and when all is stored.
    "a bulk of a list": (lambda uow: store(some_members(3 * BULK_BATCH), uow), WRITING + 1),
    "one batch of an iterator": (lambda uow: store(iter(some_members(BULK_BATCH)), uow), WRITING + 1),
    "three batches": (lambda uow: store(iter(some_members(3 * BULK_BATCH)), uow), WRITING + 5),
}


@pytest.fixture
def counted(request: pytest.FixtureRequest, postgres_engine: Engine) -> Iterator[tuple[Proxy, SqlShop]]:
    """A unit of work with a stored member, and the count of its round trips. The parameter is whether it pings."""
    with proxy_to(postgres_engine.url.render_as_string(hide_password=False), Proxy) as (proxy, url):
        engine = make_engine(url, ping=getattr(request, "param", False))
        uow = SqlShop(engine)
        create_member("ann", "ann@example.com", uow)
        create_member("bob", "bob@example.com", uow)
        yield proxy, uow
        engine.dispose()


@pytest.mark.parametrize("name", BUDGETS)
def test_a_use_case_keeps_to_its_round_trips(counted: tuple[Proxy, SqlShop], name: str) -> None:
    """A use case keeps to its round trips. One that needs fewer has a new budget."""
    (proxy, uow), (use_case, budget) = counted, BUDGETS[name]
    before = proxy.trips
    use_case(uow)
    assert budget == proxy.trips - before


# By repository: the sample of its aggregates, and how many collections hold its parts, at all levels.
COLLECTIONS = {"orders": (ORDERS, 1), "products": (PRODUCTS, 3)}


@pytest.mark.parametrize("name", COLLECTIONS)
def test_an_aggregate_costs_one_statement_a_part(counted: tuple[Proxy, SqlShop], name: str) -> None:
    """An aggregate is read by one statement for the roots, one for each collection, and one for the versions.

    The number of aggregates does not matter.
    """
    (proxy, unit), (sample, collections) = counted, COLLECTIONS[name]
    engine = unit.session.get_bind()
    assert isinstance(engine, Engine)
    kit: Kit[Any] = Kit(sql_storage(engine), sample)
    for word in ("ann", "bob"):
        kit.stored(word)
    with kit.unit() as uow:
        before = proxy.trips
        assert 2 == len(kit.of(uow).page().items)
        assert 1 + collections + 1 == proxy.trips - before


@pytest.mark.parametrize("counted", [True], indirect=True)
@pytest.mark.parametrize("name", ["get_member", "create_member"])
def test_a_ping_is_one_round_trip_more(counted: tuple[Proxy, SqlShop], name: str) -> None:
    """A ping is one round trip more for each unit that uses a connection."""
    (proxy, uow), (use_case, budget) = counted, BUDGETS[name]
    before = proxy.trips
    use_case(uow)
    assert budget + 1 == proxy.trips - before
