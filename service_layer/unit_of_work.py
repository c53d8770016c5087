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

from domain.aggregate import named
from domain.errors import UncommittedChanges, UnitOfWorkMisuse
from service_layer.open_units import OpenUnit, task_that_enters
from service_layer.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def write_order(aggregate: Aggregate, *, is_new: bool = False) -> tuple[str, bool, UUID]:
    """Return what aggregates are sorted by before they are written: class, additions first, then id.

    Where several cannot be written, it decides which of them is refused.
    """
    kind = type(aggregate)
    return f"{kind.__module__}.{kind.__name__}", not is_new, aggregate.id


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
    """Surrounds a call: checks that it is allowed, and flushes. A generator would take twice as long."""

    def __init__(self, unit: UnitOfWork, *, writes: bool) -> None:
        super().__init__(unit)
        self._writes = writes

    def __enter__(self) -> None:
        self._unit._begin_call(writes=self._writes)  # noqa: SLF001  # a part of the unit


class Savepoint(ABC):
    """A savepoint of a storage, from its beginning to one of its two ends."""

    @abstractmethod
    def release(self) -> None:
        """Keep what was written since the savepoint began."""

    @abstractmethod
    def undo(self, written: list[tuple[Aggregate, int]]) -> None:
        """Take back what was written since, and read the objects that were changed since again.

        ``written`` are the aggregates that were flushed since, each with its version before. Additions are new again.
        """


