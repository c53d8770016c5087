"""What a unit of work must know to take its writes back in the objects too: their values before its first write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

if TYPE_CHECKING:
    from domain.aggregate import Aggregate


@define(eq=False)
class Original:
    """How ``aggregate`` was before a level's first write: its attribute values, and whether it was stored."""

    aggregate: Aggregate
    values: dict[str, Any]
    stored: bool


@define
class _Level:
    # Keyed by id(), because two objects of one identity are equal; each Original keeps its object alive meanwhile.
    originals: dict[int, Original] = field(factory=dict)
    bulk: bool = False


class UndoLog:
    """The originals of all aggregates that a unit has written, one level for the unit and one for each open savepoint.

    Both kinds of unit of work keep one, so that versions rise and roll back alike: by one for each unit that writes.
    """

    def __init__(self) -> None:
        self.savepoints = 0  # how many blocks of savepoints the calling code is in
        self._levels = [_Level()]

    def note(self, aggregate: Aggregate, values: dict[str, Any], *, stored: bool) -> None:
        """Note an aggregate before it is written; only the first note of a level counts."""
        self._levels[-1].originals.setdefault(id(aggregate), Original(aggregate, values, stored))

    def note_bulk(self) -> None:
        """Note that rows were stored in bulk, without objects to restore."""
        self._levels[-1].bulk = True

    def next_version(self, aggregate: Aggregate) -> int:
        """Return the version that a noted aggregate gets: one more than before this unit wrote it the first time."""
        first = next(level for level in self._levels if id(aggregate) in level.originals)
        return int(first.originals[id(aggregate)].values["version"]) + 1

    def has_writes(self) -> bool:
        """Tell whether anything has been written, or waits for that."""
        return any(level.originals or level.bulk for level in self._levels)

    def open_level(self) -> None:
        """Begin a level for a savepoint."""
        self._levels.append(_Level())

    def merge_level(self) -> None:
        """End a savepoint that succeeded: its writes are now those of the level around it."""
        inner = self._levels.pop()
        self._levels[-1].originals = inner.originals | self._levels[-1].originals
        self._levels[-1].bulk |= inner.bulk

    def drop_level(self) -> list[Original]:
        """End a savepoint that failed; return what must be restored."""
        return list(self._levels.pop().originals.values())

    def clear(self) -> list[Original]:
        """End the unit; return what must be restored if it did not commit."""
        while len(self._levels) > 1:
            self.merge_level()
        return list(self._levels.pop().originals.values())
