"""Promises 7 and 8: which of several refused changes counts."""

from __future__ import annotations

import pytest

from domain.errors import ConcurrentChange
from tests.contract.members import MEMBERS
from tests.contract.sample import Kit
from tests.storages import Storage


@pytest.mark.promise(7, 8)
def test_the_first_refused_change_counts(storage: Storage) -> None:
    """The error is that of the first refused change by id, whatever the reason: a stale one before a taken value."""
    members = Kit(storage, MEMBERS)
    ann, bob, _ = [members.stored(word) for word in ("ann", "bob", "cid")]
    with pytest.raises(ConcurrentChange), storage.unit() as uow:
        mine = [members.of(uow).get(one.id) for one in (ann, bob)]
        with storage.unit() as other:
            members.of(other).get(ann.id).deactivate()
            other.commit()
        mine[0].rename("anna")
        mine[1].rename("cid")
        uow.commit()
