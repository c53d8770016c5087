"""Bugs in the life of a unit of work: what it stores, which objects it keeps, and what it refuses."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

import adapters.sql.mapping
import adapters.sql.reading
import adapters.sql.unit_of_work
from adapters.fake.copies import fill
from adapters.fake.database import FakeDatabase
from adapters.fake.session import FakeSession
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql.session import UnitSession
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import UnitOfWorkMisuse
from proof.planted_bugs.registry import around, bug, instead
from service_layer.guard import Guard, State
from service_layer.open_units import OpenUnit
from service_layer.unit_of_work import UnitOfWork
from service_layer.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Iterator


@bug(
    "fake",
    "sql",
    promise=1,
    caught_by="contract/test_transactions.py::test_rollback_undoes_every_kind_of_change",
)
def a_rollback_stores_the_work() -> None:
    """``rollback()`` commits."""

    def rollback(original: Any, self: Any) -> None:
        if self._state is State.OPEN and not self._versions.depth:
            self._commit()
        original(self)

    around(UnitOfWork, "rollback", rollback)


@bug("fake", promise=1, caught_by="contract/test_transactions.py::test_an_addition_is_invisible_before_the_commit")
def a_flush_is_visible_to_all() -> None:
    """The fake stores what a unit flushes."""

    def flush(original: Any, self: Any, versions: Any) -> None:
        original(self, versions)
        self.rows.store()

    around(FakeSession, "flush", flush)


@bug(
    "fake",
    promise=2,
    caught_by="contract/test_transactions.py::test_changes_are_invisible_before_the_commit",
)
def a_commit_does_not_flush() -> None:
    """The fake commits only what an earlier call has flushed."""
    instead(FakeUnitOfWork, "_commit", lambda self: self.session.commit())


@bug(
    "sql",
    promise=2,
    caught_by="contract/test_waiting_writes.py::test_a_refused_last_write_stores_nothing",
)
def only_the_first_change_is_written() -> None:
    """Of several changed aggregates of one row each, only the first is written."""

    def write(original: Any, roots: Any, session: Any) -> None:
        original(list(roots)[:1], session)

    around(adapters.sql.unit_of_work, "write_flat", write)


@bug("sql", promise=3, caught_by="contract/test_objects.py::test_objects_stay_readable_after_reading")
def a_rollback_expires_the_objects() -> None:
    """SQLAlchemy expires the objects of a unit that is rolled back."""
    instead(UnitSession, "give_up", lambda _: None)
    instead(UnitSession, "close", lambda self: self.rollback())


@bug("fake", promise=3, caught_by="contract/test_objects.py::test_objects_keep_their_values_after_a_rollback")
def a_rollback_restores_old_values() -> None:
    """An object of the fake gets the values that were last written when its unit ends without a commit."""

    def end(original: Any, self: Any) -> None:
        for one in self._tracked.values():
            if one.stored is not None:
                fill(one.aggregate, one.stored.row, [part.object for part in one.stored.parts])
        original(self)

    around(FakeSession, "end", end)


@bug(
    "fake",
    promise=4,
    caught_by="contract/test_transactions.py::test_a_rolled_back_change_is_not_made_later",
)
def a_unit_tracks_after_its_end() -> None:
    """The next block of a unit of the fake holds the objects of the one before."""

    def end(original: Any, self: Any) -> None:
        tracked = dict(self._tracked)
        original(self)
        self._tracked.update(tracked)

    around(FakeSession, "end", end)


@bug(
    "fake",
    "sql",
    promise=4,
    caught_by="contract/test_parts_ended.py::test_a_part_of_an_ended_unit_is_refused",
)
def a_part_of_an_ended_unit_moves_in() -> None:
    """A part that an ended unit has read can be put into an aggregate of an open one."""

    def refuse(original: Any, *args: Any) -> None:
        try:
            original(*args)
        except UnitOfWorkMisuse as error:
            if "is of another unit of work" not in str(error):
                raise

    instead(FakeDatabase, "knows_part", lambda *_: False)
    around(adapters.sql.mapping, "_refuse_foreign", refuse)


@bug(
    "fake",
    "sql",
    promise=6,
    caught_by="contract/test_waiting_writes.py::test_the_next_call_writes_an_addition",
)
def flush_writes_nothing() -> None:
    """``flush()`` does nothing: only the next query or the commit writes."""
    instead(UnitOfWork, "flush", lambda self: self._check_usable())


@bug(
    "fake",
    "sql",
    promise=6,
    caught_by="contract/test_savepoints.py::test_savepoints_raise_a_version_once",
)
def a_version_rises_again_in_a_savepoint() -> None:
    """An aggregate that the unit has written gets another version when a savepoint writes it."""
    original = Versions.raised

    @contextmanager
    def raised(self: Versions, aggregates: Any) -> Iterator[None]:
        outer, self._levels[:] = self._levels[:-1], self._levels[-1:]
        try:
            with original(self, aggregates):
                yield
        finally:
            self._levels[:0] = outer

    instead(Versions, "raised", raised)


@bug("fake", "sql", promise=11, caught_by="contract/test_misuse.py::test_a_savepoint_must_be_left_first")
def a_commit_inside_a_savepoint() -> None:
    """A unit can be committed and rolled back inside a savepoint."""
    instead(Guard, "_check_no_savepoint", lambda *_: None)


@bug("fake", "sql", promise=11, caught_by="unit/test_open_units.py::test_a_task_group_inside_a_block_is_refused")
def a_closed_unit_refuses_other_tasks() -> None:
    """A unit that a task has left still keeps other tasks from opening one."""
    instead(OpenUnit, "close", lambda _: None)


@bug("fake", "sql", promise=11, caught_by="contract/test_misuse.py::test_after_its_end_a_unit_can_only_be_left")
def a_committed_unit_goes_on() -> None:
    """A unit can be used after its commit."""

    def commit(original: Any, self: Any) -> None:
        original(self)
        self._state = State.OPEN
        if isinstance(self, FakeUnitOfWork):
            self.session.begin()

    around(UnitOfWork, "commit", commit)


@bug(
    "fake",
    "sql",
    promise=12,
    caught_by="contract/test_transactions.py::test_uncommitted_changes_warn_and_roll_back",
)
def a_forgotten_bulk_does_not_warn() -> None:
    """Leaving a unit that has stored a bulk without a commit does not warn."""
    instead(UnitOfWork, "register_bulk", lambda _: None)


@bug(
    "fake", "sql", promise=12, caught_by="contract/test_transactions.py::test_what_only_a_savepoint_wrote_is_warned_of"
)
def a_savepoint_forgets_that_it_wrote() -> None:
    """Leaving a unit without a commit does not warn if only a savepoint has written."""

    def keep(original: Any, self: Any) -> None:
        wrote = self._levels[-2].wrote
        original(self)
        self._levels[-1].wrote = wrote

    around(Versions, "keep_level", keep)


@bug("fake", "sql", promise=13, caught_by="contract/test_misuse.py::test_a_read_only_unit_refuses_to_write")
def a_read_only_unit_commits() -> None:
    """A read-only unit treats a commit as nothing to do."""

    def check(original: Any, self: Any, action: str) -> None:
        if action != "commit":
            original(self, action)

    around(Guard, "check_writable", check)


@bug(
    "fake",
    "sql",
    promise=13,
    caught_by="contract/test_misuse.py::test_a_read_only_unit_refuses_changed_objects",
)
def a_read_only_unit_writes_changes() -> None:
    """The next call of a read-only unit writes an object that was changed."""

    def begin(self: Any, *, writes: bool) -> None:
        self._check_usable()
        if writes:
            self.check_writable("write")
        if self._has_unwritten():
            with self.failing:
                self._flush()

    instead(Guard, "begin_call", begin)


@bug("fake", "sql", promise=11, caught_by="contract/test_misuse.py::test_an_open_unit_cannot_be_entered_again")
def a_unit_can_be_entered_twice() -> None:
    """A unit that is open can be opened again."""

    def make(original: Any, unit: Any, **options: Any) -> None:
        original(unit, **options)
        unit._entered = SimpleNamespace(acquire=lambda **_: True, release=lambda: None)

    around(UnitOfWork, "__init__", make)


@bug("fake", "sql", promise=11, caught_by="contract/test_misuse.py::test_an_object_has_one_unit_at_a_time")
def an_object_of_another_unit_can_be_added() -> None:
    """An object can be taken away from another open unit."""

    def insert(original: Any, unit: Any, aggregate: Any) -> None:
        state = inspect(aggregate)
        if state.session not in (None, unit.session):
            state.session.expunge(aggregate)
        original(unit, aggregate)

    instead(FakeSession, "_check_no_other_unit_owns", lambda *_: None)
    around(SqlUnitOfWork, "_insert", insert)
