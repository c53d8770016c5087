"""Queries that a port describes once: every storage answers them alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.aggregate import new_id
from domain.errors import InvalidValue
from domain.query import Where
from domain.repository import MAX_ASKED
from proof.laws.contract.accounts import Account
from tests.contract.members import Member, new_member
from tests.contract.shop import of
from tests.storages import Storage

START = datetime(2026, 11, 30, tzinfo=UTC)

NAMES = ("ann", "bob", "cid", "dan", "eva", "zoë")


def stored(storage: Storage) -> list[Member]:
    """Store members. Two were created at one time, and every other one is inactive."""
    members = [
        evolve(new_member(name), created_at=START + timedelta(days=place // 2), active=place % 2 == 0)
        for place, name in enumerate(NAMES)
    ]
    with storage.unit() as uow:
        uow.members.add_many(members)
        uow.commit()
    return members


def names(members: Any) -> list[str]:
    """Return the names of members."""
    return [str(member.name) for member in members]


@pytest.mark.every_case
@pytest.mark.promise(16)
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ([Where("active", "==", True)], ["ann", "cid", "eva"]),
        ([Where("active", "!=", True)], ["bob", "dan", "zoë"]),
        ([Where("created_at", "<", START + timedelta(days=1))], ["ann", "bob"]),
        ([Where("created_at", "<=", START + timedelta(days=1))], ["ann", "bob", "cid", "dan"]),
        ([Where("name", ">", "dan")], ["eva", "zoë"]),
        ([Where("name", ">=", "dan"), Where("active", "==", False)], ["dan", "zoë"]),
        ([Where("name", "in", ["cid", "ann", "nobody"])], ["ann", "cid"]),
        ([Where("name", "in", [])], []),
        ([Where("name", "==", None)], []),
        ([Where("name", "!=", None)], list(NAMES)),
    ],
    ids=range(10),
)
def test_all_comparisons_hold(storage: Storage, where: list[Where], expected: list[str]) -> None:
    """A query meets all comparisons. Its results are in the order of ids."""
    members = stored(storage)
    with storage.unit(read_only=True) as uow:
        found = uow.members.list_where(*where)
        assert expected == names(sorted(found, key=lambda member: member.name))
        assert [one.id for one in sorted(members, key=lambda member: member.id) if one in found] == [
            one.id for one in found
        ]
        assert len(expected) == uow.members.count(*where)


@pytest.mark.every_case
@pytest.mark.promise(16)
@pytest.mark.parametrize("order_by", ["created_at", "-created_at", "name", "-name", "id", "-id"])
def test_pages_under_a_sort_key_meet_all(storage: Storage, order_by: str) -> None:
    """Pages under a sort key hold each aggregate once, in the order of the key, then of ids."""
    members = stored(storage)
    after: Any = None
    pages: list[list[str]] = []
    with storage.unit(read_only=True) as uow:
        while len(pages) <= len(members):
            page = uow.members.page(after, 2, order_by=order_by)
            pages.append(names(page.items))
            after = page.next
            if after is None:
                break
    key = order_by.removeprefix("-")
    members.sort(key=lambda member: (getattr(member, key), member.id), reverse=order_by.startswith("-"))
    assert [names(members[0:2]), names(members[2:4]), names(members[4:6])] == pages


@pytest.mark.every_case
@pytest.mark.promise(16)
@pytest.mark.parametrize("order_by", ["nickname", "-nickname"])
def test_none_is_the_least_on_pages(storage: Storage, order_by: str) -> None:
    """None comes first on pages, and last in the reverse order. Each page goes on after it."""
    made = [Account(nickname=nickname) for nickname in ("b", None, "a", None)]
    with storage.unit() as uow:
        of(uow, "accounts").add_many(made)
        uow.commit()
    found: list[Any] = []
    after = None
    with storage.unit(read_only=True) as uow:
        while len(found) < len(made):
            page = of(uow, "accounts").page(after, 1, order_by=order_by)
            found += page.items
            after = page.next
    made.sort(key=lambda one: (one.nickname or "", one.id), reverse=order_by.startswith("-"))
    assert ([one.id for one in made], None) == ([one.id for one in found], after)


@pytest.mark.promise(6, 16)
def test_a_query_sees_what_its_unit_has_written(storage: Storage) -> None:
    """A query sees an addition and a change of its unit."""
    stored(storage)
    with storage.unit() as uow:
        uow.members.add(new_member("fay"))
        uow.members.get_by_name("bob").reactivate()
        found = uow.members.list_where(Where("active", "==", True), order_by="name", limit=3)
        assert ["ann", "bob", "cid"] == names(found)
        assert 5 == uow.members.count(Where("active", "==", True))
        uow.rollback()


@pytest.mark.promise(16)
def test_none_may_be_compared_before_a_value(storage: Storage) -> None:
    """A comparison with None may stand before one with a value."""
    with storage.unit() as uow:
        accounts = of(uow, "accounts")
        accounts.add_many([Account(name="ann"), Account(name="bob")])
        found = accounts.list_where(Where("nickname", "==", None), Where("name", "==", "ann"))
        assert ["ann"] == [one.name for one in found]
        uow.rollback()


@pytest.mark.promise(16)
def test_finding_counting_and_existence(storage: Storage) -> None:
    """Finding, counting and existence: what is not stored is ``None``, false, or left out."""
    members = stored(storage)
    with storage.unit(read_only=True) as uow:
        assert members[0] == uow.members.find(members[0].id)
        assert uow.members.find(new_id()) is None
        assert (True, False) == (uow.members.exists(members[0].id), uow.members.exists(new_id()))
        assert len(NAMES) == uow.members.count()
        wanted = [members[4].id, new_id(), members[1].id]
        assert sorted([members[4], members[1]], key=lambda member: member.id) == uow.members.get_many(wanted)
        assert [] == uow.members.get_many([])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Where("active", "=", True),  # type: ignore[arg-type]  # what is tried
        lambda: Where("active", "<", None),
        lambda: Where("name", "in", ["ann", None]),
        lambda: Where("name", "in", iter(["ann", None])),
    ],
    ids=["unknown", "less than None", "None among several", "None among what is read once"],
)
def test_a_meaningless_comparison_is_refused(wrong: Any) -> None:
    """A comparison without a meaning is refused when it is made."""
    with pytest.raises(TypeError, match=r"no comparison|no meaning"):
        wrong()


def test_an_unstored_attribute_is_refused(storage: Storage) -> None:
    """An unstored attribute is refused in a comparison and as a sort key. So is a page key that is no UUID."""
    with storage.unit() as uow:
        for where, order_by in (([Where("nick", "==", 1)], "id"), ([], "nick")):
            with pytest.raises(TypeError, match="Member has no stored attribute 'nick'"):
                uow.members.list_where(*where, order_by=order_by)
        with pytest.raises(InvalidValue):
            uow.members.page(("ann", "ann"), order_by="name")


@pytest.mark.parametrize(
    ("repository", "where", "order_by", "says"),
    [
        ("products", [Where("batches", "==", 1)], "id", "Product.batches is more than one value"),
        ("products", [], "notes", "Product.notes is more than one value"),
        ("specimens", [Where("facts", "==", {})], "id", "Specimen.facts is more than one value"),
        ("specimens", [], "colour", "Specimen.colour is an enum, which has no order"),
        ("specimens", [Where("colour", "<", 1)], "id", "Specimen.colour is an enum, which has no order"),
    ],
    ids=["parts", "sorted by parts", "JSON", "sorted by an enum", "enum"],
)
def test_what_cannot_be_compared_is_refused(
    storage: Storage, repository: str, where: list[Where], order_by: str, says: str
) -> None:
    """A value that cannot be compared is refused in words, before the database is asked."""
    with storage.unit() as uow, pytest.raises(TypeError, match=says):
        getattr(uow, repository).list_where(*where, order_by=order_by)


compared = st.one_of(
    st.builds(Where, st.just("name"), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), st.sampled_from(NAMES)),
    st.builds(Where, st.just("name"), st.just("in"), st.lists(st.sampled_from(NAMES))),
    st.builds(Where, st.just("active"), st.sampled_from(["==", "!="]), st.booleans()),
    st.builds(
        Where,
        st.just("created_at"),
        st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        st.integers(0, 3).map(lambda days: START + timedelta(days=days)),
    ),
)


@pytest.mark.promise(16)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.lists(compared, max_size=3), key=st.sampled_from(["", "-"]), limit=st.integers(1, 4), data=st.data())
def test_random_queries_are_answered_as_in_python(
    storage: Storage, where: list[Where], key: str, limit: int, data: st.DataObject
) -> None:
    """Every storage answers random queries as Python does, page by page."""
    order_by = key + data.draw(st.sampled_from(["id", "name", "created_at", "active"]))
    with storage.unit(read_only=True) as uow:
        members = uow.members.list_where()
    members = members or stored(storage)
    expected = [member for member in members if all(one.holds(member) for one in where)]
    name = order_by.removeprefix("-")
    expected.sort(key=lambda member: (getattr(member, name), member.id), reverse=order_by.startswith("-"))
    found: list[Member] = []
    after = None
    with storage.unit(read_only=True) as uow:
        while len(found) <= len(members):
            page = uow.members.page(after, limit, where=tuple(where), order_by=order_by)
            found += page.items
            after = page.next
            if after is None:
                break
    assert names(expected) == names(found)


@pytest.mark.promise(16)
def test_none_meets_no_comparison_with_a_value(storage: Storage) -> None:
    """None meets no comparison with a value, not even ``!=``. Only ``== None`` finds it."""
    with storage.unit() as uow:
        of(uow, "accounts").add_many([Account(nickname="a"), Account(nickname=None)])
        uow.commit()
    with storage.unit(read_only=True) as uow:
        wanted = (Where("nickname", "!=", "b"), Where("nickname", "<", "b"), Where("nickname", "==", None))
        found = [[one.nickname for one in of(uow, "accounts").list_where(where)] for where in wanted]
    assert [["a"], ["a"], [None]] == found


@pytest.mark.promise(16)
def test_a_limit_of_zero_finds_nothing(storage: Storage) -> None:
    """A limit of zero finds nothing: it is a limit like any other."""
    with storage.unit() as uow:
        of(uow, "accounts").add(Account(nickname="a"))
        assert [] == of(uow, "accounts").list_where(limit=0)
        uow.rollback()


UNASKABLE: dict[str, Any] = {
    "a limit below 0": {"limit": -1},
    "no limit": {"limit": True},
    "too high a limit": {"limit": 2**63},
    "a limit in words": {"limit": "1"},
    "another type": {"where": [Where("active", "==", 1)]},
    "no zone": {"where": [Where("created_at", "<", START.replace(tzinfo=None))]},
    "one of several": {"where": [Where("created_at", "in", [START, "now"])]},
    "NUL": {"where": [Where("name", "==", "a\0")]},
    "a surrogate": {"where": [Where("name", "==", "\ud800")]},
    "a number for a text": {"where": [Where("name", "==", 3)]},
}


@pytest.mark.every_case
@pytest.mark.parametrize("case", UNASKABLE)
def test_an_impossible_value_is_not_asked_for(storage: Storage, case: str) -> None:
    """A value that an attribute cannot hold is refused, since databases differ about it. The unit goes on."""
    stored(storage)
    asked = UNASKABLE[case]
    with storage.unit() as uow:
        with pytest.raises(InvalidValue):
            uow.members.list_where(*asked.get("where", ()), limit=asked.get("limit"))
        with pytest.raises(InvalidValue):
            uow.members.page(("soon", new_id()), order_by="created_at")
        with pytest.raises(InvalidValue):
            uow.members.page(limit=True)
        assert len(NAMES) == uow.members.count()


def test_none_is_the_unique_value_of_no_one(storage: Storage) -> None:
    """None is no holder's unique value, even where it is allowed."""
    with storage.unit() as uow:
        for _ in range(2):
            of(uow, "accounts").add(Account())
        uow.flush()
        assert of(uow, "accounts")._find_by("nickname", None) is None  # as a port's own query calls it
        uow.rollback()


