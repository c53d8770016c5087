"""The identity map of a SQL unit of work: one object for each row, and how those that were changed are stored."""

from __future__ import annotations

from collections import defaultdict, deque
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from attrs import define, field
from sqlalchemy import inspect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self
    from uuid import UUID

    from domain.aggregate import Aggregate

Row = dict[str, Any]
"""The values of an aggregate's attributes, by their names."""

_OWNER = "_identity_map"  # where, beside its own attributes, an object says which map it is in


SLICE = 25
"""How many objects of a stream are made at once; were they more, Python's garbage collector would meet many alive."""


@define(eq=False)
class _Unmade:
    """The objects of rows that were read together: made a slice at a time, or all that are left at once."""

    _lists: Iterator[list[Any]]
    _made: deque[list[Any]] = field(factory=deque, init=False)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[Any]:
        return self._made.popleft() if self._made else next(self._lists)

    def finish(self) -> None:
        """Make all that are left."""
        self._made.extend(self._lists)


@define(eq=False)
class IdentityMap:
    """The objects that one block of a unit of work has read or written (Fowler, *PoEAA*, 2002, chapter 11).

    An object that was changed is held here; any other one is let go of when the caller does.
    """

    _objects: dict[type, dict[int, ref[Aggregate]]] = field(factory=lambda: defaultdict(dict), init=False)
    _before: dict[int, tuple[Aggregate, Row]] = field(factory=dict, init=False)
    _removed: dict[int, Aggregate] = field(factory=dict, init=False)
    _many: int = field(default=1000, init=False)
    _unmade: _Unmade | None = field(default=None, init=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return _nothing, ()  # a copy of an object, by pickle or deepcopy, is in no map

    def get(self, kind: type[Aggregate], id: UUID) -> Aggregate | None:
        """Return the object of this identity, if there is one."""
        reference = self._objects[kind].get(id.int)
        return None if reference is None else reference()

    def made(self, kind: type[Aggregate], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Any]:
        """Return the objects for rows that were read: those that are here already as they are, the others new."""
        objects, place = self._objects[kind], names.index("id")
        found = []
        for row in rows:
            number = row[place].int
            reference = objects.get(number)
            one = None if reference is None else reference()
            if one is None:
                # Not by its own __init__, which validates: what is stored was valid when it was stored.
                one = kind.__new__(kind)
                values = vars(one)
                values.update(zip(names, row))  # noqa: B905  # one length; strict=True takes half as long again
                values[_OWNER] = self
                objects[number] = ref(one)
            found.append(one)
        if len(objects) > self._many:
            self._drop_the_dead(objects)
        return found

    def making(
        self, kind: type[Aggregate], names: Sequence[str], slices: Iterator[Sequence[Sequence[Any]]]
    ) -> Iterator[list[Any]]:
        """Return an iterator over lists of the objects for slices of rows that were read; of one query at a time."""
        self._unmade = _Unmade(map(partial(self.made, kind, names), slices))
        return iter(self._unmade)

    def finish_making(self) -> None:
        """Make what is left of such objects, before the rows that were read may no longer be what this unit sees."""
        unmade, self._unmade = self._unmade, None
        if unmade is not None:
            unmade.finish()

    def _drop_the_dead(self, objects: dict[int, ref[Aggregate]]) -> None:
        """Drop the references to objects that are gone, which a stream leaves behind."""
        for number in [number for number, reference in objects.items() if reference() is None]:
            del objects[number]
        self._many = 2 * len(objects) + 1000

    def track(self, aggregate: Aggregate) -> None:
        """Take in an object that is as it is stored."""
        values = vars(aggregate)  # past SQLAlchemy, which would find the same
        self._objects[type(aggregate)][values["id"].int] = ref(aggregate)
        self._before.pop(id(aggregate), None)
        values[_OWNER] = self

    def forget(self, aggregate: Aggregate) -> None:
        """Let go of an object."""
        self._before.pop(id(aggregate), None)
        if self.holds(aggregate):  # and no other object of its identity
            del self._objects[type(aggregate)][aggregate.id.int]

    def remove(self, aggregate: Aggregate) -> None:
        """Let go of an object that the unit removes; an undone savepoint may bring it back, so it stays the unit's."""
        self.forget(aggregate)
        self._removed[id(aggregate)] = aggregate

    def holds(self, aggregate: Aggregate) -> bool:
        """Tell whether this very object is here."""
        values = vars(aggregate)
        return values.get(_OWNER) is self and self.get(type(aggregate), values["id"]) is aggregate

    def owns(self, aggregate: Aggregate) -> bool:
        """Tell whether this very object is here, or was removed from here."""
        return self.holds(aggregate) or id(aggregate) in self._removed

    def row_of(self, aggregate: Aggregate) -> Row:
        """Return what is stored of an object that is here."""
        return self._before[id(aggregate)][1] if id(aggregate) in self._before else values_of(aggregate)

    def changed(self) -> list[Aggregate]:
        """Return the objects that are no longer as they are stored."""
        found = []
        for key, (one, row) in list(self._before.items()):
            if values_of(one) == row:
                del self._before[key]
            else:
                found.append(one)
        return found

    def may_have_changed(self) -> bool:
        """Tell whether any object may have been changed, or is still to be made; :meth:`changed` looks closer."""
        return bool(self._before) or self._unmade is not None

    def before_change(self, aggregate: Aggregate) -> None:
        """Take note of an object before one of its attributes is set."""
        if id(aggregate) not in self._before and self.holds(aggregate):
            self._before[id(aggregate)] = aggregate, values_of(aggregate)

    def clear(self) -> None:
        """Let go of all objects."""
        if self._unmade is not None:
            with suppress(Exception):  # the rows that are left cannot be read, and nobody is to be stopped by that
                self.finish_making()
        self._objects.clear()
        self._before.clear()
        self._removed.clear()


def _nothing() -> None:
    return None


def is_owned_elsewhere(aggregate: Aggregate, here: IdentityMap) -> bool:
    """Tell whether an object belongs to another identity map than this one."""
    owner = vars(aggregate).get(_OWNER)
    return owner not in (None, here) and owner.owns(aggregate)


def before_change(aggregate: Aggregate, *_: object) -> None:
    """Tell the map that an object is in that an attribute is about to be set; SQLAlchemy calls this."""
    owner = vars(aggregate).get(_OWNER)
    if owner is not None:
        owner.before_change(aggregate)


def values_of(aggregate: Aggregate) -> Row:
    """Return the attributes that are stored, as they are now."""
    kind: type = type(aggregate)
    values = vars(aggregate)  # past SQLAlchemy, which would find the same
    return {name: values.get(name) for name in _names(kind)}


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(one.key for one in inspect(kind).column_attrs)