class UnitOfWork(ABC):
    """A transaction over all repositories, used as a context manager; nothing is stored without :meth:`commit`.

    One object serves one thread at a time and can be used again, one block after another. A breach of its life cycle
    raises :class:`~domain.errors.UnitOfWorkMisuse`, which says what to write instead. ``read_only`` units refuse every
    write. What all of this promises is written down in docs/promises.md.

    Use cases need the repositories, :meth:`commit`, :meth:`rollback`, :meth:`flush` and :meth:`savepoint`; the other
    public members are for the repositories themselves.
    """

    users: UserRepository

    def __init__(self, *, read_only: bool = False) -> None:
        self.read_only = read_only
        self._state = _State.CLOSED
        self._entered = threading.Lock()
        self._thread: int | None = None
        self._in_task: OpenUnit | None = None
        self._failure: BaseException | None = None
        self._loss: BaseException | None = None  # of the whole transaction, its savepoints too
        self._versions = Versions()
        self.reading: AbstractContextManager[None] = _Call(self, writes=False)
        """Surrounds a repository's query: it sees the unit's own changes, and its failure is the unit's failure."""

        self.writing: AbstractContextManager[None] = _Call(self, writes=True)
        """Surrounds a repository's write, likewise; refused in a read-only unit."""

        self.failing: AbstractContextManager[None] = _Failing(self)
        """Surrounds what belongs to an earlier call of a repository: its failure is the unit's failure, too."""

    def __enter__(self) -> Self:
        """Open the unit.

        Raises :class:`~domain.errors.UnitOfWorkMisuse` when it is open already, or one of another asyncio task of this
        thread is.
        """
        task = task_that_enters()
        if not self._entered.acquire(blocking=False):
            raise UnitOfWorkMisuse(
                "this unit of work is open already: pass it on without a second `with`, or use another unit"
            )
        self._in_task = None if task is None else OpenUnit(task)
        self._thread = threading.get_ident()
        self._failure = self._loss = None
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
            self._close()  # a generator's block that was left by another thread; nothing else will ever close it
            raise
        forgotten = False
        try:
            forgotten = kind is None and self._state is _State.OPEN and (self._versions.wrote or self._has_unwritten())
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
        if error is not None and (told := self._told(error)) is not error:
            raise told from error

    def _close(self) -> None:
        try:
            if self._state in (_State.OPEN, _State.FAILED):
                self._roll_back()
        finally:
            self._state = _State.CLOSED
            self._versions = Versions()
            self._thread = None
            if self._in_task is not None:
                self._in_task.close()
            self._entered.release()

    def commit(self) -> None:
        """Store all that the unit has done; when this returns, it is stored. Then only leaving the block remains.

        Raises :class:`~domain.errors.ValueTaken` or :class:`~domain.errors.ConcurrentChange` when the work clashes with
        that of others, :class:`~domain.errors.StorageUnavailable` or another :class:`~domain.errors.StorageError` when
        nothing was stored, :class:`~domain.errors.CommitOutcomeUnknown` when nothing can tell, and
        :class:`~domain.errors.UnitOfWorkMisuse` in a read-only unit or inside a savepoint.
        """
        self._check_usable()
        self._check_no_savepoint("commit")
        self.check_writable("commit")
        with self.failing:
            self._commit()
        self._state = _State.COMMITTED

    def rollback(self) -> None:
        """Undo all that the unit has stored. Its objects keep their values. Then only leaving the block remains.

        Raises :class:`~domain.errors.UnitOfWorkMisuse` inside a savepoint.
        """
        self._check_thread()
        if self._state is not _State.FAILED:
            self._check_usable()
        self._check_no_savepoint("roll back")
        self._state = _State.ROLLED_BACK
        self._roll_back()

    def flush(self) -> None:
        """Write what the unit has added and changed so far, without a query: its errors come now.

        Raises what a repository's next call would raise.
        """
        self._begin_call(writes=False)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Make the block a part that is undone alone when an error leaves it, in the storage and in the objects.

        The error goes on, to be caught outside of this block; the rest of the unit stays usable. Savepoints nest.
        Raises what writing raises, and :class:`~domain.errors.UnitOfWorkMisuse` when a conflict was caught inside of
        the block. Where the savepoint cannot be undone because the connection or the transaction is gone, it raises
        that error instead, and the whole unit can only be left.
        """
        self.flush()
        with self.failing:
            savepoint = self._begin_savepoint()
        versions = self._versions
        versions.begin_level()
        try:
            yield
            self._check_same_block(versions)
            self.flush()
            with self.failing:
                savepoint.release()
            versions.keep_level()
        except BaseException as error:
            if self._versions is versions:  # and has not ended together with the unit
                self._undo(savepoint, versions.drop_level(), error)
            raise

    def _check_same_block(self, versions: Versions) -> None:
        self._check_usable()
        if self._versions is not versions:
            raise UnitOfWorkMisuse("this savepoint has ended with its unit of work: leave its block before that")

    def _undo(self, savepoint: Savepoint, written: list[tuple[Aggregate, int]], error: BaseException) -> None:
        if self._loss is None:
            with self.failing:
                savepoint.undo(written)
            self._state = _State.OPEN
        elif error is not self._loss and isinstance(error, Exception):
            raise self._loss from error

    def _begin_call(self, *, writes: bool) -> None:
        self._check_usable()
        if writes:
            self.check_writable("write")
        if self._has_unwritten():
            self.check_writable("write")
            with self.failing:
                self._flush()

    def register_new(self, aggregate: Aggregate) -> None:
        """Track an aggregate for its repository, to be inserted; one that is tracked already stays as it is."""
        with self.writing:
            if not self.holds(aggregate):
                self._insert(aggregate)

    def register_removed(self, aggregate: Aggregate) -> None:
        """Delete a tracked aggregate for its repository, now, so that another one can take its values."""
        with self.writing:
            if not self.holds(aggregate):
                raise UnitOfWorkMisuse(
                    f"{named(aggregate)} is not of this unit of work: get it from this unit, then remove it"
                )
            self._versions.note_write()
            self._delete(aggregate)

    def register_bulk(self) -> None:
        """Note that a repository writes rows in bulk, without objects that the unit tracks."""
        self._versions.note_write()

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
        if self._versions.depth:
            raise UnitOfWorkMisuse(f"cannot {action} inside a savepoint: leave its block first")

    def check_writable(self, action: str) -> None:
        """Raise :class:`~domain.errors.UnitOfWorkMisuse` in a read-only unit."""
        if self.read_only:
            raise UnitOfWorkMisuse(f"cannot {action} in a read-only unit of work: open one without read_only=True")

    def _fail(self, error: BaseException) -> None:
        """Note the error that has failed the unit; raise it in the domain's words, unless it is in them."""
        if self._state is _State.FAILED and error is self._failure:
            return  # a call inside of this one has noted it
        self._state = _State.FAILED
        self._failure = self._failed(error)
        if self._failure is not error:
            raise self._failure from error

    @abstractmethod
    def _failed(self, error: BaseException) -> BaseException:
        """Give up what an error has spoilt, and return the error in the words of domain.errors.

        Sets ``_loss`` where the whole transaction is gone.
        """

    def _told(self, error: BaseException) -> BaseException:
        """Return an error that leaves the block in the words of domain.errors, if it is one of the storage."""
        return error

    @abstractmethod
    def _has_unwritten(self) -> bool:
        """Tell whether a flush would write anything."""

    @abstractmethod
    def _flush(self) -> None:
        """Write the pending addition and all changes: by class; in a class additions first, then by id."""

    @abstractmethod
    def holds(self, aggregate: Aggregate) -> bool:
        """Tell whether this very object was read or added here, and not removed."""

    @abstractmethod
    def _insert(self, aggregate: Aggregate) -> None:
        """Track a new aggregate, to be written by the next flush; refuse one that another open unit holds."""

    @abstractmethod
    def _delete(self, aggregate: Aggregate) -> None:
        """Delete an aggregate, and track it no longer."""

    @abstractmethod
    def _commit(self) -> None:
        """Flush, make all writes last, then give up all objects and resources."""

    @abstractmethod
    def _roll_back(self) -> None:
        """Undo the writes, then give up all objects, as they are, and all resources."""

    @abstractmethod
    def _begin_savepoint(self) -> Savepoint:
        """Begin a savepoint inside the innermost open one."""
