"""The statements that write one row of an aggregate, built once for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from sqlalchemy import Delete, Insert, Update, bindparam, delete, insert, inspect, update

from adapters.sql.errors import BULK
from adapters.sql.postgres import can_copy, copy_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from adapters.sql.identity_map import Row
    from domain.aggregate import Aggregate


@frozen
class Statements:
    """What writes the rows of one table. Building a statement costs more than most of the rest of running it.

    Updates and deletions say whether they met the version that is expected (Fowler, *PoEAA*, 2002: optimistic offline
    lock).
    """

    table: Table
    columns: tuple[str, ...]
    insert: Insert
    update: Update
    delete: Delete

    def run_insert(self, connection: Connection, row: Row) -> None:
        """Insert a row."""
        connection.execute(self.insert, {name: row[name] for name in self.columns})

    def run_update(self, connection: Connection, old: Row, new: Row) -> bool:
        """Write what is different in a row; false when what is stored is no longer ``old``."""
        changed = {name: new[name] for name in self.columns if new[name] != old[name]}
        row = {**changed, "version": new["version"], **_identity(old)}
        return connection.execute(self.update, row).rowcount == 1

    def run_delete(self, connection: Connection, old: Row) -> bool:
        """Delete a row; false when what is stored is no longer ``old``."""
        return connection.execute(self.delete, _identity(old)).rowcount == 1


def _identity(row: Row) -> Row:
    return {"__old_id": row["id"], "__old_version": row["version"]}  # as no attribute is called


_built: dict[type[Aggregate], Statements] = {}


def statements_of(kind: type[Aggregate]) -> Statements:
    """Return the statements for the table that a class is mapped to."""
    if kind not in _built:
        _built[kind] = _build(kind)
    return _built[kind]


def _build(kind: type[Aggregate]) -> Statements:
    table: Table = inspect(kind).local_table
    is_old = (table.c.id == bindparam("__old_id"), table.c.version == bindparam("__old_version"))
    return Statements(
        table, tuple(table.columns.keys()), insert(table), update(table).where(*is_old), delete(table).where(*is_old)
    )


def insert_many(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Insert any number of rows at once."""
    if not rows:
        return
    if can_copy(table, connection.dialect):
        copy_rows(connection, table, rows)
    else:
        connection.execute(insert(table), rows, execution_options=BULK)
