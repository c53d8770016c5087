"""What several bugs break the code with: additions that are passed by, removals that wait, other statements."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql import engine as sql_engine
from adapters.sql import sqlite as sql_sqlite
from domain.aggregate import Aggregate
from domain.errors import UnitOfWorkMisuse
from proof.planted_bugs.registry import around, instead
from service_layer.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def waiting(unit: Any) -> list[Any]:
    """Return what was added to a unit and is not written yet."""
    if isinstance(unit, FakeUnitOfWork):
        return [one.aggregate for one in unit.session._tracked.values() if one.stored is None]
    return [one for one in unit.session.new if isinstance(one, Aggregate)]


def track(unit: Any, aggregates: list[Any]) -> None:
    """Let a unit track new aggregates."""
    for one in aggregates:
        unit.session.add(one)


@contextmanager
def without_additions(unit: Any) -> Iterator[None]:
    """Let a unit not know in a block what it has not written yet."""
    hidden = waiting(unit)
    if isinstance(unit, FakeUnitOfWork):
        for one in hidden:
            del unit.session._tracked[type(one), one.id]
    else:
        unit.session.expunge_each(hidden)
    yield
    track(unit, hidden)


def without_changes(unit: Any) -> None:
    """Let a unit forget the objects that were changed since the last write."""
    if isinstance(unit, FakeUnitOfWork):
        for one in unit.session.changed():
            if one.stored is not None:
                del unit.session._tracked[type(one.aggregate), one.aggregate.id]
    else:
        unit.session.expunge_each(unit.session.dirty)


def late_removals(*, after_an_addition: bool) -> None:
    """Write a removal with the next call that adds or removes, before it; or with the first one after that."""

    def register(unit: Any, aggregate: Any) -> None:
        with unit.writing:
            if not unit.holds(aggregate):
                raise UnitOfWorkMisuse("get it from this unit")
            unit._versions.note_write()
            unit.late = [*getattr(unit, "late", []), aggregate]

    def write(unit: Any) -> None:
        late, unit.late = getattr(unit, "late", []), []
        with unit.failing:
            for one in late:
                unit._delete(one)

    def begin_call(original: Any, unit: Any, *, writes: bool) -> None:
        original(unit, writes=writes)
        if writes != after_an_addition:
            write(unit)

    def commit(original: Any, unit: Any) -> None:
        unit.flush()
        write(unit)
        original(unit)

    instead(UnitOfWork, "register_removed", register)
    around(UnitOfWork, "begin_call", begin_call)
    around(UnitOfWork, "commit", commit)


def other_statements(change: Callable[[Any, str], str]) -> None:
    """Let SQLite get other statements; ``change`` is given the connection and the statement."""

    def changed(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return change(connection, statement), parameters

    def make(url: Any, timeout: float, options: Any) -> Any:
        engine = sql_sqlite.sqlite_engine(url, timeout, options)
        event.listen(engine, "before_cursor_execute", changed, retval=True)
        return engine

    instead(sql_engine, "_MAKERS", {"sqlite": make})
