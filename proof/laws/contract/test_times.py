"""Times of an hour that a zone repeats or skips. Python finds none of them equal to a time in UTC (PEP 495)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from proof.laws.contract.test_attributes import Shelf
from tests.storages import Storage

BERLIN = ZoneInfo("Europe/Berlin")
TIMES = {
    "repeated": datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
    "repeated, the second time": datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    "skipped": datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN),
}


@pytest.mark.every_case
@pytest.mark.promise(8)
@pytest.mark.parametrize("when", TIMES)
def test_the_same_point_in_time_is_no_change(storage: Storage, when: str) -> None:
    """The same point in time in another zone is no change, in the root and in a part."""
    at, shelf = TIMES[when], Shelf(storage, "specimens")
    shelf.store(one := shelf.new(moment=at))
    with storage.unit() as uow:
        found: Any = shelf.of(uow).get(one.id)
        found.moment = found.piece.moment = at
        uow.commit()
    assert 1 == found.version


@pytest.mark.every_case
@pytest.mark.promise(2)
def test_the_hour_that_is_repeated_is_another_one(storage: Storage) -> None:
    """A time and its repetition are different, though Python finds them equal in their own zone."""
    shelf = Shelf(storage, "specimens")
    one = shelf.new(moment=TIMES["repeated"])
    with storage.unit() as uow:
        shelf.of(uow).add(one)
        uow.flush()
        one.moment = TIMES["repeated, the second time"]
        uow.commit()
    with storage.unit(read_only=True) as uow:
        assert timedelta(hours=1) == shelf.of(uow).get(one.id).moment - TIMES["repeated"]
