"""Promises 8 and 9: units that meet, locks, and the order of the writes."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import inspect

from adapters.fake import session as fake_session
from adapters.fake.constraints import Constraints
from adapters.fake.database import FakeDatabase
from adapters.fake.rows import Rows
from adapters.fake.session import FakeSession
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.fake.writing import Writer
from adapters.sql import engine as sql_engine
from adapters.sql import errors as sql_errors
from adapters.sql import sqlite as sql_sqlite
from adapters.sql.session import UnitSession
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import ConcurrentChange
from proof.planted_bugs.breaking import late_removals, other_statements
from proof.planted_bugs.registry import around, bug, instead
from service_layer.unit_of_work import UnitOfWork


@bug("fake")
def no_version_check_in_the_fake() -> None:
    """The second of two units that change an aggregate overwrites the first."""
    instead(Writer, "check_version", lambda writer, old: writer._rows.lock((old[0], old.id)))


@bug("sql")
def no_version_check_in_the_database() -> None:
    """The second of two units that change an aggregate overwrites the first."""
    _of_any_version("UPDATE")


@bug("sql")
def no_version_check_of_a_removal() -> None:
    """An aggregate that another unit has changed is removed nevertheless."""
    _of_any_version("DELETE")


def _of_any_version(verb: str) -> None:
    condition = re.compile(rf"^({verb} .+) AND \S+version = :\w+$", re.DOTALL)
    other_statements(lambda _, statement: condition.sub(r"\1", statement))


@bug("sql")
def nobody_looks_whether_a_removal_met_its_row() -> None:
    """A removal of an aggregate that another unit has changed or removed does nothing, and says nothing."""

    def delete(original: Any, unit: Any, aggregate: Any) -> None:
        inspect(type(aggregate)).confirm_deleted_rows = False
        original(unit, aggregate)

    around(SqlUnitOfWork, "_delete", delete)


@bug("fake", "sql")
def a_conflict_may_not_be_tried_again() -> None:
    """ConcurrentChange is not retryable."""
    instead(ConcurrentChange, "retryable", False)


@bug("fake")
def there_are_no_locks() -> None:
    """Two units write the same rows and values at the same time, and nobody waits."""
    instead(Rows, "lock", lambda *_, **__: None)


@bug("fake")
def locks_are_released_too_early() -> None:
    """A unit gives its locks back at its next write, and not at its end."""

    def flush(original: Any, session: Any, versions: Any) -> None:
        session.rows.release(whole=True)
        original(session, versions)

    around(FakeSession, "flush", flush)


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

    def select(original: Any, session: Any, kind: type, query: Any) -> Any:
        for one in query.where:
            if (one.attribute, one.operator) == ("id", "=="):
                session.rows.lock((kind, one.value))
        return original(session, kind, query)

    around(FakeSession, "select", select)


@bug("fake")
def an_undone_savepoint_keeps_its_locks() -> None:
    """What was written in an undone savepoint cannot be written by other units before the unit ends."""

    def drop(original: Any, rows: Any) -> None:
        outer, inner = rows._layers[-2:]
        outer.locks |= inner.locks
        inner.locks.clear()
        original(rows)

    around(Rows, "drop_layer", drop)


@bug("fake")
def a_kept_savepoint_keeps_its_locks() -> None:
    """What was written in a savepoint that was left normally cannot be written by others, even after the unit's end."""

    def keep(original: Any, rows: Any) -> None:
        rows._layers[-1].locks.clear()
        original(rows)

    around(Rows, "keep_layer", keep)


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

    def claim(original: Any, constraints: Any, key: Any, taken: Any) -> None:
        if key in constraints._rows._database.index:
            raise taken()
        original(constraints, key, taken)

    around(Constraints, "_claim", claim)


@bug("fake", "sql")
def a_removal_is_written_after_a_later_addition() -> None:
    """An addition is written before a removal that was asked for just before it, and so finds its values taken."""
    late_removals(after_an_addition=True)


@bug("fake")
def what_waits_is_written_after_later_changes() -> None:
    """A change is written before an addition that was asked for before it."""

    def write_order(original: Any, aggregate: Any, *, is_new: bool = False) -> Any:
        return original(aggregate, is_new=not is_new)

    around(fake_session, "write_order", write_order)


@bug("fake", "sql")
def an_addition_is_written_at_once() -> None:
    """Its errors come with the call itself, and not with the next one."""

    def register(original: Any, unit: Any, aggregate: Any) -> None:
        original(unit, aggregate)
        unit.flush()

    around(UnitOfWork, "register_new", register)


@bug("fake")
def changes_are_written_in_the_wrong_order() -> None:
    """Of several changed aggregates, the one with the last id is written first."""
    around(FakeSession, "changed", lambda original, session: original(session)[::-1])


@bug("fake")
def changes_of_several_classes_are_written_by_id() -> None:
    """Changed aggregates are written in the order of their ids alone, whatever their classes."""
    instead(fake_session, "write_order", lambda aggregate, **_: aggregate.id)


@bug("sql")
def a_conflict_names_aggregates_in_the_wrong_order() -> None:
    """Of several changed aggregates, a conflict names the one with the last id first."""
    around(UnitSession, "changed", lambda original, session: original(session)[::-1])
