"""The unique values and references of the ports on their tables, and which of them a statement broke."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from attrs import frozen
from sqlalchemy import LargeBinary, Uuid, bindparam, inspect, literal_column, select

from adapters.sql.errors import BULK, broken
from domain.constraints import Reference, Unique
from domain.errors import DuplicateIdentity
from domain.limits import limits_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Column, Connection, ExceptionContext, Table

    from adapters.sql.errors import Broken

FLUSHING = "flushing"
"""The key in a connection's ``info`` that holds the objects being written: roots and parts."""

ROWS_BEFORE = "rows_before"
"""The key in an SQLite connection's ``info`` that holds how many rows it had changed before the statement."""


@frozen(eq=False)
class Constraint:
    """A constraint of a table and what the port declares for it. The primary key has ``None``.

    If only some rows can clash, ``marker`` is the column that is 1 in them.
    """

    name: str
    columns: tuple[Column[Any], ...]
    declared: Unique | Reference | None = None
    marker: Column[Any] | None = None

    def error(self, row: _Row) -> Exception:
        """Return the domain's error, with the value if it is known."""
        values = row.values(self)
        if isinstance(self.declared, Unique):
            return self.declared.taken(values)
        value = values[0] if values else None
        if value is not None and isinstance(self.columns[0].type, Uuid):  # which some databases store as a text
            value = UUID(str(value))
        return DuplicateIdentity(value) if self.declared is None else self.declared.missing(value)

    def is_told(self, what: Broken) -> bool:
        """Return whether this is the constraint that the database names as broken."""
        return what.is_of(self.name, self.columns if self.marker is None else (*self.columns, self.marker))

    def is_broken(self, row: _Row, connection: Connection) -> bool:
        """Ask whether a row breaks the constraint."""
        sent = {column.name: row.sent.get(column.name) for column in self.columns}
        if None in sent.values():
            return False  # NULL never clashes, nor does a value that the statement leaves unchanged
        if isinstance(self.declared, Reference):
            [key] = self.columns[0].foreign_keys
            return not _exists(key.column.table, {key.column.name: sent[self.columns[0].name]}, connection)
        if self.marker is not None:
            if row.one is None or row.values(self) is None:
                return False
            sent[self.marker.name] = 1
        return _exists(self.columns[0].table, sent, connection, row.key)


@frozen(eq=False)
class _Row:
    """A row being written: its object, if it has one, and the values that the driver was sent."""

    one: Any
    sent: Mapping[str, Any]
    key: Mapping[str, Any]
    """The key of the row if it was stored before."""

    def values(self, constraint: Constraint) -> tuple[Any, ...] | None:
        """Return the values that break a constraint, from the object if possible. ``None``: they are not known."""
        names = constraint.declared.names if isinstance(constraint.declared, Unique) else (constraint.columns[0].name,)
        if isinstance(constraint.declared, Unique) and self.one is not None:
            limits, values = limits_of(type(self.one)), constraint.declared.values(self.one)
            return values and tuple(limits[name].stored(value) for name, value in zip(names, values, strict=True))
        known = self.sent if self.one is None else vars(self.one)
        return tuple(known[name] for name in names) if all(name in known for name in names) else None


_known: dict[str, list[Constraint]] = {}  # by the name of the table, with its schema if it has one


def note_constraints(table: Table, constraints: Iterable[Constraint]) -> None:
    """Note the constraints of a table in the order in which they are checked."""
    _known[table.fullname] = list(constraints)


def constraints_of(table: str) -> list[Constraint]:
    """Return the constraints noted for a table, by its full name."""
    return _known.get(table, [])


