"""All that is fake about answered requests: their own queries."""

from __future__ import annotations

from adapters.fake.repository import FakeRepository
from domain.answered_request import AnsweredRequest, AnsweredRequestRepository, IdempotencyKey


class FakeAnsweredRequestRepository(FakeRepository[AnsweredRequest, IdempotencyKey], AnsweredRequestRepository):
    """The answered requests of a fake unit of work."""
