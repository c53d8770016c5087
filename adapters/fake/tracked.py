"""The aggregates that a fake unit of work tracks: what has changed in each, and where its parts are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define

from adapters.fake.copies import copy_of
from domain.aggregate import named
from domain.errors import UnitOfWorkMisuse

if TYPE_CHECKING:
    from adapters.fake.copies import Copy
    from domain.aggregate import Aggregate


@define(eq=False)
class Tracked:
    """An aggregate of the unit, and a copy of it as it was last read or written. A new one has ``None``."""

    aggregate: Aggregate[Any]
    stored: Copy | None

    def has(self, part: object) -> bool:
        """Return whether this very object is stored as one of its parts."""
        return self.stored is not None and self.stored.has(part)

    def is_changed(self) -> bool:
        """Return whether the object holds other values than the stored ones, or other parts in a list."""
        if self.stored is None:
            return True
        now = copy_of(self.aggregate)
        return now.row != self.stored.row or _objects(now) != _objects(self.stored)


def _objects(copy: Copy) -> set[int]:
    return {id(part.object) for part in copy.parts if not part.in_set}


def check_places(root: Aggregate[Any], copy: Copy, seen: dict[int, Aggregate[Any]]) -> None:
    """Refuse a part that is in two places, of this aggregate or of those ``seen``. Note the others in ``seen``."""
    own: set[int] = set()
    for part in copy.parts:
        other = seen.setdefault(id(part.object), root)
        if other is not root or id(part.object) in own:
            raise UnitOfWorkMisuse(
                f"{named(part.object)} is in two places, of {named(other)} and of {named(root)}: make another part"
            )
        own.add(id(part.object))
