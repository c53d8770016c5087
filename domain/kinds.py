"""The kinds of values that an attribute may hold: how each is checked, and how a storage returns it.

Each function returns the value as it is read again. It raises ``ValueError`` for one that cannot be stored.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from enum import Enum
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable

MICROSECOND = timedelta(microseconds=1)
"""The unit of an interval."""

_LEVELS = 31
"""How deeply lists and dicts may nest. MariaDB takes no more for JSON."""


def stored_by(kind: Any, size: tuple[int | None, ...], *, is_json: bool) -> Callable[[Any], Any] | None:
    """Return the function of a kind of value, or ``None`` for an unknown class."""
    if is_json:
        return partial(_json, kind if kind in (dict, list) else (dict, list))
    if kind is Decimal:
        return _exact(*size)
    if kind is bytes:
        return partial(_bytes, size[0])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return partial(_instance, kind)
    if isinstance(kind, type) and issubclass(kind, str):
        return partial(_text, kind, size[0])
    return _KINDS.get(kind)


def wrong_kind(value: object, wanted: str) -> ValueError:
    """Return the error for a value of another class."""
    return ValueError(f"holds {wanted}, not a value of type {type(value).__name__}")


def _instance(kind: type, value: Any) -> Any:
    if isinstance(value, kind):
        return value
    raise wrong_kind(value, f"a {kind.__name__}")


def _text(kind: type[str], limit: int | None, value: Any) -> Any:
    if not isinstance(value, str):
        raise wrong_kind(value, "a text")
    if limit is not None and len(value) > limit:
        raise ValueError(f"may have at most {limit} characters, not {len(value)}")
    if not value.isprintable():  # no text with one of these characters is printable
        if "\0" in value:
            raise ValueError("must not have the character U+0000, which PostgreSQL cannot store")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("must not have a lone surrogate, which is no character") from None
    return value if type(value) is kind else str.__new__(kind, str.__str__(value))


def _bytes(limit: int | None, value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise wrong_kind(value, "bytes")
    if limit is not None and len(value) > limit:
        raise ValueError(f"may have at most {limit} bytes, not {len(value)}")
    return bytes(value)


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_kind(value, "an int")
    if not -(2**63) <= value < 2**63:
        raise ValueError("must fit into 64 bits")
    return int(value)


def _float(value: Any) -> float:
    if not isinstance(value, float):
        if type(value) is not int or not -(2**53) <= value <= 2**53:
            raise wrong_kind(value, "a float")
        return float(value)
    if not isfinite(value):
        raise ValueError("must be finite")
    return float(value)


def _exact(digits: int | None, places: int | None) -> Callable[[Any], Any]:
    """Return the function for a ``Decimal`` of ``digits`` digits, ``places`` of them behind the point."""
    if digits is None or places is None:
        return partial(_instance, Decimal)
    context = Context(prec=digits, traps=[Inexact, InvalidOperation])
    zero = Decimal((0, (0,), -places))

    def stored(value: Any) -> Decimal:
        if not isinstance(value, Decimal):
            raise wrong_kind(value, "a Decimal")
        if not value.is_finite():
            raise ValueError("must be finite")
        try:
            return context.quantize(value, zero) or zero  # zero itself is not negative
        except DecimalException:
            raise ValueError(f"may have at most {digits} digits, {places} of them behind the point") from None

    return stored


def _date(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise wrong_kind(value, "a date without a time")
    return value if type(value) is date else date(value.year, value.month, value.day)


def _datetime(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise wrong_kind(value, "a datetime")
    if value.tzinfo is None:
        raise ValueError("needs a time zone: write datetime.now(UTC), for example")
    if type(value) is datetime and value.tzinfo is UTC:
        return value
    try:
        at = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be in the years 1 to 9999 in UTC") from None
    return datetime.combine(date(at.year, at.month, at.day), at.time(), UTC)


def _time(value: Any) -> time:
    if not isinstance(value, time):
        raise wrong_kind(value, "a time")
    if value.tzinfo is not None:
        raise ValueError("must have no time zone: it is a time of any day")
    return time(value.hour, value.minute, value.second, value.microsecond)


def _interval(value: Any) -> timedelta:
    if not isinstance(value, timedelta):
        raise wrong_kind(value, "a timedelta")
    if not -(2**63) <= value // MICROSECOND < 2**63:
        raise ValueError("must fit into 64 bits of microseconds")
    return timedelta(value.days, value.seconds, value.microseconds)


def _json(kind: Any, value: Any) -> str:
    """Return the text, because its content could change."""
    if not isinstance(value, kind):
        raise wrong_kind(value, "a dict or a list" if isinstance(kind, tuple) else f"a {kind.__name__}")
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
        if json.loads(text) == value and (text.count("[") + text.count("{") <= _LEVELS or _levels(value) <= _LEVELS):
            return text
    except (TypeError, ValueError, RecursionError):
        pass
    raise ValueError(
        "may hold only what JSON gives back: dicts with texts as keys, lists, texts without lone surrogates, finite"
        f" numbers, booleans and None, in at most {_LEVELS} levels"
    )


def _levels(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(_levels, inside), default=0)


_KINDS: dict[Any, Callable[[Any], Any]] = {
    bool: partial(_instance, bool),
    int: _integer,
    float: _float,
    date: _date,
    datetime: _datetime,
    time: _time,
    timedelta: _interval,
    UUID: partial(_instance, UUID),
}
