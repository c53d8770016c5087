"""The drivers alone, sqlite3 and psycopg2: the limit, and the manual work that is left without any library.

Rows come as tuples of the driver's values. Ids are texts.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import psycopg2

from proof.benchmarks.contenders.contender import PAGE, READ_BATCH, TIMEOUT, Contender, Stale

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from proof.benchmarks.people import Person

COLUMNS = "id, username, email, created_at, active, version"
SELECT = f"SELECT {COLUMNS} FROM users"  # noqa: S608  # our own names, here and below


class Driver(Contender):
    """One connection for each thread."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        # The mark of a parameter.
        mark = "?" if self.is_sqlite else "%s"
        self.by_username = f"{SELECT} WHERE username = {mark}"
        self.following = f"{SELECT} WHERE id > {mark} ORDER BY id LIMIT {PAGE}"
        self.insert = f"INSERT INTO users ({COLUMNS}) VALUES ({', '.join([mark] * 6)})"  # noqa: S608
        self.update = f"UPDATE users SET email = {mark}, version = {mark} WHERE id = {mark} AND version = {mark}"  # noqa: S608
        self.connection: Any = self.connect()

    def connect(self) -> Any:
        """Return a new connection. The driver begins transactions, and ``with`` ends them."""
        if not self.is_sqlite:
            return psycopg2.connect(self.url)
        path = self.url.removeprefix("sqlite:///")
        connection = sqlite3.connect(path, TIMEOUT, isolation_level="IMMEDIATE", check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def for_thread(self) -> Self:
        """Return a contender with a new connection."""
        return type(self)(self.url)

    def end_thread(self) -> None:
        """Close the connection."""
        self.connection.close()

    def key(self, id: UUID) -> str:
        """Return an id as it is stored."""
        return id.hex if self.is_sqlite else str(id)

    def prepare(self, person: Person) -> tuple[Any, ...]:
        """Return a row as the driver takes it."""
        at = person.created_at
        created_at = f"{at:%Y-%m-%d %H:%M:%S.%f}" if self.is_sqlite else at
        return (self.key(person.id), person.username, person.email, created_at, person.active, person.version)

    def facts(self, found: Any) -> tuple[UUID, str]:
        """Return two fields of the row."""
        return UUID(found[0]), found[2]

    def get(self, username: str) -> Any:
        """Return a row by the name."""
        with self.connection:
            cursor = self.connection.cursor()
            cursor.execute(self.by_username, (username,))
            return cursor.fetchone()

    def create(self, user: tuple[Any, ...]) -> None:
        """Store a row."""
        with self.connection:
            self.connection.cursor().execute(self.insert, user)

    def change(self, username: str, email: str) -> None:
        """Load and change a row, with the version in the condition."""
        with self.connection:
            cursor = self.connection.cursor()
            cursor.execute(self.by_username, (username,))
            id, *_, version = cursor.fetchone()
            cursor.execute(self.update, (email, version + 1, id, version))
            if cursor.rowcount != 1:
                raise Stale(username)

    def page(self, after: UUID) -> Sequence[Any]:
        """Return the rows whose ids follow."""
        with self.connection:
            cursor = self.connection.cursor()
            cursor.execute(self.following, (self.key(after),))
            rows: list[Any] = cursor.fetchall()
            return rows

    def bulk(self, users: Iterable[tuple[Any, ...]]) -> None:
        """Store many rows, by COPY on PostgreSQL."""
        with self.connection:
            cursor = self.connection.cursor()
            if self.is_sqlite:
                cursor.executemany(self.insert, users)
            else:
                cursor.copy_expert(f"COPY users ({COLUMNS}) FROM STDIN WITH (FORMAT csv)", CsvOf(users))

    def stream(self) -> Iterator[Any]:
        """Yield all rows, by a cursor of the server on PostgreSQL."""
        with self.connection:
            if self.is_sqlite:
                cursor = self.connection.cursor()
            else:
                cursor = self.connection.cursor("stream")
                cursor.itersize = READ_BATCH
            cursor.execute(f"{SELECT} ORDER BY id")
            yield from cursor


class CsvOf:
    """Rows as a file to read, made as they are read."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self.rows = iter(rows)

    def read(self, size: int) -> str:
        """Return some lines of at least ``size`` characters, or an empty text at the end."""
        text = io.StringIO()
        writer = csv.writer(text)
        for row in self.rows:
            writer.writerow(row)
            if text.tell() >= size:
                break
        return text.getvalue()
