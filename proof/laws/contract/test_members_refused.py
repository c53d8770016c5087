"""Promise 7: which of several values is refused, and in which spelling."""

from __future__ import annotations

import pytest

from tests.contract.allocation import SkuTaken
from tests.contract.members import MEMBERS, Member, NameTaken, stored_member
from tests.contract.products import PRODUCTS
from tests.contract.sample import Kit
from tests.storages import Storage


@pytest.mark.promise(7)
def test_a_taken_name_is_refused_in_any_spelling(storage: Storage) -> None:
    """A taken name is refused in any spelling. The error has the stored one."""
    stored_member(storage)
    with pytest.raises(NameTaken, match="the name 'ann' is taken") as caught, storage.unit() as uow:
        uow.members.add(Member.create("ANN", "other@example.com"))
        uow.commit()
    assert caught.value.value == "ann"


@pytest.mark.promise(7)
def test_a_value_like_a_constraint_chooses_no_error(storage: Storage) -> None:
    """A value that looks like a constraint chooses no error: only the database says which one was broken."""
    stored_member(storage, "uq_members_email")
    with pytest.raises(NameTaken), storage.unit() as uow:
        uow.members.add(Member.create("uq_members_email", "unique.constraint.failed.members.email@example.com"))
        uow.commit()


@pytest.mark.promise(7)
def test_the_first_refused_class_is_named(storage: Storage) -> None:
    """Of refused changes to several classes the one mapped first is named, and in it the first by id."""
    members, products = Kit(storage, MEMBERS), Kit(storage, PRODUCTS)
    member, *_ = [members.stored(word) for word in ("ann", "bob")]
    _, bob, cid, _ = [products.stored(word) for word in ("ann", "bob", "cid", "dan")]
    with pytest.raises(SkuTaken) as caught, storage.unit() as uow:
        mine = products.of(uow).get(cid.id), members.of(uow).get(member.id), products.of(uow).get(bob.id)
        mine[0].change_sku("ann")
        mine[1].rename("bob")
        mine[2].change_sku("dan")
        uow.commit()
    assert "dan" == caught.value.value
