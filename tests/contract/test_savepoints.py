"""Promise 10: a savepoint undoes its own part alone, in the database and in the objects."""

from __future__ import annotations

import pytest

from domain.errors import ConcurrentChange, UncommittedChanges, UnitOfWorkMisuse
from domain.user import User, UsernameTaken
from tests.contract.users import new_user, stored_names, stored_user, stored_values, values
from tests.storages import Storage


class Oops(Exception):
    """What the tests leave a savepoint with."""


@pytest.mark.promise(10)
@pytest.mark.parametrize("error", [Oops, KeyboardInterrupt])
def test_a_savepoint_left_by_an_error_undoes_its_own_part_alone(storage: Storage, error: type[BaseException]) -> None:
    """What was done before and after it is stored, what was done inside is not."""
    ann, bob = stored_user(storage, "ann"), stored_user(storage, "bob")
    with storage.unit() as uow:
        uow.users.add(new_user("cid"))
        uow.users.get(ann.id).change_username("anna")
        with pytest.raises(error), uow.savepoint():
            uow.users.get(ann.id).deactivate()
            uow.users.remove(uow.users.get(bob.id))
            uow.users.add(new_user("dan"))
            uow.users.add_many([new_user("eve")])
            raise error
        uow.users.add(new_user("fay"))
        uow.commit()
    rows = {row["username"]: (row["active"], row["version"]) for row in stored_values(storage)}
    assert {"anna": (True, 2), "bob": (True, 1), "cid": (True, 1), "fay": (True, 1)} == rows


@pytest.mark.promise(10)
@pytest.mark.parametrize("flushed", [False, True])
def test_an_undone_savepoint_gives_objects_back_the_values_they_had(storage: Storage, flushed: bool) -> None:
    """Objects changed before and in it, first read in it, and added in it; written in between or not."""
    ann, bob = stored_user(storage, "ann"), stored_user(storage, "bob")
    cid = new_user("cid")
    unstored = values(cid)
    with storage.unit() as uow:
        mine = uow.users.get(ann.id)
        mine.change_username("anna")
        with pytest.raises(Oops), uow.savepoint():
            before = values(mine)
            first_read_here = uow.users.get(bob.id)
            uow.users.add(cid)
            mine.change_username("tmp")
            first_read_here.deactivate()
            if flushed:
                uow.users.page()
            raise Oops
        after = [values(mine), values(first_read_here), values(cid)]
        uow.commit()
    assert [before, values(bob), unstored] == after == [values(mine), values(first_read_here), values(cid)]
    assert ["anna", "bob"] == stored_names(storage)


@pytest.mark.promise(10)
def test_after_an_undone_savepoint_its_objects_are_tracked_as_before(storage: Storage) -> None:
    """One that was removed in it belongs to the unit again, and one that was added in it does not."""
    ann = stored_user(storage, "ann")
    bob = new_user("bob")
    with storage.unit() as uow:
        mine = uow.users.get(ann.id)
        with pytest.raises(Oops), uow.savepoint():
            uow.users.remove(mine)
            uow.users.add(bob)
            raise Oops
        assert uow.users.get(ann.id) is mine
        mine.change_username("anna")
        with pytest.raises(UnitOfWorkMisuse, match="not of this unit"):
            uow.users.remove(bob)
        uow.users.add(bob)
        uow.commit()
    assert ["anna", "bob"] == stored_names(storage)


@pytest.mark.promise(10)
def test_a_user_removed_and_added_again_in_an_undone_savepoint_is_as_before(storage: Storage) -> None:
    """Neither the removal nor the addition remains, nor the version."""
    ann = stored_user(storage)
    with storage.unit() as uow:
        mine = uow.users.get(ann.id)
        with pytest.raises(Oops), uow.savepoint():
            uow.users.remove(mine)
            mine.deactivate()
            uow.users.add(mine)
            raise Oops
        assert values(ann) == values(mine)
        mine.change_username("anna")
        uow.commit()
    assert [("anna", True, 2)] == [(row["username"], row["active"], row["version"]) for row in stored_values(storage)]


@pytest.mark.promise(10)
def test_a_savepoint_left_normally_keeps_its_part_for_the_commit(storage: Storage) -> None:
    """It is stored by the commit, and gone with a rollback, like all the rest."""
    ann = stored_user(storage, "ann")
    for commit in (False, True):
        with storage.unit() as uow:
            mine = uow.users.get(ann.id)
            with uow.savepoint():
                mine.change_username("anna")
                uow.users.add(new_user("bob"))
            if commit:
                uow.commit()
            else:
                uow.rollback()
        assert (["anna", "bob"] if commit else ["ann"]) == stored_names(storage)
    assert mine.version == 2


@pytest.mark.promise(10)
def test_savepoints_nest(storage: Storage) -> None:
    """The inner one undoes its part; the outer one undoes its own and what the inner ones kept."""
    ann = stored_user(storage, "ann")
    with storage.unit() as uow:
        mine = uow.users.get(ann.id)
        with uow.savepoint():
            mine.change_username("one")
            with pytest.raises(Oops), uow.savepoint():
                mine.change_username("two")
                raise Oops
            inner = mine.username
        with pytest.raises(Oops), uow.savepoint():
            mine.change_username("three")
            with uow.savepoint():
                mine.change_username("four")
            uow.users.add(new_user("bob"))
            raise Oops
        outer = mine.username
        uow.commit()
    assert ("one", "one", ["one"], 2) == (inner, outer, stored_names(storage), mine.version)


