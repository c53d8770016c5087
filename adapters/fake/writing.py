"""Write the aggregates of a fake transaction row by row, in the order in which a flush sends them to a database."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from adapters.fake.constraints import Constraints
from adapters.fake.database import row_key
from domain.attributes import stored_names
from domain.errors import DuplicateIdentity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from adapters.fake.copies import Copy, Part, Snapshot
    from adapters.fake.rows import Rows

    Before = Mapping[int, tuple[Snapshot, Part]]
    """The parts as they were, each with the row of its root, by the id() of the objects."""


class Stale(Exception):
    """A row is stored in another version, or no longer stored."""


class Writer:
    """Writes aggregates to the rows of a transaction, from copies of how they were and how they are."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.constraints = Constraints(rows)

    def insert(self, new: Copy) -> None:
        """Insert the row of a new aggregate, without those of its parts."""
        key = row_key(new.row[0], new.row.id)
        self._rows.lock(key)
        if self._rows.get(key) is not None:
            raise DuplicateIdentity(new.row.id)
        self._rows.put(key, new.row)  # before its references are checked: it may refer to itself
        self.constraints.take(new.row, "", None, new.row)

    def update(self, old: Copy, new: Copy) -> None:
        """Write a changed row. Raises :class:`Stale` if the old one is no longer the stored one."""
        self.check_version(old.row)
        self.constraints.take(new.row, "", old.row, new.row)
        self._rows.put(row_key(new.row[0], new.row.id), new.row)

    def delete(self, old: Copy) -> None:
        """Delete an aggregate with its parts. Raises :class:`Stale` as :meth:`update` does."""
        self.check_version(old.row)
        self._give_up((old.row, part) for part in old.parts)
        self.constraints.give_up(old.row, "", old.row)
        self._rows.put(row_key(old.row[0], old.row.id), None)
        self.constraints.check_unreferenced(old.row)

    def check_version(self, old: Snapshot) -> None:
        """Lock a row. Raises :class:`Stale` if it is stored in another version, or no longer stored."""
        key = row_key(old[0], old.id)
        self._rows.lock(key)
        current = self._rows.get(key)
        if current is None or current.version != old.version:
            raise Stale

    def write(self, changes: Sequence[tuple[Copy | None, Copy]]) -> None:
        """Write roots, then parts level by level, then removals, then new parts. Whole additions come before changes.

        A part that moved into a new part comes with it. It counts as removed and as new.
        """
        before = {id(part.object): (old.row, part) for old, _ in changes if old for part in old.parts}
        added = {id(part.object) for old, new in changes if old for part in _added(new, before)}
        kept = {id(part.object) for _, new in changes for part in new.parts} - added
        for _, group in groupby(changes, key=lambda change: change[0] is None):
            some = list(group)
            for old, new in some:
                self.insert(new) if old is None else self.update(old, new)
            self._take_levels([(new, [one for one in new.parts if id(one.object) in kept]) for _, new in some], before)
        self._give_up(one for key, one in before.items() if key not in kept)
        self._take_levels([(new, [one for one in new.parts if id(one.object) in added]) for _, new in changes], {})

    def _give_up(self, parts: Iterable[tuple[Snapshot, Part]]) -> None:
        for root, part in parts:
            self.constraints.give_up(root, part.path, part.snapshot)

    def _take_levels(self, some: Sequence[tuple[Copy, Sequence[Part]]], before: Before) -> None:
        for level in sorted({part.path.count(".") for _, parts in some for part in parts}):
            for new, parts in some:
                self._take(new, [part for part in parts if part.path.count(".") == level], before)

    def _take(self, new: Copy, parts: Iterable[Part], before: Before) -> None:
        """Write the parts of one level in the order of a flush: new ones first, then by id."""
        places = {key: place for place, key in enumerate(before)}
        for part in sorted(parts, key=lambda part: _flush_order(part, places.get(id(part.object)))):
            old_root, old = before.get(id(part.object), (None, None))
            self.constraints.take(new.row, part.path, old.snapshot if old else None, part.snapshot, old_root)


def _flush_order(part: Part, place: int | None) -> tuple[str, bool, Any]:
    """Return the sort key of a part in a flush: by class, new ones first, then by id, or in the order of reading."""
    kind = part.snapshot[0]
    has_id = place is not None and "id" in stored_names(kind)
    return f"{kind.__module__}.{kind.__name__}", place is not None, part.snapshot.id if has_id else place or 0


def _added(new: Copy, before: Before) -> Iterator[Part]:
    """Yield the new parts of an aggregate that was stored before, and all parts inside them."""
    inside = ""
    for part in new.parts:
        if inside and part.path.startswith(inside):
            yield part
        elif id(part.object) not in before:
            inside = f"{part.path}."
            yield part
        else:
            inside = ""
