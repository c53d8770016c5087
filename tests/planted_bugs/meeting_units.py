"""Promises 8 and 9: units that meet, locks, and the order of the writes."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from adapters.fake import unit_of_work as fake_unit_of_work
from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql import engine as sql_engine
from adapters.sql import errors as sql_errors
from adapters.sql import sqlite as sql_sqlite
from adapters.sql import transaction as sql_transaction
from adapters.sql.statements import Statements
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import ConcurrentChange
from service_layer.unit_of_work import UnitOfWork
from tests.planted_bugs.registry import around, bug, instead


@bug("fake")
def no_version_check_in_the_fake() -> None:
    """The second of two units that change an aggregate overwrites the first."""

    def replace(original: Any, unit: Any, kind: Any, old: Any, new: Any) -> Any:
        current = unit._row((kind, old["id"])) or old
        return original(unit, kind, {**old, "version": current["version"]}, new)

    around(FakeUnitOfWork, "_replace_row", replace)


@bug("sql")
def no_version_check_in_the_database() -> None:
    """The second of two units that change an aggregate overwrites the first."""
    around(Statements, "run_update", of_any_version)


@bug("sql")
def no_version_check_of_a_removal() -> None:
    """An aggregate that another unit has changed is removed nevertheless."""
    around(Statements, "run_delete", of_any_version)


def of_any_version(original: Any, statements: Any, connection: Any, old: Any, *new: Any) -> Any:
    """Run a statement on a row whatever its version is now."""
    columns = statements.table.c
    version = connection.scalar(select(columns.version).where(columns.id == old["id"]))
    return original(statements, connection, old if version is None else {**old, "version": version}, *new)


@bug("sql")
def nobody_looks_whether_a_removal_met_its_row() -> None:
    """A removal of an aggregate that another unit has changed or removed does nothing, and says nothing."""
    around(Statements, "run_delete", lambda original, *args: original(*args) or True)


@bug("sql")
def nobody_looks_whether_a_change_met_its_row() -> None:
    """A change of an aggregate that another unit has changed or removed is lost, and nobody is told."""
    around(Statements, "run_update", lambda original, *args: original(*args) or True)


@bug("fake", "sql")
def a_conflict_may_not_be_tried_again() -> None:
    """ConcurrentChange is not retryable."""
    instead(ConcurrentChange, "retryable", False)


@bug("fake")
def there_are_no_locks() -> None:
    """Two units write the same rows and values at the same time, and nobody waits."""
    instead(FakeUnitOfWork, "_lock", lambda *_: False)


@bug("fake")
def locks_are_released_too_early() -> None:
    """A unit gives its locks back at its next write or query, and not at its end."""

    def write_changes(original: Any, unit: Any) -> None:
        for layer in unit._layers:
            unit._database.release(layer.locks)
            layer.locks.clear()
        original(unit)

    around(FakeUnitOfWork, "_write_changes", write_changes)


@bug("fake")
def locks_are_never_released() -> None:
    """What a unit has written can be written by no other one, even after its end."""
    instead(FakeDatabase, "release", lambda *_: None)


@bug("fake")
def a_failed_unit_keeps_its_locks_in_the_fake() -> None:
    """What a unit was refused, and what it wrote before that, is kept from others until it ends."""
    instead(FakeUnitOfWork, "_failed", lambda _, error: error)


@bug("sql", "postgres")
def a_failed_unit_keeps_its_locks_in_the_database() -> None:
    """What a unit was refused, and what it wrote before that, is kept from others until it ends."""
    instead(SqlUnitOfWork, "_failed", lambda unit, error: sql_errors.translated(error, unit._engine))


@bug("fake")
def readers_wait_for_writers() -> None:
    """A query by id waits until nobody is writing that row."""

    def row_by(original: Any, unit: Any, kind: type, key: str, value: Any) -> Any:
        if key == "id":
            unit._lock((kind, value))
        return original(unit, kind, key, value)

    around(FakeUnitOfWork, "row_by", row_by)


@bug("fake")
def an_undone_savepoint_keeps_its_locks() -> None:
    """What was written in an undone savepoint cannot be written by other units before the unit ends."""

    def undo(original: Any, unit: Any) -> None:
        outer, inner = unit._layers[-2:]
        outer.locks |= inner.locks
        inner.locks.clear()
        original(unit)

    around(FakeUnitOfWork, "_undo_savepoint", undo)


@bug("fake")
def a_kept_savepoint_keeps_its_locks() -> None:
    """What was written in a savepoint that was left normally cannot be written by others, even after the unit's end."""

    def release(original: Any, unit: Any) -> None:
        unit._layers[-1].locks.clear()
        original(unit)

    around(FakeUnitOfWork, "_release_savepoint", release)


@bug("fake")
def writers_do_not_wait_in_the_fake() -> None:
    """A writer that meets another one gives up at once, whatever the limit."""
    around(FakeDatabase, "__init__", lambda original, database, *_, **__: original(database, 0))


