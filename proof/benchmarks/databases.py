"""A database for each contender, and a look into it that uses no contender's library."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import UUID

from attrs import frozen

from adapters.sql.engine import make_engine
from adapters.sql.schema import Schema
from proof.benchmarks.contenders.driver import Driver
from proof.benchmarks.people import checksum, person
from tests.postgres_server import new_database, postgres

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SEEDS = 10_000


@frozen
class Stored:
    """The stored data of a user, apart from the name."""

    id: UUID
    email: str
    version: int


@frozen
class Database:
    """The database of a URL, by the bare driver. Each method opens a new connection."""

    url: str

    def run(self, statement: str, values: Iterable[Any] = ()) -> list[Any]:
        """Run a statement in a separate transaction, and return its rows."""
        with closing(Driver(self.url).connection) as connection, connection:
            cursor = connection.cursor()
            cursor.execute(statement, tuple(values))
            return cursor.fetchall() if cursor.description else []

    def version(self) -> str:
        """Return the name and version of the database."""
        if self.url.startswith("sqlite"):
            return f"SQLite {sqlite3.sqlite_version}"
        return f"PostgreSQL {self.run('SHOW server_version')[0][0].split()[0]}"

    def fill(self, numbers: range) -> None:
        """Store the users with these numbers."""
        driver = Driver(self.url)
        driver.bulk(driver.prepare(person(number)) for number in numbers)
        driver.end_thread()
        self.analyze()

    def analyze(self) -> None:
        """Renew the planner's statistics. Otherwise PostgreSQL would do so itself during a measurement."""
        self.run("ANALYZE users")

    def empty(self) -> None:
        """Remove all users."""
        self.run("DELETE FROM users" if self.url.startswith("sqlite") else "TRUNCATE users")

    def count(self) -> int:
        """Return how many users are stored."""
        return int(self.run("SELECT count(*) FROM users")[0][0])

    def checksum(self) -> int:
        """Return the checksum of all ids."""
        return checksum(UUID(id) for (id,) in self.run("SELECT id FROM users"))

    def stored(self, numbers: Iterable[int]) -> dict[int, Stored]:
        """Return the stored data of the users with these numbers."""
        names = {person(number).username: number for number in numbers}
        marks = ", ".join(["?" if self.url.startswith("sqlite") else "%s"] * len(names))
        rows = self.run(f"SELECT username, id, email, version FROM users WHERE username IN ({marks})", names)  # noqa: S608  # marks alone
        return {names[name]: Stored(UUID(id), email, version) for name, id, email, version in rows}


@contextmanager
def databases(kind: str, names: Iterable[str], server: str | None) -> Iterator[dict[str, Database]]:
    """Yield a migrated and seeded database for each name: "sqlite" files, or "postgresql" ones on a server.

    Without the URL of a server, one is started and thrown away at the end.
    """
    with ExitStack() as stack:
        found = {}
        if kind == "sqlite":
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="plumbline-bench-")))
            found = {name: f"sqlite:///{folder}/{name}.db" for name in names}
        else:
            own = stack.enter_context(nullcontext(server) if server else postgres())
            found = {name: stack.enter_context(new_database(own)) for name in names}
        for url in found.values():
            engine = make_engine(url)
            Schema(engine).upgrade()
            engine.dispose()
            Database(url).fill(range(SEEDS))
        yield {name: Database(url) for name, url in found.items()}
