"""The unit of work: one block of code, one transaction. The life cycle that every implementation shares is here, once.

    with uow:
        user = uow.users.get_by_username("ann")
        user.change_email("ann@example.org")
        uow.commit()

(Fowler, *Patterns of Enterprise Application Architecture*, 2002, chapter 11.)
"""

from __future__ import annotations

import threading
import warnings
from abc import ABC, abstractmethod
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING

from domain.errors import StorageUnavailable, TransactionLost, UncommittedChanges, UnitOfWorkMisuse
from service_layer.undo_log import UndoLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from domain.aggregate import Aggregate
    from domain.user import UserRepository


class _State(Enum):
    CLOSED = "is not open: write `with uow:` around the work"
    OPEN = "is open"
    FAILED = "has failed and can only be rolled back or left; begin again in a new block"
    COMMITTED = "has been committed: leave the block, and do further work in a new one"
    ROLLED_BACK = "has been rolled back: leave the block, and do further work in a new one"


def write_order(aggregate: Aggregate) -> tuple[str, UUID]:
    """Return what changed aggregates are sorted by before they are written: their class, then their id.

    Where several cannot be written, it decides which of them is refused.
    """
    kind = type(aggregate)
    return f"{kind.__module__}.{kind.__name__}", aggregate.id


class _Failing:
    """Makes an error that leaves its block the failure of a unit."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and not isinstance(error, UnitOfWorkMisuse):  # which is refused before anything is done
            self._unit._fail(error)  # noqa: SLF001  # a part of the unit


class _Call(_Failing):
    """Surrounds a call: checks that it is allowed, and writes what waits. A generator would take twice as long."""

    def __init__(self, unit: UnitOfWork, *, writes: bool) -> None:
        super().__init__(unit)
        self._writes = writes

    def __enter__(self) -> None:
        self._unit._begin_call(writes=self._writes)  # noqa: SLF001  # a part of the unit


class UnitOfWork(ABC):
    """A transaction over all repositories, used as a context manager; nothing is stored without :meth:`commit`.

    One object serves one thread at a time and can be used again, one block after another. A breach of its life cycle
    raises :class:`~domain.errors.UnitOfWorkMisuse`, which says what to write instead. ``read_only`` units refuse every
    write. What all of this promises is written down in docs/promises.md.

    Use cases need the repositories, :meth:`commit`, :meth:`rollback` and :meth:`savepoint`; the other public methods
    are for the repositories themselves.
    """

    users: UserRepository

    def __init__(self, *, read_only: bool = False) -> None:
        self.read_only = read_only
        self._state = _State.CLOSED
        self._entered = threading.Lock()
        self._thread: int | None = None
        self._failure: BaseException | None = None
        self.reading: AbstractContextManager[None] = _Call(self, writes=False)
        """Surrounds a repository's query: it sees the unit's own changes, and its failure is the unit's failure."""

        self.writing: AbstractContextManager[None] = _Call(self, writes=True)
        """Surrounds a repository's write, likewise; refused in a read-only unit."""

        self.failing: AbstractContextManager[None] = _Failing(self)
        """Surrounds what belongs to an earlier call of a repository: its failure is the unit's failure, too."""

        self._log = UndoLog()
        # What waits to be written, and what writes it.
        self._waiting: tuple[Aggregate, Callable[[], None]] | None = None

    def __enter__(self) -> Self:
        """Open the unit. Raises :class:`~domain.errors.UnitOfWorkMisuse` when it is open already."""
        if not self._entered.acquire(blocking=False):
            raise UnitOfWorkMisuse(
                "this unit of work is open already: pass it on without a second `with`, or use another unit"
            )
        self._thread = threading.get_ident()
        self._failure = None
        self._state = _State.OPEN
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the unit and roll back what was not committed.

        Warns with :class:`~domain.errors.UncommittedChanges` when the block ends normally and changes are lost.
        """
        try:
            self._check_thread()
        except UnitOfWorkMisuse:
            self._close()  # a generator's block that was left by another thread; nobody else will ever close it
            raise
        forgotten = False
        try:
            forgotten = kind is None and self._state is _State.OPEN and self._has_changes()
        finally:
            self._close()
        if forgotten:
            writing = "Open a unit without read_only=True, and call" if self.read_only else "Call"
            warnings.warn(
                "a unit of work was left with changes but without commit(): they are not stored."
                f" {writing} uow.commit(), or uow.rollback() where that is meant",
                UncommittedChanges,
                stacklevel=2,
            )

    def _close(self) -> None:
        try:
            if self._state in (_State.OPEN, _State.FAILED):
                self._roll_back()
        finally:
            self._state = _State.CLOSED
            self._log = UndoLog()
            self._waiting = None
            self._thread = None
            self._entered.release()

    def commit(self) -> None:
        """Store all that the unit has done; when this returns, it is stored. Then only leaving the block remains.

        Raises :class:`~domain.errors.ValueTaken` or :class:`~domain.errors.ConcurrentChange` when the work clashes with
        that of others, :class:`~domain.errors.StorageUnavailable` or another :class:`~domain.errors.StorageError` when
        nothing was stored, :class:`~domain.errors.CommitOutcomeUnknown` when nobody can know, and
        :class:`~domain.errors.UnitOfWorkMisuse` in a read-only unit or inside a savepoint.
        """
        self._check_usable()
        self._check_no_savepoint("commit")
        self._check_writable("commit")
        with self.failing:
            self._commit()
        self._state = _State.COMMITTED

    def rollback(self) -> None:
        """Undo all that the unit has done, in the storage and in its objects. Then only leaving the block remains.

        Raises :class:`~domain.errors.UnitOfWorkMisuse` inside a savepoint.
        """
        self._check_thread()
        if self._state is not _State.FAILED:
            self._check_usable()
        self._check_no_savepoint("roll back")
        self._state = _State.ROLLED_BACK
        self._roll_back()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Make the block inside a part that is undone alone when an error leaves it, in storage and objects.

        The error goes on, to be caught outside of this block; the rest of the unit stays usable. Savepoints nest.
        Raises what writing raises, and :class:`~domain.errors.UnitOfWorkMisuse` when a conflict was caught inside of
        the block. After a :class:`~domain.errors.StorageUnavailable`, a :class:`~domain.errors.TransactionLost`, or a
        :class:`~domain.errors.StorageError` that ended the transaction, such as a full disk, the whole unit can only be
        left.
        """
        self._check_usable()
        with self.failing:
            self._write()
            self._begin_savepoint()
        log = self._log
        log.open_level()
        log.savepoints += 1
        try:
            yield
            self._check_usable()
            self._check_savepoint_of(log)
            with self.failing:
                self._write()
                self._release_savepoint()
            log.merge_level()
        except BaseException:
            if self._log is not log:
                raise  # the unit has ended meanwhile, and its savepoints with it
            if self._state is _State.FAILED and self._has_lost_transaction():
                raise  # there is none left to go on with
            self._waiting = None
            with self.failing:
                self._undo_savepoint()
            self._state = _State.OPEN
            raise
        finally:
            log.savepoints -= 1

    def _begin_call(self, *, writes: bool) -> None:
        self._check_usable()
        if writes:
            self._check_writable("write")
        if self._waiting is not None or self._may_have_changed():
            with self.failing:
                self._write()

    def register_new(self, aggregate: Aggregate) -> None:
        """Track an aggregate for its repository, to be inserted; one that is tracked already is left alone."""
        with self.writing:
            if self.holds(aggregate):
                return
            if self._is_held_elsewhere(aggregate):
                raise UnitOfWorkMisuse(
                    f"{aggregate!r} belongs to another unit of work that is still open: end that one first"
                )
            self._waiting = aggregate, self._insertion(aggregate)

    def register_removed(self, aggregate: Aggregate) -> None:
        """Let go of a tracked aggregate for its repository, to be deleted."""
        with self.writing:
            if not self.holds(aggregate):
                raise UnitOfWorkMisuse(
                    f"{aggregate!r} is not of this unit of work: get it from this unit, then remove it"
                )
            self._waiting = aggregate, self._deletion(aggregate)

    def _write(self) -> None:
        """Write what waits: the last addition or removal, then all that has been changed since."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting[1]()
        self._write_changes()

    def _check_usable(self) -> None:
        """Raise :class:`~domain.errors.UnitOfWorkMisuse` unless the unit is open, sound, and this thread's."""
        if self._thread != threading.get_ident():  # which saves a call in the usual case
            self._check_thread()
        if self._state is not _State.OPEN:
            reason = f" ({self._failure})" if self._state is _State.FAILED else ""
            raise UnitOfWorkMisuse(f"this unit of work {self._state.value}{reason}") from self._failure

    def _check_thread(self) -> None:
        if self._thread not in (None, threading.get_ident()):
            raise UnitOfWorkMisuse("this unit of work was opened by another thread: give each thread a unit of its own")

    def _check_no_savepoint(self, action: str) -> None:
        if self._log.savepoints:
            raise UnitOfWorkMisuse(f"cannot {action} inside a savepoint: leave its block first")

    def _check_savepoint_of(self, log: UndoLog) -> None:
        if self._log is not log:
            raise UnitOfWorkMisuse("this savepoint has ended with its unit of work: leave its block before that")

    def _check_writable(self, action: str) -> None:
        if self.read_only:
            raise UnitOfWorkMisuse(f"cannot {action} in a read-only unit of work: open one without read_only=True")

    def _fail(self, error: BaseException) -> None:
        """Take note of the error that has failed the unit; raise it in the domain's words, unless it is in them."""
        self._state = _State.FAILED
        self._failure = self._failed(error)
        if self._failure is not error:
            raise self._failure from error

    def _has_lost_transaction(self) -> bool:
        """Tell whether the failure of the unit has ended its whole transaction, savepoints too."""
        return isinstance(self._failure, StorageUnavailable | TransactionLost)

    def _has_changes(self) -> bool:
        """Tell whether anything has been changed or written that a rollback would undo."""
        return self._log.has_writes() or (self._may_have_changed() and bool(self._changed()))

    @abstractmethod
    def _failed(self, error: BaseException) -> BaseException:
        """Take note that the unit, or its savepoint, has failed; return what the error is in domain.errors."""

    @abstractmethod
    def _may_have_changed(self) -> bool:
        """Tell quickly whether there may be anything for :meth:`_write_changes` to do."""

    @abstractmethod
    def _changed(self) -> Sequence[object]:
        """Return what stands for the tracked aggregates that have been changed and not written, in their order."""

    @abstractmethod
    def _write_changes(self) -> None:
        """Write the changed attributes of tracked aggregates, in the order of :func:`write_order`."""

    @abstractmethod
    def holds(self, aggregate: Aggregate) -> bool:
        """Tell whether this very object was read or added here, and not removed."""

    @abstractmethod
    def _is_held_elsewhere(self, aggregate: Aggregate) -> bool:
        """Tell whether another open unit holds this very object, or has removed it."""

    @abstractmethod
    def _insertion(self, aggregate: Aggregate) -> Callable[[], None]:
        """Track a new aggregate, and return what writes it."""

    @abstractmethod
    def _deletion(self, aggregate: Aggregate) -> Callable[[], None]:
        """Track an aggregate no longer, and return what removes it."""

    @abstractmethod
    def _commit(self) -> None:
        """Write what waits, make all writes last, then let go of all objects and resources."""

    @abstractmethod
    def _roll_back(self) -> None:
        """Undo the writes, restore the objects, then let go of all objects and resources."""

    @abstractmethod
    def _begin_savepoint(self) -> None:
        """Begin a savepoint inside the innermost open one."""

    @abstractmethod
    def _release_savepoint(self) -> None:
        """End the innermost savepoint and keep its writes."""

    @abstractmethod
    def _undo_savepoint(self) -> None:
        """End the innermost savepoint, undo its writes and restore its objects."""
