"""Promises 3, 5 and 6: what a unit's objects are, and that they outlive it."""

from __future__ import annotations

import pytest

from domain.user import Username, UsernameTaken
from tests.contract.users import new_user, stored_user, values
from tests.storages import Storage


@pytest.mark.promise(3)
def test_objects_stay_readable_after_a_commit(storage: Storage) -> None:
    """Added, changed and removed objects can be read, with the versions that were stored."""
    ann, bob = stored_user(storage, "ann"), stored_user(storage, "bob")
    cid = new_user("cid")
    with storage.unit() as uow:
        uow.users.add(cid)
        changed, removed = uow.users.get(ann.id), uow.users.get(bob.id)
        changed.deactivate()
        uow.users.remove(removed)
        uow.commit()
    assert {**values(ann), "active": False, "version": 2} == values(changed)
    assert values(bob) == values(removed)
    assert (cid.email, 1) == ("cid@example.com", cid.version)


@pytest.mark.promise(3)
def test_objects_stay_readable_after_a_unit_that_only_read(storage: Storage) -> None:
    """Whatever query found them, and whether the unit could write or not."""
    ann = stored_user(storage)
    found = []
    for read_only in (True, False):
        with storage.unit(read_only=read_only) as uow:
            found.append(uow.users.get(ann.id))
        with storage.unit(read_only=read_only) as uow:
            found += uow.users.page().items
    assert [values(ann)] * 4 == [values(user) for user in found]


@pytest.mark.promise(3)
@pytest.mark.parametrize("flushed", [False, True])
def test_a_rollback_gives_objects_back_the_values_they_had(storage: Storage, flushed: bool) -> None:
    """Read objects are as they were read, and a new one is unstored again; written in between or not."""
    ann, bob = stored_user(storage, "ann"), new_user("bob")
    unstored = values(bob)
    with storage.unit() as uow:
        read, untouched = uow.users.get(ann.id), uow.users.page().items[0]
        uow.users.add(bob)
        read.change_email("other@example.com")
        bob.deactivate()
        if flushed:
            uow.users.page()
        uow.rollback()
    assert [values(ann), values(ann), unstored] == [values(read), values(untouched), values(bob)]


@pytest.mark.promise(3)
def test_all_objects_stay_readable_after_a_write_that_failed(storage: Storage) -> None:
    """The one that was refused, one that was written before, and one that was only read."""
    ann, bob, cid = (stored_user(storage, name) for name in ("ann", "bob", "cid"))
    with pytest.raises(UsernameTaken), storage.unit() as uow:
        only_read, written, refused = (uow.users.get(user.id) for user in (ann, bob, cid))
        written.deactivate()
        uow.users.page()
        refused.change_username("ann")
        uow.commit()
    assert [values(ann), values(bob), values(cid)] == [values(only_read), values(written), values(refused)]


@pytest.mark.promise(3)
def test_between_a_failed_write_and_the_end_of_the_unit_objects_keep_what_they_were_given(storage: Storage) -> None:
    """Who handles the error inside the block still sees the value that was refused."""
    stored_user(storage, "ann")
    bob = new_user("bob")
    with storage.unit() as uow:
        uow.users.add(bob)
        bob.change_username("ann")
        with pytest.raises(UsernameTaken):
            uow.users.page()
        inside = (bob.username, bob.version)
    assert (("ann", 1), ("bob", 0)) == (inside, (bob.username, bob.version))


@pytest.mark.promise(5)
def test_one_identity_is_one_object_whichever_query_found_it(storage: Storage) -> None:
    """By id, by name, by address, in a list, on a page and in a stream."""
    ann = stored_user(storage)
    with storage.unit() as uow:
        found = [
            uow.users.get(ann.id),
            uow.users.get_by_username("ann"),
            uow.users.get_by_email(ann.email),
            *uow.users.list_holding([ann.username], []),
            *uow.users.page().items,
            *uow.users.stream(),
        ]
    assert [found[0]] * 6 == found
    assert len({id(user) for user in found}) == 1


@pytest.mark.promise(5)
def test_an_added_object_is_the_one_that_queries_find(storage: Storage) -> None:
    """From the moment of its addition on; and adding it again changes nothing."""
    ann = new_user()
    with storage.unit() as uow:
        uow.users.add(ann)
        uow.users.add(ann)
        found = uow.users.get_by_username("ann")
        uow.commit()
    assert found is ann
    assert ann.version == 1


@pytest.mark.promise(5)
def test_a_query_does_not_overwrite_what_another_unit_changed_meanwhile(storage: Storage) -> None:
    """The row is found by what is stored now; the object keeps what was read first."""
    ann = stored_user(storage)
    with storage.unit() as uow:
        mine = uow.users.get(ann.id)
        with storage.unit() as other:
            other.users.get(ann.id).change_username("eve")
            other.commit()
        found = uow.users.get_by_username("eve")
    assert found is mine
    assert mine.username == "ann"


@pytest.mark.promise(5)
def test_two_units_never_share_an_object(storage: Storage) -> None:
    """A unit that reads what another one holds gets an object of its own."""
    ann = stored_user(storage)
    with storage.unit() as uow, storage.unit() as other:
        assert uow.users.get(ann.id) is not other.users.get(ann.id)


@pytest.mark.promise(6)
def test_a_unit_reads_its_own_writes(storage: Storage) -> None:
    """Additions, bulk additions, changes and removals, before any commit, in every kind of query."""
    stored_user(storage, "ann")
    stored_user(storage, "bob")
    with storage.unit() as uow:
        uow.users.get_by_username("ann").change_username("eve")
        uow.users.remove(uow.users.get_by_username("bob"))
        uow.users.add(new_user("cid"))
        uow.users.add_many([new_user("dan")])
        paged = [user.username for user in uow.users.page().items]
        streamed = [user.username for user in uow.users.stream()]
        listed = [user.username for user in uow.users.list_holding([Username("eve"), Username("bob")], [])]
        found = uow.users.get_by_username("eve").email
        uow.rollback()
    assert ["cid", "dan", "eve"] == sorted(paged) == sorted(streamed)
    assert (["eve"], "ann@example.com") == (listed, found)


@pytest.mark.promise(6)
def test_a_version_rises_once_for_each_unit_that_writes(storage: Storage) -> None:
    """However often the unit writes; a unit that changes nothing leaves it alone."""
    ann = stored_user(storage)
    for name in ("bob", "cid"):
        with storage.unit() as uow:
            user = uow.users.get(ann.id)
            user.change_username("tmp")
            uow.users.page()
            user.change_username(name)
            uow.commit()
    with storage.unit() as uow:
        uow.users.get(ann.id).change_username("cid")
        uow.commit()
    assert (1, 3) == (ann.version, user.version)
    with storage.unit() as uow:
        assert uow.users.get(ann.id).version == 3
