"""Bugs in the order of the writes, in conflicts between units, and in savepoints."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import event

import adapters.sql.engine
import adapters.sql.reading
import adapters.sql.repository
from adapters.fake.constraints import Constraints
from adapters.fake.database import row_key
from adapters.fake.rows import Rows
from adapters.fake.session import FakeSession
from adapters.fake.writing import Writer
from adapters.sql.savepoint import SqlSavepoint
from adapters.sql.session import UnitSession
from adapters.sql.sqlite import sqlite_engine
from adapters.sql.unit_of_work import SqlUnitOfWork
from proof.planted_bugs.registry import around, bug, instead
from service_layer.unit_of_work import UnitOfWork
from service_layer.versions import Versions


@bug(
    "fake",
    promise=8,
    caught_by="contract/test_conflicts.py::test_a_removal_of_a_touched_one_is_refused",
)
def a_stale_aggregate_is_removed() -> None:
    """The fake removes an aggregate that another unit has changed since it was read."""

    def delete(original: Any, self: Any, old: Any) -> None:
        current = self._rows.get(row_key(old.row[0], old.row.id))
        self.check_version = lambda row: Writer.check_version(self, row if current is None else current)
        try:
            original(self, old)
        finally:
            del self.check_version

    around(Writer, "delete", delete)


@bug(
    "sql",
    promise=8,
    caught_by="contract/test_parts_read_whole.py::test_an_interrupted_read_is_made_again",
)
def an_aggregate_is_read_again_once_less() -> None:
    """An aggregate that others change while it is read is read three times in all, not four."""
    instead(adapters.sql.reading, "READ_AGAIN", 2)


@bug("fake", "sql", promise=8, caught_by="contract/test_locked_reads.py::test_no_locked_change_is_refused")
def a_lock_locks_nothing() -> None:
    """``get(..., lock=True)`` reads the newest values and lets others change them."""

    def lock(original: Any, self: Any, kind: Any, query: Any) -> Any:
        self.rows.lock = lambda *_, **__: None
        try:
            return original(self, kind, query)
        finally:
            del self.rows.lock

    def lock_row(statement: Any, parameters: Any, session: Any) -> None:
        kind = statement.column_descriptions[0]["entity"]
        only_key = statement.with_only_columns(adapters.sql.reading._key(kind))
        for id in session.connection().execute(only_key, parameters).scalars():
            held = [one for one in session.identity_map.values() if type(one) is kind and one.id == id]
            adapters.sql.reading.read_again(held, session)

    around(FakeSession, "lock", lock)
    instead(adapters.sql.repository, "lock_row", lock_row)


@bug(
    "fake",
    "sql",
    promise=9,
    caught_by="contract/test_conflicts.py::test_a_conflict_names_all_pending_ids",
)
def the_last_change_is_written_first() -> None:
    """Of several changed aggregates that cannot be written, the last is refused."""

    def changed_on_fake(original: Any, self: Any) -> Any:
        found = original(self)
        return [one for one in found if one.stored is None] + [one for one in found[::-1] if one.stored is not None]

    def changed(original: Any, self: Any) -> Any:
        found, new = original(self), self.new
        return [one for one in found if one in new] + [one for one in found[::-1] if one not in new]

    around(FakeSession, "changed", changed_on_fake)
    around(UnitSession, "changed", changed)


@bug(
    "fake",
    promise=9,
    caught_by="contract/test_conflicts.py::test_a_readded_aggregate_has_a_new_version",
)
def a_value_given_up_stays_taken() -> None:
    """A unit of the fake cannot take a unique value that it has given up."""
    instead(Constraints, "_give_up", lambda self, keys: [self._rows.lock(key) for key in keys])


@bug("sql", promise=9, caught_by="contract/test_references.py::test_a_stored_child_takes_a_new_parent")
def changes_are_written_before_the_addition() -> None:
    """A changed aggregate cannot refer to one that is added with it."""
    instead(SqlUnitOfWork, "_add_before_change", lambda *_: None)


@bug(
    "fake",
    promise=10,
    caught_by="contract/test_savepoints.py::test_a_kept_savepoint_keeps_all_taken_values",
)
def a_kept_savepoint_gives_its_values_up() -> None:
    """A unique value that was taken in a savepoint of the fake is free after it."""

    def keep(original: Any, self: Any) -> None:
        self._layers[-1].index.clear()
        original(self)

    around(Rows, "keep_layer", keep)


@bug("fake", promise=10, caught_by="contract/test_savepoints.py::test_a_kept_savepoint_overwrites_earlier_work")
def a_kept_savepoint_loses_to_what_was_before() -> None:
    """The earlier writes of a unit of the fake come back after a savepoint."""

    def keep(original: Any, self: Any) -> None:
        before = dict(self._layers[-2].rows)
        original(self)
        self._layers[-1].rows |= before

    around(Rows, "keep_layer", keep)


@bug(
    "fake",
    promise=10,
    caught_by="contract/test_savepoints_undone.py::test_an_undone_successor_gives_its_place_back",
)
def an_inner_savepoint_hides_what_was_before() -> None:
    """Undoing a savepoint of the fake restores the objects as they were at the last one inside of it."""

    def release(self: Any) -> None:
        inner = self._before.pop()
        self._before[-1] |= inner
        self.rows.keep_layer()

    instead(FakeSession, "release_savepoint", release)


@bug(
    "fake",
    "sql",
    promise=10,
    caught_by="contract/test_savepoints_undone.py::test_an_addition_in_a_kept_savepoint_is_undone",
)
def an_inner_savepoint_hides_the_version_before() -> None:
    """Undoing a savepoint gives a new aggregate the version from the last savepoint inside of it."""

    def keep(original: Any, self: Any) -> None:
        inner = dict(self._levels[-1].before)
        original(self)
        self._levels[-1].before |= inner

    around(Versions, "keep_level", keep)


@bug(
    "fake",
    promise=10,
    caught_by="contract/test_savepoints.py::test_an_undone_savepoint_releases_its_locks",
)
def an_undone_savepoint_keeps_its_locks() -> None:
    """Locks of an undone savepoint of the fake stay until the unit ends."""

    def drop(self: Any) -> None:
        self._layers[-2].locks |= self._layers.pop().locks

    instead(Rows, "drop_layer", drop)
    instead(FakeSession, "release_locks", lambda *_, **__: None)


@bug("sql", promise=10, caught_by="contract/test_savepoints_undone.py::test_a_removal_in_a_kept_savepoint_is_undone")
def a_kept_savepoint_forgets_its_removals() -> None:
    """An object that a savepoint removed stays removed when the savepoint around it is undone."""

    def release(original: Any, self: Any) -> None:
        self._removed.clear()
        original(self)

    around(SqlSavepoint, "release", release)


@bug(
    "fake",
    "sql",
    promise=8,
    caught_by="contract/test_conflicts.py::test_the_second_of_two_changes_is_refused",
)
def no_version_is_compared() -> None:
    """The second of two units that change an aggregate overwrites the first."""
    instead(Writer, "check_version", lambda self, old: self._rows.lock(row_key(old[0], old.id)))
    condition = re.compile(r"^(UPDATE .+) AND \S+version = :\w+$", re.DOTALL)

    def changed(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        return condition.sub(r"\1", statement), parameters

    def make(url: Any, timeout: float, options: Any) -> Any:
        engine = sqlite_engine(url, timeout, options)
        event.listen(engine, "before_cursor_execute", changed, retval=True)
        return engine

    instead(adapters.sql.engine, "_MAKERS", {"sqlite": make})


@bug(
    "sql",
    "postgres",
    promise=10,
    caught_by="contract/test_savepoints.py::test_an_error_undoes_the_savepoint_alone",
)
def an_undone_savepoint_leaks_in_the_database() -> None:
    """Writes in an undone savepoint are stored by the commit."""

    def roll_back(original: Any, savepoint: Any) -> None:
        session, nested = savepoint._session, savepoint._nested
        if nested.is_active and session.get_nested_transaction() is nested:  # no statement has failed in it
            session.give_up()
            nested.commit()
        original(savepoint)

    around(SqlSavepoint, "roll_back", roll_back)


@bug("fake", "sql", promise=10, caught_by="unit/test_fake_failures.py::test_a_savepoint_not_undone_says_why")
def a_lost_savepoint_raises_the_first_error() -> None:
    """If the transaction is gone, a savepoint raises the error in its block, which says that the unit can go on."""

    def undo(original: Any, unit: Any, savepoint: Any, written: Any, error: Any) -> None:
        if unit._loss is None:
            original(unit, savepoint, written, error)

    around(UnitOfWork, "_undo", undo)
