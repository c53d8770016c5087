"""Child entities."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql import sqlite as sql_sqlite
from adapters.sql import unit_of_work as sql_unit_of_work
from adapters.sql.children import Children
from adapters.sql.identity_map import IdentityMap, values_of
from adapters.sql.mapping import children_of
from adapters.sql.unit_of_work import SqlUnitOfWork
from service_layer.undo_log import UndoLog
from tests.planted_bugs.registry import around, bug


@bug("fake", "sql")
def changes_of_children_do_not_raise_the_version() -> None:
    """A change of children alone passes the root's version by."""

    def next_version(original: Any, log: Any, aggregate: Any) -> Any:
        version = original(log, aggregate)
        first = next(level for level in log._levels if id(aggregate) in level.originals)
        values = first.originals[id(aggregate)].values.items()
        same = all(getattr(aggregate, name) == value for name, value in values if not isinstance(value, tuple))
        return version - 1 if same and version > 1 else version

    around(UndoLog, "next_version", next_version)


@bug("sql")
def removed_children_stay() -> None:
    """Children that were taken away from their root are still there."""

    def write(original: Any, children: Any, root_id: Any, *rest: Any) -> None:
        before, after, connection = rest
        kept = {child.id for child in after}
        original(children, root_id, [child for child in before if child.id in kept], after, connection)

    around(Children, "write", write)


@bug("sql")
def changed_children_are_not_written() -> None:
    """A child that was changed is stored as it was before; only new ones and removed ones are written."""

    def write(original: Any, children: Any, root_id: Any, *rest: Any) -> None:
        before, after, connection = rest
        old = {child.id: child for child in before}
        original(children, root_id, before, [old.get(child.id, child) for child in after], connection)

    around(Children, "write", write)


@bug("fake")
def a_bulk_addition_loses_the_children_in_the_fake() -> None:
    """Aggregates that were added in bulk have no children."""

    def insert(original: Any, unit: Any, kind: Any, row: Any, *, bulk: bool = False) -> None:
        childless = {name: () if isinstance(value, tuple) else value for name, value in row.items()}
        original(unit, kind, childless if bulk else row, bulk=bulk)

    around(FakeUnitOfWork, "_insert_row", insert)


@bug("sql", "postgres")
def a_bulk_addition_loses_the_children_in_the_database() -> None:
    """Aggregates that were added in bulk have no children."""

    def insert(original: Any, *args: Any) -> None:
        with patch.object(sql_unit_of_work, "children_of", lambda _: {}):
            original(*args)

    around(SqlUnitOfWork, "insert_batch", insert)


@bug("sql", "postgres")
def a_bulk_addition_stores_the_children_of_one_root() -> None:
    """Of the aggregates that were added in bulk, the last one of each batch alone has its children."""

    def insert(original: Any, connection: Any, table: Any, rows: Any) -> None:
        of_one = {name for key in table.foreign_keys for name in [key.parent.name]}
        given = list(rows)
        original(connection, table, [row for row in given if all(row[name] == given[-1][name] for name in of_one)])

    around(sql_unit_of_work, "insert_many", insert)


@bug("sql")
def children_come_in_the_wrong_order() -> None:
    """Children come back in the reversed order of their ids."""
    around(Children, "read", lambda original, *args: original(*args)[::-1])


@bug("sql")
def a_second_query_loses_the_children() -> None:
    """A root that is found once more has no children."""

    def made(original: Any, objects: Any, kind: Any, names: Any, rows: Any) -> Any:
        known = [one for row in rows if (one := objects.get(kind, row[names.index("id")])) is not None]
        found = original(objects, kind, names, rows)
        for one in known:
            vars(one).update(dict.fromkeys(children_of(kind), ()))
        return found

    around(IdentityMap, "made", made)


@bug("sql")
def a_change_of_children_alone_is_not_written() -> None:
    """Children that were changed are stored only if an attribute of their root was changed, too."""

    def changed(original: Any, objects: Any) -> Any:
        def own(row: Any) -> Any:
            return [value for value in row.values() if not isinstance(value, tuple)]

        return [one for one in original(objects) if own(values_of(one)) != own(objects.row_of(one))]

    around(IdentityMap, "changed", changed)


@bug("sql")
def children_outlive_their_root() -> None:
    """The children of a removed root stay behind."""

    def prepare(original: Any, connection: Any, record: Any) -> None:
        original(connection, record)
        connection.execute("PRAGMA foreign_keys = OFF")

    around(sql_sqlite, "_prepare", prepare)


@bug("sql", "postgres")
def a_root_and_its_children_are_no_transaction() -> None:
    """A root that a commit writes last is stored before its children, even if these cannot be stored."""

    def has_one_statement(original: Any, unit: Any) -> bool:
        with patch.object(sql_unit_of_work, "children_of", lambda _: {}):
            return bool(original(unit))

    around(SqlUnitOfWork, "_has_one_statement", has_one_statement)
