"""Promise 16: pages, streams and bulk; and what a repository answers to whoever looks for something."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from domain.errors import InvalidValue
from domain.repository import BATCH, MAX_PAGE
from domain.user import EmailAddress, InvalidEmail, InvalidUsername, User, Username, UserNotFound
from service_layer.unit_of_work import UnitOfWork
from tests.contract.users import new_user, stored_names, stored_user
from tests.storages import Storage


def store_many(storage: Storage, count: int) -> list[User]:
    """Store users in one unit and return them in the order of their ids."""
    users = [new_user(f"user{number}") for number in range(count)]
    with storage.unit() as uow:
        uow.users.add_many(reversed(users))
        uow.commit()
    return sorted(users, key=lambda user: user.id)


@pytest.mark.promise(16)
@pytest.mark.parametrize("limit", [1, 3, 7, 8, 1000])
def test_pages_show_every_user_once_in_the_order_of_ids(storage: Storage, limit: int) -> None:
    """Whatever their size; the last one says that none follows."""
    users = store_many(storage, 7)
    seen: list[User] = []
    with storage.unit() as uow:
        page = uow.users.page(limit=limit)
        seen += page.items
        while page.next is not None:
            assert len(page.items) == limit
            page = uow.users.page(page.next, limit)
            seen += page.items
    assert [user.id for user in users] == [user.id for user in seen]


@pytest.mark.promise(16)
def test_a_page_goes_on_after_a_key_that_has_been_removed(storage: Storage) -> None:
    """The key is a place in the order, not a user; and so is one that never existed."""
    users = store_many(storage, 4)
    with storage.unit() as uow:
        page = uow.users.page(limit=2)
        uow.users.remove(page.items[1])
        assert page.next is not None
        following = uow.users.page(page.next)
        beyond = uow.users.page(uuid.UUID(int=2**128 - 1))
        uow.rollback()
    assert users[2:] == list(following.items)
    assert ((), None) == (beyond.items, beyond.next)


@pytest.mark.promise(16)
@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1, "5", 2.5, None])
def test_a_page_of_an_impossible_size_is_refused(uow: UnitOfWork, limit: object) -> None:
    """With the value and the range."""
    with uow, pytest.raises(InvalidValue, match="a page holds 1 to 1000"):
        uow.users.page(limit=limit)  # type: ignore[arg-type]  # the wrong type is the point


@pytest.mark.promise(16)
def test_a_stream_yields_every_user_once_in_the_order_of_ids(storage: Storage) -> None:
    """Across the borders of its batches."""
    users = store_many(storage, 2 * BATCH + 1)
    with storage.unit() as uow:
        assert [user.id for user in users] == [user.id for user in uow.users.stream()]


@pytest.mark.promise(16)
def test_users_can_be_changed_and_removed_while_they_are_streamed(storage: Storage) -> None:
    """Each is met once, whatever happens to those that were met before."""
    store_many(storage, BATCH + 5)
    met = 0
    with storage.unit() as uow:
        for met, user in enumerate(uow.users.stream(), start=1):
            if met % 2:
                uow.users.remove(user)
            elif met % 100 == 0:
                user.deactivate()
        uow.commit()
    with storage.unit() as uow:
        left = list(uow.users.stream())
    assert (BATCH + 5, (BATCH + 5) // 2, 5) == (met, len(left), sum(not user.active for user in left))


@pytest.mark.promise(16)
def test_bulk_addition_takes_an_iterator_of_any_length_and_counts_it(storage: Storage) -> None:
    """Also an empty one."""
    with storage.unit() as uow:
        counts = [uow.users.add_many(iter([])), uow.users.add_many(new_user(f"user{n}") for n in range(1234))]
        uow.commit()
    assert [0, 1234] == counts
    assert len(stored_names(storage)) == 1234


@pytest.mark.promise(16)
def test_bulk_addition_reads_its_users_a_batch_at_a_time(storage: Storage) -> None:
    """They may come from the same unit of work; what is raised between them leaves the unit usable."""

    def users(uow: UnitOfWork) -> Iterator[User]:
        for number in range(BATCH + 1):
            yield new_user(f"user{number}")
        stored.append(sum(1 for _ in uow.users.stream()))
        raise ZeroDivisionError

    stored: list[int] = []
    with storage.unit() as uow:
        with pytest.raises(ZeroDivisionError):
            uow.users.add_many(users(uow))
        uow.commit()
    assert [BATCH] == stored
    assert len(stored_names(storage)) == BATCH


@pytest.mark.promise(16)
def test_bulk_addition_lets_go_of_the_objects(storage: Storage) -> None:
    """They are not changed, and changing them afterwards changes nothing stored."""
    ann = new_user()
    with storage.unit() as uow:
        uow.users.add_many([ann])
        ann.change_username("bob")
        found = uow.users.get(ann.id)
        uow.commit()
    assert found is not ann
    assert ("ann", 1, 0) == (found.username, found.version, ann.version)
    assert stored_names(storage) == ["ann"]


def test_who_is_not_stored_is_not_found(storage: Storage) -> None:
    """The error names the key and the value, and what to do; the unit goes on."""
    stored_user(storage, "ann")
    unknown = uuid.uuid4()
    with storage.unit() as uow:
        with pytest.raises(UserNotFound, match=f"no user has the id {unknown}"):
            uow.users.get(unknown)
        with pytest.raises(UserNotFound, match="no user has the username 'bob'"):
            uow.users.get_by_username("BOB")
        with pytest.raises(UserNotFound, match=r"no user has the email 'bob@example\.com'"):
            uow.users.get_by_email("bob@example.com")
        assert uow.users.get_by_username("ann").email == "ann@example.com"


def test_a_key_that_cannot_be_one_is_refused(uow: UnitOfWork) -> None:
    """By the domain, before any database sees it."""
    with uow:
        with pytest.raises(InvalidValue, match="an id is a UUID"):
            uow.users.get("ann")  # type: ignore[arg-type]  # the wrong type is the point
        with pytest.raises(InvalidValue, match="an id is a UUID"):
            uow.users.page(after="ann")  # type: ignore[arg-type]  # likewise
        with pytest.raises(InvalidUsername):
            uow.users.get_by_username("a\x00b")
        with pytest.raises(InvalidEmail):
            uow.users.get_by_email("ann")


def test_those_who_hold_a_name_or_an_address_are_listed_once_each(storage: Storage) -> None:
    """In the order of ids; names and addresses that nobody has do no harm."""
    users = [new_user(name) for name in ("ann", "bob", "cid", "dan")]
    with storage.unit() as uow:
        uow.users.add_many(reversed(users))
        uow.commit()
    names = {Username("ann"), Username("bob"), Username("nobody")}
    emails = {EmailAddress("bob@example.com"), EmailAddress("dan@example.com")}
    with storage.unit() as uow:
        found = [user.username for user in uow.users.list_holding(names, emails)]
        nobody = uow.users.list_holding([], [])
    assert ["ann", "bob", "dan"] == found
    assert nobody == []
