"""All that is SQL about answered requests: their table, their mapping, and their own queries."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from adapters.sql.mapping import map_aggregate, metadata
from adapters.sql.repository import SqlRepository
from adapters.sql.types import Json, Key, UtcDateTime
from domain.answered_request import AnsweredRequest, AnsweredRequestRepository, IdempotencyKey

answered_requests = Table(
    "answered_requests",
    metadata,
    Column("id", Key(IdempotencyKey, IdempotencyKey.MAX_LENGTH), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("answer", Json, nullable=False),
    Column("answered_at", UtcDateTime, nullable=False, index=True),
    Column("version", Integer, nullable=False),
)

map_aggregate(AnsweredRequest, answered_requests, flat=True)


class SqlAnsweredRequestRepository(SqlRepository[AnsweredRequest, IdempotencyKey], AnsweredRequestRepository):
    """The answered requests of a SQL unit of work."""
