"""Promise 6: a unit reads its own writes, and a version rises by one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sqlalchemy import inspect
from sqlalchemy.orm import make_transient, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from adapters.fake.rows import Rows
from adapters.fake.session import FakeSession
from adapters.fake.tracked import Tracked
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql.session import UnitSession
from adapters.sql.unit_of_work import SqlUnitOfWork
from proof.planted_bugs.breaking import late_removals, waiting, without_additions
from proof.planted_bugs.registry import around, bug, instead
from service_layer.unit_of_work import UnitOfWork
from service_layer.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Iterator


@bug("fake", "sql")
def a_query_writes_nothing_first() -> None:
    """A query does not see what the unit has added, removed or changed since the last one."""

    def begin(original: Any, unit: Any, *, writes: bool) -> None:
        if writes:
            original(unit, writes=writes)
        else:
            unit._check_usable()

    around(UnitOfWork, "begin_call", begin)


@bug("fake")
def a_list_shows_committed_rows_only() -> None:
    """Pages, streams and lists do not see what the unit has written."""

    def of_kind(original: Any, rows: Any, kind: type) -> Any:
        with patch.object(rows, "_layers", []):
            return original(rows, kind)

    around(Rows, "of_kind", of_kind)


@bug("fake")
def a_key_finds_committed_rows_only() -> None:
    """A query by an id or a unique value does not see what the unit has written."""

    def candidates(original: Any, session: Any, kind: type, query: Any) -> Any:
        with patch.object(session.rows, "_layers", [] if query.where else session.rows._layers):
            return original(session, kind, query)

    around(FakeSession, "_candidates", candidates)


@bug("fake")
def a_key_finds_what_the_unit_has_read() -> None:
    """A query by a unique value looks at the objects of the unit first, and not at what is stored now."""

    def select(original: Any, session: Any, kind: type, query: Any) -> Any:
        held = [one.aggregate for (of, _), one in session._tracked.items() if of is kind]
        return [one for one in held if query.where and all(each.holds(one) for each in query.where)] or original(
            session, kind, query
        )

    around(FakeSession, "select", select)


@bug("fake", "sql")
def an_addition_waits_past_a_query() -> None:
    """An addition is written by the next write or by the commit, so that no query finds it."""

    def begin_call(original: Any, unit: Any, *, writes: bool) -> None:
        if writes:
            original(unit, writes=writes)
        else:
            with without_additions(unit):
                original(unit, writes=writes)

    around(UnitOfWork, "begin_call", begin_call)


@bug("fake", "sql")
def a_removal_waits_past_a_query() -> None:
    """A removal is written by the next write or by the commit, so that a query still finds what was removed."""
    late_removals(after_an_addition=False)


@bug("sql", "postgres")
def statements_of_ones_own_come_before_what_waits() -> None:
    """A statement on the unit's connection does not see what the unit has added, removed or changed last."""

    def connection(original: Any, unit: Any) -> Any:
        with patch.object(unit, "_has_unwritten", lambda: False):
            return original(unit)

    original: Any = vars(SqlUnitOfWork)["connection"]
    instead(SqlUnitOfWork, "connection", property(lambda unit: connection(original.fget, unit)))


@bug("sql")
def a_change_after_an_addition_is_lost() -> None:
    """What is stored of an added object is what it was when it was added, and not when it was written."""

    def insert(original: Any, unit: Any, aggregate: Any) -> None:
        original(unit, aggregate)
        unit.added = {name: vars(aggregate)[name] for name in _columns(aggregate)}

    def flush(original: Any, unit: Any) -> None:
        new = waiting(unit)
        now = [{name: vars(one)[name] for name in _columns(one)} for one in new]
        for one in new:
            vars(one).update(unit.added)
        original(unit)
        for one, values in zip(new, now, strict=True):
            for name, value in values.items():
                set_committed_value(one, name, value)

    around(SqlUnitOfWork, "_insert", insert)
    around(SqlUnitOfWork, "_flush", flush)


def _columns(one: Any) -> list[str]:
    return [attribute.key for attribute in inspect(one).mapper.column_attrs if attribute.key not in ("id", "version")]


@bug("fake")
def an_addition_raises_the_version_before_it_is_written() -> None:
    """An added object has its first version already while its addition waits."""

    def add(original: Any, session: Any, aggregate: Any) -> None:
        original(session, aggregate)
        aggregate.version += 1

    def flush(original: Any, session: Any, versions: Any) -> None:
        for one in session.changed():
            one.aggregate.version -= one.stored is None
        original(session, versions)

    around(FakeSession, "add", add)
    around(FakeSession, "flush", flush)


