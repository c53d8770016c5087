"""Promises 3, 5 and 6: what a unit's objects are, and that they outlive it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.graphs import values
from tests.contract.members import MemberName, new_member, stored_member
from tests.contract.sample import Kit, UniqueValue
from tests.contract.samples import each_unique, each_unique_that_changes, each_unique_with
from tests.storages import Storage


@pytest.mark.promise(3)
def test_objects_stay_readable_after_a_commit(kit: Kit[Any]) -> None:
    """Added, changed and removed objects can be read, with the versions that were stored."""
    ann, bob, cid = kit.stored("ann"), kit.stored("bob"), kit.sample.make("cid")
    made = values(cid)
    with kit.unit() as uow:
        found = kit.of(uow)
        found.add(cid)
        mine, removed = found.get(ann.id), found.get(bob.id)
        changed = kit.change(mine)
        found.remove(removed)
        uow.commit()
    assert {**changed, "version": 2} == values(mine)
    assert values(bob) == values(removed)
    assert {**made, "version": 1} == values(cid)


@pytest.mark.promise(3)
def test_objects_stay_readable_after_a_unit_that_only_read(kit: Kit[Any]) -> None:
    """Whatever query found them, and whether the unit could write or not."""
    ann = kit.stored()
    read = []
    for read_only in (True, False):
        with kit.unit(read_only=read_only) as uow:
            read.append(kit.of(uow).get(ann.id))
        with kit.unit(read_only=read_only) as uow:
            read += kit.of(uow).page().items
        with kit.unit(read_only=read_only) as uow:
            read += kit.of(uow).stream()
    assert [values(ann)] * 6 == [values(one) for one in read]


@pytest.mark.promise(3)
@pytest.mark.parametrize("flushed", [False, True])
def test_objects_keep_their_values_after_a_rollback(kit: Kit[Any], flushed: bool) -> None:
    """Those that they have at that moment, written in between or not; only a version means nothing any more."""
    ann, bob = kit.stored("ann"), kit.sample.make("bob")
    with kit.unit() as uow:
        read = kit.of(uow).get(ann.id)
        kit.of(uow).add(bob)
        changed = [kit.change(read), kit.change(bob)]
        if flushed:
            kit.of(uow).page()
        uow.rollback()
    assert [unversioned(one) for one in changed] == [unversioned(values(one)) for one in (read, bob)]


@pytest.mark.promise(3)
@each_unique_that_changes
def test_all_objects_stay_readable_after_a_write_that_failed(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """The one that was refused, one that was written before, and one that was only read."""
    ann, bob, cid = (kit.stored(word) for word in ("ann", "bob", "cid"))
    with pytest.raises(unique.taken), kit.unit() as uow:
        only_read, written, refused = (kit.of(uow).get(one.id) for one in (ann, bob, cid))
        kit.sample.change(written, 1)
        kit.of(uow).page()
        kit.sample.change(refused, 1)
        kit.set(unique, refused, unique.value(ann))
        changed = [unversioned(values(one)) for one in (only_read, written, refused)]
        uow.commit()
    assert changed == [unversioned(values(one)) for one in (only_read, written, refused)]


@pytest.mark.promise(3)
@each_unique
def test_a_refused_addition_keeps_what_it_was_given(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """Whoever handles the error, inside the block or after it, still sees the value that was refused."""
    ann = kit.stored("ann")
    bob = kit.like(ann, unique, "bob")
    with kit.unit() as uow:
        kit.of(uow).add(bob)
        given = kit.change(bob)
        with pytest.raises(unique.taken):
            kit.of(uow).page()
        inside = values(bob)
    assert unique.value(ann) == unique.value(bob)
    assert [unversioned(given)] * 2 == [unversioned(inside), unversioned(values(bob))]


def unversioned(row: dict[str, Any]) -> dict[str, Any]:
    """Return the values without the version, which means nothing when a unit has ended without a commit."""
    return {name: value for name, value in row.items() if name != "version"}


@pytest.mark.promise(5)
def test_one_identity_is_one_object_whichever_query_found_it(kit: Kit[Any]) -> None:
    """By id, on a page, in a stream, by each unique value, and by the queries of its repository's own."""
    ann = kit.stored()
    with kit.unit() as uow:
        repository = kit.of(uow)
        found = [repository.get(ann.id), *repository.page().items, *repository.stream()]
        found += kit.found_by_all(uow, ann)
        listed = [one for query in kit.sample.queries for one in query(repository, "ann")]
    assert [ann] * len(found) == found
    assert {id(found[0])} == {id(one) for one in (*found, *listed)}


@pytest.mark.promise(5)
def test_one_identity_is_one_object_however_many_the_unit_has_read(kit: Kit[Any], small_batches: int) -> None:
    """Of a stream of several batches, too, as long as the caller holds on to them."""
    with kit.unit() as uow:
        kit.of(uow).add_many(kit.sample.make(f"word{number:05}") for number in range(3 * small_batches))
        found = list(kit.of(uow).stream())
        assert all(one is again for one, again in zip(found, kit.of(uow).stream(), strict=True))
        uow.commit()


@pytest.mark.promise(5)
def test_a_listed_member_is_the_object_that_other_queries_found(storage: Storage) -> None:
    """Also one who was found before, by name or by address."""
    ann, bob = stored_member(storage, "ann"), stored_member(storage, "bob")
    with storage.unit() as uow:
        found = [uow.members.get_by_name("ann"), uow.members.get_by_email("bob@example.com")]
        listed = uow.members.list_holding([ann.name], [bob.email])
    assert [id(member) for member in found] == [id(member) for member in listed]


