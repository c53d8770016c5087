"""Promise 6: a unit reads its own writes, and a version rises by one."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql import unit_of_work as sql_unit_of_work
from adapters.sql.identity_map import IdentityMap, values_of
from adapters.sql.unit_of_work import SqlUnitOfWork
from service_layer.undo_log import UndoLog
from service_layer.unit_of_work import UnitOfWork
from tests.planted_bugs.registry import around, bug, instead


@bug("fake", "sql")
def a_query_writes_nothing_first() -> None:
    """A query does not see what the unit has added, removed or changed since the last one."""

    def begin(original: Any, unit: Any, *, writes: bool) -> None:
        if writes:
            original(unit, writes=writes)
        else:
            unit._check_usable()

    around(UnitOfWork, "_begin_call", begin)


@bug("fake")
def a_list_shows_committed_rows_only() -> None:
    """Pages, streams and lists do not see what the unit has written."""

    def all_rows(original: Any, unit: Any, kind: type) -> Any:
        with patch.object(unit, "_layers", []):
            return original(unit, kind)

    around(FakeUnitOfWork, "all_rows", all_rows)


@bug("fake")
def a_key_finds_committed_rows_only() -> None:
    """A query by an id or a unique value does not see what the unit has written."""

    def row_by(original: Any, unit: Any, *args: Any) -> Any:
        with patch.object(unit, "_layers", []):
            return original(unit, *args)

    around(FakeUnitOfWork, "row_by", row_by)


@bug("fake")
def a_key_finds_what_the_unit_has_read() -> None:
    """A query by a unique value looks at the objects of the unit first, and not at what is stored now."""

    def row_by(original: Any, unit: Any, kind: type, key: str, value: object) -> Any:
        held = [one.row for (of, _), one in unit._tracked.items() if of is kind and one.row[key] == value]
        return held[0] if held else original(unit, kind, key, value)

    around(FakeUnitOfWork, "row_by", row_by)


@bug("fake", "sql")
def an_addition_waits_past_a_query() -> None:
    """An addition is written by the next write or by the commit, so that no query finds it."""
    around(UnitOfWork, "_begin_call", _passing_by(additions=True))


@bug("fake", "sql")
def a_removal_waits_past_a_query() -> None:
    """A removal is written by the next write or by the commit, so that a query still finds what was removed."""
    around(UnitOfWork, "_begin_call", _passing_by(additions=False))


def _passing_by(*, additions: bool) -> Any:
    def passing_by(original: Any, unit: Any, *, writes: bool) -> None:
        waiting = unit._waiting
        is_meant = not writes and waiting is not None and unit.holds(waiting[0]) is additions
        if is_meant:
            unit._waiting = None
        original(unit, writes=writes)
        if is_meant:
            unit._waiting = waiting

    return passing_by


@bug("sql", "postgres")
def statements_of_ones_own_come_before_what_waits() -> None:
    """A statement on the unit's connection does not see what the unit has added, removed or changed last."""

    def connection(original: Any, unit: Any) -> Any:
        with patch.object(unit, "_write", lambda: None):
            return original(unit)

    original: Any = vars(SqlUnitOfWork)["connection"]
    instead(SqlUnitOfWork, "connection", property(lambda unit: connection(original.fget, unit)))


@bug("sql")
def a_change_after_an_addition_is_lost() -> None:
    """What is stored of an added object is what it was when it was added, and not when it was written."""

    def insertion(original: Any, unit: Any, aggregate: Any) -> Any:
        added, write = values_of(aggregate), original(unit, aggregate)

        def insert() -> None:
            with patch.object(sql_unit_of_work, "values_of", lambda _: added):
                write()

        return insert

    around(SqlUnitOfWork, "_insertion", insertion)


