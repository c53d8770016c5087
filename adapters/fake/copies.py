"""Deep copies of aggregates: immutable snapshots, and objects that are made from them."""

from __future__ import annotations

import json
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import attrs
from attrs import define, field, frozen

from domain.aggregate import Aggregate, empty, makers, named
from domain.attributes import once_for_each_class, set_unstored, sort_keys, stored_names
from domain.errors import StorageError, UnitOfWorkMisuse
from domain.limits import check_values, limits_of, plain_kinds

_ATOMS = (type(None), bool, int, float, str, bytes, UUID, Decimal, date, time, timedelta, tzinfo, Enum)


class Snapshot(tuple[Any, ...]):
    """The values of an aggregate or a part: its class, then its attributes, which can also be read by name."""

    __slots__ = ()
    count = property(lambda self: self.__getattr__("count"))  # the aggregate's attribute, not tuple's method
    index = property(lambda self: self.__getattr__("index"))

    def __getattr__(self, name: str) -> Any:
        place = _places(self[0]).get(name)
        if place is None:
            raise AttributeError(f"{self[0].__name__} has no attribute {name!r} that is stored")
        value = self[place]
        return json.loads(value[0]) if type(value) is _Json else value


@once_for_each_class
def _places(kind: Any) -> dict[str, int]:
    """Return the places of the attributes in a snapshot. The class comes first."""
    return {name: place for place, name in enumerate(stored_names(kind), start=1)}


class _List(tuple[Any, ...]):
    __slots__ = ()


class _Set(frozenset[Any]):
    __slots__ = ()


class _Dict(tuple[Any, ...]):
    __slots__ = ()


class _Json(tuple[str]):
    """A JSON dict or list, as its text."""

    __slots__ = ()


