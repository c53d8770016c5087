"""Work that is done once for each key, and keys that are forgotten, alike on every storage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.answered_request import (
    AnsweredRequest,
    IdempotencyKey,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
)
from domain.errors import UnitOfWorkMisuse
from service_layer import answered_requests
from service_layer.answered_requests import do_once, purge_idempotency_keys
from service_layer.retrying import retrying
from service_layer.unit_of_work import UnitOfWork
from tests.contract.members import Member, NameTaken
from tests.contract.shop import Shop
from tests.storages import Storage

KEY = IdempotencyKey("key-1")


def work(uow: Any) -> None:
    """Store a member, as a use case does."""
    with uow:
        uow.members.add(Member.create("ann", "ann@example.com"))
        uow.commit()


def answer(uow: Any) -> dict[str, Any]:
    """Return what is answered to it."""
    return {"version": uow.members.get_by_name("ann").version}


def members(storage: Storage) -> list[str]:
    """Return the names of the stored members."""
    with storage.unit(read_only=True) as uow:
        return [member.name for member in uow.members.stream()]


@pytest.mark.promise(2)
def test_work_is_answered_and_stored_by_one_commit(storage: Storage) -> None:
    """One commit stores the work and its answer, so the answer has the stored version."""
    assert {"version": 1} == do_once(KEY, "request", work, answer, storage.unit())
    with storage.unit(read_only=True) as uow:
        assert {"version": 1} == uow.answered_requests.get(KEY).answer
    assert ["ann"] == members(storage)


def test_the_same_key_gets_the_first_answer(storage: Storage) -> None:
    """The same key gets the first answer, whatever has happened since. The work is not done again."""
    do_once(KEY, "request", work, answer, storage.unit())
    with storage.unit() as uow:
        uow.members.remove(uow.members.get_by_name("ann"))
        uow.commit()
    assert {"version": 1} == do_once(KEY, "request", work, answer, storage.unit())
    assert [] == members(storage)


def test_another_request_under_the_key_is_refused(storage: Storage) -> None:
    """Another request under a stored key is refused, and does nothing."""
    do_once(KEY, "request", work, answer, storage.unit())
    with pytest.raises(IdempotencyKeyReused, match="'key-1' is not a valid idempotency key: another request has it"):
        do_once(KEY, "another", work, answer, storage.unit())


def test_a_refusal_stores_no_key(storage: Storage) -> None:
    """A refused request stores no key, so the same request is judged again."""
    do_once(KEY, "request", work, answer, storage.unit())
    with pytest.raises(NameTaken):
        do_once(IdempotencyKey("key-2"), "request", work, answer, storage.unit())
    with storage.unit() as uow:
        assert not uow.answered_requests.exists(IdempotencyKey("key-2"))
        uow.members.remove(uow.members.get_by_name("ann"))
        uow.commit()
    assert {"version": 1} == do_once(IdempotencyKey("key-2"), "request", work, answer, storage.unit())


@pytest.mark.every_case
def test_the_same_request_at_the_same_time_has_one_effect(storage: Storage) -> None:
    """Equal requests at the same time are done once. All get the same answer."""
    with ThreadPoolExecutor(8) as threads:
        running = [threads.submit(retrying, do_once, KEY, "request", work, answer, storage.unit()) for _ in range(8)]
        answers = [one.result() for one in running]
    assert [{"version": 1}] * 8 == answers
    assert ["ann"] == members(storage)


def test_work_that_does_not_commit_is_misuse(uow: Shop) -> None:
    """Work that does not commit is misuse, because its answer could not be stored."""
    with pytest.raises(UnitOfWorkMisuse, match="has not committed"):
        do_once(KEY, "request", lambda _: None, answer, uow)


def test_old_keys_are_forgotten(uow: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Purging deletes the old keys, some by each commit. Younger keys stay."""
    monkeypatch.setattr(answered_requests, "_BATCH", 2)
    now = datetime.now(UTC)
    with uow:
        for day in range(7):
            then = now - timedelta(days=day)
            uow.answered_requests.add(
                AnsweredRequest(id=IdempotencyKey(f"key-{day}"), fingerprint="", answer={}, answered_at=then)
            )
        uow.commit()
    assert [5, 0] == [purge_idempotency_keys(now - timedelta(days=1, hours=1), uow) for _ in range(2)]
    assert ["key-0", "key-1"] == left(uow)


def left(uow: UnitOfWork) -> list[str]:
    """Return the keys that are stored."""
    with uow:
        return [str(one.id) for one in uow.answered_requests.stream()]


@pytest.mark.parametrize("value", ["", "two words", "x" * 256, "ключ", "line\n", None])
def test_what_cannot_be_a_key_is_refused(value: Any) -> None:
    """What cannot be a key is refused, and the error says why."""
    with pytest.raises(InvalidIdempotencyKey, match="it has 1 to 255 visible characters of ASCII"):
        IdempotencyKey(value)
