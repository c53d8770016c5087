"""Lists of users: chosen by what they are, and sorted by one of some attributes, alike on every storage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from domain.errors import InvalidValue
from domain.user import User
from entrypoints.user_pages import as_text, from_text
from service_layer.unit_of_work import UnitOfWork
from service_layer.user_filter import UserFilter, UserSort
from service_layer.users import list_users

# By name: the day of January on which each was created, an address that sorts otherwise, and whether it is active.
PEOPLE = {"Bob": (1, "z", True), "ann": (2, "y", False), "öre": (2, "x", True), "cid": (3, "w", True)}


@pytest.fixture
def people(uow: UnitOfWork) -> UnitOfWork:
    """A unit of work on each storage in turn, with some people in it."""
    with uow:
        for name, (day, local, active) in PEOPLE.items():
            then = datetime(2026, 1, day, tzinfo=UTC)
            uow.users.add(User(username=name, email=f"{local}@example.com", created_at=then, active=active))
        uow.commit()
    return uow


def names(uow: UnitOfWork, *, limit: int = 1000, **chosen: Any) -> list[str]:
    """Return the names of those who are chosen, read page by page."""
    found: list[str] = []
    after: Any = None
    while len(found) <= len(PEOPLE):
        page = list_users(after, limit, uow, UserFilter(**chosen))
        found += [user.username for user in page.items]
        if page.next is None:
            break
        after = from_text(as_text(page.next), chosen.get("sort", "id"))
    return found


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"active": False}, ["ann"]),
        ({"active": True}, ["bob", "öre", "cid"]),
        ({"created_after": datetime(2026, 1, 1, tzinfo=UTC)}, ["ann", "öre", "cid"]),
        ({"created_before": datetime(2026, 1, 2, tzinfo=UTC)}, ["bob"]),
        ({"created_after": datetime(2026, 1, 1, 12, tzinfo=UTC), "active": True}, ["öre", "cid"]),
        ({"created_after": datetime(2027, 1, 1, tzinfo=UTC)}, []),
    ],
)
def test_a_list_holds_those_who_meet_all(people: UnitOfWork, chosen: dict[str, Any], expected: list[str]) -> None:
    """A list holds those users who meet all conditions, the oldest first."""
    assert expected == names(people, **chosen)


@pytest.mark.parametrize("limit", [1, 3, 1000])
@pytest.mark.parametrize("sort", get_args(UserSort))
def test_a_list_is_sorted_by_one_attribute(people: UnitOfWork, sort: UserSort, limit: int) -> None:
    """A list is sorted by one attribute, in either direction, in pages of any size."""
    ways = {"id": "bob ann öre cid", "created_at": "bob ann öre cid", "username": "ann bob cid öre"}
    expected = {**ways, "email": "cid öre ann bob"}[sort.removeprefix("-")].split()
    assert (expected[::-1] if sort.startswith("-") else expected) == names(people, limit=limit, sort=sort)


def test_another_sort_key_is_refused(people: UnitOfWork) -> None:
    """Another sort key is refused, and the message lists the sort keys."""
    with pytest.raises(InvalidValue, match="users are sorted by id, -id, created_at"):
        list_users(None, 10, people, UserFilter(sort="active"))  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidValue, match="the key of a page is the pair"):
        list_users("ann", 10, people, UserFilter(sort="username"))


def test_a_time_without_a_zone_is_refused(people: UnitOfWork) -> None:
    """A time without a zone is refused, since it could be any time of a day. So is one that has no year in UTC."""
    with pytest.raises(InvalidValue, match="a time needs its offset from UTC"):
        names(people, created_after=datetime(2026, 1, 1))  # noqa: DTZ001  # on purpose
    with pytest.raises(InvalidValue, match="no calendar holds it in UTC"):
        names(people, created_before=datetime.fromisoformat("0001-01-01T00:00:00+14:00"))


@pytest.mark.parametrize(
    ("text", "sort"),
    [
        ("", "id"),
        ("ann", "id"),
        (",", "id"),
        ("ann", "username"),
        ("x,y", "created_at"),
        ("2026-01-01,y", "created_at"),
        (" ,y", "email"),
        ("x", "x"),
    ],
)
def test_a_place_of_another_order_is_refused(text: str, sort: str) -> None:
    """A place in a list of another order is refused. The message has the text and the order."""
    with pytest.raises(InvalidValue, match="it is no place in a list that is sorted by "):
        from_text(text, sort)
