"""What promises 14 and 15 ask of a use case whose storage calls fail one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from domain.errors import CommitOutcomeUnknown, ConcurrentChange, StorageError
from proof.laws.faults import CONFLICT
from proof.laws.faulty_storages import FaultyFake, FaultyStorage, Rows
from tests.contract.shop import Shop

ANN, BOB = ("ann", "ann@example.com", True, 1), ("bob", "bob@example.com", False, 2)
NEW = ("new", "new@example.com", True, 1)
NEWER = ("newer", "newer@example.com", True, 1)
NEWEST = ("newest", "newest@example.com", True, 1)
OPTIONAL = ("optional", "optional@example.com", True, 1)
AT_FIRST: Rows = [ANN, BOB]


@frozen
class Case:
    """A use case, and all that is stored after it. If it returns ``False``, less is stored."""

    run: Callable[[Shop], Any]
    after: Rows
    less: Rows | None = None
    connects: bool = False

    def after_returning(self, result: object) -> Rows | None:
        """Return what must be stored when the use case returns this result."""
        return self.less if result is False else self.after


def run(case: Case, uow: Shop) -> tuple[object, BaseException | None]:
    """Return what the use case returns or raises."""
    try:
        return case.run(uow), None
    except Exception as error:  # noqa: BLE001  # which it may be is what the law says
        return None, error


def check_truth(case: Case, storage: FaultyStorage, kind: str, result: object, error: BaseException | None) -> None:
    """Check that the stored data are what the caller was led to believe."""
    stored = storage.rows()
    assert not any(secret in str(error) for secret in storage.secrets)
    if error is None:
        assert case.after_returning(result) == stored
    elif isinstance(error, CommitOutcomeUnknown):
        assert storage.at_commit
        assert kind not in storage.refusals
        assert not error.retryable
        assert stored in (AT_FIRST, case.after, case.less)
    else:
        assert isinstance(error, StorageError | ConcurrentChange), repr(error)
        assert AT_FIRST == stored, repr(error)


def check_faults(case: Case, storage: FaultyStorage, kind: str) -> int:
    """Let each call of a use case fail in one way, until it makes no more. Return how many it made."""
    call = 0
    while True:
        call += 1
        storage.restore()
        if case.connects:
            storage.forget_connections()
        uow = storage.unit()
        storage.plan(call, kind)
        result, error = run(case, uow)
        met = storage.met
        storage.check_tidy()
        check_truth(case, storage, kind, result, error)
        storage.restore()
        storage.plan(0, "")
        result, error = run(case, uow)
        assert error is None, f"after a fault at call {call}: {error!r}"
        assert case.after == storage.rows()
        storage.check_tidy()
        if not met:
            return call - 1


def check_each_fault(case: Case, storage: FaultyStorage) -> None:
    """Let each call of a use case fail in each way of its storage."""
    for kind in storage.kinds:
        if not (case.connects and kind == CONFLICT):  # while connecting, no other transaction is there
            calls = check_faults(case, storage, kind)
            # A use case makes at least one call. The fake counts by kind, and reading alone never writes or commits.
            assert calls or isinstance(storage, FaultyFake)