def name_constraint(context: ExceptionContext) -> Exception | None:
    """Return the domain's error for a constraint that a statement broke. This is a listener to errors.

    A row that breaks several constraints must give the same error on every database. PostgreSQL checks them in the
    order in which they were made. SQLite checks the last one first. MariaDB checks those without NULL first. So SQLite
    and MariaDB are asked again, in the order of the port. They can be: such an error leaves their transactions open.
    """
    what, connection, execution = broken(context.original_exception), context.connection, context.execution_context
    if what is None or connection is None or execution is None:
        return None
    told = _WRITING.match(context.statement or "")
    verb, table = (told[1].upper(), re.sub('[`"]', "", told[2])) if told else ("", "")
    if verb == "DELETE FROM":
        return _still_referenced(what, table, _row(table, context.parameters, connection), connection)
    is_bulk = verb == "COPY" or BULK in execution.execution_options
    row = _bulk_row(context) if is_bulk else _row(table, context.parameters, connection)
    known = constraints_of(table)
    asked = (each for each in known if what.can_be_asked and each.is_broken(row, connection))
    found = next(asked, None) or next((each for each in known if each.is_told(what)), None)
    return found.error(_Row(None, {}, {}) if is_bulk else row) if found else None


_WRITING = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM|COPY) ((?:[`\"]?\w+[`\"]?\.)?[`\"]?\w+)", re.IGNORECASE)


def _still_referenced(what: Broken, table: str, row: _Row, connection: Connection) -> Exception | None:
    """Return the error of the port that refers to a row that was being deleted."""

    def is_it(each: Constraint) -> bool:
        [key] = each.columns[0].foreign_keys
        referring = {each.columns[0].name: row.sent.get(key.column.name)}
        return key.column.table.fullname == table and (
            each.is_told(what) or (what.can_be_asked and _exists(each.columns[0].table, referring, connection))
        )

    references = (one for some in _known.values() for one in some if isinstance(one.declared, Reference))
    found = filter(is_it, references)
    in_use: Any = next((one.declared.in_use for one in found if isinstance(one.declared, Reference)), None)
    error: Exception | None = in_use and in_use(row.one.id if row.one else row.sent.get("id"))
    return error


def _row(table: str, sent: Any, connection: Connection) -> _Row:
    """Return the row of a statement, with the flushed object that the statement writes."""
    sent = sent if isinstance(sent, dict) else {}
    for one in connection.info.get(FLUSHING, ()):
        mapper = inspect(type(one))
        for written in (each for each in mapper.tables if each.fullname == table):
            values = {column.name: _sent(column, vars(one), connection) for column in written.columns}
            keys = [column.name for column in mapper.primary_key] if inspect(one).persistent else []
            known = {column.name: values[column.name] for column in written.columns if _can_compare(column)}
            known |= {f"{written.name}_{name}": values[name] for name in keys}  # as an UPDATE sends the key
            if all(known[name] == value for name, value in sent.items() if name in known):
                return _Row(one, {**values, **sent}, {name: values[name] for name in keys})
    return _Row(None, sent, {})


def _can_compare(column: Column[Any]) -> bool:
    return not isinstance(column.type, LargeBinary)  # which some drivers wrap into objects that compare by identity


def _sent(column: Column[Any], values: Mapping[str, Any], connection: Connection) -> Any:
    # Not by adapters.sql.types.bind_processor(), which is for COPY.
    process = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    value = values.get(column.key)
    return value if value is None or process is None else process(value)


def _bulk_row(context: ExceptionContext) -> _Row:
    """Return the row at which SQLite stopped. The other databases do not say it."""
    connection: Any = context.connection
    names = context.execution_context.execution_options.get(BULK) if context.execution_context else None
    row: Any = context.parameters
    if isinstance(row, list):
        if ROWS_BEFORE not in connection.info:
            return _Row(None, {}, {})
        stored = connection.connection.total_changes - connection.info[ROWS_BEFORE]  # a trigger may write more
        row = row[stored] if stored < len(row) else {}
    return _Row(None, row if isinstance(row, dict) else dict(zip(names or (), row or (), strict=False)), {})


def _exists(table: Any, sent: Mapping[str, Any], connection: Connection, but: Mapping[str, Any] = {}) -> bool:
    """Return whether a table has a row with these driver values, apart from the row with the key ``but``."""
    quoted = connection.dialect.identifier_preparer.quote
    query: Any = select(literal_column("1")).select_from(table).limit(1)
    for name, value in sent.items():
        query = query.where(literal_column(quoted(name)) == bindparam(None, value))
    for name, value in but.items():
        query = query.where(literal_column(quoted(name)) != bindparam(None, value))
    return connection.execute(query).first() is not None
