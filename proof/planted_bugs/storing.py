"""Promises 1 and 2: what is stored, and when."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from adapters.fake import database as fake_database
from adapters.fake.database import FakeDatabase
from adapters.fake.session import FakeSession
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql import sqlite as sql_sqlite
from adapters.sql.types import Text, UtcDateTime
from adapters.sql.unit_of_work import SqlUnitOfWork
from service_layer.guard import State
from service_layer.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Mapping

from proof.planted_bugs.breaking import track, waiting, without_additions, without_changes
from proof.planted_bugs.registry import around, bug, instead


@bug("fake", "sql")
def leaving_the_block_commits() -> None:
    """Leaving the block without an error stores the work, commit or not."""

    def leave(original: Any, unit: Any, kind: Any, *rest: Any) -> None:
        if kind is None and unit._state is State.OPEN:
            unit.commit()
        original(unit, kind, *rest)

    around(UnitOfWork, "__exit__", leave)


@bug("fake", "sql")
def the_block_swallows_errors() -> None:
    """An error that leaves the block does not go on."""
    around(UnitOfWork, "__exit__", lambda original, *args: original(*args) or True)


@bug("fake")
def rollback_stores_in_the_fake() -> None:
    """A rollback stores what was written before it."""

    def roll_back(original: Any, unit: Any) -> None:
        unit.session.rows.store()
        original(unit)

    around(FakeUnitOfWork, "_roll_back", roll_back)


@bug("sql")
def rollback_stores_in_the_database() -> None:
    """A rollback stores what was written before it."""

    def roll_back(original: Any, unit: Any) -> None:
        if unit.session.used is not None:
            unit.session.used.connection.commit()
        original(unit)

    around(SqlUnitOfWork, "_roll_back", roll_back)


@bug("sql")
def statements_are_stored_at_once() -> None:
    """Nothing begins a transaction in SQLite, so each statement is stored on its own, before any commit."""
    instead(sql_sqlite, "_BEGIN", "SELECT 1")


@bug("fake")
def others_see_additions_before_the_commit() -> None:
    """A query finds what other units have added and not committed."""

    def all_rows(original: Any, session: Any, kind: type) -> list[Any]:
        known: list[Any] = original(session, kind)
        ids = {row.id for row in known}
        return known + [row for row in _written_by_others(session, kind) if row.id not in ids]

    around(FakeSession, "all_rows", all_rows)


@bug("fake")
def others_find_by_a_key_what_is_not_committed() -> None:
    """A query by an id or a unique value finds what another unit has written and not committed."""

    def select(original: Any, session: Any, kind: type, query: Any) -> Any:
        found = query.answer(_written_by_others(session, kind)) if query.where else []
        return [session.object_of(kind, row) for row in found] or original(session, kind, query)

    around(FakeSession, "select", select)


def _written_by_others(session: Any, kind: type) -> list[Any]:
    others = [one for one in session.database.open_sessions() if one is not session]
    rows = [row for one in others for layer in one.rows._layers for (of, _), row in layer.rows.items() if of is kind]
    return [row for row in rows if row is not None]


@bug("fake")
def commit_stores_nothing_in_the_fake() -> None:
    """A commit returns, and nothing is stored."""
    instead(FakeDatabase, "store", lambda *_: None)


@bug("sql")
def commit_stores_nothing_in_the_database() -> None:
    """A commit returns, and nothing is stored."""
    instead(SqlUnitOfWork, "_commit", lambda unit: unit._end())


@bug("fake", "sql")
def commit_forgets_what_no_query_has_written() -> None:
    """A commit stores only what was written before it: a change that no query followed is lost."""

    def commit(original: Any, unit: Any) -> None:
        without_changes(unit)
        original(unit)

    around(UnitOfWork, "commit", commit)


@bug("fake", "sql")
def commit_forgets_what_waits() -> None:
    """A commit stores only what was written before it, and changes: an addition just before it is lost."""

    def commit(original: Any, unit: Any) -> None:
        without_additions(unit).__enter__()
        original(unit)

    around(UnitOfWork, "commit", commit)


@bug("fake", "sql")
def an_addition_that_waits_is_left_to_the_next_block() -> None:
    """An addition just before the block was left without a commit is written in the unit's next block."""

    def close(original: Any, unit: Any) -> None:
        new = waiting(unit)
        original(unit)
        unit.left = new

    def enter(original: Any, unit: Any) -> Any:
        entered = original(unit)
        track(unit, getattr(unit, "left", []))
        return entered

    around(UnitOfWork, "_close", close)
    for unit in (FakeUnitOfWork, SqlUnitOfWork):
        around(unit, "__enter__", enter)


@bug("fake")
def commit_stores_half() -> None:
    """Of several rows that a unit has written, a commit stores every second one."""
    around(
        FakeDatabase,
        "store",
        lambda original, database, rows, index: original(database, dict(list(rows.items())[::2]), index),
    )


@bug("fake")
def commit_removes_nothing() -> None:
    """A commit stores additions and changes; what was removed is still there."""

    def apply(original: Any, changes: Mapping[Any, Any], stored: dict[Any, Any]) -> None:
        original({key: value for key, value in changes.items() if value is not None}, stored)

    around(fake_database, "_apply", apply)


@bug("sql")
def a_removal_removes_nothing() -> None:
    """The unit lets go of a removed object, and its row stays."""
    instead(SqlUnitOfWork, "_delete", lambda unit, aggregate: unit.session.expunge(aggregate))


@bug("sql")
def microseconds_are_cut() -> None:
    """A point in time comes back without its microseconds."""

    def binding(original: Any, column_type: Any, dialect: Any) -> Any:
        bind = original(column_type, dialect)
        return lambda value: bind(value and value.replace(microsecond=0))

    around(UtcDateTime, "bind_processor", binding)


@bug("sql")
def texts_lose_their_type() -> None:
    """A user name comes back as plain text and not as a Username."""
    instead(Text, "result_processor", lambda *_: None)


@bug("sql")
def times_lose_their_zone() -> None:
    """A point in time comes back without a time zone."""
    instead(UtcDateTime, "result_processor", lambda *_: lambda value: value and datetime.fromisoformat(str(value)))
