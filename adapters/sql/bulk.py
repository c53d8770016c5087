"""Store many new aggregates in bulk without tracking them."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import insert, inspect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.orm.util import identity_key

from adapters.sql.constraints import constraints_of
from adapters.sql.errors import BULK
from adapters.sql.flushing import renumber
from adapters.sql.inheritance import is_inherited
from adapters.sql.parts import check_places, graph_of, refuse_deleted, relations_of, twin_of
from adapters.sql.postgres_copy import copy_rows, printers_of
from adapters.sql.types import driver_values
from adapters.sql.value_objects import column_values, composites_of
from domain.attributes import stored_names
from domain.constraints import Reference
from domain.errors import DuplicateIdentity, ReferenceMissing, ValueTaken
from domain.limits import check_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Column, Connection, Engine, Table
    from sqlalchemy.orm import Session

    from adapters.sql.postgres_copy import Printer
    from domain.aggregate import Aggregate

_SLICE = 500  # how many rows or aggregates are prepared at a time

# By engine: building these statements takes longer than printing some rows.
_printers: WeakKeyDictionary[Engine, dict[Table, list[Printer] | None]] = WeakKeyDictionary()


def insert_many(session: Session, aggregates: Sequence[Aggregate[Any]]) -> None:
    """Insert new aggregates of one class: as rows if they have no parts, otherwise through the session.

    Raises:
        :class:`~domain.errors.InvalidValue`: A value cannot be stored.
        :class:`~domain.errors.ValueTaken`: A unique value is taken. The error does not name it.
        :class:`~domain.errors.DuplicateIdentity`: An id is taken. The error does not name it.
    """
    kind = type(aggregates[0])
    is_graph = bool(relations_of(kind)) or is_inherited(kind)
    if is_graph:
        check_places(aggregates)
        refuse_deleted(chain.from_iterable(map(graph_of, aggregates)))
    for one in chain.from_iterable(map(graph_of, aggregates)):
        check_values(one)
    if is_graph:
        _insert_graphs(session, aggregates)
    else:
        mapper = inspect(kind)
        _check_order(aggregates, mapper.local_table)
        names = {*stored_names(kind), *(column.key for prop in composites_of(kind) for column in prop.columns)}
        columns = [column for column in mapper.local_table.columns if column.key in names]
        rows = ({**_row(one, columns), "version": one.version + 1} for one in aggregates)
        insert_rows(session.connection(), mapper.local_table, columns, rows)


def _check_order(aggregates: Sequence[Aggregate], table: Table) -> None:
    """Refuse aggregates that refer to a later one. PostgreSQL would store them: it checks after the last row."""
    places = {one.id: place for place, one in enumerate(aggregates)}
    for reference in (one.declared for one in constraints_of(table.fullname) if isinstance(one.declared, Reference)):
        if reference.to is type(aggregates[0]) and any(
            places.get(getattr(one, reference.name), 0) > place for place, one in enumerate(aggregates)
        ):
            raise reference.missing(None)


def _row(one: Any, columns: Iterable[Column[Any]]) -> dict[str, Any]:
    values = column_values(one)
    return {column.key: values[column.key] for column in columns}


def insert_rows(
    connection: Connection, table: Table, columns: list[Column[Any]], rows: Iterable[dict[str, Any]]
) -> None:
    """Insert rows that hold values for these columns, by COPY if the database has it and it takes their types."""
    known = _printers.setdefault(connection.engine, {})
    if table not in known:
        known[table] = printers_of(columns, connection.dialect)
    printers = known[table]
    slices = _slices(rows)
    for some in slices:
        every = chain([some], slices)
        if printers is not None:
            copy_rows(connection, columns, printers, every)
        else:
            _insert_slices(connection, table, columns, every)


def _insert_slices(
    connection: Connection, table: Table, columns: list[Column[Any]], slices: Iterable[list[dict[str, Any]]]
) -> None:
    keys = [column.key for column in columns]
    # Tuples are quicker here than the named parameters of all other statements.
    dialect = SQLiteDialect(paramstyle="qmark") if connection.dialect.name == "sqlite" else connection.dialect
    statement = insert(table).compile(dialect=dialect, column_keys=keys)
    text, order = str(statement), statement.positiontup
    for rows in slices:
        if order is None:  # SQLAlchemy sends many rows of one statement
            connection.execute(insert(table), rows, execution_options={BULK: keys})
            continue
        # Column by column: SQLAlchemy would prepare each row separately, which takes longer than to store it.
        values = {column.key: driver_values(column, rows, connection.dialect) for column in columns}
        sent = list(zip(*(values[name] for name in order), strict=True))
        connection.exec_driver_sql(text, sent, execution_options={BULK: order})


def _slices(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(rows)
    while some := list(islice(remaining, _SLICE)):
        yield some


def _insert_graphs(session: Session, aggregates: Sequence[Aggregate[Any]]) -> None:
    for at in range(0, len(aggregates), _SLICE):
        some = aggregates[at : at + _SLICE]
        new = _until_known(some, session)
        try:
            _flush_twins(session, new)
        except (DuplicateIdentity, ReferenceMissing, ValueTaken) as error:
            raise type(error)(None) from error
        if len(new) < len(some):
            raise DuplicateIdentity(None)


def _until_known(aggregates: Sequence[Aggregate[Any]], session: Session) -> list[Aggregate[Any]]:
    """Return the aggregates before the first one whose identity is already in this unit or among them."""
    known: set[Any] = set(session.identity_map.keys())
    new = []
    for one in aggregates:
        key = identity_key(type(one), one.id)
        if key in known:
            break
        known.add(key)
        new.append(one)
    return new


def _flush_twins(session: Session, aggregates: Sequence[Aggregate[Any]]) -> None:
    """Insert copies of aggregates through the session, and expunge them."""
    twins = [twin_of(one) for one in aggregates]
    for twin in twins:
        renumber(twin)
        twin.version += 1
        session.add(twin)
    session.flush()
    for twin in twins:
        session.expunge(twin)
