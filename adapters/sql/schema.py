"""The tables of a database: which revision they stand at, and how to change that, by Alembic."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from adapters.sql.errors import name_of, translated
from domain.errors import ConcurrentChange, ConfigurationError, SchemaMismatch, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config
    from sqlalchemy import Connection, Engine

MIGRATIONS = Path(__file__).parent / "migrations"

# Alembic is imported where migrations run, and only there: a program whose tables are up to date starts sooner without.

# What keeps two programs from upgrading one database at the same time: the second waits, and finds nothing left to do.
# (The number is arbitrary; it only has to be the same in every program that upgrades this schema.)
_LOCK = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(4206513817)",
    "mysql": "SELECT GET_LOCK(SHA1(CONCAT('plumbline ', DATABASE())), @@innodb_lock_wait_timeout)",
}


def alembic_config() -> Config:
    """Return Alembic's configuration, without a file; a per cent sign is its mark for a variable, hence doubled."""
    from alembic.config import Config

    config = Config(stdout=sys.stdout)  # by default it is what sys.stdout was when Alembic was loaded
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def known_revisions() -> list[str]:
    """Return all revisions, oldest first: each file of a migration begins with the number that is its revision."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """Yield a connection for migrations, on which no other program changes the tables of this database meanwhile.

    Raises :class:`~domain.errors.ConcurrentChange` when another one takes longer than the time limit.
    """
    is_mysql = engine.dialect.name == "mysql"
    # Statements that change tables commit there, so what Alembic notes between them must be stored as well.
    options = {"isolation_level": "AUTOCOMMIT"} if is_mysql else {}
    with engine.connect().execution_options(**options) as connection:
        try:
            with connection.begin():
                if engine.dialect.name == "sqlite":
                    # Alembic alters a table by dropping the old one, which would take its child entities with it.
                    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
                locked = connection.exec_driver_sql(_LOCK[engine.dialect.name])
                if is_mysql and not locked.scalar():
                    raise ConcurrentChange(f"another program is changing the tables of {name_of(engine)}")
                yield connection
        finally:
            connection.invalidate()  # and not used again: in MariaDB the lock is held until its connection is closed


@define(eq=False)
class Schema:
    """The tables of one database. Its methods raise :class:`~domain.errors.StorageUnavailable` when it is away."""

    _engine: Engine

    @property
    def head(self) -> str | None:
        """The revision that this program needs; ``None`` as long as it has no migration."""
        return max(known_revisions(), default=None)

    @property
    def current(self) -> str | None:
        """The revision that the database stands at; ``None`` when it has none of this program's tables."""
        with self._telling_errors(), self._engine.begin() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return found

    def make_ready(self) -> None:
        """Bring an SQLite database up to date; refuse any other that is not.

        Raises :class:`~domain.errors.SchemaMismatch` with what to do.
        """
        current, head = self.current, self.head
        if current == head:
            return
        if current is not None and current not in known_revisions():
            advice = "it was made by a newer version of this program: use that one"
            raise SchemaMismatch(name_of(self._engine), current, head, advice)
        if self._engine.dialect.name != "sqlite":
            raise SchemaMismatch(name_of(self._engine), current, head, "run `app db upgrade`")
        self.upgrade()

    def upgrade(self) -> None:
        """Bring the tables to the newest revision, in one transaction.

        MariaDB and MySQL have no transactions for tables: each statement lasts at once.
        """
        from alembic import command

        with self._locked() as config:
            command.upgrade(config, "head")

    def downgrade(self, revision: str) -> None:
        """Take the tables back to ``revision``: its id, ``"base"`` for none at all, or ``"-1"`` for one step.

        Raises :class:`~domain.errors.ConfigurationError` for a revision that there is not.
        """
        from alembic import command

        if revision not in ("base", *known_revisions()) and not re.fullmatch(r"-[1-9]\d*", revision):
            raise ConfigurationError(f"there is no revision {shown(revision)}: `app db status` shows the present one")
        with self._locked() as config:
            command.downgrade(config, revision)

    @contextmanager
    def _locked(self) -> Iterator[Config]:
        from alembic.util import CommandError

        config = alembic_config()
        with self._telling_errors(), migrating(self._engine) as connection:
            config.attributes["connection"] = connection
            try:
                yield config
            except CommandError as error:
                raise ConfigurationError(f"{error}: `app db status` shows where the database stands") from error

    @contextmanager
    def _telling_errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise translated(error, self._engine) from error
