"""The units of work that asyncio tasks have open. They keep one task of a thread from waiting for another.

All tasks of an event loop share one thread. When a task awaits inside ``with uow``, other tasks run. If one of them
opens a unit and waits for a lock of the first unit, the thread itself waits. Then the first task cannot go on.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any
from weakref import ref

from domain.errors import UnitOfWorkMisuse

if TYPE_CHECKING:
    from asyncio import Task


class OpenUnit:
    """A unit of work that is open in an asyncio task. Only the unit refers to it. It refers to the task weakly."""

    __slots__ = ("__weakref__", "_task")

    def __init__(self, task: Task[Any]) -> None:
        self._task: ref[Task[Any]] | None = ref(task)
        _here.opened.append(ref(self))

    def close(self) -> None:
        """Forget the task. Any thread may call this: only the task's own thread changes the list of open units."""
        self._task = None

    def waiting_task(self) -> Task[Any] | None:
        """Return the task if it can still go on, and ``None`` once the unit is closed or the task has ended."""
        opener = self._task
        task = None if opener is None else opener()
        return None if task is None or task.done() or task.get_loop().is_closed() else task


class _Here(threading.local):
    """The units that were opened in this thread. No other thread changes the list, so it needs no lock."""

    def __init__(self) -> None:
        self.opened: list[ref[OpenUnit]] = []


_here = _Here()


def task_that_enters() -> Task[Any] | None:
    """Return the running asyncio task, for :class:`OpenUnit`, or ``None`` outside of tasks.

    Raises:
        UnitOfWorkMisuse: A unit of another, unfinished task of this thread is open.
    """
    # A program without asyncio does not pay for its import. While another thread imports it, no loop can run.
    current_task = getattr(sys.modules.get("asyncio"), "current_task", None)
    if current_task is None:
        return None
    try:
        task: Task[Any] | None = current_task()
    except RuntimeError:  # no loop runs in this thread
        return None
    if _here.opened:
        _refuse_others(task)
    return task


def _refuse_others(task: Task[Any] | None) -> None:
    units = [(known, unit) for known in _here.opened if (unit := known()) is not None]
    owners = [(known, owner) for known, unit in units if (owner := unit.waiting_task()) is not None]
    _here.opened = [known for known, _ in owners]
    other = next((owner for _, owner in owners if owner is not task), None)
    if other is not None:
        error = UnitOfWorkMisuse(
            f"another asyncio task of this thread ({other.get_name()}) has a unit of work open, and this one could wait"
            " for it for ever: write no `await` inside `with uow`, and call the use case by"
            " `await asyncio.to_thread(use_case, ...)`"
        )
        error.add_note(f"The other task: {other!r}")
        raise error
