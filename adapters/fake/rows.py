"""The rows of a fake transaction, in layers above the committed ones, locked and checked as a database does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from domain.attributes import stored_names
from domain.errors import DuplicateIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from adapters.fake.copies import Copy, Part, Snapshot
    from adapters.fake.database import FakeDatabase, IndexKey, RowKey
    from domain.errors import ValueTaken

Unique = dict[str, type["ValueTaken"]]
"""The unique attributes of an aggregate, in the order of the constraints, with the error for a taken value.

A dotted path names an attribute of parts: ``{"sku": SkuTaken, "batches.reference": ReferenceTaken}``.
"""


class Stale(Exception):
    """A row is stored in another version, or no longer stored."""


@define(eq=False)
class _Layer:
    """What the transaction, or one of its savepoints, has written and locked; ``None`` stands for what it removed."""

    rows: dict[RowKey, Snapshot | None] = field(factory=dict)
    index: dict[IndexKey, UUID | None] = field(factory=dict)
    locks: set[RowKey | IndexKey] = field(factory=set)


class Rows:
    """What one transaction sees of a fake database, and writes to it."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._layers: list[_Layer] = []
        self.unique: dict[type, Unique] = {}
        """The unique attributes of each class of aggregates."""

    def declare_unique(self, kind: type, unique: Unique) -> None:
        """Note the unique attributes of a class of aggregates."""
        self.unique[kind] = unique

    def get(self, key: RowKey) -> Snapshot | None:
        """Return a row."""
        for layer in reversed(self._layers):
            if key in layer.rows:
                return layer.rows[key]
        return self._database.rows.get(key)

    def holder(self, key: IndexKey) -> UUID | None:
        """Return the id of the aggregate that holds a unique value."""
        for layer in reversed(self._layers):
            if key in layer.index:
                return layer.index[key]
        return self._database.index.get(key)

    def of_kind(self, kind: type) -> list[Snapshot]:
        """Return all rows of one class, in no order."""
        with self._database.still():
            rows: dict[RowKey, Snapshot | None] = dict(self._database.rows)
        for layer in self._layers:
            rows.update(layer.rows)
        return [row for (of, _), row in rows.items() if of is kind and row is not None]

    def insert(self, new: Copy) -> None:
        """Insert the row of a new aggregate, and take its unique values, without those of its parts."""
        kind, key = new.row[0], (new.row[0], new.row.id)
        self._lock(key)
        if self.get(key) is not None:
            raise DuplicateIdentity(new.row.id)
        self._claim_own(kind, None, new.row)
        self._layers[-1].rows[key] = new.row

    def update(self, old: Copy, new: Copy) -> None:
        """Write a changed row; raise :class:`Stale` if the old one is no longer what is stored."""
        self.check_version(old.row)
        self._claim_own(new.row[0], old.row, new.row)
        self._layers[-1].rows[new.row[0], new.row.id] = new.row

    def delete(self, old: Copy) -> None:
        """Delete a row and its parts; raise :class:`Stale` likewise."""
        kind = old.row[0]
        self.check_version(old.row)
        self.release_parts((kind, part) for part in old.parts)
        for path in self.unique[kind]:
            if "." not in path:
                self._release((kind, path, getattr(old.row, path)))
        self._layers[-1].rows[kind, old.row.id] = None

    def check_version(self, old: Snapshot) -> None:
        """Lock a row; raise :class:`Stale` if it is stored in another version, or no longer stored."""
        self._lock((old[0], old.id))
        current = self.get((old[0], old.id))
        if current is None or current.version != old.version:
            raise Stale

    def release_parts(self, parts: Iterable[tuple[type, Part]]) -> None:
        """Give up the unique values of parts that are removed, each given with the class of its root."""
        for kind, part in parts:
            for path, name, _ in self._unique_of(kind, part):
                self._release((kind, path, getattr(part.snapshot, name)))

    def claim_parts(self, new: Copy, parts: Iterable[Part], before: Mapping[int, Part]) -> None:
        """Take the unique values of parts of one level, in the order of a flush: new ones first, then by id.

        ``before`` has the stored parts, by the ``id()`` of their objects.
        """
        kind = new.row[0]
        places = {key: place for place, key in enumerate(before)}
        for part in sorted(parts, key=lambda part: _flush_order(part, places.get(id(part.object)))):
            old = before.get(id(part.object))
            for path, name, taken in self._unique_of(kind, part):
                key = (kind, path, getattr(part.snapshot, name))
                if old is not None and old.path == part.path and getattr(old.snapshot, name) == key[2]:
                    self._layers[-1].index[key] = new.row.id  # the part may have moved from another root
                    continue
                self._claim(key, new.row.id, taken)
                if old is not None:
                    self._release((kind, f"{old.path}.{name}", getattr(old.snapshot, name)))

    def _claim_own(self, kind: type, old: Snapshot | None, new: Snapshot) -> None:
        for path, taken in self.unique[kind].items():
            if "." not in path:
                value = getattr(new, path)
                if old is None or getattr(old, path) != value:
                    self._claim((kind, path, value), new.id, taken)
                    if old is not None:
                        self._release((kind, path, getattr(old, path)))

    def _unique_of(self, kind: type, part: Part) -> Iterator[tuple[str, str, Callable[[Any], Exception]]]:
        """Yield for each unique attribute of a part: its path, its name, and the error for a taken value."""
        if _has_id(part):
            yield f"{part.path}.id", "id", DuplicateIdentity
        for path, taken in self.unique[kind].items():
            parent, _, name = path.rpartition(".")
            if parent == part.path:
                yield path, name, taken

    def _claim(self, key: IndexKey, id: UUID, taken: Callable[[Any], Exception]) -> None:
        self._lock(key)
        if self.holder(key) is not None:
            raise taken(key[2])
        self._layers[-1].index[key] = id

    def _release(self, key: IndexKey) -> None:
        self._lock(key)
        self._layers[-1].index[key] = None

    def _lock(self, key: RowKey | IndexKey) -> None:
        if self._database.lock(key, self):
            self._layers[-1].locks.add(key)

    def begin_layer(self) -> None:
        """Begin the layer of the transaction, or of a savepoint."""
        self._layers.append(_Layer())

    def keep_layer(self) -> None:
        """Merge what the innermost savepoint has written into the layer around it."""
        inner, outer = self._layers.pop(), self._layers[-1]
        outer.rows |= inner.rows
        outer.index |= inner.index
        outer.locks |= inner.locks

    def drop_layer(self) -> None:
        """Undo what the innermost savepoint has written."""
        self._database.release(self._layers.pop().locks)

    def release(self, *, whole: bool) -> None:
        """Release the locks of the innermost savepoint, or all locks, because the writes will be undone."""
        for layer in self._layers if whole else self._layers[-1:]:
            self._database.release(layer.locks)
            layer.locks.clear()

    def end(self) -> None:
        """Drop all writes and release all locks."""
        self.release(whole=True)
        self._layers.clear()

    def store(self) -> None:
        """Make what was written visible to all."""
        self._database.store(self._layers[0].rows, self._layers[0].index)


