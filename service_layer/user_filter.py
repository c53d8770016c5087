"""Which users a list has, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from attrs import field, frozen
from attrs.converters import optional

from domain.errors import InvalidValue
from domain.query import Where

UserSort = Literal["id", "-id", "created_at", "-created_at", "username", "-username", "email", "-email"]
"""The attributes that a list of users can be sorted by; with a minus sign in front, the greatest comes first."""


def in_utc(time: datetime) -> datetime:
    """Return a time in UTC; raise :class:`~domain.errors.InvalidValue` for one without a zone, or of no year there."""
    try:
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except OverflowError:
        raise InvalidValue(time.isoformat(), "no calendar holds it in UTC") from None
    raise InvalidValue(time.isoformat(), "a time needs its offset from UTC: write 2026-01-31T12:30:00Z")


@frozen
class UserFilter:
    """Which users a list has, and in which order: those that meet all that is given, the oldest first by default."""

    active: bool | None = None
    created_after: datetime | None = field(default=None, converter=optional(in_utc))
    created_before: datetime | None = field(default=None, converter=optional(in_utc))
    sort: UserSort = "id"

    def where(self) -> tuple[Where, ...]:
        """Return what is given as comparisons of a query."""
        given = (
            ("active", "==", self.active),
            ("created_at", ">", self.created_after),
            ("created_at", "<", self.created_before),
        )
        return tuple(Where(*one) for one in given if one[2] is not None)
