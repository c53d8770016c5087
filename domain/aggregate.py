"""The base of every aggregate root: an identity and a version."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Generic
from uuid import UUID

from attrs import define, field, fields, setters
from attrs.validators import instance_of
from typing_extensions import TypeVar  # typing's has no default before Python 3.13

from domain.errors import VersionMismatch, shown

if TYPE_CHECKING:
    from collections.abc import Callable

K = TypeVar("K", default=UUID)
"""The type of an aggregate's id."""


def new_id() -> UUID:
    """Return a UUIDv7: ids sort by the time they were made, about a quarter of a microsecond apart.

    RFC 9562, section 5.7, with the fraction of the millisecond in ``rand_a`` (section 6.2, method 3). The id is made
    here and not in the database. So an aggregate has its identity before it is stored, and no insert must read one
    back.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62))


# Not slotted, because SQLAlchemy keeps its state in the instance's __dict__. eq=False, because equality is identity.
@define(slots=False, eq=False, kw_only=True)
class Aggregate(Generic[K]):
    """An object that is loaded, changed and stored as a whole (Evans, *Domain-Driven Design*, 2003, chapter 6).

    ``id`` is a UUID that is made at creation. A class with other ids derives from ``Aggregate[int]``, or from
    ``Aggregate`` of ``str`` or a subclass of it. It declares, for example,
    ``id: Sku = field(on_setattr=setters.frozen)``, and the caller gives the ids.

    ``version`` is 0 until the aggregate is stored. Every unit of work that writes the aggregate, or any part of it,
    raises the version by one. It refuses to write if the stored version is no longer the one that it read.
    """

    id: K = field(factory=new_id, validator=instance_of(UUID), on_setattr=setters.frozen)  # type: ignore[assignment]
    version: int = 0

    def check_version(self, version: int | None) -> None:
        """Raise :class:`~domain.errors.VersionMismatch` unless this is the version, or ``None``, which is any."""
        if version is not None and version != self.version:
            raise VersionMismatch(f"{named(self)} has version {self.version}, and not {version}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Let copy and pickle make an object of the same identity, with its own lists and sets, that no unit holds.

        The values bypass SQLAlchemy, which would take a copy for the parent of the parts.
        """
        return empty, (type(self),), _held_by(self)

    def __eq__(self, other: object) -> bool:
        """Return whether the other object is of the same class and has the same id, whatever else they hold."""
        if type(other) is not type(self):
            return NotImplemented
        return self.id == other.id

    def __hash__(self) -> int:
        return hash((type(self), self.id))


def named(one: object) -> str:
    """Return the name of an object in a message: an aggregate's class and id, a part's class."""
    return (
        f"{type(one).__name__} {shown(one.id)}"
        if isinstance(one, Aggregate)
        else f"a part of class {type(one).__name__}"
    )


def reduced(part: Any) -> tuple[Any, ...]:
    """Let copy and pickle make a new part of the same values. By default they copy or share SQLAlchemy's state."""
    return _rebuilt, (type(part), _held_by(part))


def _rebuilt(kind: type[Any], held: dict[str, Any]) -> Any:
    one = empty(kind)
    for name, value in held.items():
        object.__setattr__(one, name, value)
    return one


def _held_by(one: Any) -> dict[str, Any]:
    held = {field.name: getattr(one, field.name) for field in fields(type(one))}
    plain = {name: kind(value) for name, value in held.items() for kind in (list, set) if isinstance(value, kind)}
    return held | plain


bases: dict[type, type] = {}
"""The class of the repository that holds the objects of a class, by class, as its port declares it."""


def base_of(kind: type) -> type:
    """Return the class under which an aggregate, also one of a subclass, is stored: that of its repository."""
    return bases.get(kind, kind)


makers: dict[type, Callable[[], Any]] = {}
"""How to make an empty object of a mapped class, by class. ``__new__`` would leave out SQLAlchemy's state."""


def empty(kind: type[Any]) -> Any:
    """Return an object of a class without its attributes. ``__init__`` does not run."""
    maker = makers.get(kind)
    return object.__new__(kind) if maker is None else maker()
