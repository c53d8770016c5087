"""The fake database: the committed rows, and the locks of the open units of work."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal, Protocol
from weakref import WeakSet, WeakValueDictionary

from attrs import define, field

from domain.aggregate import base_of
from domain.errors import CommitOutcomeUnknown, ConcurrentChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

    from adapters.fake.copies import Part, Snapshot

RowKey = tuple[type, object]
"""The class of the repository that holds an aggregate, and its id."""


def row_key(kind: type, id: object) -> RowKey:
    """Return the key of an aggregate of a class, which may be a subclass of that of its repository."""
    return base_of(kind), id


IndexKey = tuple[type, str, object]
"""The class of an aggregate, the place of a unique value among those of its port, and the values.

Other words in the middle name other locks, such as the id that others refer to.
"""

Key = RowKey | IndexKey
"""What can be locked."""


class _Owner(Protocol):
    """The session of an open unit of work."""

    def owns(self, one: object) -> bool:
        """Return whether the unit holds this very object, or has removed it."""


@define(eq=False)
class _Lock:
    """A lock, with the thread of each of its owners. Only a shared lock has several."""

    threads: dict[object, int]
    is_shared: bool


@define(eq=False)
class _Failure:
    """An error for the fake to raise: at which kind of call, after how many calls, and whether it stores first."""

    at: Literal["read", "write", "commit"]
    error: Exception
    calls: int
    stored: bool


@define(eq=False)
class FakeDatabase:
    """The rows that units of work share, like those of a database server. Safe to use from several threads.

    Writers lock the rows and unique values that they touch, as PostgreSQL does at READ COMMITTED. A second writer waits
    for the first to end, at most ``lock_timeout`` seconds. Readers never wait, and see what has been committed.
    """

    lock_timeout: float = 5.0
    rows: dict[RowKey, Snapshot] = field(factory=dict, init=False)
    index: dict[IndexKey, Any] = field(factory=dict, init=False)
    _failures: list[_Failure] = field(factory=list, init=False)
    _locks: dict[Key, _Lock] = field(factory=dict, init=False)
    _open: WeakSet[_Owner] = field(factory=WeakSet, init=False)
    _parts: WeakValueDictionary[int, Any] = field(factory=WeakValueDictionary, init=False)
    _changed: threading.Condition = field(factory=threading.Condition, init=False)

    def fail(
        self,
        at: Literal["read", "write", "commit"],
        error: Exception,
        *,
        call: int = 1,
        stored: bool = False,
    ) -> None:
        """Raise ``error`` once, at the ``call``-th read, write or commit of any unit from now on.

        A query is a read. A removal, a batch of a bulk, the writing of an addition, and the writing of all changes in a
        flush are one write each. With ``stored``, the commit stores the work before it raises. That is for
        :class:`~domain.errors.CommitOutcomeUnknown` alone. With any other error it is a ``ValueError``, since all
        others mean that nothing was stored.
        """
        if at not in ("read", "write", "commit"):
            raise ValueError(f"what can fail is a 'read', a 'write' or a 'commit', not {at!r}")
        if stored and not (at == "commit" and isinstance(error, CommitOutcomeUnknown)):
            raise ValueError(
                f"only a commit whose outcome is unknown can have stored the work, not {at} with {error!r}"
            )
        if call < 1:
            raise ValueError(f"calls are counted from 1, not from {call}")
        with self._changed:
            self._failures.append(_Failure(at, error, call, stored))

    def failure(self, at: str) -> _Failure | None:
        """Count a call of one kind and return the failure due at it, if any."""
        with self._changed:
            counted = [one for one in self._failures if one.at == at]
            for one in counted:
                one.calls -= 1
            # If several are due, each of the others waits for a later call.
            due = next((one for one in counted if one.calls <= 0), None)
            if due is not None:
                self._failures.remove(due)
            return due

    def opened(self, session: _Owner) -> None:
        """Note a session that begins."""
        with self._changed:
            self._open.add(session)

    def closed(self, session: _Owner) -> None:
        """Note a session that has ended."""
        with self._changed:
            self._open.discard(session)

    def open_sessions(self) -> list[_Owner]:
        """Return the sessions that have begun and not ended."""
        with self._changed:
            return list(self._open)

    def note_parts(self, parts: Iterable[Part]) -> None:
        """Note the objects of stored parts."""
        for part in parts:
            self._parts[id(part.object)] = part.object

    def forget_parts(self, parts: Iterable[Part]) -> None:
        """Note that parts are no longer stored: their objects are new again."""
        for part in parts:
            self._parts.pop(id(part.object), None)

    def take_as_new(self, parts: Iterable[Part]) -> None:
        """Forget the parts of an added aggregate that were of an ended unit. They may move before they are written."""
        known = [part for part in parts if self.knows_part(part.object)]
        units = self.open_sessions() if known else []
        self.forget_parts([part for part in known if not any(unit.owns(part.object) for unit in units)])

    def knows_parts(self) -> bool:
        """Return whether any stored part is known."""
        return bool(self._parts)

    def knows_part(self, part: object) -> bool:
        """Return whether any unit read or stored this very object as a part."""
        return self._parts.get(id(part)) is part

    def still(self) -> AbstractContextManager[object]:
        """Return a lock under which the committed rows do not change."""
        return self._changed

    def lock(self, key: Key, owner: object, *, shared: bool = False) -> bool:
        """Lock a key for ``owner``, alone or shared with others. Return false if the owner had locked it before.

        Raises :class:`~domain.errors.ConcurrentChange` when another owner holds it beyond the time limit. It raises
        immediately when that owner runs in the same thread, where waiting would never end.
        """
        with self._changed:
            self.wait(key, owner, shared=shared)
            held = self._locks.setdefault(key, _Lock({}, shared))
            held.is_shared &= shared
            is_new = owner not in held.threads
            held.threads[owner] = threading.get_ident()
            return is_new

    def wait(self, key: Key, owner: object, *, shared: bool = False) -> None:
        """Wait until ``owner`` could lock a key. Raises the same error."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_free(key, owner, shared=shared), self.lock_timeout):
                raise ConcurrentChange("another unit of work holds a lock on what is to be written")

    def _is_free(self, key: Key, owner: object, *, shared: bool) -> bool:
        held = self._locks.get(key)
        if held is None or (shared and held.is_shared):
            return True
        others = [thread for other, thread in held.threads.items() if other is not owner]
        if threading.get_ident() in others:
            raise ConcurrentChange("another unit of work of this thread holds a lock on what is to be written")
        return not others

    def release(self, keys: Iterable[Key], owner: object) -> None:
        """Release locks, and wake the threads that wait for them."""
        with self._changed:
            for key in keys:
                held = self._locks[key]
                del held.threads[owner]
                if not held.threads:
                    del self._locks[key]
            self._changed.notify_all()

    def store(self, rows: Mapping[RowKey, Snapshot | None], index: Mapping[IndexKey, Any]) -> None:
        """Make the writes of one unit visible to all, in one step. ``None`` stands for a removed row."""
        with self._changed:
            _apply(rows, self.rows)
            _apply(index, self.index)


def _apply(changes: Mapping[Any, Any], stored: dict[Any, Any]) -> None:
    for key, value in changes.items():
        if value is None:
            stored.pop(key, None)
        else:
            stored[key] = value
