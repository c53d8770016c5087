"""What aggregates are made of: roots with an identity and a version, and the child entities inside of them."""

from __future__ import annotations

import secrets
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Self, TypeVar
from uuid import UUID

from attrs import define, evolve, field, frozen, setters
from attrs.validators import instance_of

from domain.errors import InvalidValue, shown

if TYPE_CHECKING:
    from collections.abc import Iterable


def new_id() -> UUID:
    """Return a UUIDv7: ids sort by the time they were made, about a quarter of a microsecond apart.

    RFC 9562, section 5.7, with the fraction of the millisecond in ``rand_a`` (section 6.2, method 3). It is made here
    and not in the database, so an aggregate has its identity before it is stored and no insert must read one back.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62))


# Not slotted, because SQLAlchemy keeps its state in the instance's __dict__; eq=False, because equality is identity.
@define(slots=False, eq=False, kw_only=True)
class Aggregate:
    """What is loaded, changed and stored as a whole (Evans, *Domain-Driven Design*, 2003, chapter 6).

    ``id`` is made at creation. ``version`` is 0 until the aggregate is stored; every unit of work that writes it raises
    it by one, and refuses to when the stored version is no longer the one it read.
    """

    id: UUID = field(factory=new_id, validator=instance_of(UUID), on_setattr=setters.frozen)
    version: int = 0

    def __copy__(self) -> Self:
        """Return another object of the same identity, made like any other one, so that nothing watches both as one."""
        return evolve(self)

    def __eq__(self, other: object) -> bool:
        """Two aggregates are equal when they are of one type and have one identity, whatever else they hold."""
        if type(other) is not type(self):
            return NotImplemented
        return self.id == other.id

    def __hash__(self) -> int:
        return hash((type(self), self.id))


@frozen(kw_only=True)
class Entity:
    """A child entity: a part of an aggregate that has an identity inside of it, such as a line of an order.

    It is frozen, and its root holds all children of one kind in a tuple. So the root alone can change them, by putting
    another tuple in place of that one: it can check its rules whenever it does, and no change can pass its version by.
    Children are equal when all that they hold is equal.
    """

    id: UUID = field(factory=new_id, validator=instance_of(UUID))


E = TypeVar("E", bound=Entity)


def in_order(kind: type[E], children: Iterable[E]) -> tuple[E, ...]:
    """Return children of one kind in the order of their ids, which is that of their making.

    It is what the converter of a root's attribute does. Raises ``TypeError`` for anything that is no ``kind``, and
    :class:`~domain.errors.InvalidValue` when two children have the same id.
    """
    ordered = tuple(children)
    for one in ordered:
        if type(one) is not kind:  # what a subclass adds has no column
            raise TypeError(f"the children here are {kind.__name__} objects, not {shown(one)}")
    ordered = tuple(sorted(ordered, key=lambda child: child.id))
    for one, following in pairwise(ordered):
        if one.id == following.id:
            raise InvalidValue(one, f"another child of the same aggregate has the id {one.id} too")
    return ordered
