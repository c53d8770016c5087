"""Store many rows on PostgreSQL by COPY, as a text that is printed while it is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Date, DateTime, Float, Integer, Numeric, String, TypeDecorator, Uuid, bindparam

from adapters.sql.types import converted, driver_values

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from sqlalchemy import Column, Connection, Dialect
    from sqlalchemy.types import TypeEngine

    Printer = Callable[[Any], str]


def printers_of(columns: Sequence[Column[Any]], dialect: Dialect) -> list[Printer] | None:
    """Return the functions that print the values of each column for COPY. ``None``: COPY cannot take all of them."""
    if dialect.name != "postgresql":
        return None
    printers = [printer for column in columns if (printer := _printer(column, dialect))]
    return printers if len(printers) == len(columns) else None


def _printer(column: Column[Any], dialect: Dialect) -> Printer | None:
    kind = column.type.dialect_impl(dialect)
    if kind.bind_expression(bindparam("value")) is not None:
        return None  # COPY has no expressions
    stored = kind.type_engine(dialect) if isinstance(kind, TypeDecorator) else kind
    return next((printer for one, printer in _PRINTERS.items() if isinstance(stored, one)), None)


def copy_rows(
    connection: Connection,
    columns: Sequence[Column[Any]],
    printers: list[Printer],
    slices: Iterable[Sequence[Mapping[str, Any]]],
) -> None:
    """Insert rows into columns of one table by one COPY (PostgreSQL manual, *Populating a Database*).

    Each slice is printed while the slices before it are on their way. So the server works at the same time.
    """
    quoted = connection.dialect.identifier_preparer
    names = ", ".join(quoted.quote(column.name) for column in columns)
    connection.exec_driver_sql(
        f"COPY {quoted.format_table(columns[0].table)} ({names}) FROM STDIN",
        execution_options={
            _COPIED: _Lines(_printed(columns, printers, slices, connection.dialect)),
            "no_parameters": True,
        },
    )


_COPIED = "copied"  # the execution option that holds the data of a COPY


class _Lines:
    """Texts as the file that COPY reads, and the error that stopped the reading.

    The error is kept here, because the driver raises an error of the server in its place.
    """

    def __init__(self, texts: Generator[str, object]) -> None:
        self.error: BaseException | None = None
        reading = self._reading(texts)
        next(reading)
        # Not a Python function: an interrupt at its very beginning would be raised before its first line.
        self.read = reading.send
        self.close = reading.close

    def _reading(self, texts: Generator[str, object]) -> Generator[str, int]:
        try:
            yield ""  # reading starts here; how much is asked for makes no difference
            yield from texts
            yield ""
        except GeneratorExit:  # it was closed
            raise
        except BaseException as error:
            self.error = error
            raise


# How many characters are sent in one piece. The driver takes at most 2 GiB.
_PIECE = 2**20


def _printed(
    columns: Sequence[Column[Any]],
    printers: list[Printer],
    slices: Iterable[Sequence[Mapping[str, Any]]],
    dialect: Dialect,
) -> Generator[str, object]:
    """Yield the lines that COPY takes for rows, in pieces that may end inside a line."""
    for rows in slices:
        values = [driver_values(column, rows, dialect) for column in columns]
        printed = map(_printed_column, values, printers)
        text = "".join([f"{line}\n" for line in map("\t".join, zip(*printed, strict=True))])
        for at in range(0, len(text), _PIECE):
            yield text[at : at + _PIECE]


def _printed_column(values: list[Any], printer: Printer) -> list[str]:
    return converted(values, partial(_or_nothing, printer) if None in values else printer)


def _or_nothing(printer: Printer, value: Any) -> str:
    return r"\N" if value is None else printer(value)


_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _text(value: str) -> str:
    text = str.__str__(value)  # a subclass may show something other than what it holds
    is_plain = text.isprintable() and "\\" not in text
    return text if is_plain else text.translate(_ESCAPED)


def _number(value: Any) -> str:
    return float.__repr__(value) if isinstance(value, float) else str(value)


def _time(value: date) -> str:
    if not isinstance(value, datetime):
        return date.isoformat(value)
    # In UTC, as the session is: a column without a zone would ignore the zone of the value.
    return datetime.isoformat(value if value.tzinfo in (None, UTC) else value.astimezone(UTC))


# How the values of a column are printed, so that the server reads them as what the driver would have sent. A value that
# is not of the column's type is refused and not stored as something else.
_PRINTERS: dict[type[TypeEngine[Any]], Printer] = {
    Boolean: str,
    Date: _time,
    DateTime: _time,
    Float: _number,
    Integer: int.__repr__,
    Numeric: _number,
    String: _text,
    Uuid: str,
}


def run_copy(cursor: Any, statement: str, context: Any) -> bool:
    """Run what :func:`copy_rows` sends. SQLAlchemy calls this instead of running it, and wraps its errors as usual."""
    lines = context.execution_options.get(_COPIED)
    if lines is None:
        return False
    try:
        cursor.copy_expert(statement.replace("%%", "%"), lines)  # doubled for parameters, but it has none
    except context.dialect.loaded_dbapi.Error:
        if lines.error is None:
            raise
        raise lines.error from lines.error.__cause__
    finally:
        lines.close()  # or the garbage collector closes it, and keeps the frames of that moment with all they hold
    return True
