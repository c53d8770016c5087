"""The guard of a unit of work: which calls are allowed in which state, and how an error fails the unit."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING

from domain.errors import UnitOfWorkMisuse
from service_layer.versions import Versions

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class State(Enum):
    """The state of a unit of work in its life cycle. The values are words for a message."""

    CLOSED = "is not open: write `with uow:` around the work"
    OPEN = "is open"
    FAILED = "has failed and can only be rolled back or left; begin again in a new block"
    COMMITTED = "has been committed: leave the block, and do further work in a new one"
    ROLLED_BACK = "has been rolled back: leave the block, and do further work in a new one"


class Failing:
    """A context manager that makes an error in its block the failure of the unit."""

    def __init__(self, unit: Guard) -> None:
        self._unit = unit

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and not isinstance(error, UnitOfWorkMisuse):  # misuse is refused before anything is done
            self._unit.fail(error)


class Call(Failing):
    """The same around a call. First it checks that the call is allowed, and flushes.

    It is a class because a generator with ``@contextmanager`` would take twice as long.
    """

    def __init__(self, unit: Guard, *, writes: bool) -> None:
        super().__init__(unit)
        self._writes = writes

    def __enter__(self) -> None:
        self._unit.begin_call(writes=self._writes)


class Guard(ABC):
    """The state of a unit of work, and the checks of every call."""

    def __init__(self, *, read_only: bool = False) -> None:
        self.read_only = read_only
        self._state = State.CLOSED
        self._thread: int | None = None
        self._failure: BaseException | None = None
        self._loss: BaseException | None = None  # of the whole transaction, its savepoints too
        self._versions = Versions()
        self.reading: AbstractContextManager[None] = Call(self, writes=False)
        """Surrounds a repository's query: it sees the unit's own changes, and its failure is the unit's failure."""

        self.writing: AbstractContextManager[None] = Call(self, writes=True)
        """Surrounds a repository's write in the same way. A read-only unit refuses it."""

        self.failing: AbstractContextManager[None] = Failing(self)
        """Surrounds a flush, a commit or a savepoint: its failure is the unit's failure."""

    def begin_call(self, *, writes: bool) -> None:
        """Check that a call is allowed, and flush what was added or changed before it."""
        self._check_usable()
        if writes:
            self.check_writable("write")
        if self._has_unwritten():
            self.check_writable("write")
            with self.failing:
                self._flush()

    def _check_usable(self) -> None:
        """Raise :class:`~domain.errors.UnitOfWorkMisuse` unless the unit is open, sound, and this thread's."""
        if self._thread != threading.get_ident():  # compared here first: it saves a call in the usual case
            self._check_thread()
        if self._state is not State.OPEN:
            reason = f" ({self._failure})" if self._state is State.FAILED else ""
            raise UnitOfWorkMisuse(f"this unit of work {self._state.value}{reason}") from self._failure

    def _check_thread(self) -> None:
        if self._thread not in (None, threading.get_ident()):
            raise UnitOfWorkMisuse("this unit of work was opened by another thread: give each thread its own unit")

    def _check_no_savepoint(self, action: str) -> None:
        if self._versions.depth:
            raise UnitOfWorkMisuse(f"cannot {action} inside a savepoint: leave its block first")

    def check_writable(self, action: str) -> None:
        """Raise :class:`~domain.errors.UnitOfWorkMisuse` in a read-only unit."""
        if self.read_only:
            raise UnitOfWorkMisuse(f"cannot {action} in a read-only unit of work: open one without read_only=True")

    def fail(self, error: BaseException) -> None:
        """Note the error that has failed the unit. Raise it as a domain error, unless it is one."""
        if self._state is State.FAILED and error is self._failure:
            return  # a nested call has noted it
        self._state = State.FAILED
        self._failure = self._failed(error)
        if self._failure is not error:
            raise self._failure from error

    @abstractmethod
    def _failed(self, error: BaseException) -> BaseException:
        """Undo what an error has made useless, and return it as an error of domain.errors.

        Set ``_loss`` if the whole transaction is gone.
        """

    @abstractmethod
    def _has_unwritten(self) -> bool:
        """Return whether a flush would write anything."""

    @abstractmethod
    def _flush(self) -> None:
        """Write the pending addition and all changes, in the order of :func:`~service_layer.versions.write_order`."""