@pytest.mark.every_case
@pytest.mark.promise(16)
def test_a_repeated_hour_is_one_point_in_time(storage: Storage) -> None:
    """A time of the hour that a zone repeats is found and paged as the point in time that it is."""
    at = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    with storage.unit() as uow:
        uow.members.add_many([evolve(new_member(name), created_at=at) for name in NAMES[:3]])
        uow.commit()
    with storage.unit(read_only=True) as uow:
        first = uow.members.page(None, 2, order_by="created_at")
        rest = uow.members.page((at, first.items[-1].id), 2, order_by="created_at")
        assert list(NAMES[:3]) == sorted(names([*first.items, *rest.items]))
        asked = [Where("created_at", "==", at), Where("created_at", "in", [at]), Where("created_at", "!=", at)]
        assert [3, 3, 0] == [uow.members.count(one) for one in asked]


@pytest.mark.promise(16)
def test_a_query_asks_for_so_many_values(storage: Storage) -> None:
    """A query asks for 10,000 values and no more, on every storage: databases have limits of their own."""
    ids = [new_id() for _ in range(MAX_ASKED + 1)]
    with storage.unit(read_only=True) as uow:
        assert [] == uow.members.get_many(ids[1:])
        assert 0 == uow.members.count(Where("name", "in", [f"member{number}" for number in range(MAX_ASKED)]))
        with pytest.raises(InvalidValue, match="at most 10000 values: ask for fewer at a time"):
            uow.members.get_many(ids)
