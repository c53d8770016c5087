"""The users of the comparison. Each follows from its number, so every process can make the same users."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable

_BEGINNING = datetime(2026, 1, 1, microsecond=1, tzinfo=UTC)


class Person(NamedTuple):
    """A user to be, by the columns of the table: plain values, as the domain would have made them."""

    id: UUID
    username: str
    email: str
    created_at: datetime
    active: bool
    version: int


def person(number: int) -> Person:
    """Return the user with a number. A greater number has a greater id, as a later UUIDv7 has."""
    spread = number * 0x9E3779B97F4A7C15 % 2**62
    return Person(
        id=UUID(int=(1_767_225_600_000 + number) << 80 | 0x7 << 76 | 0b10 << 62 | spread),
        username=f"user{number:07}",
        email=f"user{number:07}@example.com",
        created_at=_BEGINNING + timedelta(seconds=number),
        active=True,
        version=1,
    )


def checksum(ids: Iterable[UUID]) -> int:
    """Return a number that any missing, doubled or altered id would change."""
    total = 0
    for id in ids:
        total = (total + id.int) % 2**64
    return total
