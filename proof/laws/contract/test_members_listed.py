"""Members that are listed, searched and stored in bulk."""

from __future__ import annotations

import pytest

from domain.repository import BULK_BATCH, MAX_PAGE, STREAM_BATCH
from tests.contract.members import (
    MEMBERS,
    InvalidEmail,
    InvalidName,
    MemberEmail,
    MemberName,
    MemberNotFound,
    new_member,
    stored_member,
)
from tests.contract.sample import Kit
from tests.contract.shop import Shop
from tests.contract.test_collections import store_many
from tests.storages import Storage


@pytest.mark.slow
@pytest.mark.promise(16)
def test_the_greatest_batches_lose_nothing(storage: Storage) -> None:
    """One more than fits into a batch or page is not lost: a bulk of 2,000, streams of 500, a page of 1,000."""
    kit = Kit(storage, MEMBERS)
    stored = [one.id for one in store_many(kit, BULK_BATCH + 1, from_iterator=True)]
    with storage.unit(read_only=True) as uow:
        streamed = [member.id for member in uow.members.stream()]
        page = uow.members.page(limit=MAX_PAGE)
        last = uow.members.page(stored[-MAX_PAGE - 1], MAX_PAGE)
    assert BULK_BATCH > STREAM_BATCH
    assert stored == streamed
    assert (stored[:MAX_PAGE], stored[MAX_PAGE - 1]) == ([member.id for member in page.items], page.next)
    assert (stored[-MAX_PAGE:], None) == ([member.id for member in last.items], last.next)


def test_a_missing_member_is_shown_as_searched(storage: Storage) -> None:
    """A member who is not stored is not found in any spelling. The error shows the form that was looked for."""
    stored_member(storage, "ann")
    with storage.unit() as uow:
        with pytest.raises(MemberNotFound, match="no member has the name 'bob'"):
            uow.members.get_by_name("BOB")
        with pytest.raises(MemberNotFound, match=r"no member has the email 'bob@example\.com'"):
            uow.members.get_by_email("bob@EXAMPLE.com")
        assert uow.members.get_by_name("ANN").email == "ann@example.com"


def test_an_invalid_name_or_address_is_refused(uow: Shop) -> None:
    """The domain refuses a key that cannot be a name or an address."""
    with uow:
        with pytest.raises(InvalidName):
            uow.members.get_by_name("a\x00b")
        with pytest.raises(InvalidEmail):
            uow.members.get_by_email("ann")


def test_holders_are_listed_once_each(storage: Storage) -> None:
    """The holders of names or addresses are listed once each, by id. Unknown names and addresses do no harm."""
    members = [new_member(name) for name in ("ann", "bob", "cid", "dan")]
    with storage.unit() as uow:
        uow.members.add_many(reversed(members))
        uow.commit()
    names = {MemberName("ann"), MemberName("bob"), MemberName("nobody")}
    emails = {MemberEmail("bob@example.com"), MemberEmail("dan@example.com")}
    with storage.unit() as uow:
        found = [member.name for member in uow.members.list_holding(names, emails)]
        nobody = uow.members.list_holding([], [])
    assert ["ann", "bob", "dan"] == found
    assert nobody == []
