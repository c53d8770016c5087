"""Promises 11 to 13: misuse, forgotten commits, read-only units."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from sqlalchemy import inspect

from adapters.fake.session import FakeSession
from adapters.sql import mapping as sql_mapping
from adapters.sql import unit_of_work as sql_unit_of_work
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import (
    UncommittedChanges,
    UnitOfWorkMisuse,
)
from domain.repository import Repository
from proof.planted_bugs.registry import around, bug, instead
from service_layer import unit_of_work
from service_layer.guard import Failing, State
from service_layer.open_units import OpenUnit
from service_layer.unit_of_work import UnitOfWork
from service_layer.versions import Versions


@bug("fake", "sql")
def a_unit_can_be_entered_twice() -> None:
    """A unit that is open can be opened again."""

    def make(original: Any, unit: Any, **options: Any) -> None:
        original(unit, **options)
        unit._entered = SimpleNamespace(acquire=lambda **_: True, release=lambda: None)

    around(UnitOfWork, "__init__", make)


@bug("fake", "sql")
def another_thread_can_use_a_unit() -> None:
    """A unit can be used and left by a thread that has not opened it."""
    instead(UnitOfWork, "_check_thread", lambda _: None)


@bug("fake", "sql")
def a_unit_can_be_used_after_its_commit() -> None:
    """After a commit, the block goes on as if nothing had been."""
    around(
        UnitOfWork,
        "_check_usable",
        lambda original, unit: None if unit._state is State.COMMITTED else original(unit),
    )


@bug("fake", "sql")
def a_unit_can_be_used_outside_of_its_block() -> None:
    """Repositories answer before and after the block, too."""
    around(
        UnitOfWork,
        "_check_usable",
        lambda original, unit: None if unit._state is State.CLOSED else original(unit),
    )


@bug("fake", "sql")
def a_unit_can_be_used_only_once() -> None:
    """A unit stays open for ever: it cannot be used for another block."""

    def enter(original: Any, unit: Any) -> Any:
        entered = original(unit)
        unit._entered = SimpleNamespace(acquire=lambda **_: False, release=lambda: None)
        return entered

    around(UnitOfWork, "__enter__", enter)


@bug("fake", "sql")
def a_misuse_ends_the_unit() -> None:
    """After a call that was refused, the unit can only be left."""

    def leave(original: Any, failing: Any, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, UnitOfWorkMisuse):
            failing._unit._state = State.FAILED
        original(failing, kind, error, traceback)

    around(Failing, "__exit__", leave)


@bug("fake", "sql")
def a_missing_aggregate_ends_the_unit() -> None:
    """After a key that nobody has, the unit can only be left."""

    def get_by(original: Any, repository: Any, *args: Any) -> Any:
        with repository._unit.failing:
            return original(repository, *args)

    around(Repository, "_get_by", get_by)


@bug("fake", "sql")
def a_unit_can_be_ended_inside_a_savepoint() -> None:
    """A commit or a rollback inside of a savepoint's block is not refused."""
    instead(UnitOfWork, "_check_no_savepoint", lambda *_: None)


@bug("fake", "sql")
def an_object_of_another_unit_can_be_removed() -> None:
    """Any object of the same identity will do for a removal."""
    instead(Repository, "remove", lambda repository, aggregate: repository._remove(repository.get(aggregate.id)))


@bug("fake")
def an_object_of_another_unit_can_be_added_in_the_fake() -> None:
    """An object can belong to two open units."""
    instead(FakeSession, "_check_no_other_unit_owns", lambda *_: None)


@bug("sql")
def an_object_of_another_unit_can_be_added_in_the_database() -> None:
    """An object can be taken away from another open unit."""

    def insert(original: Any, unit: Any, aggregate: Any) -> None:
        state = inspect(aggregate)
        if state.session not in (None, unit.session):
            state.session.expunge(aggregate)
        original(unit, aggregate)

    around(SqlUnitOfWork, "_insert", insert)


@bug("sql")
def a_removed_object_can_be_added_to_another_unit() -> None:
    """An object that a unit may get back by undoing a savepoint can belong to another one by then."""
    instead(sql_unit_of_work, "_REMOVED_BY", "removed")
    around(SqlUnitOfWork, "_insert", _forgetting)


def _forgetting(original: Any, unit: Any, aggregate: Any) -> None:
    inspect(aggregate).info.pop("removed", None)
    original(unit, aggregate)


