"""Promises 1 and 2: what is stored, and when."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from adapters.fake import database as fake_database
from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql import sqlite as sql_sqlite
from adapters.sql.statements import Statements
from adapters.sql.types import Text, UtcDateTime
from adapters.sql.unit_of_work import SqlUnitOfWork
from service_layer.unit_of_work import UnitOfWork, _State

if TYPE_CHECKING:
    from collections.abc import Mapping


from tests.planted_bugs.registry import around, bug, instead


@bug("fake", "sql")
def leaving_the_block_commits() -> None:
    """Leaving the block without an error stores the work, commit or not."""

    def leave(original: Any, unit: Any, kind: Any, *rest: Any) -> None:
        if kind is None and unit._state is _State.OPEN:
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
        unit._database.store(unit._layers[0].rows, unit._layers[0].index)
        original(unit)

    around(FakeUnitOfWork, "_roll_back", roll_back)


@bug("sql")
def rollback_stores_in_the_database() -> None:
    """A rollback stores what was written before it."""

    def roll_back(original: Any, unit: Any) -> None:
        if unit._transaction._connection is not None:
            unit._transaction._connection.commit()
        original(unit)

    around(SqlUnitOfWork, "_roll_back", roll_back)


@bug("sql")
def statements_are_stored_at_once() -> None:
    """Nothing begins a transaction in SQLite, so each statement is stored on its own, before any commit."""
    instead(sql_sqlite, "_BEGIN", "SELECT 1")


@bug("fake")
def others_see_additions_before_the_commit() -> None:
    """A query finds what other units have added and not committed."""

    def all_rows(original: Any, unit: Any, kind: type) -> list[Any]:
        others = [one for one in unit._database.open_units() if one is not unit]
        added = {key: row for one in others for layer in one._layers for key, row in layer.rows.items()}
        known: list[Any] = original(unit, kind)
        ids = {row["id"] for row in known}
        return known + [row for (of, id), row in added.items() if of is kind and row is not None and id not in ids]

    around(FakeUnitOfWork, "all_rows", all_rows)


@bug("fake")
def others_find_by_a_key_what_is_not_committed() -> None:
    """A query by an id or a unique value finds what another unit has written and not committed."""

    def row_by(original: Any, unit: Any, kind: type, key: str, value: object) -> Any:
        others = [one for one in unit._database.open_units() if one is not unit]
        rows = [row for one in others for layer in one._layers for (of, _), row in layer.rows.items() if of is kind]
        found = [row for row in rows if row is not None and row[key] == value]
        return found[0] if found else original(unit, kind, key, value)

    around(FakeUnitOfWork, "row_by", row_by)


@bug("fake")
def commit_stores_nothing_in_the_fake() -> None:
    """A commit returns, and nothing is stored."""
    instead(FakeDatabase, "store", lambda *_: None)


@bug("sql")
def commit_stores_nothing_in_the_database() -> None:
    """A commit returns, and nothing is stored."""
    instead(SqlUnitOfWork, "_commit", lambda unit: unit._let_go())


@bug("fake", "sql")
def commit_forgets_what_no_query_has_written() -> None:
    """A commit stores only what was written before it: a change that no query followed is lost."""

    def commit(original: Any, unit: Any) -> None:
        with patch.object(type(unit), "_write_changes", lambda _: None):
            original(unit)

    around(UnitOfWork, "commit", commit)


@bug("fake", "sql")
def commit_forgets_what_waits() -> None:
    """A commit stores only what was written before it, and changes: an addition or a removal just before it is lost."""

    def commit(original: Any, unit: Any) -> None:
        unit._waiting = None
        original(unit)

    around(UnitOfWork, "commit", commit)


@bug("fake", "sql")
def a_removal_that_waits_is_left_to_the_next_block() -> None:
    """A removal just before the block was left without a commit is written in the unit's next block."""

    def close(original: Any, unit: Any) -> None:
        waiting = unit._waiting
        is_removal = waiting is not None and not unit.holds(waiting[0])
        original(unit)
        unit._waiting = waiting if is_removal else None

    around(UnitOfWork, "_close", close)


@bug("sql")
def a_change_writes_the_columns_of_another_one() -> None:
    """A change of one attribute is stored by the statement for the first that was: of another attribute, perhaps."""

    class ByNumber(dict[Any, Any]):
        def __contains__(self, names: Any) -> bool:
            return super().__contains__(len(names))

        def __getitem__(self, names: Any) -> Any:
            return super().__getitem__(len(names))

        def __setitem__(self, names: Any, statement: Any) -> None:
            super().__setitem__(len(names), statement)

    def make(original: Any, statements: Any, *args: Any) -> None:
        original(statements, *args)
        statements._updates = ByNumber()

    around(Statements, "__init__", make)


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
    instead(Statements, "run_delete", lambda *_: True)


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
