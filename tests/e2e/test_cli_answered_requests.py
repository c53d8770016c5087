"""The command of answered requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domain.answered_request import AnsweredRequest, IdempotencyKey
from entrypoints.bootstrap import bootstrap
from tests.e2e.conftest import Run


def test_old_idempotency_keys_are_deleted(call: Run) -> None:
    """The command deletes old idempotency keys: those older than a week, or than ``--days``."""
    with bootstrap() as application, application.unit_of_work() as uow:
        for days in (0, 2, 8):
            then = datetime.now(UTC) - timedelta(days=days, minutes=1)
            key = IdempotencyKey(f"key-{days}")
            uow.answered_requests.add(AnsweredRequest(id=key, fingerprint="", answer={}, answered_at=then))
        uow.commit()
    outcomes = [call("purge-idempotency-keys", *options) for options in ([], [], ["--days", "1"], ["--days", "0"])]
    assert [(0, f"deleted: {count}\n", "") for count in (1, 0, 1, 1)] == [(o.code, o.out, o.err) for o in outcomes]
