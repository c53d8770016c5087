"""Promises 5 and 6: objects that queries find."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from domain.query import Where
from tests.contract.members import MemberName, MemberRepository, new_member, stored_member
from tests.storages import Storage


@pytest.mark.promise(5)
def test_a_listed_member_is_the_same_object(storage: Storage) -> None:
    """A listed member is the object that other queries found, also by name or by address."""
    ann, bob = stored_member(storage, "ann"), stored_member(storage, "bob")
    with storage.unit() as uow:
        found = [uow.members.get_by_name("ann"), uow.members.get_by_email("bob@example.com")]
        listed = uow.members.list_holding([ann.name], [bob.email])
    assert [id(member) for member in found] == [id(member) for member in listed]


@pytest.mark.promise(6)
def test_a_list_shows_the_units_own_writes(storage: Storage) -> None:
    """A list of members shows the unit's own writes: the new holder of a name is in it, a removed member is not."""
    ann, bob = stored_member(storage, "ann"), stored_member(storage, "bob")
    with storage.unit() as uow:
        uow.members.get(ann.id).rename("eve")
        uow.members.remove(uow.members.get(bob.id))
        uow.members.add(new_member("cid"))
        uow.members.add_many([new_member("dan")])
        names = [MemberName(name) for name in ("ann", "bob", "cid", "dan", "eve")]
        listed = [member.name for member in uow.members.list_holding(names, [])]
        uow.rollback()
    assert ["eve", "cid", "dan"] == listed


@pytest.mark.promise(6, 10)
def test_a_query_in_a_savepoint_sees_the_newest(storage: Storage) -> None:
    """A query in a savepoint sees what the savepoint wrote over earlier work of its unit."""
    stored_member(storage, "ann")
    with storage.unit() as uow:
        ann = uow.members.get_by_name("ann")
        ann.deactivate()
        uow.flush()
        with uow.savepoint():
            ann.reactivate()
            found = [len(uow.members.list_where(Where("active", "==", active))) for active in (False, True)]
        uow.commit()
    assert [0, 1] == found


ASKED: dict[str, Callable[[MemberRepository, UUID], object]] = {
    "get": lambda found, id: found.get(id),
    "find": lambda found, id: found.find(id),
    "get_many": lambda found, id: found.get_many([id]),
    "exists": lambda found, id: found.exists(id),
    "count": lambda found, _: found.count(),
    "list_where": lambda found, _: found.list_where(),
    "page": lambda found, _: found.page().items,
    "stream": lambda found, _: list(found.stream()),
}


@pytest.mark.promise(6)
@pytest.mark.parametrize("ask", ASKED)
def test_the_first_query_sees_what_is_pending(storage: Storage, ask: str) -> None:
    """Each query sees what its unit has added before, even if it is the first one."""
    with storage.unit() as uow:
        uow.members.add(ann := new_member("ann"))
        assert ASKED[ask](uow.members, ann.id)
        uow.rollback()