@pytest.mark.promise(5)
def test_an_added_object_is_the_one_that_queries_find(kit: Kit[Any]) -> None:
    """From the moment of its addition on; and adding it again changes nothing."""
    ann = kit.sample.make("ann")
    with kit.unit() as uow:
        kit.of(uow).add(ann)
        kit.of(uow).add(ann)
        found = [kit.of(uow).get(ann.id), *kit.of(uow).page().items]
        found += kit.found_by_all(uow, ann)
        uow.commit()
    assert {id(ann)} == {id(one) for one in found}
    assert [1] == [ann.version] == kit.versions()


@pytest.mark.promise(5)
def test_a_query_does_not_overwrite_what_another_unit_changed_meanwhile(kit: Kit[Any]) -> None:
    """The object keeps what was read first, its children included."""
    ann = kit.stored()
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with kit.unit() as other:
            theirs = kit.of(other).get(ann.id)
            kit.sample.change(theirs, 1)
            other.commit()
        found = [kit.of(uow).get(ann.id), *kit.of(uow).page().items, *kit.of(uow).stream()]
        values_then = [values(one) for one in found]
    assert [id(mine)] * 3 == [id(one) for one in found]
    assert [values(ann)] * 3 == values_then


@pytest.mark.promise(5)
@each_unique_with("set", "find")
def test_a_row_is_found_by_what_is_stored_now(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """A value that another unit gave finds it, as the object that keeps what was read first."""
    ann = kit.stored()
    new = unique.value(kit.sample.make("eve"))
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with kit.unit() as other:
            kit.set(unique, kit.of(other).get(ann.id), new)
            other.commit()
        found = kit.find(unique, uow, new)
        with pytest.raises(kit.of(uow).not_found):
            kit.find(unique, uow, unique.value(ann))
    assert found is mine
    assert values(ann) == values(mine)


@pytest.mark.promise(5)
def test_two_units_never_share_an_object(kit: Kit[Any]) -> None:
    """A unit that reads what another one holds gets an object of its own."""
    ann = kit.stored()
    with kit.unit() as uow, kit.unit() as other:
        assert kit.of(uow).get(ann.id) is not kit.of(other).get(ann.id)


@pytest.mark.promise(6)
def test_a_unit_reads_its_own_writes(kit: Kit[Any]) -> None:
    """Additions, bulk additions, changes and removals, before any commit, in every kind of query."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    with kit.unit() as uow:
        repository = kit.of(uow)
        mine = repository.get(ann.id)
        changed = kit.change(mine)
        repository.remove(repository.get(bob.id))
        repository.add(kit.sample.make("cid"))
        repository.add_many([kit.sample.make("dan")])
        paged = [kit.sample.word(one) for one in repository.page().items]
        streamed = [kit.sample.word(one) for one in repository.stream()]
        read = values(repository.get(ann.id))
        uow.rollback()
    assert ["ann", "cid", "dan"] == sorted(paged) == sorted(streamed)
    assert {**changed, "version": 2} == read


@pytest.mark.promise(6)
@each_unique_with("set", "find")
def test_a_unit_finds_a_row_by_the_unique_value_that_it_gave_it(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """And no longer by the one that it took from it, nor one that it removed."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    new = unique.value(kit.sample.make("eve"))
    with kit.unit() as uow:
        repository = kit.of(uow)
        mine = repository.get(ann.id)
        kit.set(unique, mine, new)
        repository.remove(repository.get(bob.id))
        found = kit.find(unique, uow, new)
        for gone in (ann, bob):
            with pytest.raises(repository.not_found):
                kit.find(unique, uow, unique.value(gone))
        uow.rollback()
    assert found is mine


@pytest.mark.promise(6)
def test_a_list_of_members_shows_the_units_own_writes(storage: Storage) -> None:
    """The one who took a listed name is there, and the one who was removed is not."""
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


@pytest.mark.promise(6)
def test_a_version_rises_once_for_each_unit_that_writes(kit: Kit[Any]) -> None:
    """However often the unit writes; a unit that changes nothing leaves it alone."""
    ann = kit.stored()
    for state in (1, 0):
        with kit.unit() as uow:
            mine = kit.of(uow).get(ann.id)
            for each in (state, 1 - state, state):
                kit.sample.change(mine, each)
                kit.of(uow).page()
            uow.commit()
    with kit.unit() as uow:
        unchanged = kit.of(uow).get(ann.id)
        kit.sample.change(unchanged, 0)
        uow.commit()
    assert (1, 3, 3) == (ann.version, mine.version, unchanged.version)
    assert [3] == kit.versions()


@pytest.mark.promise(6)
def test_what_a_unit_has_removed_is_not_found_in_it_by_its_id(kit: Kit[Any]) -> None:
    """Nor after another write; another unit finds it until the commit."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        repository = kit.of(uow)
        repository.remove(repository.get(ann.id))
        with pytest.raises(repository.not_found):
            repository.get(ann.id)
        repository.add(kit.sample.make("bob"))
        with pytest.raises(repository.not_found):
            repository.get(ann.id)
        with kit.unit() as other:
            seen = values(kit.of(other).get(ann.id))
        uow.rollback()
    assert values(ann) == seen
