"""Read the ``metadata`` of attributes: which are not stored, and how lists are sorted."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")


def once_for_each_class(function: Callable[[Any], R]) -> Callable[[Any], R]:
    """Cache what a function returns for each class."""
    return cache(function)  # in this disguise, because mypy takes no class for hashable


def is_stored(field: attrs.Attribute[Any]) -> bool:
    """Return whether an attribute is stored. It is, unless it says ``metadata={"stored": False}``."""
    return bool(field.metadata.get("stored", True))


def order_of(field: attrs.Attribute[Any]) -> tuple[str, ...]:
    """Return the attributes that sort the parts in a list, from ``metadata={"order_by": (...)}``."""
    return tuple(field.metadata.get("order_by", ()))


@once_for_each_class
def sort_keys(kind: Any) -> dict[str, attrgetter[Any]]:
    """Return the sort key of the parts for each sorted list of a class, by its name. Texts go by code point."""
    return {field.name: attrgetter(*order_of(field)) for field in attrs.fields(kind) if order_of(field)}


@once_for_each_class
def stored_names(kind: Any) -> tuple[str, ...]:
    """Return the names of the stored attributes of a class, in the order of their declaration."""
    return tuple(field.name for field in attrs.fields(kind) if is_stored(field))


@once_for_each_class
def _unstored(kind: Any) -> list[attrs.Attribute[Any]]:
    return [field for field in attrs.fields(kind) if not is_stored(field)]


def set_unstored(one: Any) -> None:
    """Set the attributes that are not stored to their defaults, as after reading an object."""
    for field in _unstored(type(one)):
        object.__setattr__(one, field.name, default_of(field))


def default_of(field: attrs.Attribute[Any]) -> Any:
    """Return the default of an attribute, or a new value of its factory. ``attrs.NOTHING`` if that needs the object."""
    default: Any = field.default
    if not isinstance(getattr(default, "takes_self", None), bool):
        return default
    return attrs.NOTHING if default.takes_self else default.factory()