@pytest.mark.promise(10)
def test_a_version_rises_once_for_a_unit_whatever_its_savepoints_write(storage: Storage) -> None:
    """Written before, in and after savepoints that are kept."""
    ann = stored_user(storage, "ann")
    with storage.unit() as uow:
        mine = uow.users.get(ann.id)
        for name in ("one", "two"):
            mine.change_username(name)
            with uow.savepoint():
                mine.deactivate()
                uow.users.page()
                mine.reactivate()
        uow.commit()
    assert [("two", 2)] == [(row["username"], row["version"]) for row in stored_values(storage)]


@pytest.mark.promise(10)
def test_a_conflict_inside_a_savepoint_leaves_the_unit_usable(storage: Storage) -> None:
    """Caught outside of the savepoint's block, it costs only what the savepoint did."""
    stored_user(storage, "ann")
    refused = []
    with storage.unit() as uow:
        for name in ("bob", "ann", "cid"):
            try:
                with uow.savepoint():
                    uow.users.add(User.create(name, f"{name}@example.org"))
            except UsernameTaken as error:
                refused.append(error.value)
        uow.commit()
    assert ["ann"] == refused
    assert ["ann", "bob", "cid"] == stored_names(storage)


@pytest.mark.promise(10)
def test_a_conflict_found_at_the_end_of_a_savepoint_is_raised_there(storage: Storage) -> None:
    """Leaving the block writes its changes, so they are undone with it when they are refused."""
    stored_user(storage, "ann")
    bob = stored_user(storage, "bob")
    with storage.unit() as uow:
        mine = uow.users.get(bob.id)
        with pytest.raises(UsernameTaken), uow.savepoint():
            mine.change_username("ann")
        assert values(bob) == values(mine)
        mine.change_email("bob@example.org")
        uow.commit()
    assert ["ann@example.com", "bob@example.org"] == [row["email"] for row in stored_values(storage)]


@pytest.mark.promise(10)
def test_a_concurrent_change_inside_a_savepoint_leaves_the_unit_usable(storage: Storage) -> None:
    """The change that came too late is undone in the object as well."""
    ann = stored_user(storage, "ann")
    with storage.unit() as uow:
        mine = uow.users.get(ann.id)
        with storage.unit() as other:
            other.users.get(ann.id).change_email("other@example.com")
            other.commit()
        with pytest.raises(ConcurrentChange), uow.savepoint():
            mine.deactivate()
        assert values(ann) == values(mine)
        uow.users.add(new_user("bob"))
        uow.commit()
    assert [("ann", True), ("bob", True)] == [(row["username"], row["active"]) for row in stored_values(storage)]


@pytest.mark.promise(10)
def test_a_conflict_caught_inside_its_savepoint_ends_it_with_a_misuse(storage: Storage) -> None:
    """Otherwise the savepoint would seem to have kept what the database had to drop."""
    stored_user(storage, "ann")
    with storage.unit() as uow:
        with pytest.raises(UnitOfWorkMisuse, match="the username 'ann' is taken"), uow.savepoint():
            uow.users.add(new_user("bob"))
            with pytest.raises(UsernameTaken):
                uow.users.add(new_user("ann"))
        uow.users.add(new_user("cid"))
        uow.commit()
    assert ["ann", "cid"] == stored_names(storage)


@pytest.mark.promise(10)
def test_a_savepoint_that_is_never_left_ends_with_its_unit(storage: Storage) -> None:
    """Nothing of it is stored; leaving it later is a misuse, and harms neither the unit's next block nor anybody."""
    ann = stored_user(storage, "ann")
    uow = storage.unit()
    with pytest.warns(UncommittedChanges), uow:  # noqa: PT031  # the warning comes at the end of the block
        mine = uow.users.get(ann.id)
        savepoint = uow.savepoint()
        savepoint.__enter__()
        mine.deactivate()
        uow.users.add(new_user("bob"))
    with pytest.raises(UnitOfWorkMisuse, match="is not open"):
        savepoint.__exit__(None, None, None)
    with uow:
        savepoint = uow.savepoint()
        savepoint.__enter__()
    with uow:
        with pytest.raises(UnitOfWorkMisuse, match="ended with its unit"):
            savepoint.__exit__(None, None, None)
        uow.users.add(new_user("cid"))
        uow.commit()
    assert values(ann) == values(mine)
    assert ["ann", "cid"] == stored_names(storage)


@pytest.mark.promise(10)
def test_what_an_undone_savepoint_wrote_can_be_written_by_another_unit_at_once(storage: Storage) -> None:
    """Its locks are gone with it; on SQLite, which has one lock for all, when the unit ends."""
    with storage.unit() as uow:
        with pytest.raises(Oops), uow.savepoint():
            uow.users.add(new_user("ann"))
            raise Oops
        if storage.kind != "sqlite":
            stored_user(storage, "ann")
        uow.rollback()
    if storage.kind == "sqlite":
        stored_user(storage, "ann")
    assert ["ann"] == stored_names(storage)


@pytest.mark.promise(10)
def test_a_savepoint_that_reads_before_it_writes_is_not_overtaken(storage: Storage) -> None:
    """Whoever writes in between waits, or conflicts; the savepoint's own write is never refused for having read."""
    ann, bob = stored_user(storage, "ann"), stored_user(storage, "bob")
    with storage.unit() as uow:
        with uow.savepoint():
            mine = uow.users.get(ann.id)
            try:
                with storage.unit() as other:
                    other.users.get(bob.id).deactivate()
                    other.commit()
            except ConcurrentChange:
                assert storage.kind == "sqlite"
            mine.deactivate()
        uow.commit()
    assert not {row["username"]: row["active"] for row in stored_values(storage)}["ann"]
