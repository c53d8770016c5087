"""The statements that write one row of an aggregate, built once for each class and database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from attrs import define, field, frozen
from sqlalchemy import bindparam, delete, insert, inspect, update

from adapters.sql.errors import BULK
from adapters.sql.postgres import can_copy, copy_rows
from adapters.sql.types import bind_processor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection, Delete, Dialect, Insert, Table, Update

    from adapters.sql.identity_map import Row
    from domain.aggregate import Aggregate

_OLD = {"__old_id": "id", "__old_version": "version"}  # the parameters for what is stored, called as no attribute is


@frozen
class _Statement:
    """A statement as a driver takes it: its text, and by parameter what makes the driver's value, if anything does.

    SQLAlchemy has compiled it; having it run as one of SQLAlchemy's own, too, would take a third longer for a row.
    """

    text: str
    processors: dict[str, Callable[[Any], Any] | None]

    def run(self, connection: Connection, row: Row) -> int:
        """Return how many rows the statement has met."""
        try:
            values = {name: process(row[name]) if process else row[name] for name, process in self.processors.items()}
        except Exception as error:  # whatever a type does with a value that is not of it
            raise ValueError(error) from error
        return connection.exec_driver_sql(self.text, values).rowcount


@define(eq=False)
class Statements:
    """What writes the rows of ``table`` in a kind of database.

    Updates and deletions say whether they met the version that is expected (Fowler, *PoEAA*, 2002: optimistic offline
    lock).
    """

    table: Table
    _dialect: Dialect
    _insert: _Statement = field(init=False)
    _update: Update = field(init=False)
    _updates: dict[tuple[str, ...], _Statement] = field(factory=dict, init=False)
    _delete: _Statement = field(init=False)

    def __attrs_post_init__(self) -> None:
        is_old = [self.table.c[name] == bindparam(parameter) for parameter, name in _OLD.items()]
        self._update = update(self.table).where(*is_old)
        self._insert = self._compiled(insert(self.table).inline(), self.table.columns.keys())
        self._delete = self._compiled(delete(self.table).where(*is_old), _OLD)

    def run_insert(self, connection: Connection, row: Row) -> None:
        """Insert a row."""
        self._insert.run(connection, row)

    def run_update(self, connection: Connection, old: Row, new: Row) -> bool:
        """Write what is different in a row; false when what is stored is no longer ``old``."""
        changed = tuple(name for name, value in new.items() if value != old[name] and name in self.table.c)
        if changed not in self._updates:
            self._updates[changed] = self._compiled(self._update, {*changed, "version", *_OLD})
        return self._updates[changed].run(connection, {**new, **_identity(old)}) == 1

    def run_delete(self, connection: Connection, old: Row) -> bool:
        """Delete a row; false when what is stored is no longer ``old``."""
        return self._delete.run(connection, _identity(old)) == 1

    def _compiled(self, statement: Insert | Update | Delete, parameters: Iterable[str]) -> _Statement:
        columns = {name: self.table.c[_OLD.get(name, name)] for name in parameters}
        set_columns = [name for name in columns if name not in _OLD]
        return _Statement(
            str(statement.compile(dialect=self._dialect, column_keys=set_columns)),
            {name: bind_processor(column, self._dialect) for name, column in columns.items()},
        )


def _identity(row: Row) -> Row:
    return {parameter: row[name] for parameter, name in _OLD.items()}


_built: WeakKeyDictionary[Dialect, dict[type[Aggregate], Statements]] = WeakKeyDictionary()


def statements_of(kind: type[Aggregate], dialect: Dialect) -> Statements:
    """Return the statements for the table that a class is mapped to."""
    built = _built.setdefault(dialect, {})
    if kind not in built:
        built[kind] = Statements(inspect(kind).local_table, dialect)
    return built[kind]


def insert_many(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert any number of rows at once."""
    if not rows:
        return
    if can_copy(table, connection.dialect):
        copy_rows(connection, table, rows)
    else:
        connection.execute(insert(table), rows, execution_options=BULK)
