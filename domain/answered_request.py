"""The answered request: what was answered to a request that names a key, so that asking again has no second effect."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field, setters

from domain.aggregate import Aggregate
from domain.errors import InvalidValue, NotFound
from domain.repository import Repository

if TYPE_CHECKING:
    from typing import Self


class InvalidIdempotencyKey(InvalidValue):
    """The text cannot be an idempotency key."""

    kind: ClassVar[str] = "idempotency key"


class IdempotencyKeyReused(InvalidValue):
    """The key belongs to another request, which was answered before."""

    kind: ClassVar[str] = "idempotency key"


class AnsweredRequestNotFound(NotFound):
    """No request was answered under this key."""

    kind: ClassVar[str] = "answered request"


class IdempotencyKey(str):
    """A text that the sender makes for one request: 1 to 255 visible characters of ASCII, such as a random UUID.

    Raises :class:`InvalidIdempotencyKey`.
    """

    __slots__ = ()
    MAX_LENGTH: ClassVar[int] = 255

    def __new__(cls, value: str) -> Self:
        """Return the key."""
        if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,255}", value):
            raise InvalidIdempotencyKey(value, "it has 1 to 255 visible characters of ASCII")
        return super().__new__(cls, value)


@define(slots=False, eq=False, kw_only=True)
class AnsweredRequest(Aggregate[IdempotencyKey]):
    """A request that was done. ``id`` is its key, ``fingerprint`` says which request it was.

    ``answer`` is what JSON can hold of the answer; the entry point that gives it knows its form.
    """

    id: IdempotencyKey = field(on_setattr=setters.frozen)
    fingerprint: str = field(metadata={"max_length": 64})
    answer: dict[str, Any] = field(metadata={"json": True})
    answered_at: datetime = field(factory=lambda: datetime.now(UTC), on_setattr=setters.frozen)

    def check_fingerprint(self, fingerprint: str) -> None:
        """Raise :class:`IdempotencyKeyReused` unless this is the request that was answered."""
        if fingerprint != self.fingerprint:
            raise IdempotencyKeyReused(self.id, "another request has it: make a new key for each request")


class AnsweredRequestRepository(Repository[AnsweredRequest, IdempotencyKey]):
    """The answered requests that are stored."""

    aggregate = AnsweredRequest
    not_found = AnsweredRequestNotFound
