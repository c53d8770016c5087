"""Promises 7, 8 and 9: taken values, and units of work that meet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from domain.errors import ConcurrentChange, DuplicateIdentity, UnitOfWorkMisuse
from domain.user import EmailTaken, User, UsernameTaken
from tests.contract.users import new_user, stored_names, stored_user, stored_values
from tests.storages import Storage


@pytest.mark.promise(7)
def test_a_taken_username_is_refused_with_the_value(storage: Storage) -> None:
    """At the addition, in any spelling."""
    stored_user(storage)
    with pytest.raises(UsernameTaken, match="the username 'ann' is taken") as caught, storage.unit() as uow:
        uow.users.add(User.create("ANN", "other@example.com"))
    assert caught.value.value == "ann"


@pytest.mark.promise(7)
def test_a_taken_email_is_refused_with_the_value(storage: Storage) -> None:
    """At the addition."""
    ann = stored_user(storage)
    with pytest.raises(EmailTaken) as caught, storage.unit() as uow:
        uow.users.add(User.create("bob", ann.email))
    assert ann.email == caught.value.value


@pytest.mark.promise(7)
@pytest.mark.parametrize("by_query", [True, False])
def test_a_change_to_a_taken_value_is_refused_no_later_than_the_commit(storage: Storage, by_query: bool) -> None:
    """By the next query already, since that would have to see the change."""
    stored_user(storage, "ann")
    bob = stored_user(storage, "bob")
    before = stored_values(storage)
    with pytest.raises(EmailTaken) as caught, storage.unit() as uow:
        uow.users.get(bob.id).change_email("ann@example.com")
        if by_query:
            uow.users.page()
        else:
            uow.commit()
    assert caught.value.value == "ann@example.com"
    assert before == stored_values(storage)


@pytest.mark.promise(7)
def test_a_taken_value_in_a_bulk_addition_is_refused_and_nothing_of_it_stored(storage: Storage) -> None:
    """Taken by a stored user, or by another one of the same call."""
    stored_user(storage, "ann")
    for names in (["bob", "ann"], ["bob", "bob"]):
        with pytest.raises(UsernameTaken, match="among those given") as caught, storage.unit() as uow:
            uow.users.add_many([User.create(name, f"{number}@example.com") for number, name in enumerate(names)])
        assert caught.value.value is None
    assert stored_names(storage) == ["ann"]


@pytest.mark.promise(7)
@pytest.mark.parametrize("bulk", [False, True])
def test_a_user_who_breaks_several_constraints_is_refused_for_the_first(storage: Storage, bulk: bool) -> None:
    """The id counts before the name, and the name before the address, on every backend."""
    ann = stored_user(storage)
    cases = [
        (User(id=ann.id, username="ann", email="ann@example.com", created_at=ann.created_at), DuplicateIdentity),
        (User(id=ann.id, username="bob", email="ann@example.com", created_at=ann.created_at), DuplicateIdentity),
        (new_user("ann"), UsernameTaken),
        (User.create("bob", "ann@example.com"), EmailTaken),
    ]
    for user, expected in cases:
        with pytest.raises(expected), storage.unit() as uow:
            if bulk:
                uow.users.add_many([new_user("cid"), user])
            else:
                uow.users.add(user)


@pytest.mark.promise(7)
def test_the_id_of_a_stored_user_is_refused(storage: Storage) -> None:
    """Adding what is stored already is no change in disguise; also when the unit holds the stored one."""
    ann = stored_user(storage)
    ann.change_username("bob")
    ann.change_email("bob@example.com")
    for holding in (False, True):
        with pytest.raises(DuplicateIdentity, match=str(ann.id)), storage.unit() as uow:
            held = uow.users.get(ann.id) if holding else None
            uow.users.add(ann)
        assert (held is not None) is holding
    assert stored_names(storage) == ["ann"]


@pytest.mark.promise(7)
def test_of_several_changes_the_one_that_is_refused_is_named(storage: Storage) -> None:
    """By its value; and the others have not been written half: inside the block, none has a new version."""
    ann, bob, cid = (stored_user(storage, name) for name in ("ann", "bob", "cid"))
    with storage.unit() as uow:
        users = [uow.users.get(user.id) for user in (ann, bob)]
        users[0].change_username("dan")
        users[1].change_username("cid")
        with pytest.raises(UsernameTaken) as caught:
            uow.users.get(cid.id)
        inside = [(user.username, user.version) for user in users]
    assert ("cid", [("dan", 1), ("cid", 1)]) == (caught.value.value, inside)
    assert stored_names(storage) == ["ann", "bob", "cid"]


@pytest.mark.promise(7)
@pytest.mark.parametrize("given_up", ["renamed", "removed"])
def test_a_value_that_an_open_unit_gave_up_is_not_free_before_its_commit(storage: Storage, given_up: str) -> None:
    """It may roll back yet, so whoever wants the value waits."""
    ann = stored_user(storage, "ann")
    with storage.unit() as uow:
        mine = uow.users.get(ann.id)
        if given_up == "renamed":
            mine.change_username("anna")
            uow.users.page()
        else:
            uow.users.remove(mine)
        with pytest.raises(ConcurrentChange), storage.unit() as other:
            other.users.add(User.create("ann", "other@example.com"))
        uow.rollback()
    assert stored_names(storage) == ["ann"]


@pytest.mark.promise(7)
def test_a_unit_that_lost_a_value_keeps_it_from_nobody(storage: Storage) -> None:
    """While it is still open, others are refused at once, for the same reason."""
    stored_user(storage, "ann")
    with storage.unit() as uow, storage.unit() as other:
        for loser in (uow, other):
            with pytest.raises(UsernameTaken):
                loser.users.add(new_user("ann"))


@pytest.mark.promise(7)
def test_a_value_that_looks_like_a_constraint_chooses_no_error(storage: Storage) -> None:
    """Only the database says which constraint was broken, never the caller's input."""
    stored_user(storage, "uq_users_email")
    with pytest.raises(UsernameTaken), storage.unit() as uow:
        uow.users.add(User.create("uq_users_email", "unique.constraint.failed.users.email@example.com"))


