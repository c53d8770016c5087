"""The statements that write rows, built once for each table and database."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from attrs import define, field, frozen
from sqlalchemy import bindparam, delete, insert, update

from adapters.sql.errors import BULK
from adapters.sql.postgres_copy import copy_rows, printers_of
from adapters.sql.types import bind_processor, driver_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, CursorResult, Delete, Dialect, Engine, Insert, Table, Update

    from adapters.sql.identity_map import Row
    from adapters.sql.postgres_copy import Printer

# The parameters for what is stored, with names that no attribute has.
_OLD = {"__old_id": "id", "__old_version": "version"}

_BY_PLACE = {"sqlite": "qmark", "mysql": "format"}  # how each driver marks a parameter that has no name

# How many rows of a bulk are made ready together: enough for a column at a time to pay.
_SLICE = 500


@frozen
class _Statement:
    """A statement as a driver takes it: its text, and by parameter what makes the driver's value, if anything does.

    SQLAlchemy has compiled it; running it as one of SQLAlchemy's own as well would take a third longer for a row.
    """

    text: str
    processors: dict[str, Callable[[Any], Any] | None]

    def run(self, connection: Connection, row: Row) -> CursorResult[Any]:
        """Run the statement for a row."""
        return connection.exec_driver_sql(self.text, self._values(row))

    def _values(self, row: Row) -> Row:
        try:
            return {name: process(row[name]) if process else row[name] for name, process in self.processors.items()}
        except Exception as error:  # whatever a type does with a value that is not of it
            raise ValueError(error) from error


@define(eq=False, slots=False)
class Statements:
    """What writes the rows of ``table`` in a kind of database.

    Updates and deletions say whether they met the version that is expected (Fowler, *PoEAA*, 2002: optimistic offline
    lock).
    """

    table: Table
    _dialect: Dialect
    _updates: dict[tuple[str, ...], _Statement] = field(factory=dict, init=False)

    def run_insert(self, connection: Connection, row: Row) -> None:
        """Insert a row."""
        self._insert.run(connection, row)

    @cached_property
    def printers(self) -> list[Printer] | None:
        """What prints the columns for COPY, where it can insert the rows."""
        return printers_of(self.table, self._dialect)

    def run_inserts(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert many rows."""
        text, places = self._bulk_insert
        columns = [driver_values(self.table.c[name], rows, self._dialect) for name in places]
        connection.exec_driver_sql(text, list(zip(*columns, strict=True)), {BULK: places})

    def run_update(self, connection: Connection, old: Row, new: Row) -> bool:
        """Write what is different in a row; false when what is stored is no longer ``old``."""
        names = self.table.c.keys()
        changed = tuple(name for name in names if new[name] != old[name] or name == "version")
        if changed not in self._updates:
            self._updates[changed] = self._compiled(update(self.table).where(*self._is_old()), (*changed, *_OLD))
        return self._updates[changed].run(connection, {**new, **_identity(old)}).rowcount == 1

    def run_delete(self, connection: Connection, old: Row) -> bool:
        """Delete a row; false when what is stored is no longer ``old``."""
        return self._delete.run(connection, _identity(old)).rowcount == 1

    @cached_property
    def _insert(self) -> _Statement:
        return self._compiled(insert(self.table).inline(), self.table.c.keys())

    @cached_property
    def _bulk_insert(self) -> tuple[str, list[str]]:
        """The statement with parameters by place, which drivers take in less time than by name, and whose they are."""
        dialect = copy(self._dialect)  # with what it has learnt of its server
        dialect.paramstyle, dialect.positional = _BY_PLACE[dialect.name], True
        compiled: Any = insert(self.table).inline().compile(dialect=dialect, column_keys=self.table.c.keys())
        return str(compiled), list(compiled.positiontup)

    @cached_property
    def _delete(self) -> _Statement:
        return self._compiled(delete(self.table).where(*self._is_old()), _OLD)

    def _is_old(self) -> list[ColumnElement[bool]]:
        return [self.table.c[name] == bindparam(parameter) for parameter, name in _OLD.items()]

    def _compiled(self, statement: Insert | Update | Delete, parameters: Iterable[str]) -> _Statement:
        columns = {name: self.table.c[_OLD.get(name, name)] for name in parameters}
        return _Statement(
            str(statement.compile(dialect=self._dialect, column_keys=[name for name in columns if name not in _OLD])),
            {name: bind_processor(column, self._dialect) for name, column in columns.items()},
        )


def _identity(row: Row) -> Row:
    return {parameter: row[name] for parameter, name in _OLD.items()}


class _ByTable(dict["Table", Statements]):
    """What writes the rows of each table, built when it is first asked for."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self._dialect = dialect

    def __missing__(self, table: Table) -> Statements:
        self[table] = Statements(table, self._dialect)
        return self[table]


# By engine, and not by its dialect, which what is built holds: an entry that held its own key would never go.
_built: WeakKeyDictionary[Engine, _ByTable] = WeakKeyDictionary()


def statements_on(engine: Engine) -> Mapping[Table, Statements]:
    """Return what writes the rows of each table; building a statement takes longer than running it."""
    if engine not in _built:
        _built[engine] = _ByTable(engine.dialect)
    return _built[engine]


def insert_many(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert any number of rows, few of which are in memory at a time if they come one by one."""
    statements = statements_on(connection.engine)[table]
    slices = _slices(rows)
    for some in slices:
        if statements.printers is not None:
            copy_rows(connection, table, statements.printers, chain([some], slices))  # all the others, too
        elif connection.dialect.name == "postgresql":
            # By SQLAlchemy's own way to send many rows together: the driver's would wait for an answer after each.
            connection.execute(insert(table), some, execution_options={BULK: table.c.keys()})
        else:
            statements.run_inserts(connection, some)


def _slices(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while some := list(islice(remaining, _SLICE)):
        yield some