@bug("sql")
def writers_do_not_wait_in_the_database() -> None:
    """A writer that meets another one gives up at once, whatever the limit."""
    instead(sql_engine, "_MAKERS", {"sqlite": lambda url, _, options: sql_sqlite.sqlite_engine(url, 0, options)})


@bug("sql")
def writers_all_wait_in_sqlite() -> None:
    """The writers of a process take no turns: each sleeps until it finds SQLite's lock free."""
    instead(sql_sqlite._Turns, "begin", lambda _: None)


@bug("sql")
def a_turn_ends_before_its_transaction() -> None:
    """It ends with the BEGIN, so that the next writer sleeps in SQLite."""

    def begin(original: Any, cursor: Any, statement: str, parameters: Any, context: Any) -> None:
        original(cursor, statement, parameters, context)
        turn = context.root_connection.info.get("turn")
        if turn is not None:
            turn.release()
            context.root_connection.info["turn"] = None

    around(sql_sqlite, "_begin_before_writing", begin)


@bug("sql")
def a_turn_of_a_unit_that_has_failed_lasts_until_its_block_is_left() -> None:
    """Others wait for it, though its transaction is over."""
    instead(sql_transaction, "sqlite", SimpleNamespace(end_turn=lambda _: None))


@bug("sql")
def a_turn_that_nobody_gives_back_is_waited_for_each_time() -> None:
    """After an interrupt at the wrong moment, every writer waits for the whole limit."""

    def begin(original: Any, turns: Any) -> Any:
        lock = turns._lock
        turn = original(turns)
        turns._lock = lock
        return turn

    around(sql_sqlite._Turns, "begin", begin)


@bug("sql")
def a_busy_database_is_no_conflict() -> None:
    """A lock that is waited for too long is an error of storage that nobody may try again."""
    instead(sql_errors, "_lost_race", lambda _: False)


@bug("sql")
def a_savepoint_can_be_overtaken() -> None:
    """A savepoint that reads before it writes is refused to write when others have written in between."""
    instead(sql_sqlite, "_BEGIN", "BEGIN")


@bug("fake")
def a_value_that_was_given_up_stays_taken() -> None:
    """A value that was given up in a unit cannot be taken in it again."""

    def claim(original: Any, unit: Any, kind: Any, row: Any, **options: Any) -> None:
        for attribute, taken in unit._unique[kind].items():
            if unit._database.index.get((kind, attribute, row[attribute]), row["id"]) != row["id"]:
                raise taken(None if options.get("bulk") else row[attribute])
        original(unit, kind, row, **options)

    around(FakeUnitOfWork, "_claim_unique", claim)


@bug("fake", "sql")
def a_removal_is_written_after_a_later_addition() -> None:
    """An addition is written before a removal that was asked for just before it, and so finds its values taken."""

    def register_new(original: Any, unit: Any, aggregate: Any) -> None:
        removal = unit._waiting if unit._waiting is not None and not unit.holds(unit._waiting[0]) else None
        if removal is not None:
            unit._waiting = None
        original(unit, aggregate)
        if removal is not None:
            unit._waiting = (aggregate, partial(one_after_the_other, unit._waiting[1], removal[1]))

    around(UnitOfWork, "register_new", register_new)


def one_after_the_other(*writes: Any) -> None:
    """Write."""
    for write in writes:
        write()


@bug("fake", "sql")
def what_waits_is_written_after_later_changes() -> None:
    """A change is written before an addition or a removal that was asked for before it."""

    def write(original: Any, unit: Any) -> None:
        waiting = unit._waiting
        if waiting is not None and waiting[0] not in [getattr(one, "aggregate", one) for one in unit._changed()]:
            unit._waiting = None
            unit._write_changes()
            unit._waiting = waiting
        original(unit)

    around(UnitOfWork, "_write", write)


@bug("fake", "sql")
def an_addition_or_a_removal_is_written_at_once() -> None:
    """Its errors come with the call itself, and not with the next one."""

    def register(original: Any, unit: Any, aggregate: Any) -> None:
        original(unit, aggregate)
        with unit.failing:
            unit._write()

    for name in ("register_new", "register_removed"):
        around(UnitOfWork, name, register)


@bug("fake")
def changes_are_written_in_the_wrong_order() -> None:
    """Of several changed aggregates, the one with the last id is written first."""
    around(FakeUnitOfWork, "_changed", lambda original, unit: original(unit)[::-1])


@bug("fake")
def changes_of_several_classes_are_written_by_id() -> None:
    """Changed aggregates are written in the order of their ids alone, whatever their classes."""
    instead(fake_unit_of_work, "write_order", lambda aggregate: aggregate.id)


@bug("sql")
def a_conflict_names_aggregates_in_the_wrong_order() -> None:
    """Of several changed aggregates, a conflict names the one with the last id first."""
    around(SqlUnitOfWork, "_changed", lambda original, unit: original(unit)[::-1])