@pytest.mark.promise(7)
def test_after_a_conflict_a_unit_can_only_be_rolled_back_or_left(storage: Storage) -> None:
    """Every use says so and names the conflict, on every backend alike."""
    stored_user(storage, "ann")
    for use in ("page", "add", "commit", "savepoint", "rollback"):
        with storage.unit() as uow:
            with pytest.raises(UsernameTaken):
                uow.users.add(new_user("ann"))
            if use == "rollback":
                uow.rollback()
                continue
            with pytest.raises(UnitOfWorkMisuse, match="the username 'ann' is taken"):
                if use == "page":
                    uow.users.page()
                elif use == "add":
                    uow.users.add(new_user("bob"))
                elif use == "commit":
                    uow.commit()
                else:
                    uow.savepoint().__enter__()
    assert stored_names(storage) == ["ann"]


@pytest.mark.promise(7)
def test_of_several_writers_who_race_for_a_name_exactly_one_wins(storage: Storage) -> None:
    """Each of the others gets the domain's error, after waiting for the winner to end."""
    start = Barrier(4)

    def register(number: int) -> str:
        user = User.create("ann", f"{number}@example.com")
        uow = storage.unit()
        start.wait()
        try:
            with uow:
                uow.users.add(user)
                uow.commit()
        except UsernameTaken:
            return "refused"
        return "stored"

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(register, range(4)))
    assert sorted(outcomes) == ["refused", "refused", "refused", "stored"]
    assert stored_names(storage) == ["ann"]


@pytest.mark.promise(7)
@pytest.mark.parametrize("same_thread", [True, False])
def test_a_writer_who_waits_too_long_for_another_one_gives_up(storage: Storage, same_thread: bool) -> None:
    """A conflict that may be tried again, not a wait without end."""

    def add_too() -> None:
        with storage.unit() as other:
            other.users.add(new_user())

    with storage.unit() as uow, ThreadPoolExecutor(1) as pool:
        uow.users.add(new_user())
        with pytest.raises(ConcurrentChange) as caught:
            add_too() if same_thread else pool.submit(add_too).result()
        uow.rollback()
    assert caught.value.retryable


@pytest.mark.promise(8)
def test_the_second_of_two_changes_to_one_user_is_refused(storage: Storage) -> None:
    """Also when they change different attributes: no update is lost."""
    ann = stored_user(storage)
    with pytest.raises(ConcurrentChange, match=f"User {ann.id}") as caught, storage.unit() as uow:
        mine = uow.users.get(ann.id)
        with storage.unit() as other:
            other.users.get(ann.id).change_email("other@example.com")
            other.commit()
        mine.deactivate()
        uow.commit()
    assert caught.value.retryable
    assert [("other@example.com", True, 2)] == [
        (row["email"], row["active"], row["version"]) for row in stored_values(storage)
    ]


