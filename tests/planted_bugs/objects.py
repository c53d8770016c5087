"""Promises 3 to 5: the objects of a unit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from sqlalchemy import inspect

from adapters.fake.unit_of_work import FakeUnitOfWork, _restore, _Tracked
from adapters.sql.identity_map import IdentityMap, values_of
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.aggregate import Aggregate
from service_layer.undo_log import UndoLog
from tests.planted_bugs.registry import around, bug, instead


@bug("fake", "sql")
def a_rollback_forgets_the_objects() -> None:
    """After a rollback, objects keep what they were given in the unit."""
    instead(UndoLog, "clear", lambda _: [])


@bug("fake", "sql")
def a_rollback_restores_the_last_write() -> None:
    """After a rollback, objects have the values that they had before their last write, not before their first one."""

    def note(original: Any, log: Any, aggregate: Any, values: Any, *, stored: bool) -> None:
        log._levels[-1].originals.pop(id(aggregate), None)
        original(log, aggregate, values, stored=stored)

    around(UndoLog, "note", note)


@bug("fake", "sql")
def a_rollback_forgets_what_was_not_written() -> None:
    """After a rollback, objects keep what they were given since the last write."""
    for unit in (FakeUnitOfWork, SqlUnitOfWork):
        around(unit, "_roll_back", unaware_of_changes)


@bug("sql")
def a_change_is_noted_too_late() -> None:
    """After a rollback, objects keep what they were given before the first write."""

    def note(unit: Any, changed: Any) -> None:
        for one in changed:
            unit._log.note(one, values_of(one), stored=True)

    instead(SqlUnitOfWork, "_note", note)


def unaware_of_changes(original: Any, unit: Any) -> None:
    """Call a method of a unit that is not told what has been changed."""
    with patch.object(unit, "_changed", list):
        original(unit)


@bug("sql")
def objects_are_expired_after_a_rollback() -> None:
    """Objects that were read cannot be read any more after a rollback (DetachedInstanceError)."""

    def roll_back(original: Any, unit: Any) -> None:
        expire(unit)
        original(unit)

    around(SqlUnitOfWork, "_roll_back", roll_back)


def expire(unit: Any) -> None:
    """Do to a unit's objects what a session does to its own ones at the end of a transaction."""
    references = [one for objects in unit._objects._objects.values() for one in objects.values()]
    for one in [one for reference in references if (one := reference()) is not None]:
        state = inspect(one)
        state.key = state.mapper.identity_key_from_instance(one)
        state._expire(state.dict, set())


@bug("sql")
def objects_are_expired_after_a_commit() -> None:
    """Objects cannot be read any more after a commit (DetachedInstanceError)."""

    def commit(original: Any, unit: Any) -> None:
        unit._write()  # what is expired could not be written
        expire(unit)
        original(unit)

    around(SqlUnitOfWork, "_commit", commit)


@bug("sql")
def objects_are_expired_after_a_refused_write() -> None:
    """After a write that was refused, no object of the unit can be read any more."""

    def failed(original: Any, unit: Any, error: Any) -> Any:
        expire(unit)
        return original(unit, error)

    around(SqlUnitOfWork, "_failed", failed)


@bug("fake")
def no_copy_on_read() -> None:
    """Two units that read a row get the same object."""
    shared: dict[int, tuple[Any, Any]] = {}

    def tracked(unit: Any, kind: Any, row: Any) -> Any:
        _, aggregate = shared.setdefault(id(row), (row, kind(**row)))
        return unit._tracked.setdefault((kind, row["id"]), _Tracked(aggregate, row)).aggregate

    instead(FakeUnitOfWork, "tracked", tracked)


@bug("fake")
def no_copy_on_write() -> None:
    """The fake keeps an added object itself and not its values: who changes it later changes what is stored."""

    class Live(dict[str, Any]):
        def __init__(self, aggregate: Any, row: dict[str, Any]) -> None:
            super().__init__(row)
            self.aggregate = aggregate

        def __getitem__(self, name: str) -> Any:
            return getattr(self.aggregate, name)

    def insert(original: Any, unit: Any, aggregate: Any) -> None:
        original(unit, aggregate)
        key = (type(aggregate), aggregate.id)
        unit._layers[-1].rows[key] = Live(aggregate, unit._layers[-1].rows[key])

    around(FakeUnitOfWork, "_insert", insert)


@bug("fake")
def the_fake_holds_objects_after_the_unit() -> None:
    """The unit's next block still knows the objects of the last one, and writes what was changed in between."""

    def let_go(original: Any, unit: Any) -> None:
        tracked = dict(unit._tracked)
        original(unit)
        unit._tracked.update(tracked)

    around(FakeUnitOfWork, "_let_go", let_go)


@bug("sql")
def the_identity_map_holds_objects_after_the_unit() -> None:
    """The unit's next block still knows the objects of the last one, and writes what was changed in between."""
    instead(IdentityMap, "clear", lambda _: None)


@bug("fake")
def each_query_makes_objects_of_its_own_in_the_fake() -> None:
    """Two queries that find one aggregate return two objects."""

    def tracked(original: Any, unit: Any, kind: Any, row: Any) -> Any:
        unit._tracked.pop((kind, row["id"]), None)
        return original(unit, kind, row)

    around(FakeUnitOfWork, "tracked", tracked)


@bug("sql")
def each_query_makes_objects_of_its_own_in_the_database() -> None:
    """Two queries that find one aggregate return two objects."""

    def made(original: Any, objects: Any, kind: Any, *found: Any) -> Any:
        objects._objects[kind].clear()
        return original(objects, kind, *found)

    around(IdentityMap, "made", made)


@bug("fake")
def a_query_overwrites_what_the_unit_read_in_the_fake() -> None:
    """An object that the unit has read changes when a later query meets what others have committed since."""

    def tracked(original: Any, unit: Any, kind: Any, row: Any) -> Any:
        aggregate = original(unit, kind, row)
        _restore(SimpleNamespace(aggregate=aggregate, values=row))  # type: ignore[arg-type]  # all that it reads
        unit._tracked[kind, row["id"]].row = row
        return aggregate

    around(FakeUnitOfWork, "tracked", tracked)


@bug("sql")
def a_query_overwrites_what_the_unit_read_in_the_database() -> None:
    """An object that the unit has read changes when a later query meets what others have committed since."""

    def made(original: Any, objects: Any, kind: Any, names: Any, rows: Any) -> Any:
        found = original(objects, kind, names, rows)
        for one, row in zip(found, rows, strict=True):
            vars(one).update(zip(names, row, strict=True))
        return found

    around(IdentityMap, "made", made)


@bug("sql")
def copies_share_an_objects_state() -> None:
    """A copy is watched as if it were the object itself."""
    del Aggregate.__copy__
