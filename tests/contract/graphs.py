"""Aggregates as graphs of objects: twins that share nothing, values to compare, and new ids that come twice."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from datetime import time as clock_time
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeVar

import attrs
import pytest

from domain import aggregate as aggregates

T = TypeVar("T")


def twin(one: T, **changes: Any) -> T:
    """Return another object that holds the same at every level and shares nothing that can be changed.

    ``changes`` are attributes that get other values. Neither ``__init__`` nor a validator runs, and frozen attributes
    are set all the same. So a twin has the ids, the version and the broken rules of its original.
    """
    memo: dict[int, Any] = {}
    made: T = _twin(one, memo)
    for name, value in changes.items():
        object.__setattr__(made, name, value)
    return made


def _twin(one: Any, memo: dict[int, Any]) -> Any:
    kind: Any = type(one)
    names = field_names(kind)
    if names is not None:
        if id(one) not in memo:
            memo[id(one)] = made = aggregates.empty(kind)
            for name in names:
                object.__setattr__(made, name, _twin(getattr(one, name), memo))
        return memo[id(one)]
    for shape in (list, set, frozenset, tuple):
        if isinstance(one, shape):  # also SQLAlchemy's own lists and sets
            return shape(_twin(each, memo) for each in one)
    if isinstance(one, dict):
        return {key: _twin(value, memo) for key, value in one.items()}
    return one


def values(one: Any) -> dict[str, Any]:
    """Return all that an aggregate and its parts hold. Fails if an attribute can no longer be read.

    Attributes that are not stored are left out. Lists keep their order, and the members of a set are sorted.
    """
    found: dict[str, Any] = _look(one, lambda leaf: leaf, ())
    return found


def exact(one: Any) -> dict[str, Any]:
    """Return the same with the class of each object and value, to compare those too: ``1`` equals ``True``."""
    found: dict[str, Any] = _look(one, lambda leaf: (type(leaf).__qualname__, leaf), ())
    return found


def differences(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Return the names of the attributes that differ."""
    return ", ".join(repr(name) for name in one if one[name] != other[name])


def timeless(look: Any) -> Any:
    """Return the result of :func:`exact` without ids and times, at any depth."""
    if isinstance(look, dict):
        return {name: timeless(value) for name, value in look.items() if name != "id"}
    if isinstance(look, list):
        return [timeless(each) for each in look]
    if isinstance(look, tuple) and isinstance(look[1], date | clock_time):
        return look[0]
    return look


def _look(one: Any, leaf: Callable[[Any], Any], path: tuple[int, ...]) -> Any:
    kind: Any = type(one)
    names = field_names(kind, stored=True)
    if names is not None:
        if id(one) in path:  # a part that knows its root
            return f"the object {len(path) - path.index(id(one))} levels above"
        return {name: _look(getattr(one, name), leaf, (*path, id(one))) for name in names}
    if isinstance(one, dict):
        return {key: _look(value, leaf, path) for key, value in one.items()}
    if isinstance(one, set | frozenset):
        return sorted((_look(each, leaf, path) for each in one), key=repr)
    if isinstance(one, list | tuple):
        return [_look(each, leaf, path) for each in one]
    return leaf(one)


@cache
def field_names(kind: Any, *, stored: bool = False) -> tuple[str, ...] | None:
    """Return the names of a class's attributes, or only the stored ones. A class without attributes has no names."""
    if attrs.has(kind):
        found: Any = attrs.fields(kind)
    elif dataclasses.is_dataclass(kind):
        found = dataclasses.fields(kind)
    else:
        return None
    return tuple(one.name for one in found if not stored or one.metadata.get("stored", True))


@contextmanager
def same_ids() -> Iterator[Callable[[], None]]:
    """Let new ids come again in the same order after each call of the yielded function.

    So the same work makes the same graph more than once, for example on two storages. Otherwise the domain gives each
    new part a different id.
    """
    clock, chance = _Tape(time.time_ns), _Tape(secrets.randbits)

    def again() -> None:
        clock.at = chance.at = 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aggregates, "time", SimpleNamespace(time_ns=clock))
        patch.setattr(aggregates, "secrets", SimpleNamespace(randbits=chance))
        yield again


class _Tape:
    """A function that returns its earlier results again, from the beginning or from where it is set to."""

    def __init__(self, source: Callable[..., int]) -> None:
        self._source = source
        self._said: list[int] = []
        self.at = 0

    def __call__(self, *arguments: int) -> int:
        if self.at == len(self._said):
            self._said.append(self._source(*arguments))
        self.at += 1
        return self._said[self.at - 1]
