"""Promises 3 to 5: the objects of a unit."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal
from unittest.mock import patch

from adapters.fake.unit_of_work import FakeUnitOfWork, _restore, _Tracked
from adapters.sql.repository import SqlRepository
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.aggregate import Aggregate
from service_layer.undo_log import UndoLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Plant = Callable[[], None]
    Storage = Literal["fake", "sql"]


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


def unaware_of_changes(original: Any, unit: Any) -> None:
    """Call a method of a unit that is not told what has been changed."""
    with patch.object(unit, "_changed", list):
        original(unit)


@bug("sql")
def objects_are_expired_after_a_rollback() -> None:
    """Objects that were read cannot be read any more after a rollback (DetachedInstanceError)."""

    def roll_back(original: Any, unit: Any) -> None:
        unit.session.expire_all()
        original(unit)

    around(SqlUnitOfWork, "_roll_back", roll_back)


@bug("sql")
def objects_are_expired_after_a_commit() -> None:
    """Objects cannot be read any more after a commit (DetachedInstanceError)."""

    def make(original: Any, unit: Any, *args: Any, **options: Any) -> None:
        original(unit, *args, **options)
        unit.session.expire_on_commit = True

    around(SqlUnitOfWork, "__init__", make)


@bug("sql")
def objects_are_expired_after_a_refused_write() -> None:
    """After a write that was refused, no object of the unit can be read any more."""

    @contextmanager
    def flushing(original: Any, unit: Any, written: Any) -> Iterator[None]:
        try:
            with original(unit, written):
                yield
        except BaseException:
            unit.session.expire_all()
            raise

    around(SqlUnitOfWork, "_flushing", flushing)


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
def the_session_holds_objects_after_the_unit() -> None:
    """The unit's next block still knows the objects of the last one, and writes what was changed in between."""

    def make(original: Any, unit: Any, *args: Any, **options: Any) -> None:
        original(unit, *args, **options)
        unit.session.close = unit.session.commit

    around(SqlUnitOfWork, "__init__", make)


@bug("fake")
def each_query_makes_objects_of_its_own_in_the_fake() -> None:
    """Two queries that find one aggregate return two objects."""

    def tracked(original: Any, unit: Any, kind: Any, row: Any) -> Any:
        unit._tracked.pop((kind, row["id"]), None)
        return original(unit, kind, row)

    around(FakeUnitOfWork, "tracked", tracked)


@bug("sql")
def each_query_makes_objects_of_its_own_in_the_session() -> None:
    """Two queries that find one aggregate return two objects."""

    def find(original: Any, repository: Any, *args: Any) -> Any:
        with repository._unit.reading():
            repository._unit.session.expunge_all()
            return original(repository, *args)

    around(SqlRepository, "_list", find)


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
def a_query_overwrites_what_the_unit_read_in_the_session() -> None:
    """An object that the unit has read changes when a later query meets what others have committed since."""

    def find(original: Any, repository: Any, statement: Any, parameters: Any) -> Any:
        return original(repository, statement.execution_options(populate_existing=True), parameters)

    around(SqlRepository, "_list", find)


@bug("sql")
def copies_share_an_objects_state() -> None:
    """A copy is watched as if it were the object itself."""
    del Aggregate.__copy__
