"""Promises 3, 5 and 6: the objects of a unit, and that they outlive it."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import DuplicateIdentity
from tests.contract.graphs import values
from tests.contract.sample import Kit, UniqueValue
from tests.contract.samples import each_unique, each_unique_that_changes, each_unique_with


@pytest.mark.promise(3)
def test_objects_stay_readable_after_a_commit(kit: Kit[Any]) -> None:
    """After a commit, added, changed and removed objects can be read, with the versions that were stored."""
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
def test_objects_stay_readable_after_reading(kit: Kit[Any]) -> None:
    """Objects stay readable after a unit that only read, whatever query found them, in read-only units too."""
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
    """After a rollback objects keep the values of that moment, written or not. Only the version means nothing."""
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
def test_objects_stay_readable_after_a_failure(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """After a failed write all objects stay readable: the refused one, an earlier one, and one that was only read."""
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
def test_a_refused_addition_keeps_its_values(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """A refused addition keeps its values, inside the block and after it, so a handler still sees the refused one."""
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
def test_one_identity_is_one_object_by_any_query(kit: Kit[Any]) -> None:
    """One identity is one object, by id, on a page, in a stream, by unique value, and by the repository's queries."""
    ann = kit.stored()
    with kit.unit() as uow:
        repository = kit.of(uow)
        found = [repository.get(ann.id), *repository.page().items, *repository.stream()]
        found += kit.found_by_all(uow, ann)
        listed = [one for query in kit.sample.queries for one in query(repository, "ann")]
    assert [ann] * len(found) == found
    assert {id(found[0])} == {id(one) for one in (*found, *listed)}


@pytest.mark.promise(5)
def test_one_identity_is_one_object_in_streams(kit: Kit[Any], small_batches: int) -> None:
    """One identity is one object in a stream of several batches, as long as the caller keeps the objects."""
    with kit.unit() as uow:
        kit.of(uow).add_many(kit.sample.make(f"word{number:05}") for number in range(3 * small_batches))
        found = list(kit.of(uow).stream())
        assert all(one is again for one, again in zip(found, kit.of(uow).stream(), strict=True))
        uow.commit()


@pytest.mark.promise(5)
def test_an_added_object_is_the_one_queries_find(kit: Kit[Any]) -> None:
    """Queries find the added object itself from its addition on. Adding it again changes nothing."""
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
def test_a_query_overwrites_nothing_read(kit: Kit[Any]) -> None:
    """A query does not overwrite what another unit changed: the object keeps what was read first, parts included."""
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
    """A row is found by its newest value, given by another unit. The object keeps what was read first."""
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
    """Two units never share an object: each gets its own object for the same row."""
    ann = kit.stored()
    with kit.unit() as uow, kit.unit() as other:
        assert kit.of(uow).get(ann.id) is not kit.of(other).get(ann.id)


@pytest.mark.promise(6)
def test_a_unit_reads_its_own_writes(kit: Kit[Any]) -> None:
    """A unit reads its own writes before any commit, in every kind of query: additions, bulks, changes, removals."""
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
def test_a_row_is_found_by_its_new_unique_value(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """A unit finds a row by the unique value that it gave it, not by the old one, and no removed row."""
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
def test_a_version_rises_once_for_each_unit(kit: Kit[Any]) -> None:
    """A version rises once for each unit that writes, however often it writes. A unit without changes raises none."""
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
def test_a_removed_aggregate_is_not_found_by_id(kit: Kit[Any]) -> None:
    """A removed aggregate is not found by its id, nor after another write. Another unit finds it until the commit."""
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


@pytest.mark.promise(4)
@each_unique
def test_an_object_of_a_failed_unit_is_free(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """An object of a unit that has failed belongs to no unit any more, even before the block is left."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        kit.of(uow).add(kit.like(ann, unique, "bob"))
        with pytest.raises(unique.taken):
            uow.flush()
        with pytest.raises(DuplicateIdentity), kit.unit() as other:
            kit.of(other).add(mine)
            other.flush()
