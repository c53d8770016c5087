"""The rows and the locks of a fake transaction, in layers above the committed rows: one for each savepoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from attrs import define, field

if TYPE_CHECKING:
    from adapters.fake.copies import Snapshot
    from adapters.fake.database import FakeDatabase, IndexKey, Key, RowKey


@define(eq=False)
class _Layer:
    """What the transaction or one of its savepoints has written and locked. ``None`` stands for a removed row."""

    rows: dict[RowKey, Snapshot | None] = field(factory=dict)
    index: dict[IndexKey, Any] = field(factory=dict)
    locks: set[Key] = field(factory=set)


class Rows:
    """The rows of a fake database that one transaction sees and writes."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._layers: list[_Layer] = []

    def get(self, key: RowKey) -> Snapshot | None:
        """Return a row."""
        for layer in reversed(self._layers):
            if key in layer.rows:
                return layer.rows[key]
        return self._database.rows.get(key)

    def holder(self, key: IndexKey) -> Any:
        """Return the id of the aggregate that holds a unique value."""
        for layer in reversed(self._layers):
            if key in layer.index:
                return layer.index[key]
        return self._database.index.get(key)

    def of_kind(self, kind: type) -> list[Snapshot]:
        """Return all rows of one class, in the order of their ids."""
        with self._database.still():
            rows: dict[RowKey, Snapshot | None] = dict(self._database.rows)
        for layer in self._layers:
            rows.update(layer.rows)
        found = [(id, row) for (of, id), row in rows.items() if of is kind and row is not None]
        found.sort(key=_place)
        return [row for _, row in found]

    def put(self, key: RowKey, row: Snapshot | None) -> None:
        """Write a row. ``None`` removes it."""
        self._layers[-1].rows[key] = row

    def hold(self, key: IndexKey, id: Any) -> None:
        """Write which aggregate holds a unique value. ``None``: no aggregate does any more."""
        self._layers[-1].index[key] = id

    def lock(self, key: Key, *, shared: bool = False) -> None:
        """Lock a key until the transaction, or the savepoint that is undone, ends."""
        if self._database.lock(key, self, shared=shared):
            self._layers[-1].locks.add(key)

    def wait(self, key: Key) -> None:
        """Wait until no other transaction has locked a key."""
        self._database.wait(key, self)

    def begin_layer(self) -> None:
        """Begin the layer of the transaction or of a savepoint."""
        self._layers.append(_Layer())

    def keep_layer(self) -> None:
        """Merge what the innermost savepoint has written into the layer around it."""
        inner, outer = self._layers.pop(), self._layers[-1]
        outer.rows |= inner.rows
        outer.index |= inner.index
        outer.locks |= inner.locks

    def drop_layer(self) -> None:
        """Undo what the innermost savepoint has written."""
        self._database.release(self._layers.pop().locks, self)

    def release(self, *, whole: bool) -> None:
        """Release the locks of the innermost savepoint, or all locks, because the writes will be undone."""
        for layer in self._layers if whole else self._layers[-1:]:
            self._database.release(layer.locks, self)
            layer.locks.clear()

    def end(self) -> None:
        """Drop all writes and release all locks."""
        self.release(whole=True)
        self._layers.clear()

    def store(self) -> None:
        """Make the writes visible to all."""
        self._database.store(self._layers[0].rows, self._layers[0].index)


def _place(found: tuple[Any, Snapshot]) -> Any:
    id, _ = found
    return id.int if isinstance(id, UUID) else id  # UUIDs take far longer to compare