@bug("fake")
def removed_rows_are_still_found_by_id() -> None:
    """Looked for by its id, an aggregate is found after the unit has removed it."""

    def candidates(original: Any, session: Any, kind: type, query: Any) -> Any:
        ids = [one.value for one in query.where if (one.attribute, one.operator) == ("id", "==")]
        rows = [row for row in (session.database.rows.get((kind, id)) for id in ids) if row is not None]
        return original(session, kind, query) or rows

    around(FakeSession, "_candidates", candidates)


@bug("fake")
def removed_rows_are_still_listed() -> None:
    """Pages, streams and lists show an aggregate after the unit has removed it."""

    def of_kind(original: Any, rows: Any, kind: type) -> Any:
        removed = [key for layer in rows._layers for key, row in layer.rows.items() if row is None and key[0] is kind]
        stored = rows._database.rows
        return [*original(rows, kind), *(stored[key] for key in removed if key in stored)]

    around(Rows, "of_kind", of_kind)


@bug("fake")
def a_removed_object_still_belongs_to_the_unit_in_the_fake() -> None:
    """An object that the unit has removed is still one of its objects."""

    def delete(original: Any, session: Any, aggregate: Any) -> None:
        key = type(aggregate), aggregate.id
        held = session._tracked[key]
        original(session, aggregate)
        session._tracked[key] = held

    around(FakeSession, "delete", delete)


@bug("sql")
def a_removed_object_still_belongs_to_the_unit_in_the_database() -> None:
    """An object that the unit has removed is still one of its objects."""

    def delete(original: Any, unit: Any, aggregate: Any) -> None:
        original(unit, aggregate)
        make_transient(aggregate)
        make_transient_to_detached(aggregate)
        unit.session.add(aggregate)

    around(SqlUnitOfWork, "_delete", delete)


@bug("sql")
def what_was_removed_is_not_forgotten() -> None:
    """The session's memory of what was removed stands in the way of adding it once more."""
    instead(SqlUnitOfWork, "_forget_removed", lambda unit: unit.session.removed.clear())


@bug("fake", "sql")
def changes_do_not_raise_the_version() -> None:
    """An aggregate that is changed keeps its version."""

    def raised(original: Any, versions: Any, aggregates: Any) -> Any:
        return original(versions, [one for one in aggregates if not one.version])

    around(Versions, "raised", raised)


@bug("fake", "sql")
def each_write_raises_the_version() -> None:
    """A unit that writes an aggregate twice raises its version by two."""

    def raised(original: Any, versions: Any, aggregates: Any) -> Any:
        for level in versions._levels:
            level.before.clear()
        return original(versions, aggregates)

    around(Versions, "raised", raised)


@bug("fake", "sql")
def each_savepoint_raises_the_version() -> None:
    """A unit that writes an aggregate before a savepoint and in it raises its version by two."""

    @contextmanager
    def raised(original: Any, versions: Any, aggregates: Any) -> Iterator[None]:
        with patch.object(versions, "_levels", versions._levels[-1:]), original(versions, aggregates):
            yield

    around(Versions, "raised", raised)


@bug("fake", "sql")
def an_aggregate_that_is_added_again_begins_anew() -> None:
    """An aggregate that was removed and is added again has version 1, as if it had never been stored."""

    def insert(original: Any, unit: Any, aggregate: Any) -> None:
        original(unit, aggregate)
        aggregate.version = 0

    for unit in (FakeUnitOfWork, SqlUnitOfWork):
        around(unit, "_insert", insert)


@bug("fake")
def reading_raises_the_version_in_the_fake() -> None:
    """A unit that has only read an aggregate writes it too."""
    instead(Tracked, "is_changed", lambda _: True)


@bug("sql")
def setting_the_same_value_raises_the_version() -> None:
    """An aggregate is written when an attribute was set to the value that it had."""
    instead(UnitSession, "is_changed", lambda *_: True)


@bug("fake")
def a_change_that_was_written_is_written_again() -> None:
    """A unit takes its own write for that of another one, and refuses its next."""

    def flush(original: Any, session: Any, versions: Any) -> None:
        before = {key: one.stored for key, one in session._tracked.items() if one.stored is not None}
        original(session, versions)
        for key, stored in before.items():
            session._tracked[key].stored = stored

    around(FakeSession, "flush", flush)
