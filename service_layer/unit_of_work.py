"""The unit of work: one block of code, one transaction. It holds the life cycle that every implementation shares.

    with uow:
        user = uow.users.get_by_username("ann")
        user.change_email("ann@example.org")
        uow.commit()

(Fowler, *Patterns of Enterprise Application Architecture*, 2002, chapter 11.)
"""

from __future__ import annotations

import threading
import warnings
from abc import abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from domain.aggregate import named
from domain.errors import UncommittedChanges, UnitOfWorkMisuse
from service_layer.guard import Guard, State
from service_layer.open_units import OpenUnit, task_that_enters
from service_layer.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from domain.aggregate import Aggregate
    from domain.answered_request import AnsweredRequestRepository
    from domain.user import UserRepository
    from service_layer.savepoint import Savepoint


class UnitOfWork(Guard):
    """A transaction over all repositories, used as a context manager. Nothing is stored without :meth:`commit`.

    One object serves one thread at a time and can be used again, one block after another. Misuse raises
    :class:`~domain.errors.UnitOfWorkMisuse`, which says what to write instead. A ``read_only`` unit refuses every
    write. docs/promises.md has all that a unit promises.

    Use cases need the repositories, :meth:`commit`, :meth:`rollback`, :meth:`flush` and :meth:`savepoint`. The other
    public members are for the repositories themselves.
    """

    answered_requests: AnsweredRequestRepository
    users: UserRepository

    def __init__(self, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self._entered = threading.Lock()
        self._in_task: OpenUnit | None = None

    def __enter__(self) -> Self:
        """Open the unit.

        Raises :class:`~domain.errors.UnitOfWorkMisuse` when it is open already, or when another asyncio task of this
        thread has a unit open.
        """
        task = task_that_enters()
        if not self._entered.acquire(blocking=False):
            raise UnitOfWorkMisuse(
                "this unit of work is open already: pass it on without a second `with`, or use another unit"
            )
        self._in_task = None if task is None else OpenUnit(task)
        self._thread = threading.get_ident()
        self._failure = self._loss = None
        self._state = State.OPEN
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
            self._close()  # another thread has left the block, as of a generator; nothing else would close the unit
            raise
        forgotten = False
        try:
            forgotten = kind is None and self._state is State.OPEN and (self._versions.wrote or self._has_unwritten())
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
        if error is not None and (translated := self._translated(error)) is not error:
            raise translated from error

    def _close(self) -> None:
        try:
            if self._state in (State.OPEN, State.FAILED):
                self._roll_back()
        finally:
            self._state = State.CLOSED
            self._versions = Versions()
            self._thread = None
            if self._in_task is not None:
                self._in_task.close()
            self._entered.release()

    def commit(self) -> None:
        """Store all that the unit has done. When this returns, it is stored, and the block can only be left.

        Raises:
            :class:`~domain.errors.Conflict`: The work clashes with what is stored, as with
                :class:`~domain.errors.ValueTaken`.
            :class:`~domain.errors.StorageError`: Nothing was stored, as with
                :class:`~domain.errors.StorageUnavailable`.
            :class:`~domain.errors.CommitOutcomeUnknown`: The work may or may not be stored.
            :class:`~domain.errors.UnitOfWorkMisuse`: The unit is read-only, or a savepoint is open.
        """
        self._check_usable()
        self._check_no_savepoint("commit")
        self.check_writable("commit")
        with self.failing:
            self._commit()
        self._state = State.COMMITTED

    def rollback(self) -> None:
        """Undo all that the unit has written. Its objects keep their values, and the block can only be left.

        Raises :class:`~domain.errors.UnitOfWorkMisuse` inside a savepoint.
        """
        self._check_thread()
        if self._state is not State.FAILED:
            self._check_usable()
        self._check_no_savepoint("roll back")
        self._state = State.ROLLED_BACK
        self._roll_back()

    def flush(self) -> None:
        """Write what the unit has added and changed so far, without a query.

        Raises the error that a repository's next call would otherwise raise.
        """
        self.begin_call(writes=False)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo the block alone when an error leaves it, in the storage and in the objects.

        The error goes on. Catch it outside of this block: the rest of the unit stays usable. Savepoints nest. Raises
        what writing raises, and :class:`~domain.errors.UnitOfWorkMisuse` when a failure of the unit was caught inside
        the block. If the connection or the transaction is gone, the savepoint cannot be undone. Then that error is
        raised instead, and the whole unit can only be rolled back or left.
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
            if self._versions is versions:  # otherwise the savepoint has ended with its unit
                self._undo(savepoint, versions.drop_level(), error)
            raise

    def _check_same_block(self, versions: Versions) -> None:
        self._check_usable()
        if self._versions is not versions:
            raise UnitOfWorkMisuse("this savepoint has ended with its unit of work: leave its block before the unit's")

    def _undo(self, savepoint: Savepoint, written: list[tuple[Aggregate[Any], int]], error: BaseException) -> None:
        if self._loss is None:
            with self.failing:
                savepoint.undo(written)
            self._state = State.OPEN
        elif error is not self._loss and isinstance(error, Exception):
            raise self._loss from error

    def register_new(self, aggregate: Aggregate[Any]) -> None:
        """Track a new aggregate for its repository, to be inserted. Do nothing if it is tracked already."""
        with self.writing:
            if not self.holds(aggregate):
                self._insert(aggregate)

    def register_removed(self, aggregate: Aggregate[Any]) -> None:
        """Delete a tracked aggregate for its repository immediately, so that another one can take its values."""
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

    def _translated(self, error: BaseException) -> BaseException:
        """Return an error that leaves the block. An error of the storage becomes an error of domain.errors."""
        return error

    @abstractmethod
    def holds(self, aggregate: Aggregate[Any]) -> bool:
        """Return whether this unit read or added this very object and did not remove it."""

    @abstractmethod
    def _insert(self, aggregate: Aggregate[Any]) -> None:
        """Track a new aggregate, to be written by the next flush. Refuse one that another open unit holds."""

    @abstractmethod
    def _delete(self, aggregate: Aggregate[Any]) -> None:
        """Delete an aggregate and stop tracking it."""

    @abstractmethod
    def _commit(self) -> None:
        """Flush, commit, then release all objects and resources."""

    @abstractmethod
    def _roll_back(self) -> None:
        """Undo the writes, then release all objects unchanged, and all resources."""

    @abstractmethod
    def _begin_savepoint(self) -> Savepoint:
        """Begin a savepoint inside the innermost open one."""