@bug("sql")
def a_removed_object_belongs_to_its_unit_for_ever() -> None:
    """What a unit has removed can be added to no other one after its end."""

    def end(original: Any, unit: Any) -> None:
        unit._removed.clear()
        original(unit)

    around(SqlUnitOfWork, "_end", end)


@bug("sql")
def an_object_that_was_made_before_its_class_was_mapped_is_taken() -> None:
    """It is added without a word, and never stored."""

    def insert(original: Any, unit: Any, aggregate: Any) -> None:
        if inspect(aggregate, raiseerr=False) is not None:
            original(unit, aggregate)

    around(SqlUnitOfWork, "_insert", insert)


@bug("fake", "sql")
def anything_can_be_added() -> None:
    """A repository does not look at what it is given."""
    instead(Repository, "_checked", lambda _, aggregate: aggregate)


@bug("sql")
def nothing_is_refused_when_it_is_mapped() -> None:
    """A class that the storages could not keep alike is mapped without a word."""
    instead(sql_mapping, "refuse_declared", lambda *_, **__: None)


@bug("fake", "sql")
def an_object_cannot_be_added_twice() -> None:
    """Adding an object that the unit holds already is refused."""

    def register_new(unit: Any, aggregate: Any) -> None:
        with unit.writing:
            unit._insert(aggregate)

    instead(UnitOfWork, "register_new", register_new)


@bug("fake", "sql")
def a_forgotten_commit_does_not_warn() -> None:
    """Leaving a block with changes but without a commit passes unnoticed."""

    def leave(original: Any, unit: Any, *args: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UncommittedChanges)
            original(unit, *args)

    around(UnitOfWork, "__exit__", leave)


@bug("fake", "sql")
def a_forgotten_addition_does_not_warn() -> None:
    """Leaving a block with what is not written yet, and without a commit, passes unnoticed."""

    def leave(original: Any, unit: Any, *args: Any) -> None:
        with patch.object(unit, "_has_unwritten", lambda: False):
            original(unit, *args)

    around(UnitOfWork, "__exit__", leave)


@bug("fake", "sql")
def a_forgotten_removal_does_not_warn() -> None:
    """Leaving a block with a removal, but without a commit, passes unnoticed."""

    def register(original: Any, unit: Any, aggregate: Any) -> None:
        with patch.object(unit._versions, "note_write", lambda: None):
            original(unit, aggregate)

    around(UnitOfWork, "register_removed", register)


@bug("fake", "sql")
def a_forgotten_bulk_does_not_warn() -> None:
    """Leaving a block with rows that were stored in bulk, but without a commit, passes unnoticed."""
    instead(UnitOfWork, "register_bulk", lambda _: None)


@bug("fake", "sql")
def a_forgotten_bulk_in_a_savepoint_does_not_warn() -> None:
    """The same for rows that were stored in bulk in a savepoint which was left normally."""

    def keep(original: Any, versions: Any) -> None:
        versions._levels[-1].wrote = False
        original(versions)

    around(Versions, "keep_level", keep)


@bug("fake", "sql")
def a_block_that_an_error_leaves_warns_too() -> None:
    """Leaving a block by an error warns of uncommitted changes."""

    def leave(original: Any, unit: Any, kind: Any, *rest: Any) -> None:
        forgotten = kind is not None and unit._state is State.OPEN and (unit._versions.wrote or unit._has_unwritten())
        original(unit, kind, *rest)
        if forgotten:
            warnings.warn("not committed", UncommittedChanges, stacklevel=2)

    around(UnitOfWork, "__exit__", leave)


@bug("fake", "sql")
def a_read_only_unit_writes() -> None:
    """A read-only unit does what any other one does."""
    instead(UnitOfWork, "check_writable", lambda *_: None)


@bug("fake", "sql")
def a_read_only_unit_commits_changes() -> None:
    """A read-only unit refuses additions and removals, and stores changed objects."""

    def check(original: Any, unit: Any, action: str) -> None:
        if action != "commit" and not unit._has_unwritten():
            original(unit, action)

    around(UnitOfWork, "check_writable", check)


@bug("fake", "sql")
def two_tasks_of_a_thread_can_have_a_unit_open() -> None:
    """An asyncio task waits for the locks of another one of its thread, which cannot go on then."""
    instead(unit_of_work, "task_that_enters", lambda: None)


@bug("fake")
def a_finished_task_blocks_the_others() -> None:
    """A unit that an asyncio task has never left keeps the other tasks of its thread from opening one for ever."""
    instead(OpenUnit, "waiting_task", lambda unit: None if unit._task is None else unit._task())
