"""Promise 8, and whatever else is promised of the parts of an aggregate."""

from __future__ import annotations

import re
import threading
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from sqlalchemy import inspect
from sqlalchemy.orm.attributes import set_committed_value

from adapters.fake import copies as fake_copies
from adapters.fake import session as fake_session
from adapters.fake.copies import Snapshot, _List, _Set, copy_of
from adapters.fake.session import FakeSession
from adapters.fake.tracked import Tracked
from adapters.sql import bulk as sql_bulk
from adapters.sql import reading as sql_reading
from adapters.sql import unit_of_work as sql_unit_of_work
from adapters.sql.mapping import mapped_tables
from adapters.sql.parts import relations_of
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.aggregate import Aggregate
from proof.planted_bugs.breaking import other_statements
from proof.planted_bugs.registry import around, bug, instead


@bug("fake")
def changes_of_parts_do_not_raise_the_version_in_the_fake() -> None:
    """A change of parts alone passes the root's version by."""

    def flush(original: Any, session: Any, versions: Any) -> None:
        own = [one.aggregate for one in session.changed() if one.stored is None or _is_changed(one, levels=0)]
        original(session, SimpleNamespace(raised=lambda _: versions.raised(own)))

    around(FakeSession, "flush", flush)


@bug("sql")
def changes_of_parts_do_not_raise_the_version_in_the_database() -> None:
    """A change of parts alone passes the root's version by."""

    def flush(original: Any, unit: Any) -> None:
        raised = unit._versions.raised
        with patch.object(unit._versions, "raised", lambda roots: raised(filter(_is_own_change, roots))):
            original(unit)

    around(SqlUnitOfWork, "_flush", flush)


def _is_own_change(root: Any) -> bool:
    session = inspect(root).session
    return root in session.new or session.is_modified(root, include_collections=False)


def _is_changed(one: Any, *, levels: int) -> bool:
    """Tell whether a fake's object is changed, or parts of so many levels."""
    return one.stored is None or _shallow(copy_of(one.aggregate).row, levels) != _shallow(one.stored.row, levels)


def _shallow(row: Any, levels: int) -> Any:
    def shallow(value: Any) -> Any:
        if not isinstance(value, _List | _Set | Snapshot):
            return value
        if isinstance(value, Snapshot):
            return _shallow(value, levels - 1)
        return [_shallow(one, levels - 1) for one in value] if levels else None

    return [shallow(value) for value in row]


@bug("fake")
def the_fake_misses_a_change_of_parts() -> None:
    """A change of parts is stored only if an attribute of their root was changed, too."""
    instead(Tracked, "is_changed", lambda one: _is_changed(one, levels=0))


@bug("fake")
def the_fake_misses_a_nested_change() -> None:
    """A change of parts of parts is not noticed."""
    instead(Tracked, "is_changed", lambda one: _is_changed(one, levels=1))


@bug("sql")
def a_change_of_parts_alone_is_not_written() -> None:
    """Parts that were changed are stored only if an attribute of their root was changed, too."""

    def has_unwritten(unit: Any) -> bool:
        known = (*unit.session.new, *unit.session.dirty)
        return any(_is_own_change(one) for one in known if isinstance(one, Aggregate))

    instead(SqlUnitOfWork, "_has_unwritten", has_unwritten)


@bug("sql")
def changed_parts_are_not_written() -> None:
    """A part that was changed is stored as it was before; only new ones and removed ones are written."""

    def flush_first(original: Any, unit: Any, changed: Any) -> None:
        for part in [one for one in unit.session.dirty if not isinstance(one, Aggregate)]:
            for attribute in inspect(part).mapper.column_attrs:
                set_committed_value(part, attribute.key, getattr(part, attribute.key))
        original(unit, changed)

    around(SqlUnitOfWork, "_delete_before_insert", flush_first)


@bug("sql")
def removed_parts_stay() -> None:
    """Parts that were taken away from their root are still there."""
    _kept_parts(lambda: True)


@bug("sql")
def parts_outlive_their_root() -> None:
    """The parts of a removed root stay behind."""
    removing = threading.local()

    def delete(original: Any, unit: Any, aggregate: Any) -> None:
        removing.now = True
        try:
            original(unit, aggregate)
        finally:
            removing.now = False

    around(SqlUnitOfWork, "_delete", delete)
    _kept_parts(lambda: getattr(removing, "now", False))


def _kept_parts(is_meant: Any) -> None:
    def changed(_connection: Any, statement: str) -> str:
        parts = {table.name for table in mapped_tables() if table.foreign_keys}
        found = re.match(r"DELETE FROM (\w+) WHERE ", statement)
        return f"{statement} AND 1 = 0" if found and found[1] in parts and is_meant() else statement

    other_statements(changed)


@bug("fake")
def a_bulk_addition_loses_the_parts_in_the_fake() -> None:
    """Aggregates that were added in bulk have no parts."""

    def without_parts(root: Any) -> Any:
        row = copy_of(root).row
        return fake_copies.Copy(Snapshot(type(one)() if isinstance(one, _List | _Set) else one for one in row))

    def insert_many(original: Any, *args: Any) -> None:
        with patch.object(fake_session, "copy_of", without_parts):
            original(*args)

    around(FakeSession, "insert_many", insert_many)


@bug("sql", "postgres")
def a_bulk_addition_loses_the_parts_in_the_database() -> None:
    """Aggregates that were added in bulk have no parts."""
    instead(sql_bulk, "relations_of", lambda _: ())


@bug("sql")
def parts_come_in_the_wrong_order_from_the_database() -> None:
    """The parts in a list come back in the reversed order."""

    def own(original: Any, roots: Any, session: Any) -> None:
        original(roots, session)
        for root in roots:
            for name in relations_of(type(root)):
                if isinstance(vars(root)[name], list):
                    set_committed_value(root, name, vars(root)[name][::-1])

    around(sql_reading, "_own", own)


@bug("fake")
def parts_come_as_they_were_left_from_the_fake() -> None:
    """The parts in a list come back as it was left, though it says that it has another order."""
    instead(fake_copies, "sort_keys", lambda _: {})


@bug("sql")
def a_second_query_loses_the_parts() -> None:
    """A root that is found once more has no parts."""

    def read_whole(original: Any, state: Any) -> Any:
        known = [one for one in state.session.identity_map.values() if isinstance(one, Aggregate)]
        found = original(state)
        for one in known:
            for name in relations_of(type(one)):
                set_committed_value(one, name, set() if isinstance(vars(one)[name], set) else [])
        return found

    around(sql_unit_of_work, "read_whole", read_whole)


@bug("sql", "postgres")
def a_root_and_its_parts_are_no_transaction() -> None:
    """A root that a commit writes last is stored before its parts, even if these cannot be stored."""

    def is_one_statement(original: Any, unit: Any) -> bool:
        with patch.object(sql_unit_of_work, "relations_of", lambda _: ()):
            return bool(original(unit))

    around(SqlUnitOfWork, "_is_one_statement", is_one_statement)
