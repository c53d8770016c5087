"""What is special about PostgreSQL: how its transactions begin, and how it stores many rows at once."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import patch

from adapters.sql import postgres as sql_postgres
from adapters.sql import postgres_copy
from proof.planted_bugs.registry import around, bug, instead


@bug("postgres")
def a_write_begins_no_transaction() -> None:
    """Each statement is stored on its own, before any commit, and a rollback takes nothing back."""
    instead(sql_postgres, "_begin_before_writing", lambda *_: None)


@bug("postgres")
def a_savepoint_begins_no_transaction() -> None:
    """A savepoint before the first write of a unit is refused by the database."""

    def begin(original: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("SAVEPOINT"):
            original(cursor, statement, *rest)

    around(sql_postgres, "_begin_before_writing", begin)


@bug("postgres")
def a_query_that_locks_rows_begins_no_transaction() -> None:
    """The rows of a SELECT ... FOR UPDATE are free again as soon as it has been answered."""
    instead(sql_postgres, "_READING", re.compile(r"SELECT (?!.*\w\()", re.DOTALL))


@bug("postgres")
def a_query_that_calls_a_function_begins_no_transaction() -> None:
    """A lock that a function takes until the end of the transaction is free again as soon as it has answered."""
    instead(sql_postgres, "_READING", re.compile(r"SELECT (?!.*\bFOR (?:UPDATE|SHARE|NO KEY|KEY)\b)", re.DOTALL))


@bug("postgres")
def every_query_begins_a_transaction() -> None:
    """A unit that only reads keeps a transaction open meanwhile."""
    instead(sql_postgres, "_READING", re.compile(r"(?!)"))


@bug("postgres")
def a_connection_that_has_written_begins_every_transaction_early() -> None:
    """A unit that only reads keeps a transaction open, on a connection by which another unit has written before."""
    instead(sql_postgres, "_end", lambda *_: None)


@bug("postgres")
def a_transaction_begins_late_at_every_level() -> None:
    """At REPEATABLE READ and SERIALIZABLE, each query before the first write sees a state of its own."""

    def prepare(original: Any, connection: Any, record: Any) -> None:
        original(connection, record)
        record.info["begins_late"] = connection.autocommit = True

    around(sql_postgres, "_prepare", prepare)


@bug("postgres")
def tabs_are_not_escaped_in_a_bulk() -> None:
    """A text with a tab cannot be added in bulk."""
    _unescaped("\t")


@bug("postgres")
def ends_of_lines_are_not_escaped_in_a_bulk() -> None:
    """A text of several lines cannot be added in bulk."""
    _unescaped("\n")


@bug("postgres")
def carriage_returns_are_not_escaped_in_a_bulk() -> None:
    """A text with a carriage return cannot be added in bulk."""
    _unescaped("\r")


@bug("postgres")
def backslashes_are_not_escaped_in_a_bulk() -> None:
    """A text that was added in bulk has lost its backslashes."""
    _unescaped("\\")


def _unescaped(character: str) -> None:
    escaped = {code: text for code, text in postgres_copy._ESCAPED.items() if code != ord(character)}
    instead(postgres_copy, "_ESCAPED", escaped)


@bug("postgres")
def nothing_is_an_empty_text_in_a_bulk() -> None:
    """An attribute that is None comes back as an empty text, or is refused, when it was added in bulk."""
    around(postgres_copy, "_or_nothing", lambda original, *args: original(*args).replace(r"\N", ""))


@bug("postgres")
def a_bulk_stores_no_expressions() -> None:
    """A value that the database is to make something of is stored as it is when it was added in bulk."""

    def printer(original: Any, column: Any, dialect: Any) -> Any:
        with patch.object(type(column.type), "bind_expression", lambda *_: None):
            return original(column, dialect)

    around(postgres_copy, "_printer", printer)


@bug("postgres")
def what_stops_a_bulk_is_hidden() -> None:
    """What is raised in the rows of a bulk is told as an error of the database, and an interrupt likewise."""

    def reading(original: Any, lines: Any, texts: Any) -> Any:
        try:
            yield from original(lines, texts)
        finally:
            lines.error = None

    around(postgres_copy._Lines, "_reading", reading)


@bug("postgres")
def an_interrupt_of_a_bulk_may_be_hidden() -> None:
    """Likewise, but only where an interrupt comes while the driver sends."""

    def init(original: Any, lines: Any, texts: Any) -> None:
        original(lines, texts)
        send = lines.read

        def read(size: int) -> str:
            return str(send(size))

        lines.read = read

    around(postgres_copy._Lines, "__init__", init)