@bug("fake")
def an_addition_raises_the_version_before_it_is_written() -> None:
    """An added object has its first version already while its addition waits."""

    def insertion(original: Any, unit: Any, aggregate: Any) -> Any:
        write = original(unit, aggregate)
        aggregate.version = unit._log.next_version(aggregate)
        return write

    around(FakeUnitOfWork, "_insertion", insertion)


@bug("fake")
def removed_rows_are_still_found_by_id() -> None:
    """Looked for by its id, an aggregate is found after the unit has removed it."""

    def row_by(original: Any, unit: Any, kind: type, key: str, value: object) -> Any:
        return original(unit, kind, key, value) or unit._database.rows.get((kind, value))

    around(FakeUnitOfWork, "row_by", row_by)


@bug("fake")
def removed_rows_are_still_listed() -> None:
    """Pages, streams and lists show an aggregate after the unit has removed it."""

    def all_rows(original: Any, unit: Any, kind: type) -> Any:
        removed = [key for layer in unit._layers for key, row in layer.rows.items() if row is None and key[0] is kind]
        rows = unit._database.rows
        return [*original(unit, kind), *(rows[key] for key in removed if key in rows)]

    around(FakeUnitOfWork, "all_rows", all_rows)


@bug("fake")
def a_removed_object_still_belongs_to_the_unit_in_the_fake() -> None:
    """An object that the unit has removed is still one of its objects."""

    def deletion(original: Any, unit: Any, aggregate: Any) -> Any:
        key = (type(aggregate), aggregate.id)
        held = unit._tracked[key]
        write = original(unit, aggregate)
        unit._tracked[key] = held
        return write

    around(FakeUnitOfWork, "_deletion", deletion)


@bug("sql")
def a_removed_object_still_belongs_to_the_unit_in_the_database() -> None:
    """An object that the unit has removed is still one of its objects."""

    def deletion(original: Any, *args: Any) -> Any:
        with patch.object(IdentityMap, "forget", lambda *_: None):
            return original(*args)

    around(SqlUnitOfWork, "_deletion", deletion)


@bug("fake", "sql")
def changes_do_not_raise_the_version() -> None:
    """An aggregate that is changed keeps its version."""
    around(UndoLog, "next_version", lambda original, *args: max(1, original(*args) - 1))


@bug("fake", "sql")
def each_write_raises_the_version() -> None:
    """A unit that writes an aggregate twice raises its version by two."""
    instead(UndoLog, "next_version", lambda _, aggregate: aggregate.version + 1)


@bug("fake", "sql")
def each_savepoint_raises_the_version() -> None:
    """A unit that writes an aggregate before a savepoint and in it raises its version by two."""

    def next_version(log: Any, aggregate: Any) -> Any:
        return log._levels[-1].originals[id(aggregate)].values["version"] + 1

    instead(UndoLog, "next_version", next_version)


@bug("fake", "sql")
def an_aggregate_that_is_added_again_begins_anew() -> None:
    """An aggregate that was removed and is added again has version 1, as if it had never been stored."""

    def insert(original: Any, unit: Any, aggregate: Any) -> None:
        with patch.object(unit._log, "next_version", lambda _: 1):
            original(unit, aggregate)

    for unit in (FakeUnitOfWork, SqlUnitOfWork):
        around(unit, "_insert", insert)


@bug("fake")
def reading_raises_the_version_in_the_fake() -> None:
    """A unit that has only read an aggregate writes it too."""
    instead(FakeUnitOfWork, "_changed", lambda unit: list(unit._tracked.values()))


@bug("sql")
def setting_the_same_value_raises_the_version() -> None:
    """An aggregate is written when an attribute was set to the value that it had."""
    instead(IdentityMap, "changed", lambda objects: [one for one, _ in objects._before.values()])


@bug("sql")
def a_change_that_was_written_is_written_again() -> None:
    """A unit takes its own write for that of another one, and refuses its next."""

    def stored(_unit: Any, aggregate: Any, row: Any) -> None:
        vars(aggregate)["version"] = row["version"]

    instead(SqlUnitOfWork, "_stored", stored)
