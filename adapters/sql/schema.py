"""The tables of a database: which revision they stand at, and how to change that, by Alembic."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from attrs import define, field
from sqlalchemy.exc import DBAPIError

from adapters.sql.errors import name_of, translated
from domain.errors import ConfigurationError, SchemaMismatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

# What keeps two programs from upgrading one database at the same time: the second waits, and finds nothing left to do.
# (The number is arbitrary; it only has to be the same in every program that upgrades this schema.)
_LOCK = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(4206513817)"}


def alembic_config() -> Config:
    """Return Alembic's configuration, without a file; a per cent sign is its mark for a variable, hence doubled."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@define(eq=False)
class Schema:
    """The tables of one database. Its methods raise :class:`~domain.errors.StorageUnavailable` when it is away."""

    _engine: Engine
    _config: Config = field(factory=alembic_config, init=False)

    @property
    def head(self) -> str:
        """The revision that this program needs."""
        return ScriptDirectory.from_config(self._config).get_current_head() or "base"

    @property
    def current(self) -> str | None:
        """The revision that the database stands at; ``None`` when it has none of this program's tables."""
        with self._connected() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def make_ready(self) -> None:
        """Bring an SQLite database up to date; refuse any other that is not.

        Raises :class:`~domain.errors.SchemaMismatch` with what to do.
        """
        current, head = self.current, self.head
        if current == head:
            return None
        if current is not None and not self._knows(current):
            advice = "it was made by a newer version of this program: use that one"
        elif self._engine.dialect.name == "sqlite":
            return self.upgrade()
        else:
            advice = "run `app db upgrade`"
        raise SchemaMismatch(name_of(self._engine), current, head, advice)

    def upgrade(self) -> None:
        """Bring the tables to the newest revision, in one transaction."""
        with self._locked() as config:
            command.upgrade(config, "head")

    def downgrade(self, revision: str) -> None:
        """Take the tables back to ``revision``: its id, ``"base"`` for none at all, or ``"-1"`` for one step.

        Raises :class:`~domain.errors.ConfigurationError` for a revision that there is not.
        """
        with self._locked() as config:
            command.downgrade(config, revision)

    def _knows(self, revision: str) -> bool:
        return revision in {script.revision for script in ScriptDirectory.from_config(self._config).walk_revisions()}

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise translated(error, self._engine) from error

    @contextmanager
    def _locked(self) -> Iterator[Config]:
        with self._connected() as connection:
            connection.exec_driver_sql(_LOCK.get(connection.dialect.name, "SELECT 1"))
            self._config.attributes["connection"] = connection
            try:
                yield self._config
            except CommandError as error:
                raise ConfigurationError(f"{error}: `app db status` shows where the database stands") from error
