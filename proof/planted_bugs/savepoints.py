"""Promise 10: savepoints."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sqlalchemy.engine import NestedTransaction
from sqlalchemy.orm import make_transient_to_detached

from adapters.fake.copies import copy_of
from adapters.fake.rows import Rows
from adapters.fake.session import FakeSession
from adapters.fake.tracked import Tracked
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql import savepoint as sql_savepoint
from adapters.sql.savepoint import SqlSavepoint
from adapters.sql.unit_of_work import SqlUnitOfWork
from service_layer.guard import State
from service_layer.unit_of_work import UnitOfWork
from service_layer.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Iterator

from proof.planted_bugs.breaking import track, waiting, without_additions
from proof.planted_bugs.registry import around, bug, instead


@bug("fake")
def an_undone_savepoint_leaks_in_the_fake() -> None:
    """What was written in an undone savepoint is stored by the commit."""

    def drop(original: Any, rows: Any) -> None:
        outer, inner = rows._layers[-2:]
        original(rows)
        outer.rows |= inner.rows
        outer.index |= inner.index

    around(Rows, "drop_layer", drop)


@bug("sql", "postgres")
def an_undone_savepoint_leaks_in_the_database() -> None:
    """What was written in an undone savepoint is stored by the commit."""

    def roll_back(original: Any, savepoint: Any) -> None:
        session, nested = savepoint._session, savepoint._nested
        if nested.is_active and session.get_nested_transaction() is nested:  # no statement has failed in it
            session.give_up()
            nested.commit()
        original(savepoint)

    around(SqlSavepoint, "roll_back", roll_back)


@bug("fake")
def a_kept_savepoint_loses_its_writes_in_the_fake() -> None:
    """What was written in a savepoint that was left normally is not stored."""

    def keep(original: Any, rows: Any) -> None:
        rows._layers[-1].rows.clear()
        rows._layers[-1].index.clear()
        original(rows)

    around(Rows, "keep_layer", keep)


@bug("sql")
def a_kept_savepoint_loses_its_writes_in_the_database() -> None:
    """What was written in a savepoint that was left normally is not stored."""
    instead(NestedTransaction, "commit", lambda nested: nested.rollback())


@bug("fake")
def an_undone_savepoint_reads_nothing_again_in_the_fake() -> None:
    """After an undone savepoint, objects keep what they were given in it."""
    instead(FakeSession, "_read_again", lambda *_: None)


@bug("sql")
def an_undone_savepoint_reads_nothing_again_in_the_database() -> None:
    """After an undone savepoint, objects keep what they were given in it."""
    instead(sql_savepoint, "read_again", lambda *_: None)


@bug("fake")
def an_undone_savepoint_forgets_what_was_not_written_in_the_fake() -> None:
    """After an undone savepoint, objects keep what they were given in it since the last write."""

    def undo(original: Any, session: Any, written: Any) -> None:
        with patch.object(Tracked, "is_changed", lambda _: False):
            original(session, written)

    around(FakeSession, "undo_savepoint", undo)


@bug("sql")
def an_undone_savepoint_forgets_what_was_not_written_in_the_database() -> None:
    """After an undone savepoint, objects keep what they were given in it since the last write."""
    instead(SqlSavepoint, "_roots_of", lambda savepoint, _: [root for _, _, root in savepoint._removed if root])


@bug("fake")
def an_undone_savepoint_loses_removed_objects_in_the_fake() -> None:
    """An object that was removed in an undone savepoint does not belong to the unit any more."""

    def undo(original: Any, session: Any, written: Any) -> None:
        held = set(session._tracked)
        original(session, written)
        for key in session._tracked.keys() - held:
            del session._tracked[key]

    around(FakeSession, "undo_savepoint", undo)


@bug("sql")
def an_undone_savepoint_loses_removed_objects_in_the_database() -> None:
    """An object that was removed in an undone savepoint does not belong to the unit any more."""
    instead(SqlSavepoint, "note_removed", lambda *_: None)


@bug("fake")
def an_undone_savepoint_drops_who_took_a_removed_objects_place_in_the_fake() -> None:
    """An object that is held again after an undone savepoint is dropped with the one that took its place there."""

    def undo(original: Any, session: Any, written: Any) -> None:
        original(session, written)
        for aggregate, _ in written:
            if not session.holds(aggregate):
                session._tracked.pop((type(aggregate), aggregate.id), None)

    around(FakeSession, "undo_savepoint", undo)


@bug("fake")
def after_an_undone_savepoint_objects_are_compared_with_what_it_stored() -> None:
    """An object that was written in an undone savepoint is taken for changed since, and is a conflict from then on."""

    def undo(original: Any, session: Any, written: Any) -> None:
        before = {key: one.stored for key, one in session._tracked.items() if one.stored is not None}
        original(session, written)
        for key, stored in before.items():
            if key in session._tracked:
                session._tracked[key].stored = stored

    around(FakeSession, "undo_savepoint", undo)


@bug("sql", "postgres")
def a_write_that_fails_in_a_savepoint_gives_up_what_came_before_it() -> None:
    """After a conflict in a savepoint, all that the unit had written before that is given up, too."""

    def roll_back(original: Any, unit: Any, failure: Any) -> Any:
        lost = original(unit, failure)
        unit.session.connection().connection.rollback()
        return lost

    around(SqlUnitOfWork, "_roll_back_savepoint", roll_back)


@bug("fake", "sql")
def a_kept_savepoint_is_forgotten_by_the_one_around_it() -> None:
    """What was written in a savepoint that had been left normally stays in the objects when the outer one is undone."""

    def keep(original: Any, versions: Any) -> None:
        versions._levels[-1].before.clear()
        original(versions)

    around(Versions, "keep_level", keep)


@bug("fake", "sql")
def a_savepoint_swallows_errors() -> None:
    """An error that leaves a savepoint does not go on."""

    @contextmanager
    def savepoint(original: Any, unit: Any) -> Iterator[None]:
        with suppress(Exception), original(unit):
            yield

    around(UnitOfWork, "savepoint", savepoint)


@bug("fake", "sql")
def what_came_before_a_savepoint_is_undone_with_it() -> None:
    """A change that was made before a savepoint, and not yet written, is undone with it."""

    @contextmanager
    def savepoint(original: Any, unit: Any) -> Iterator[None]:
        with ExitStack() as stack:
            if unit._state is State.OPEN:
                with patch.object(unit, "_has_unwritten", lambda: False):
                    stack.enter_context(original(unit))
            else:
                stack.enter_context(original(unit))
            yield

    around(UnitOfWork, "savepoint", savepoint)


@bug("fake", "sql")
def what_waits_before_a_savepoint_is_undone_with_it() -> None:
    """An addition that was asked for just before a savepoint is never written if that is undone."""

    @contextmanager
    def savepoint(original: Any, unit: Any) -> Iterator[None]:
        with ExitStack() as stack:
            with without_additions(unit):
                stack.enter_context(original(unit))
            yield

    around(UnitOfWork, "savepoint", savepoint)


@bug("fake", "sql")
def what_waits_at_the_end_of_a_savepoint_is_written_after_it() -> None:
    """An error of the last addition of a savepoint is met outside of it, and fails the whole unit."""

    @contextmanager
    def savepoint(original: Any, unit: Any) -> Iterator[None]:
        with ExitStack() as stack, original(unit):
            yield
            stack.enter_context(without_additions(unit))

    around(UnitOfWork, "savepoint", savepoint)


@bug("fake", "sql")
def an_addition_that_waits_outlives_its_savepoint() -> None:
    """What was added last in an undone savepoint is stored by the commit."""
    around(UnitOfWork, "savepoint", partial(_not_forgetting, track))


@bug("fake", "sql")
def an_addition_that_waits_is_forgotten_and_its_object_is_not() -> None:
    """What was added last in an undone savepoint is taken for stored: adding it again does nothing."""

    def track_as_stored(unit: Any, aggregates: list[Any]) -> None:
        for one in aggregates:
            if isinstance(unit, FakeUnitOfWork):
                unit.session._track((type(one), one.id), Tracked(one, copy_of(one)))
            else:
                make_transient_to_detached(one)
                unit.session.add(one)

    around(UnitOfWork, "savepoint", partial(_not_forgetting, track_as_stored))


@contextmanager
def _not_forgetting(track_again: Any, original: Any, unit: Any) -> Iterator[None]:
    new: list[Any] = []
    try:
        with original(unit):
            try:
                yield
            except BaseException:
                new = waiting(unit)
                raise
    except BaseException:
        track_again(unit, new)
        raise