@pytest.mark.promise(8)
def test_a_conflict_names_all_that_were_to_be_written_in_the_order_of_ids(storage: Storage) -> None:
    """Which of them it was, the database does not tell."""
    users = [stored_user(storage, name) for name in ("ann", "bob")]
    with pytest.raises(ConcurrentChange, match=f"User {users[0].id} or User {users[1].id}"), storage.unit() as uow:
        mine = [uow.users.get(user.id) for user in reversed(users)]
        with storage.unit() as other:
            other.users.get(users[1].id).deactivate()
            other.commit()
        for user in mine:
            user.change_email(f"new.{user.email}")
        uow.commit()


@pytest.mark.promise(8)
def test_changing_a_user_whom_another_unit_removed_is_refused(storage: Storage) -> None:
    """The removal is not undone by the change."""
    ann = stored_user(storage)
    with pytest.raises(ConcurrentChange), storage.unit() as uow:
        mine = uow.users.get(ann.id)
        with storage.unit() as other:
            other.users.remove(other.users.get(ann.id))
            other.commit()
        mine.deactivate()
        uow.commit()
    assert stored_names(storage) == []


@pytest.mark.promise(8)
@pytest.mark.parametrize("change", ["changed", "removed"])
def test_removing_a_user_whom_another_unit_touched_is_refused(storage: Storage, change: str) -> None:
    """A removal, too, is of the version that was read."""
    ann = stored_user(storage)
    with pytest.raises(ConcurrentChange, match=f"User {ann.id}"), storage.unit() as uow:
        mine = uow.users.get(ann.id)
        with storage.unit() as other:
            theirs = other.users.get(ann.id)
            if change == "changed":
                theirs.deactivate()
            else:
                other.users.remove(theirs)
            other.commit()
        uow.users.remove(mine)


@pytest.mark.promise(8)
def test_a_user_removed_and_added_again_is_not_the_version_that_others_read(storage: Storage) -> None:
    """Its version goes on rising, so a change based on the old one is refused."""
    ann = stored_user(storage)
    with pytest.raises(ConcurrentChange), storage.unit() as uow:
        mine = uow.users.get(ann.id)
        with storage.unit() as other:
            theirs = other.users.get(ann.id)
            other.users.remove(theirs)
            other.users.add(theirs)
            other.commit()
        mine.deactivate()
        uow.commit()
    assert [2] == [row["version"] for row in stored_values(storage)]


@pytest.mark.promise(8)
def test_no_update_of_many_concurrent_ones_is_lost(storage: Storage) -> None:
    """Each of four threads makes five changes, again after each conflict: the version counts all of them."""
    ann = stored_user(storage)

    def change(thread: int) -> None:
        uow = storage.unit()
        done = 0
        while done < 5:
            try:
                with uow:
                    uow.users.get(ann.id).change_email(f"{thread}.{done}@example.com")
                    uow.commit()
                done += 1
            except ConcurrentChange:
                continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, range(4)))
    assert [1 + 4 * 5] == [row["version"] for row in stored_values(storage)]


@pytest.mark.promise(9)
def test_a_removed_users_name_can_be_given_to_a_new_one_in_the_same_unit(storage: Storage) -> None:
    """The order of the calls is the order of the writes."""
    ann = stored_user(storage)
    with storage.unit() as uow:
        uow.users.remove(uow.users.get(ann.id))
        uow.users.add(new_user("ann"))
        uow.commit()
    assert [("ann", False)] == [(row["username"], row["id"] == ann.id) for row in stored_values(storage)]


@pytest.mark.promise(9)
def test_a_name_that_a_change_gave_up_can_be_given_to_a_new_user_in_the_same_unit(storage: Storage) -> None:
    """The change is written before the addition."""
    ann = stored_user(storage)
    with storage.unit() as uow:
        uow.users.get(ann.id).change_username("old-ann")
        uow.users.add(User.create("ann", "new@example.com"))
        uow.commit()
    assert stored_names(storage) == ["ann", "old-ann"]


@pytest.mark.promise(9)
def test_a_removed_user_can_be_added_again_in_the_same_unit(storage: Storage) -> None:
    """It is stored with the values it has then, and one version further."""
    ann = stored_user(storage)
    with storage.unit() as uow:
        user = uow.users.get(ann.id)
        uow.users.remove(user)
        user.deactivate()
        uow.users.add(user)
        uow.commit()
    assert [(ann.id, False, 2)] == [(row["id"], row["active"], row["version"]) for row in stored_values(storage)]
