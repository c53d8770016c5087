"""The session of a fake unit of work: the objects that it tracks, and the values with which they are stored."""

from __future__ import annotations

from contextlib import suppress
from itertools import takewhile
from typing import TYPE_CHECKING, Any, cast

from adapters.fake.copies import check_copied, copy_of, fill
from adapters.fake.database import row_key
from adapters.fake.rows import Rows
from adapters.fake.tracked import Tracked, check_places
from adapters.fake.writing import Stale, Writer
from domain.aggregate import empty, named
from domain.errors import (
    ConcurrentChange,
    DuplicateIdentity,
    ReferenceMissing,
    StorageError,
    UnitOfWorkMisuse,
    ValueTaken,
)
from service_layer.versions import write_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapters.fake.copies import Copy, Snapshot
    from adapters.fake.database import FakeDatabase, RowKey
    from domain.aggregate import Aggregate
    from domain.query import Query
    from service_layer.versions import Versions


class FakeSession:
    """The objects and rows of a fake unit of work. Each block of the unit begins with none."""

    def __init__(self, database: FakeDatabase) -> None:
        self.database = database
        self.rows = Rows(database)
        self.writer = Writer(self.rows)
        self._tracked: dict[RowKey, Tracked] = {}
        self._removed: dict[int, Aggregate[Any]] = {}
        # For each savepoint: how each object written since was tracked when the savepoint began.
        self._before: list[dict[RowKey, Tracked | None]] = []

    def begin(self) -> None:
        """Begin a block."""
        self._before = [{}]
        self.rows.begin_layer()
        self.database.opened(self)

    # Reading.

    def select(self, kind: type, query: Query) -> list[Any]:
        """Return the objects of the aggregates that a query describes."""
        self.call("read")
        return [self.object_of(kind, row) for row in query.answer(self._candidates(kind, query))]

    def lock(self, kind: type, query: Query) -> Any:
        """Lock the aggregate that a query describes. Return its object with its newest values, or ``None``."""
        self.call("read")
        locked = {row.id for row in query.answer(self._candidates(kind, query))}
        for id in locked:
            self.rows.lock((kind, id))  # others may change or remove it while this waits
        now = next((row for row in query.answer(self._candidates(kind, query)) if row.id in locked), None)
        if now is None:
            return None
        held = self._tracked.get((kind, now.id))
        if held is not None and held.stored is not None and held.stored.row is not now:
            self._read_again((kind, now.id), held)
        return self.object_of(kind, now)

    def _candidates(self, kind: type, query: Query) -> Sequence[Snapshot]:
        """Return the rows among which a query finds its own: at most one if it asks for an id or a unique value."""
        asked = query.where[0] if len(query.where) == 1 and query.where[0].operator == "==" else None
        with self.database.still():
            if asked is not None and asked.attribute == "id":
                id = asked.value
            elif asked and asked.value is not None and self.writer.constraints.is_unique(kind, asked.attribute):
                id = self.writer.constraints.holder(kind, asked.attribute, asked.value)
            else:
                return self.rows.of_kind(kind)
            row = None if id is None else self.rows.get((kind, id))
        return () if row is None else (row,)

    def all_rows(self, kind: type) -> list[Snapshot]:
        """Return all rows of one class, in the order of their ids."""
        self.call("read")
        return self.rows.of_kind(kind)

    def object_of(self, kind: type[Aggregate[Any]], row: Snapshot) -> Any:
        """Return the one object that stands for a row in this unit. The first time, make it."""
        key = (kind, row.id)
        if key not in self._tracked:
            one = empty(row[0])
            stored = fill(one, row, [])
            self.database.note_parts(stored.parts)
            self._tracked[key] = Tracked(one, stored)
        return self._tracked[key].aggregate

    def call(self, at: str) -> None:
        """Raise the error that is due at this call, if any."""
        failure = self.database.failure(at)
        if failure is not None:
            raise failure.error

    # Writing.

    def holds(self, aggregate: Aggregate[Any]) -> bool:
        """Return whether this unit read or added this very object and did not remove it."""
        tracked = self._tracked.get(row_key(type(aggregate), aggregate.id))
        return tracked is not None and tracked.aggregate is aggregate

    def owns(self, one: object) -> bool:
        """Return whether this unit holds this very object, as a part too, or has removed it."""
        tracked = list(self._tracked.values())  # a copy, since another thread asks while this one reads and adds
        return id(one) in self._removed or any(each.aggregate is one or each.has(one) for each in tracked)

    def add(self, aggregate: Aggregate[Any]) -> None:
        """Track a new aggregate, to be inserted by the next flush."""
        self._check_no_other_unit_owns(aggregate)
        key = row_key(type(aggregate), aggregate.id)
        if key in self._tracked:
            raise DuplicateIdentity(aggregate.id)
        if self.database.knows_parts():  # otherwise a copy would be made for nothing
            with suppress(UnitOfWorkMisuse):  # the next flush refuses what cannot be copied
                self.database.take_as_new(copy_of(aggregate).parts)
        self._track(key, Tracked(aggregate, None))

    def has_unwritten(self) -> bool:
        """Return whether a flush would write anything."""
        return any(one.is_changed() for one in self._tracked.values())

    def changed(self) -> list[Tracked]:
        """Return what a flush would write, in its order."""
        found = [one for one in self._tracked.values() if one.is_changed()]
        found.sort(key=lambda one: write_order(one.aggregate, is_new=one.stored is None))
        return found

    def flush(self, versions: Versions) -> None:
        """Write the pending addition and all changes."""
        changed = self.changed()
        stale = ConcurrentChange.of(one.aggregate for one in changed if one.stored is not None)
        with versions.raised([one.aggregate for one in changed]):
            copies = [copy_of(one.aggregate) for one in changed]
            seen: dict[int, Aggregate[Any]] = {}
            for one, copy in zip(changed, copies, strict=True):
                self._check_parts(one, copy, seen)
            for one, copy in zip(changed, copies, strict=True):
                check_copied(one.aggregate, copy)
            for _ in {one.stored is None for one in changed}:  # the addition is one call, all changes are another
                self.call("write")
            try:
                self.writer.write([(one.stored, copy) for one, copy in zip(changed, copies, strict=True)])
            except Stale as error:
                raise stale from error
        for one, copy in zip(changed, copies, strict=True):
            self.database.forget_parts(one.stored.parts if one.stored else [])
            self._track(row_key(type(one.aggregate), one.aggregate.id), Tracked(one.aggregate, copy))
        for copy in copies:
            self.database.note_parts(copy.parts)

    def _check_parts(self, one: Tracked, copy: Copy, seen: dict[int, Aggregate[Any]]) -> None:
        """Refuse parts that are in two places, or of another unit of work.

        In a new root, parts of an ended unit count as new.
        """
        own = {id(part.object) for part in one.stored.parts} if one.stored else set()
        for part in (part.object for part in copy.parts):
            if id(part) in own or not self.database.knows_part(part):
                continue
            self._check_no_other_unit_owns(part)
            before = next((root for root in self._tracked.values() if root.has(part)), None)
            if before is None and one.stored is not None:
                raise UnitOfWorkMisuse(f"{named(part)} is of another unit of work: make a new part with its values")
            if before is not None and copy_of(before.aggregate).has(part):
                seen[id(part)] = before.aggregate
        check_places(one.aggregate, copy, seen)

    def _check_no_other_unit_owns(self, one: object) -> None:
        if any(session.owns(one) for session in self.database.open_sessions() if session is not self):
            raise UnitOfWorkMisuse(
                f"{named(one)} belongs to another unit of work that is still open: end that one first"
            )

    def insert_many(self, aggregates: Sequence[Aggregate[Any]]) -> None:
        """Write new aggregates without tracking the objects. The error for a taken value does not say which."""
        self.call("write")
        seen_keys = set(self._tracked)
        new = list(takewhile(lambda one: _is_first(one, seen_keys), aggregates))
        copies = []
        for one in aggregates:
            one.version += 1
            try:
                copies.append(copy_of(one))
            finally:
                one.version -= 1
        seen: dict[int, Aggregate[Any]] = {}
        for one, copy in zip(aggregates, copies, strict=True):
            check_places(one, copy, seen)
        for one, copy in zip(aggregates, copies, strict=True):
            check_copied(one, copy)
        try:
            self.writer.write([(None, copy) for copy in copies[: len(new)]])
        except (DuplicateIdentity, ReferenceMissing, ValueTaken) as error:
            raise type(error)(None) from error
        if len(new) < len(aggregates):
            raise DuplicateIdentity(None)

    def delete(self, aggregate: Aggregate[Any]) -> None:
        """Delete an aggregate with its parts, and stop tracking it."""
        self.call("write")
        key = row_key(type(aggregate), aggregate.id)
        stored = cast("Copy", self._tracked[key].stored)
        try:
            self.writer.delete(stored)
        except Stale as error:
            raise ConcurrentChange.of([aggregate]) from error
        self._track(key, None)
        self.database.forget_parts(stored.parts)
        self._removed[id(aggregate)] = aggregate

    def _track(self, key: RowKey, tracked: Tracked | None) -> None:
        before = self._tracked.pop(key, None)
        self._before[-1].setdefault(key, None if before is None or before.stored is None else before)
        if tracked is not None:
            self._tracked[key] = tracked

    # The ends.

    def commit(self) -> None:
        """Make the writes visible to all, and end the block."""
        failure = self.database.failure("commit")
        if failure is None or failure.stored:
            self.rows.store()
        if failure is not None:
            raise failure.error
        self.end()

    def end(self) -> None:
        """Drop all writes, and release all locks and objects."""
        self.rows.end()
        self._tracked.clear()
        self._removed.clear()
        self.database.closed(self)

    def release_locks(self, *, whole: bool) -> None:
        """Release the locks of the innermost savepoint, or all locks, because the writes will be undone."""
        self.rows.release(whole=whole)

    def begin_savepoint(self) -> None:
        """Begin a savepoint inside the innermost one."""
        self._before.append({})
        self.rows.begin_layer()

    def release_savepoint(self) -> None:
        """Keep what was written since the innermost savepoint began."""
        inner = self._before.pop()
        self._before[-1] = inner | self._before[-1]
        self.rows.keep_layer()

    def undo_savepoint(self, written: Iterable[tuple[Aggregate[Any], int]]) -> None:
        """Undo what was written since the innermost savepoint began, and read its objects again."""
        self.rows.drop_layer()
        undone = self._before.pop()
        for key, before in undone.items():
            now = self._tracked.pop(key, None)
            self.database.forget_parts(now.stored.parts if now and now.stored else [])
            if before is not None:
                self._tracked[key] = before
                self._removed.pop(id(before.aggregate), None)
        for key, one in list(self._tracked.items()):
            try:
                is_changed = key in undone or one.is_changed()
            except (StorageError, UnitOfWorkMisuse):  # it holds what cannot be stored
                is_changed = True
            if is_changed:
                self._read_again(key, one)
        for aggregate, version in written:
            if not self.holds(aggregate):
                aggregate.version = version

    def _read_again(self, key: RowKey, one: Tracked) -> None:
        row, stored = self.rows.get(key), cast("Copy", one.stored)
        if row is None:  # another unit has removed it
            del self._tracked[key]
            return
        one.stored = fill(one.aggregate, row, [part.object for part in stored.parts] if row is stored.row else [])
        self.database.note_parts(one.stored.parts)


def _is_first(one: Aggregate[Any], seen: set[RowKey]) -> bool:
    """Return whether no other object of this identity was seen, and note this one."""
    key = row_key(type(one), one.id)
    is_first = key not in seen
    seen.add(key)
    return is_first
