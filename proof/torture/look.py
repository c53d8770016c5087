"""Look at a database by the plain driver, which bypasses the project."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import make_url

from proof.laws import plain_driver

ByName = dict[str, tuple[str, int]]
"""The address and the version of each user, by name."""

# How many other connections the same database has.
_OTHERS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
}


class Look:
    """A connection of the plain driver. Each statement on it is its own transaction."""

    def __init__(self, url: str) -> None:
        self.kind = make_url(url).get_backend_name()
        self._connection = plain_driver.connect(url)
        self._mark = "?" if self.kind == "sqlite" else "%s"

    def users(self) -> ByName:
        """Return all users at one moment."""
        return {
            name: (email, version) for name, email, version in self.all("SELECT username, email, version FROM users")
        }

    def remove(self, usernames: Collection[str]) -> None:
        """Delete users."""
        cursor = self._connection.cursor()
        if usernames:
            marks = ", ".join([self._mark] * len(usernames))
            cursor.execute(f"DELETE FROM users WHERE username IN ({marks})", tuple(usernames))  # noqa: S608  # marks
        cursor.close()

    def others(self) -> int:
        """Return the number of other connections. On SQLite it is 0: its locks end with their process."""
        return 0 if self.kind == "sqlite" else int(self.all(_OTHERS[self.kind])[0][0])

    def all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query, in which ``{}`` marks each value."""
        cursor = self._connection.cursor()
        cursor.execute(query.replace("{}", self._mark), values)
        rows = list(cursor.fetchall())
        cursor.close()
        return rows

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
