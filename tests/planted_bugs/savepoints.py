"""Promise 10: savepoints."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql.unit_of_work import SqlUnitOfWork
from service_layer.undo_log import UndoLog
from service_layer.unit_of_work import UnitOfWork, _State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Plant = Callable[[], None]
    Storage = Literal["fake", "sql"]


from tests.planted_bugs.objects import unaware_of_changes
from tests.planted_bugs.registry import around, bug


@bug("fake")
def an_undone_savepoint_leaks_in_the_fake() -> None:
    """What was written in an undone savepoint is stored by the commit."""

    def undo(original: Any, unit: Any) -> None:
        outer, inner = unit._layers[-2:]
        original(unit)
        outer.rows |= inner.rows
        outer.index |= inner.index

    around(FakeUnitOfWork, "_undo_savepoint", undo)


@bug("sql")
def an_undone_savepoint_leaks_in_the_database() -> None:
    """What was written in an undone savepoint is stored by the commit."""

    def begin(original: Any, unit: Any) -> None:
        original(unit)
        nested = unit._nested.pop()
        unit._nested.append(SimpleNamespace(commit=nested.commit, rollback=nested.commit))

    around(SqlUnitOfWork, "_begin_savepoint", begin)


@bug("fake")
def a_kept_savepoint_loses_its_writes_in_the_fake() -> None:
    """What was written in a savepoint that was left normally is not stored."""

    def release(original: Any, unit: Any) -> None:
        unit._layers[-1].rows.clear()
        unit._layers[-1].index.clear()
        original(unit)

    around(FakeUnitOfWork, "_release_savepoint", release)


@bug("sql")
def a_kept_savepoint_loses_its_writes_in_the_database() -> None:
    """What was written in a savepoint that was left normally is not stored."""

    def begin(original: Any, unit: Any) -> None:
        original(unit)
        nested = unit._nested.pop()
        unit._nested.append(SimpleNamespace(commit=nested.rollback, rollback=nested.rollback))

    around(SqlUnitOfWork, "_begin_savepoint", begin)


@bug("fake", "sql")
def an_undone_savepoint_forgets_the_objects() -> None:
    """After an undone savepoint, objects keep what they were given in it."""

    def drop(original: Any, log: Any) -> list[Any]:
        original(log)
        return []

    around(UndoLog, "drop_level", drop)


@bug("fake", "sql")
def an_undone_savepoint_forgets_what_was_not_written() -> None:
    """After an undone savepoint, objects keep what they were given in it since the last write."""
    for unit in (FakeUnitOfWork, SqlUnitOfWork):
        around(unit, "_undo_savepoint", unaware_of_changes)


@bug("fake")
def an_undone_savepoint_loses_removed_objects_in_the_fake() -> None:
    """An object that was removed in an undone savepoint does not belong to the unit any more."""

    def undo(original: Any, unit: Any) -> None:
        held = set(unit._tracked)
        original(unit)
        for key in unit._tracked.keys() - held:
            del unit._tracked[key]

    around(FakeUnitOfWork, "_undo_savepoint", undo)


@bug("sql")
def an_undone_savepoint_loses_removed_objects_in_the_session() -> None:
    """An object that was removed in an undone savepoint does not belong to the unit any more."""

    def undo(original: Any, unit: Any) -> None:
        held = {id(one) for one in unit.session}
        original(unit)
        for one in list(unit.session):
            if id(one) not in held:
                unit.session.expunge(one)

    around(SqlUnitOfWork, "_undo_savepoint", undo)


@bug("fake", "sql")
def a_kept_savepoint_is_not_rolled_back_with_its_unit() -> None:
    """After a rollback, objects keep what they were given in a savepoint that had been left normally."""

    def merge(original: Any, log: Any) -> None:
        log._levels[-1].originals.clear()
        original(log)

    around(UndoLog, "merge_level", merge)


@bug("fake", "sql")
def a_savepoint_swallows_errors() -> None:
    """An error that leaves a savepoint does not go on."""

    @contextmanager
    def savepoint(original: Any, unit: Any) -> Iterator[None]:
        with suppress(Exception), original(unit):
            yield

    around(UnitOfWork, "savepoint", savepoint)


@bug("fake", "sql")
def what_came_before_a_savepoint_is_undone_with_it() -> None:
    """A change that was made before a savepoint, and not yet written, is undone with it."""

    @contextmanager
    def savepoint(original: Any, unit: Any) -> Iterator[None]:
        with original(unit) if unit._state is not _State.OPEN else _entered_late(original, unit):
            yield

    around(UnitOfWork, "savepoint", savepoint)


@contextmanager
def _entered_late(original: Any, unit: Any) -> Iterator[None]:
    write_changes = unit._write_changes
    unit._write_changes = lambda: None
    savepoint = original(unit)
    with savepoint:
        unit._write_changes = write_changes
        yield
