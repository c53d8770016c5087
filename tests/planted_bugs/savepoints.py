"""Promise 10: savepoints."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sqlalchemy.engine import NestedTransaction

from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql.identity_map import values_of
from adapters.sql.transaction import Transaction
from adapters.sql.unit_of_work import SqlUnitOfWork
from service_layer.undo_log import UndoLog
from service_layer.unit_of_work import UnitOfWork, _State

if TYPE_CHECKING:
    from collections.abc import Iterator


from tests.planted_bugs.objects import unaware_of_changes
from tests.planted_bugs.registry import around, bug, instead


@bug("fake")
def an_undone_savepoint_leaks_in_the_fake() -> None:
    """What was written in an undone savepoint is stored by the commit."""

    def undo(original: Any, unit: Any) -> None:
        outer, inner = unit._layers[-2:]
        original(unit)
        outer.rows |= inner.rows
        outer.index |= inner.index

    around(FakeUnitOfWork, "_undo_savepoint", undo)


@bug("sql", "postgres")
def an_undone_savepoint_leaks_in_the_database() -> None:
    """What was written in an undone savepoint is stored by the commit."""

    def undo(original: Any, transaction: Any) -> None:
        if transaction._nested[-1].is_active:  # no statement has failed in it: PostgreSQL could not keep it then
            transaction._nested[-1].commit()
        original(transaction)

    around(Transaction, "undo_savepoint", undo)


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
    instead(NestedTransaction, "commit", lambda nested: nested.rollback())


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
def an_undone_savepoint_loses_removed_objects_in_the_database() -> None:
    """An object that was removed in an undone savepoint does not belong to the unit any more."""

    def undo(original: Any, unit: Any) -> None:
        level = unit._log._levels[-1]
        held = {key for key, one in level.originals.items() if unit.holds(one.aggregate)}

        original(unit)
        for one in [one.aggregate for one in level.originals.values() if id(one.aggregate) not in held]:
            unit._objects.forget(one)

    around(SqlUnitOfWork, "_undo_savepoint", undo)


@bug("fake")
def an_undone_savepoint_drops_who_took_a_removed_objects_place_in_the_fake() -> None:
    """An object that is held again after an undone savepoint is dropped with the one that took its place there."""

    def undo(original: Any, unit: Any) -> None:
        with patch.object(unit, "holds", lambda one: (type(one), one.id) in unit._tracked):
            original(unit)

    around(FakeUnitOfWork, "_undo_savepoint", undo)


@bug("sql")
def after_an_undone_savepoint_objects_are_compared_with_what_it_stored() -> None:
    """An object that was written in an undone savepoint is taken for changed since, and is a conflict from then on."""

    def undo(original: Any, unit: Any) -> None:
        level = unit._log._levels[-1]
        written = [(one.aggregate, values_of(one.aggregate)) for one in level.originals.values()]
        original(unit)
        unit._objects._before.update({id(one): (one, row) for one, row in written if unit.holds(one)})

    around(SqlUnitOfWork, "_undo_savepoint", undo)


@bug("sql", "postgres")
def a_write_that_fails_in_a_savepoint_gives_up_what_came_before_it() -> None:
    """After a conflict in a savepoint, the unit goes on without what it had written before that."""

    def give_up(original: Any, transaction: Any) -> None:
        with patch.object(transaction, "_nested", []):
            original(transaction)

    around(Transaction, "give_up", give_up)


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


@bug("fake", "sql")
def what_waits_before_a_savepoint_is_undone_with_it() -> None:
    """An addition or a removal that was asked for just before a savepoint is never written if that is undone."""

    @contextmanager
    def savepoint(original: Any, unit: Any) -> Iterator[None]:
        waiting, unit._waiting = unit._waiting, None
        with original(unit):
            unit._waiting = waiting
            yield

    around(UnitOfWork, "savepoint", savepoint)


@bug("fake", "sql")
def what_waits_at_the_end_of_a_savepoint_is_written_after_it() -> None:
    """An error of the last addition or removal of a savepoint is met outside of it, and fails the whole unit."""

    @contextmanager
    def savepoint(original: Any, unit: Any) -> Iterator[None]:
        with original(unit):
            yield
            waiting, unit._waiting = unit._waiting, None
        unit._waiting = waiting

    around(UnitOfWork, "savepoint", savepoint)


@bug("fake", "sql")
def an_addition_that_waits_outlives_its_savepoint() -> None:
    """What was added last in an undone savepoint is stored by the commit."""

    def undo(unit: Any, waiting: Any, is_addition: bool) -> None:
        if is_addition:
            unit.register_new(waiting[0])

    around(UnitOfWork, "savepoint", partial(_not_forgetting, undo))


@bug("fake", "sql")
def a_removal_that_waits_outlives_its_savepoint() -> None:
    """What was removed last in an undone savepoint is gone after the commit."""

    def undo(unit: Any, waiting: Any, is_addition: bool) -> None:
        if not is_addition:
            unit._waiting = waiting

    around(UnitOfWork, "savepoint", partial(_not_forgetting, undo))


@bug("fake", "sql")
def an_addition_that_waits_is_forgotten_and_its_object_is_not() -> None:
    """What was added last in an undone savepoint is taken for stored: adding it again does nothing."""

    def undo(unit: Any, waiting: Any, is_addition: bool) -> None:
        if is_addition:
            unit._insertion(waiting[0])

    around(UnitOfWork, "savepoint", partial(_not_forgetting, undo))


@contextmanager
def _not_forgetting(undo: Any, original: Any, unit: Any) -> Iterator[None]:
    waiting, is_addition = None, False
    try:
        with original(unit):
            try:
                yield
            except BaseException:
                waiting = unit._waiting
                is_addition = waiting is not None and unit.holds(waiting[0])
                raise
    except BaseException:
        if waiting is not None:
            undo(unit, waiting, is_addition)
        raise
