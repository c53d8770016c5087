"""What an attribute may hold, as its class declares it. Every storage keeps it alike.

    name: str = field(metadata={"max_length": 40})
    price: Decimal = field(metadata={"digits": 12, "places": 2})
    tags: list[str] = field(factory=list, metadata={"json": True})
    seen_at: datetime | None = None

A subclass of ``str`` may have its own ``MAX_LENGTH``. ``None`` is allowed where the annotation allows it.
"""

from __future__ import annotations

import inspect
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import attrs
from attrs import frozen

from domain.aggregate import Aggregate
from domain.attributes import is_stored, once_for_each_class
from domain.errors import InvalidValue
from domain.kinds import stored_by, wrong_kind

if TYPE_CHECKING:
    from collections.abc import Callable


@frozen(eq=False)
class Limits:
    """What an attribute may hold.

    ``kind`` is the class of its values, or ``None`` if the annotation names none. ``size`` is the greatest length of a
    text or of bytes, or the digits and places of a ``Decimal``. ``stored`` returns a value as a storage returns it. It
    raises ``ValueError`` for one that cannot be stored.
    """

    kind: type | None
    allows_none: bool
    size: tuple[int | None, ...]
    is_json: bool
    stored: Callable[[Any], Any]


def check_values(one: object) -> None:
    """Raise :class:`~domain.errors.InvalidValue` for the first attribute of an object that cannot be stored.

    The parts of an aggregate are separate objects.
    """
    try:
        held: dict[str, Any] = one.__dict__
    except AttributeError:  # it has slots
        held = attrs.asdict(one, recurse=False)  # type: ignore[arg-type]  # it is of attrs
    for name, enough, allows_none, stored in _checks(type(one)):
        value = held.get(name)
        if type(value) is enough:
            continue
        if value is None:
            if allows_none or name not in held:  # a deleted attribute is another error
                continue
            raise InvalidValue(None, f"{type(one).__name__}.{name} must not be None")
        try:
            stored(value)
        except ValueError as error:
            raise InvalidValue(value, f"{type(one).__name__}.{name} {error}") from None


def stored_value(kind: type, name: str, value: object) -> Any:
    """Return a value as a storage returns it for an attribute of a class.

    Raises :class:`~domain.errors.InvalidValue` for one that the attribute cannot hold.
    """
    try:
        return limits_of(kind)[name].stored(value)
    except ValueError as error:
        raise InvalidValue(value, f"{kind.__name__}.{name} {error}") from None


@once_for_each_class
def _checks(kind: Any) -> tuple[tuple[str, type | None, bool, Callable[[Any], Any]], ...]:
    """Return each attribute's name, the class whose values are all valid, and the rest of its limits."""
    skipped = ("id", "version") if issubclass(kind, Aggregate) else ()  # these are checked where they are made
    return tuple(
        (name, one.kind if one.kind in (bool, date, UUID) else None, one.allows_none, one.stored)
        for name, one in limits_of(kind).items()
        if name not in skipped and not (one.stored is _unchanged and (one.allows_none or _holds_parts(one.kind)))
    )


@once_for_each_class
def limits_of(kind: Any) -> dict[str, Limits]:
    """Return what each stored attribute of a class may hold, by its name."""
    return {field.name: _limits(kind, field) for field in attrs.fields(kind) if is_stored(field)}


@once_for_each_class
def json_names(kind: Any) -> tuple[str, ...]:
    """Return the names of the attributes that hold JSON."""
    return tuple(name for name, one in limits_of(kind).items() if one.is_json)


@once_for_each_class
def plain_kinds(kind: Any) -> dict[str, type]:
    """Return the class of the values that a storage returns unchanged, by the name of the attribute."""
    return {
        name: one.kind
        for name, one in limits_of(kind).items()
        if one.kind and one.stored is not _unchanged and one.kind not in (Decimal, datetime) and not one.is_json
    }


def _holds_parts(kind: Any) -> bool:
    return kind in (list, set) or attrs.has(kind)


def _unchanged(value: Any) -> Any:
    return value


def _limits(kind: type, field: attrs.Attribute[Any]) -> Limits:
    hint: Any = _annotation(kind, field)
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    held = [one for one in options if one is not NoneType]
    of: Any = getattr(held[0], "__supertype__", held[0]) if len(held) == 1 else None  # of a NewType
    of = get_origin(of) or of  # of a generic class
    of = of if isinstance(of, type) and of not in (Any, object) else None
    said = field.metadata
    size: tuple[int | None, ...] = ()
    if of is Decimal:
        size = (said.get("digits"), said.get("places"))
    elif of is bytes or (of and issubclass(of, str) and not issubclass(of, Enum)):
        size = (said.get("max_length", getattr(of, "MAX_LENGTH", None)),)
    is_json = bool(said.get("json"))
    stored = stored_by(of, size, is_json=is_json) or (partial(_value_object, of) if _is_value(of) else _unchanged)
    is_open = not {None, Unknown, Any, object}.isdisjoint(options)  # the annotation says nothing
    return Limits(of, NoneType in options or is_open, size, is_json, stored)


def _annotation(kind: type, field: attrs.Attribute[Any]) -> Any:
    """Return the annotation of an attribute. A name that only a type checker knows becomes :class:`Unknown`."""
    declared: Any = field.type
    if not isinstance(declared, str):
        return declared
    owner = next((one for one in kind.__mro__ if field.name in inspect.get_annotations(one)), kind)
    holder = type("_", (), {"__annotations__": {field.name: declared}, "__module__": owner.__module__})
    known: dict[str, Any] = {}
    while True:
        try:
            return get_type_hints(holder, localns=known)[field.name]
        except NameError as error:
            known[str(error.name)] = _USUAL.get(str(error.name), Unknown)
        except Exception:  # noqa: BLE001  # an annotation may hold anything
            return Unknown


class Unknown:
    """Stands for a class that is not known at run time."""


_USUAL: dict[str, type] = {one.__name__: one for one in (UUID, Decimal, date, datetime, time, timedelta)}


def _is_value(kind: Any) -> bool:
    """Return whether a class is one of value objects and not of parts."""
    return attrs.has(kind) and kind.__hash__ not in (None, object.__hash__)


def _value_object(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise wrong_kind(value, f"a {kind.__name__}")
    try:
        check_values(value)
    except InvalidValue as error:
        raise ValueError(f"cannot hold this, because {error.reason}") from None
    return value
