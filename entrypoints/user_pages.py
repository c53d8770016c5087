"""The places where pages of users begin, as texts that a command line and a URL can hold."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain.errors import InvalidValue
from domain.user import EmailAddress, Username
from service_layer.user_filter import in_utc

if TYPE_CHECKING:
    from collections.abc import Callable

_KEYS: dict[str, Callable[[str], Any]] = {
    "created_at": lambda text: in_utc(datetime.fromisoformat(text)),
    "username": Username,
    "email": EmailAddress,
}


def as_text(place: Any) -> str:
    """Return the ``next`` of a page: the id of its last user or, behind the value that sorts and a comma, likewise."""
    if isinstance(place, UUID):
        return str(place)
    value, id = place
    return f"{value.isoformat() if isinstance(value, datetime) else value},{id}"


def from_text(text: str | None, sort: str) -> Any:
    """Return the place that a text means in an order; ``None`` for the first page.

    Raises :class:`~domain.errors.InvalidValue` for a text that is none of this order.
    """
    if text is None:
        return None
    key = sort.removeprefix("-")
    value, _, id = text.rpartition(",")
    try:
        return UUID(id) if key == "id" and not value else (_KEYS[key](value), UUID(id))
    except (InvalidValue, KeyError, ValueError):
        raise InvalidValue(text, f"it is no place in a list that is sorted by {key}") from None
