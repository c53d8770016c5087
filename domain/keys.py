"""The ids of aggregates: their types, and the values that every storage can hold."""

from __future__ import annotations

from enum import Enum
from typing import Any, get_args, get_origin
from uuid import UUID

from attrs import fields_dict, setters

from domain.aggregate import Aggregate
from domain.attributes import once_for_each_class
from domain.errors import InvalidValue

_COMPARISONS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__")


@once_for_each_class
def key_of(kind: Any) -> Any:
    """Return the type of the ids of a class of aggregates: the one in ``Aggregate[...]``, or else ``UUID``."""
    bases = (base for one in kind.__mro__ for base in vars(one).get("__orig_bases__", ()))
    return next((get_args(base)[0] for base in bases if get_origin(base) is Aggregate), UUID)


@once_for_each_class
def key_length(kind: Any) -> int:
    """Return the greatest length of an id that is a text, from its class or the attribute. 0 if neither has one."""
    said: int = fields_dict(kind)["id"].metadata.get("max_length", getattr(key_of(kind), "MAX_LENGTH", 0))
    return said


def check_keys(kind: type[Aggregate[Any]]) -> None:
    """Raise ``TypeError`` for a class of aggregates whose ids could not be kept alike by every storage."""
    key, id, default = key_of(kind), fields_dict(kind)["id"], fields_dict(Aggregate)["id"].default
    if key not in (UUID, int) and not _is_text(key):
        raise TypeError(
            f"the ids of {kind.__name__} cannot be of type {getattr(key, '__name__', key)}: derive it from"
            " Aggregate[UUID], Aggregate[int], Aggregate[str], or Aggregate of a subclass of str that compares as str"
        )
    if id.on_setattr is not setters.frozen or (id.default == default and key is not UUID):
        raise TypeError(f"{kind.__name__} needs its own id: {key.__name__} = field(on_setattr=setters.frozen)")
    if _is_text(key) and not 1 <= key_length(kind) <= 255:  # longer ones do not fit into every index
        raise TypeError(
            f"the ids of {kind.__name__} need a greatest length of 1 to 255: write MAX_LENGTH = 40 in a subclass of"
            ' str, or id: str = field(on_setattr=setters.frozen, metadata={"max_length": 40})'
        )


def _is_text(key: Any) -> bool:
    is_text = isinstance(key, type) and issubclass(key, str) and not issubclass(key, Enum)
    return is_text and all(getattr(key, name) is getattr(str, name) for name in _COMPARISONS)


def check_key(kind: type[Aggregate[Any]], value: object) -> None:
    """Raise :class:`~domain.errors.InvalidValue` for a value that is no id of a class of aggregates."""
    key, found = key_of(kind), type(value)
    if found is not key:  # not even a subclass: a bool is no number here, and would be stored as one
        raise InvalidValue(value, f"the id of {kind.__name__} is of type {key.__name__}, not {found.__name__}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidValue(value, "a number that is an id has at most 64 bits")
    if isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
        raise InvalidValue(value, "a text that is an id has no NUL characters and no surrogates")
    if isinstance(value, str) and len(value) > key_length(kind):
        raise InvalidValue(value, f"the id of {kind.__name__} has at most {key_length(kind)} characters")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
