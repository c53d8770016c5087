"""Use cases that are run again, on every storage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from service_layer.retrying import Retrying
from tests.contract.members import Member, stored_member, stored_names
from tests.contract.shop import Shop
from tests.storages import Storage

retrying = Retrying(attempts=10)


@pytest.mark.promise(8)
def test_racing_changes_are_both_done(storage: Storage) -> None:
    """Two retried changes that race are both done: both read first, one is refused, and it runs again."""
    stored_member(storage, "ann")
    both_have_read = Barrier(2)
    runs: list[str] = []

    def append(letter: str, uow: Shop) -> Member:
        with uow:
            [member] = uow.members.page().items
            runs.append(letter)
            if runs.count(letter) == 1:
                both_have_read.wait(10)
            member.rename(member.name + letter)
            uow.commit()
        return member

    with ThreadPoolExecutor(2) as pool:
        changed = [pool.submit(retrying, append, letter, storage.unit()) for letter in "xy"]
    assert {2, 3} == {one.result().version for one in changed}
    [name] = stored_names(storage)
    assert name in {"annxy", "annyx"}
    assert len(runs) >= 3
