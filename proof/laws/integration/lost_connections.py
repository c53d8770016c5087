"""Ways to lose a connection of a unit of work, and what must be true of it otherwise."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.pool import QueuePool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest
    from sqlalchemy import Engine

    from adapters.sql.unit_of_work import SqlUnitOfWork

# How a connection learns its number on the server, and how another one ends it and checks that it is gone.
_ENDING = {
    "postgresql": (
        "SELECT pg_backend_pid()",
        "SELECT pg_terminate_backend(:number, 5000)",
        "SELECT count(*) FROM pg_stat_activity WHERE pid = :number",
    ),
    "mysql": (
        "SELECT connection_id()",
        "KILL :number",
        "SELECT count(*) FROM information_schema.processlist WHERE id = :number",
    ),
}


def checked_out(engine: Engine) -> int:
    """Return how many connections are in use."""
    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedout()


def number_of(uow: SqlUnitOfWork, engine: Engine) -> object:
    """Return the server's number of a unit of work's connection."""
    return uow.connection.execute(text(_ENDING[engine.dialect.name][0])).scalar()


def end_connection(number: object, engine: Engine) -> None:
    """Let the server end the connection with this number, as an administrator or a limit on idle ones can."""
    _, end, is_there = _ENDING[engine.dialect.name]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(end), {"number": number})
        while connection.execute(text(is_there), {"number": number}).scalar():
            time.sleep(0.01)


def end_connection_of(uow: SqlUnitOfWork, engine: Engine) -> None:
    """Let the server end the connection that a unit of work is using."""
    end_connection(number_of(uow, engine), engine)


# Whether a driver's connection is in a transaction, or its next statement begins one.
_IN_TRANSACTION: dict[str, Callable[[Any], bool]] = {
    "sqlite": lambda driver: driver.in_transaction,
    "postgresql": lambda driver: not driver.autocommit,
    "mysql": lambda _: True,
}


@contextmanager
def at_commits(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, instead: Callable[[Callable[[], object]], None]
) -> Iterator[None]:
    """Call ``instead`` with the driver's own call wherever it makes work last.

    That is a COMMIT, or a statement that writes outside of a transaction.
    """
    dialect: Any = engine.dialect
    commit, execute = dialect.do_commit, dialect.do_execute

    def run(cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("SELECT") or _IN_TRANSACTION[dialect.name](cursor.connection):
            execute(cursor, statement, *rest)
        else:
            instead(lambda: execute(cursor, statement, *rest))

    with monkeypatch.context() as patched:
        patched.setattr(dialect, "do_commit", lambda connection: instead(lambda: commit(connection)))
        patched.setattr(dialect, "do_execute", run)
        yield


@contextmanager
def failing_commit(engine: Engine, stored: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the driver fail at the first commit, before or after the database has done its part."""
    dialect: Any = engine.dialect
    failures = [dialect.dbapi.OperationalError("the connection was lost")]

    def fail(commit: Callable[[], object]) -> None:
        if stored or not failures:
            commit()
        if failures:
            raise failures.pop()

    with at_commits(engine, monkeypatch, fail):
        yield
    assert [] == failures


def check_back(engine: Engine) -> None:
    """Fail if a connection is in use or marked for a statement alone."""
    assert 0 == checked_out(engine)
    with engine.connect() as connection:
        assert "alone" not in connection.info