def _flush_order(part: Part, place: int | None) -> tuple[str, bool, Any]:
    """Return the sort key of a part in a flush: by class, new ones first, then by id, or as they were read."""
    kind = part.snapshot[0]
    is_stored = place is not None
    return (
        f"{kind.__module__}.{kind.__name__}",
        is_stored,
        part.snapshot.id if is_stored and _has_id(part) else place or 0,
    )


def _has_id(part: Part) -> bool:
    return "id" in stored_names(part.snapshot[0])


def write_graphs(rows: Rows, changes: Sequence[tuple[Copy | None, Copy]]) -> None:
    """Write aggregates, given as they were and as they are: roots, parts level by level, removals, and new parts last.

    New parts come last only if another part was changed or removed. What was moved into a new part comes with it, and
    counts as removed and as new.
    """
    before = {id(part.object): part for old, _ in changes if old for part in old.parts}
    added = {id(part.object) for old, new in changes if old for part in _added(new, before)}
    kept = {id(part.object) for _, new in changes for part in new.parts} - added
    removed = [(old.row[0], part) for old, _ in changes if old for part in old.parts if id(part.object) not in kept]
    stayed = kept & before.keys()
    changed = any(
        part.snapshot != before[id(part.object)].snapshot
        for _, new in changes
        for part in new.parts
        if id(part.object) in stayed
    )
    for old, new in changes:
        rows.insert(new) if old is None else rows.update(old, new)
    held_back = added if removed or changed else set()
    _claim_levels(
        rows, [(new, [one for one in new.parts if id(one.object) not in held_back]) for _, new in changes], before
    )
    rows.release_parts(removed)
    if held_back:
        for key in held_back:
            before.pop(key, None)
        _claim_levels(
            rows, [(new, [one for one in new.parts if id(one.object) in held_back]) for _, new in changes], before
        )


def _added(new: Copy, before: Mapping[int, Part]) -> Iterator[Part]:
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


def _claim_levels(rows: Rows, some: Sequence[tuple[Copy, Sequence[Part]]], before: Mapping[int, Part]) -> None:
    for level in sorted({part.path.count(".") for _, parts in some for part in parts}):
        for new, parts in some:
            rows.claim_parts(new, [part for part in parts if part.path.count(".") == level], before)
