"""Promises 3 to 5: the objects of a unit."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from sqlalchemy import inspect
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.util import identity_key

from adapters.fake.copies import copy_of, fill
from adapters.fake.rows import Rows
from adapters.fake.session import FakeSession
from adapters.sql import unit_of_work as sql_unit_of_work
from adapters.sql.session import UnitSession
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.aggregate import Aggregate
from proof.planted_bugs.registry import around, bug, instead


@bug("fake")
def a_rollback_gives_older_values_back_in_the_fake() -> None:
    """After a rollback, objects have other values than those that they had at that moment."""

    def end(original: Any, session: Any) -> None:
        for one in session._tracked.values():
            if one.stored is not None:
                fill(one.aggregate, one.stored.row, [part.object for part in one.stored.parts])
        original(session)

    around(FakeSession, "end", end)


@bug("sql")
def a_rollback_gives_older_values_back_in_the_database() -> None:
    """After a rollback, objects have other values than those that they had at that moment."""

    def roll_back(original: Any, unit: Any) -> None:
        for one in unit.session.dirty:
            for attribute in inspect(one).mapper.column_attrs:
                for value in inspect(one).attrs[attribute.key].history.deleted or ():
                    set_committed_value(one, attribute.key, value)
        original(unit)

    around(SqlUnitOfWork, "_roll_back", roll_back)


@bug("sql")
def objects_are_expired_after_a_rollback() -> None:
    """Objects that were read cannot be read any more after a rollback (DetachedInstanceError)."""

    def roll_back(original: Any, unit: Any) -> None:
        unit.session.expire_all()  # as a session does to its objects at the end of a transaction
        original(unit)

    around(SqlUnitOfWork, "_roll_back", roll_back)


@bug("sql")
def objects_are_expired_after_a_commit() -> None:
    """Objects cannot be read any more after a commit (DetachedInstanceError)."""

    def commit(original: Any, unit: Any) -> None:
        end = unit._end
        with patch.object(unit, "_end", lambda: (unit.session.expire_all(), end())):
            original(unit)

    around(SqlUnitOfWork, "_commit", commit)


@bug("sql")
def objects_are_expired_after_a_refused_write() -> None:
    """After a write that was refused, no object of the unit can be read any more."""
    instead(UnitSession, "give_up", lambda _: None)


@bug("fake")
def no_copy_on_read() -> None:
    """Two units that read a row get the same object."""
    shared: dict[int, tuple[Any, Any]] = {}

    def object_of(original: Any, session: Any, kind: Any, row: Any) -> Any:
        key = kind, row.id
        if key not in session._tracked:
            original(session, kind, row)
            _, session._tracked[key] = shared.setdefault(id(row), (row, session._tracked[key]))
        return session._tracked[key].aggregate

    around(FakeSession, "object_of", object_of)


@bug("fake")
def no_copy_on_write() -> None:
    """The fake keeps an added object itself and not its values: who changes it later changes what is stored."""
    live: dict[tuple[int, Any], Any] = {}

    def flush(original: Any, session: Any, versions: Any) -> None:
        new = [one.aggregate for one in session.changed() if one.stored is None]
        original(session, versions)
        live.update(((id(session.database), (type(one), one.id)), one) for one in new)

    def get(original: Any, rows: Any, key: Any) -> Any:
        row, one = original(rows, key), live.get((id(rows._database), key))
        return copy_of(one).row if row is not None and one is not None and one.version == row.version else row

    around(FakeSession, "flush", flush)
    around(Rows, "get", get)


@bug("fake")
def the_fake_holds_objects_after_the_unit() -> None:
    """The unit's next block still knows the objects of the last one, and writes what was changed in between."""

    def end(original: Any, session: Any) -> None:
        tracked = dict(session._tracked)
        original(session)
        session._tracked.update(tracked)

    around(FakeSession, "end", end)


@bug("sql")
def the_session_holds_objects_after_the_unit() -> None:
    """The unit's next block still knows the objects of the last one, and writes what was changed in between."""

    def end(original: Any, session: Any) -> None:
        known = list(session.identity_map.values())
        original(session)
        session.add_all(known)

    around(UnitSession, "end", end)


@bug("fake")
def each_query_makes_objects_of_its_own_in_the_fake() -> None:
    """Two queries that find one aggregate return two objects."""

    def object_of(original: Any, session: Any, kind: Any, row: Any) -> Any:
        session._tracked.pop((kind, row.id), None)
        return original(session, kind, row)

    around(FakeSession, "object_of", object_of)


@bug("sql")
def each_query_makes_objects_of_its_own_in_the_database() -> None:
    """Two queries that find one aggregate return two objects."""

    def read_whole(original: Any, state: Any) -> Any:
        state.session.expunge_each(state.session.identity_map.values())
        return original(state)

    around(sql_unit_of_work, "read_whole", read_whole)


@bug("fake")
def a_query_overwrites_what_the_unit_read_in_the_fake() -> None:
    """An object that the unit has read changes when a later query meets what others have committed since."""

    def object_of(original: Any, session: Any, kind: Any, row: Any) -> Any:
        aggregate, tracked = original(session, kind, row), session._tracked[kind, row.id]
        tracked.stored = fill(aggregate, row, [part.object for part in tracked.stored.parts])
        return aggregate

    around(FakeSession, "object_of", object_of)


@bug("sql")
def a_query_overwrites_what_the_unit_read_in_the_database() -> None:
    """An object that the unit has read changes when a later query meets what others have committed since."""

    def read_whole(original: Any, state: Any) -> Any:
        state.update_execution_options(populate_existing=True)
        return original(state)

    around(sql_unit_of_work, "read_whole", read_whole)


@bug("sql")
def copies_share_an_objects_state() -> None:
    """A copy is watched as if it were the object itself."""
    del Aggregate.__reduce__


@bug("fake")
def any_object_of_an_identity_is_held_in_the_fake() -> None:
    """A copy of an object belongs to the unit of the object itself."""
    instead(FakeSession, "holds", lambda session, one: (type(one), one.id) in session._tracked)


@bug("sql")
def any_object_of_an_identity_is_held_in_the_database() -> None:
    """A copy of an object belongs to the unit of the object itself."""

    def holds(unit: Any, one: Any) -> bool:
        return identity_key(type(one), one.id) in unit.session.identity_map or one in unit.session.new

    instead(SqlUnitOfWork, "holds", holds)
