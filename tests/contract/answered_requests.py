"""The sample of answered requests."""

from __future__ import annotations

from domain.answered_request import AnsweredRequest, IdempotencyKey
from tests.contract.sample import Sample


def change(request: AnsweredRequest, state: int) -> None:
    """Change the answer."""
    request.answer = {"status": 200 + state}


ANSWERED_REQUESTS: Sample[AnsweredRequest] = Sample(
    repository="answered_requests",
    make=lambda word: AnsweredRequest(id=IdempotencyKey(word), fingerprint=word[:64], answer={"status": 200}),
    word=lambda request: str(request.id),
    change=change,
)
