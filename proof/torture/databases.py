"""The databases that are tortured, each new and at the newest revision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory

from tests import mariadb_server, postgres_server
from tests.storages import migrated_engine

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB"}


@contextmanager
def database(kind: str) -> Iterator[str | None]:
    """Yield the URL of a database of a kind in :data:`NAMES`. If it is not installed, say so and yield ``None``.

    In continuous integration that is an error.
    """
    with ExitStack() as stack:
        try:
            url = _new(kind, stack)
        except (postgres_server.PostgresMissing, mariadb_server.MariadbMissing) as missing:
            if os.environ.get("CI") == "true":
                raise
            print(f"{NAMES[kind]}: not tried, {missing}")
            yield None
            return
        with migrated_engine(url):
            pass  # its connections must not be taken for those of dead clients
        yield url


def _new(kind: str, stack: ExitStack) -> str:
    if kind == "sqlite":
        return f"sqlite:///{stack.enter_context(TemporaryDirectory(prefix='plumbline-torture-'))}/torture.db"
    if kind == "postgresql":
        return stack.enter_context(postgres_server.new_database(stack.enter_context(postgres_server.postgres())))
    return stack.enter_context(mariadb_server.new_database(stack.enter_context(mariadb_server.mariadb())))