@frozen
class _Invalid:
    """A value that cannot be stored. It is refused when it is written. An equal one changes nothing."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return bool(self.value == other)

    __hash__ = object.__hash__


@define(eq=False)
class Part:
    """A part of an aggregate: its path, such as ``"batches.lines"``, the object, and its values."""

    path: str
    object: Any
    snapshot: Snapshot
    in_set: bool = False


@define(eq=False)
class Copy:
    """The values of an aggregate, and its parts, each before its own parts."""

    row: Snapshot
    parts: list[Part] = field(factory=list)

    def has(self, part: object) -> bool:
        """Return whether this very object is one of the parts."""
        return any(one.object is part for one in self.parts)


def copy_of(root: Any) -> Copy:
    """Return what an aggregate holds now, at any depth.

    Raises :class:`~domain.errors.StorageError` for a value that could not be restored alike.
    """
    parts: list[Part] = []
    try:
        return Copy(_snapshot(root, "", parts), parts)
    except _Unknown as error:
        raise StorageError(f"the fake cannot store {type(root).__name__}.{error}") from None
    except RecursionError:
        raise StorageError(f"the fake cannot store {type(root).__name__}: something in it holds itself") from None


def check_copied(root: Any, copy: Copy) -> None:
    """Raise :class:`~domain.errors.InvalidValue` for a value that an aggregate or one of its parts must not hold."""
    check_values(root)
    for part in copy.parts:
        check_values(part.object)


class _Unknown(Exception):
    """A value that cannot be copied."""


def _snapshot(one: Any, path: str, parts: list[Part]) -> Snapshot:
    values, held = [type(one)], getattr(one, "__dict__", {})
    plain = plain_kinds(type(one))
    for name in stored_names(type(one)):
        if name not in held and (type(one) in makers or not hasattr(one, name)):  # it may have slots
            raise UnitOfWorkMisuse(f"the attribute {name} of {named(one)} was deleted: clear it, or set it to None")
        value = getattr(one, name)
        if value is not None and type(value) is not plain.get(name):
            value = _as_stored(value, type(one), name)
        if type(value) not in _plain:
            if name in sort_keys(type(one)):  # as a database returns it
                value = sorted(value, key=sort_keys(type(one))[name])
            value = _copied(value, name if not path else f"{path}.{name}", parts)
        values.append(value)
    return Snapshot(values)


def _as_stored(value: Any, kind: type, name: str) -> Any:
    """Return a value as a database returns it: a ``Decimal`` with all its places, a time in UTC."""
    limits = limits_of(kind)[name]
    try:
        stored = limits.stored(value)
    except ValueError:
        return _Invalid(value)
    return _Json((stored,)) if limits.is_json else stored


_plain: set[type] = set()  # the classes of plain values seen so far: a fast path for most attributes


def _copied(value: Any, path: str, parts: list[Part], *, is_owned: bool = False) -> Any:
    kind = type(value)
    if kind in (_Json, _Invalid):
        return value
    if value is None and is_owned:
        raise UnitOfWorkMisuse(f"{value!r} stands where a part belongs: remove it, or put a part there")
    if isinstance(value, _ATOMS):
        _plain.add(kind)
        return value
    if isinstance(value, list | set) or kind in (tuple, frozenset, dict):
        return _copied_collection(value, path, parts)
    if isinstance(value, Aggregate):
        raise _Unknown(f"{path}, which holds a {kind.__name__}, another aggregate: hold its id instead")
    if not attrs.has(kind):
        raise _Unknown(f"{path}, which holds a {kind.__name__}: hold a plain value, or make it an attrs class")
    if not is_owned and not _can_change(kind):
        return _snapshot(value, path, [])  # a value object, not a part
    at = len(parts)
    snapshot = _snapshot(value, path, parts)
    parts.insert(at, Part(path, value, snapshot))
    return snapshot


def _copied_collection(value: Any, path: str, parts: list[Part]) -> Any:
    if isinstance(value, list):
        return _List(_copied(one, path, parts, is_owned=True) for one in value)
    if isinstance(value, set):
        return _copied_set(value, path, parts)
    if isinstance(value, dict):
        return _Dict((key, _copied(one, path, parts)) for key, one in value.items())
    return type(value)(_copied(one, path, parts) for one in value)


def _copied_set(value: set[Any], path: str, parts: list[Part]) -> _Set:
    own: dict[Any, list[Part]] = {}
    for one in value:
        inner: list[Part] = []
        snapshot = _copied(one, path, inner, is_owned=True)
        for part in inner:
            part.in_set = True
        own[snapshot] = inner
    made = _Set(own)
    for one in made:  # the order in which they are restored
        parts += own[one]
    return made


@once_for_each_class
def _can_change(kind: Any) -> bool:
    hashing: Any = kind.__hash__
    return hashing in (None, object.__hash__)


def fill(root: Any, row: Snapshot, parts: list[Any]) -> Copy:
    """Set the attributes of an aggregate to the values of a snapshot. Its parts reuse the objects ``parts``.

    Parts beyond these are new objects. Attributes that are not stored get their defaults. ``__init__`` and validators
    do not run.
    """
    copy = Copy(row)
    _fill(root, row, "", copy.parts, iter(parts))
    return copy


def _fill(one: Any, row: Snapshot, path: str, made: list[Part], objects: Any) -> Any:
    for name, value in zip(stored_names(row[0]), row[1:], strict=True):
        if type(value) is _Json:
            value = json.loads(value[0])  # noqa: PLW2901  # its copy
        elif type(value) not in _plain:
            value = _restored(value, name if not path else f"{path}.{name}", made, objects)  # noqa: PLW2901  # its copy
        if type(one) in makers or not hasattr(one, "__dict__"):  # SQLAlchemy tracks its attributes, or it has slots
            object.__setattr__(one, name, value)
        else:
            vars(one)[name] = value
    set_unstored(one)
    return one


def _restored(value: Any, path: str, made: list[Part], objects: Any, *, is_owned: bool = False) -> Any:
    if isinstance(value, Snapshot):
        if not is_owned and not _can_change(value[0]):
            return _fill(empty(value[0]), value, path, [], iter(()))
        part = Part(path, next(objects, None), value)
        if type(part.object) is not value[0]:
            part.object = empty(value[0])
        made.append(part)
        return _fill(part.object, value, path, made, objects)
    if isinstance(value, _Set):
        at = len(made)
        restored = {_restored(one, path, made, objects, is_owned=True) for one in value}
        for part in made[at:]:
            part.in_set = True
        return restored
    if isinstance(value, _Dict):
        return {key: _restored(one, path, made, objects) for key, one in value}
    if isinstance(value, tuple | frozenset):
        is_list = isinstance(value, _List)
        restored_ones = [_restored(one, path, made, objects, is_owned=is_list) for one in value]
        return restored_ones if is_list else type(value)(restored_ones)
    return value
