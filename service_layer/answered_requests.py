"""The use cases of answered requests: do a piece of work once for each key, and forget old keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from domain.answered_request import AnsweredRequest, IdempotencyKey
from domain.errors import DomainError, UnitOfWorkMisuse
from domain.query import Where

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

    from service_layer.unit_of_work import UnitOfWork

_BATCH = 500  # how many keys are removed by one commit


class _AnsweringUnit:
    """A unit of work that stores, with the work itself and by the same commit, what is answered to it."""

    def __init__(self, uow: UnitOfWork, answered: Callable[[UnitOfWork], AnsweredRequest]) -> None:
        self._uow = uow
        self._answered = answered
        self.answered: AnsweredRequest | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    def __enter__(self) -> UnitOfWork:
        self._uow.__enter__()
        return cast("UnitOfWork", self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._uow.__exit__(kind, error, traceback)

    def commit(self) -> None:
        """Write the work, so that the answer can be read, and commit both."""
        self._uow.flush()
        answered = self._answered(self._uow)
        self._uow.answered_requests.add(answered)
        self._uow.commit()
        self.answered = answered


def do_once(
    key: IdempotencyKey,
    fingerprint: str,
    work: Callable[[UnitOfWork], object],
    answer: Callable[[UnitOfWork], dict[str, Any]],
    uow: UnitOfWork,
) -> dict[str, Any]:
    """Do the work and return its answer; under a key that was answered before, return that answer alone.

    ``work`` is a use case of one commit. ``answer`` is called inside its unit, just before that commit, and returns
    what JSON can hold. Two at the same time have one effect. An error stores nothing: under the same key, the work is
    tried again.

    Raises :class:`~domain.answered_request.IdempotencyKeyReused` for a key that has answered another request, and what
    the work raises. After :class:`~domain.errors.CommitOutcomeUnknown`, the same call is safe.
    """
    known = _find(key, fingerprint, uow)
    if known is not None:
        return known
    unit = _AnsweringUnit(uow, lambda uow: AnsweredRequest(id=key, fingerprint=fingerprint, answer=answer(uow)))
    try:
        work(cast("UnitOfWork", unit))
    except DomainError:
        known = _find(key, fingerprint, uow)  # perhaps another one has just done the same
        if known is None:
            raise
        return known
    if unit.answered is None:
        raise UnitOfWorkMisuse("this work has not committed: answer a use case that only reads without a key")
    return unit.answered.answer


def _find(key: IdempotencyKey, fingerprint: str, uow: UnitOfWork) -> dict[str, Any] | None:
    with uow:
        known = uow.answered_requests.find(key)
    if known is None:
        return None
    known.check_fingerprint(fingerprint)
    return known.answer


def purge_idempotency_keys(before: datetime, uow: UnitOfWork) -> int:
    """Remove the keys that were answered before a time, and return how many there were.

    Some hundreds go by each commit, so it can be cut short and run again. Raises
    :class:`~domain.errors.ConcurrentChange` when another one removes the same keys.
    """
    count = 0
    while True:
        with uow:
            old = uow.answered_requests.list_where(Where("answered_at", "<", before), limit=_BATCH)
            for one in old:
                uow.answered_requests.remove(one)
            uow.commit()
        count += len(old)
        if len(old) < _BATCH:
            return count
