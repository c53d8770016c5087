"""The unit of work over a fake database. Its writes lie in layers above the committed rows until they are committed."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from attrs import define, field, fields

from adapters.fake.database import FakeDatabase
from adapters.fake.users import FakeUserRepository
from domain.errors import ConcurrentChange, DuplicateIdentity, StorageUnavailable, TransactionLost
from service_layer.unit_of_work import UnitOfWork, write_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self
    from uuid import UUID

    from adapters.fake.database import IndexKey, Row, RowKey
    from adapters.fake.repository import Unique
    from domain.aggregate import Aggregate
    from service_layer.undo_log import Original


@define(eq=False)
class _Tracked:
    """An object of the unit, and its values when it was last read or written."""

    aggregate: Aggregate
    row: Row


@define(eq=False)
class _Layer:
    """What the unit, or one of its savepoints, has written and locked; ``None`` stands for what it removed."""

    rows: dict[RowKey, Row | None] = field(factory=dict)
    index: dict[IndexKey, UUID | None] = field(factory=dict)
    locks: set[RowKey | IndexKey] = field(factory=set)


class FakeUnitOfWork(UnitOfWork):
    """A unit of work over ``database``, or over a fake database of its own; it keeps every promise of the SQL one."""

    def __init__(self, database: FakeDatabase | None = None, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self._database = FakeDatabase() if database is None else database
        self._layers: list[_Layer] = []
        self._tracked: dict[RowKey, _Tracked] = {}
        self._removed: dict[int, Aggregate] = {}
        self._unique: dict[type, Unique] = {}
        self.users = FakeUserRepository(self)

    def __enter__(self) -> Self:
        super().__enter__()
        self._layers = [_Layer()]
        self._database.opened(self)
        return self

    def declare_unique(self, kind: type, unique: Unique) -> None:
        """Take note of the unique attributes of an aggregate class; its repository says them."""
        self._unique[kind] = unique

    def row_by(self, kind: type, key: str, value: object) -> Row | None:
        """Return the row that this unit sees with this id, or with this value of a unique attribute."""
        self._call("read")
        with self._database.still():
            id = value if key == "id" else self._holder((kind, key, value))
            return None if id is None else self._row((kind, cast("UUID", id)))

    def all_rows(self, kind: type) -> list[Row]:
        """Return all rows that this unit sees of one class, in no order."""
        self._call("read")
        with self._database.still():
            rows: dict[RowKey, Row | None] = dict(self._database.rows)
        for layer in self._layers:
            rows.update(layer.rows)
        return [row for (of, _), row in rows.items() if of is kind and row is not None]

    def _call(self, at: str) -> None:
        failure = self._database.failure(at)
        if failure is not None:
            raise failure.error

    def tracked(self, kind: type[Aggregate], row: Row) -> Any:
        """Return the one object that stands for a row in this unit; a new copy of the row the first time."""
        key = (kind, row["id"])
        if key not in self._tracked:
            self._tracked[key] = _Tracked(_made(kind, row), row)
        return self._tracked[key].aggregate

    def insert_batch(self, aggregates: Iterable[Aggregate]) -> None:
        """Write new rows without tracking the objects."""
        self._call("write")
        self._log.note_bulk()
        for aggregate in aggregates:
            self._insert_row(type(aggregate), {**_values(aggregate), "version": aggregate.version + 1}, bulk=True)

    def holds(self, aggregate: Aggregate) -> bool:
        """Tell whether this very object was read or added here, and not removed."""
        tracked = self._tracked.get((type(aggregate), aggregate.id))
        return tracked is not None and tracked.aggregate is aggregate

    def owns(self, aggregate: Aggregate) -> bool:
        """Tell whether this unit holds this very object, or has removed it: an undone savepoint may bring it back."""
        return self.holds(aggregate) or id(aggregate) in self._removed

    def _is_held_elsewhere(self, aggregate: Aggregate) -> bool:
        return any(unit.owns(aggregate) for unit in self._database.open_units() if unit is not self)

    def _may_have_changed(self) -> bool:
        return bool(self._tracked)

    def _changed(self) -> list[_Tracked]:
        changed = [one for one in self._tracked.values() if _values(one.aggregate) != one.row]
        return sorted(changed, key=lambda one: write_order(one.aggregate))

    def _write_changes(self) -> None:
        changed = self._changed()
        if not changed:
            return
        self._check_writable("write")
        self._call("write")
        self._note(changed)
        written = []
        for one in changed:
            row = {**_values(one.aggregate), "version": self._log.next_version(one.aggregate)}
            if not self._replace_row(type(one.aggregate), one.row, row):
                raise ConcurrentChange.of(other.aggregate for other in changed)
            written.append((one, row))
        for one, row in written:
            one.aggregate.version = row["version"]
            one.row = row

    def _note(self, changed: list[_Tracked]) -> None:
        for one in changed:
            self._log.note(one.aggregate, one.row, stored=True)

    def _insertion(self, aggregate: Aggregate) -> Callable[[], None]:
        key, values = (type(aggregate), aggregate.id), _values(aggregate)
        if key in self._tracked:
            raise DuplicateIdentity(aggregate.id)
        self._log.note(aggregate, values, stored=False)
        self._tracked[key] = _Tracked(aggregate, values)
        return partial(self._insert, aggregate)

    def _insert(self, aggregate: Aggregate) -> None:
        self._call("write")
        row = {**_values(aggregate), "version": self._log.next_version(aggregate)}
        self._insert_row(type(aggregate), row)
        aggregate.version = row["version"]
        self._tracked[type(aggregate), aggregate.id].row = row

    def _deletion(self, aggregate: Aggregate) -> Callable[[], None]:
        row = self._tracked.pop((type(aggregate), aggregate.id)).row
        self._log.note(aggregate, row, stored=True)
        self._removed[id(aggregate)] = aggregate
        return partial(self._delete, aggregate, row)

    def _delete(self, aggregate: Aggregate, row: Row) -> None:
        self._call("write")
        if not self._replace_row(type(aggregate), row, None):
            raise ConcurrentChange.of([aggregate])

    def _commit(self) -> None:
        self._write()
        failure = self._database.failure("commit")
        if failure is None or failure.stored:
            self._database.store(self._layers[0].rows, self._layers[0].index)
        if failure is not None:
            raise failure.error
        self._let_go()

    def _roll_back(self) -> None:
        self._note(self._changed())
        for original in self._log.clear():
            _restore(original)
        self._let_go()

    def _failed(self, error: BaseException) -> BaseException:
        whole = isinstance(error, StorageUnavailable | TransactionLost)  # savepoints and all
        for layer in self._layers if whole else self._layers[-1:]:
            self._database.release(layer.locks)
            layer.locks.clear()
        return error

    def _let_go(self) -> None:
        for layer in self._layers:
            self._database.release(layer.locks)
        self._layers.clear()
        self._tracked.clear()
        self._removed.clear()
        self._database.closed(self)

    def _begin_savepoint(self) -> None:
        self._layers.append(_Layer())

    def _release_savepoint(self) -> None:
        inner, outer = self._layers.pop(), self._layers[-1]
        outer.rows |= inner.rows
        outer.index |= inner.index
        outer.locks |= inner.locks

    def _undo_savepoint(self) -> None:
        self._note(self._changed())
        self._database.release(self._layers.pop().locks)
        for original in self._log.drop_level():
            if self.holds(original.aggregate):
                del self._tracked[type(original.aggregate), original.aggregate.id]
            _restore(original)
            if original.stored:
                key = (type(original.aggregate), original.aggregate.id)
                self._tracked[key] = _Tracked(original.aggregate, original.values)

    # The rows: locked and checked one by one, as a database does with one statement after the other.

    def _row(self, key: RowKey) -> Row | None:
        for layer in reversed(self._layers):
            if key in layer.rows:
                return layer.rows[key]
        return self._database.rows.get(key)

    def _holder(self, key: IndexKey) -> UUID | None:
        for layer in reversed(self._layers):
            if key in layer.index:
                return layer.index[key]
        return self._database.index.get(key)

    def _insert_row(self, kind: type, row: Row, *, bulk: bool = False) -> None:
        key = (kind, row["id"])
        self._lock(key)
        if self._row(key) is not None:
            raise DuplicateIdentity(None if bulk else row["id"])
        self._claim_unique(kind, row, bulk=bulk)
        self._layers[-1].rows[key] = row

    def _replace_row(self, kind: type, old: Row, new: Row | None) -> bool:
        """Write or remove (``None``) a row; false when what is stored is no longer ``old``."""
        key = (kind, old["id"])
        self._lock(key)
        current = self._row(key)
        if current is None or current["version"] != old["version"]:
            return False
        for attribute in self._unique[kind]:
            index_key = (kind, attribute, old[attribute])
            self._lock(index_key)
            self._layers[-1].index[index_key] = None
        if new is not None:
            self._claim_unique(kind, new)
        self._layers[-1].rows[key] = new
        return True

    def _claim_unique(self, kind: type, row: Row, *, bulk: bool = False) -> None:
        for attribute, taken in self._unique[kind].items():
            key = (kind, attribute, row[attribute])
            self._lock(key)
            if self._holder(key) not in (None, row["id"]):
                raise taken(None if bulk else row[attribute])
            self._layers[-1].index[key] = row["id"]

    def _lock(self, key: RowKey | IndexKey) -> None:
        if self._database.lock(key, self):
            self._layers[-1].locks.add(key)


def _values(aggregate: Aggregate) -> Row:
    kind: type = type(aggregate)
    return {name: getattr(aggregate, name) for name in _names(kind)}


def _made(kind: type[Aggregate], row: Row) -> Aggregate:
    return kind(**{one.alias: row[one.name] for one in fields(kind)})


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


def _restore(original: Original) -> None:
    # Past the class's own __setattr__: the values were valid before, and some attributes are frozen.
    for name, value in original.values.items():
        object.__setattr__(original.aggregate, name, value)
