"""Which users a list has, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from domain.query import Where

if TYPE_CHECKING:
    from datetime import datetime

UserSort = Literal["id", "-id", "created_at", "-created_at", "username", "-username", "email", "-email"]
"""The attributes that a list of users can be sorted by; with a minus sign in front, the greatest comes first."""


@frozen
class UserFilter:
    """Which users a list has, and in which order: those that meet all that is given, the oldest first by default."""

    active: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    sort: UserSort = "id"

    def where(self) -> tuple[Where, ...]:
        """Return what is given as comparisons of a query."""
        given = (
            ("active", "==", self.active),
            ("created_at", ">", self.created_after),
            ("created_at", "<", self.created_before),
        )
        return tuple(Where(*one) for one in given if one[2] is not None)
