"""The tables of a database: their revision, and how to change it with Alembic."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define
from sqlalchemy.exc import DBAPIError

from adapters.sql.errors import name_of, translated
from adapters.sql.migrating import in_use, migrating
from adapters.sql.situation import situation_of
from domain.errors import ConcurrentChange, ConfigurationError, InvalidRevision, SchemaMismatch, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from alembic.config import Config
    from sqlalchemy import Connection, Engine

    from adapters.sql.situation import Kind, Situation

MIGRATIONS = Path(__file__).parent / "migrations"

_UPGRADED = ("new", "behind")

# The SQLSTATEs of PostgreSQL for a table, a column, and another object that is already there; and what SQLite says.
_EXISTS = {"42P07", "42701", "42710"}
_SAYS_EXISTS = re.compile("already exists|duplicate column name")
_HALFWAY = (
    "a migration may have been stopped halfway: look at the tables, complete or undo its first statements by hand, and"
    " run `app db stamp` with the revision that they match (docs/migrations.md)"
)

# Alembic is imported only where migrations run: a program whose tables are up to date starts sooner without it.


def alembic_config() -> Config:
    """Return Alembic's configuration, without a file. A per cent sign marks a variable there, so it is doubled."""
    from alembic.config import Config

    config = Config(stdout=sys.stdout)  # the default is the sys.stdout from when Alembic was loaded
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def known_revisions() -> list[str]:
    """Return all revisions, oldest first. The file of each migration begins with its revision."""
    return sorted(path.name.partition("_")[0] for path in _files())


def _files() -> Iterable[Path]:
    return (MIGRATIONS / "versions").glob("[0-9]*_*.py")


def _migrations_mention(table: str) -> bool:
    return any(re.search(rf"""["']{re.escape(table)}["']""", path.read_text(encoding="utf-8")) for path in _files())


@define(eq=False)
class Schema:
    """The tables of one database. Its methods raise :class:`~domain.errors.StorageUnavailable` when it is away."""

    _engine: Engine
    _accept_newer: bool = False

    @property
    def head(self) -> str | None:
        """The revision that this program needs, or ``None`` while it has no migration."""
        return max(known_revisions(), default=None)

    @property
    def current(self) -> str | None:
        """The revision of the database, or ``None`` when it has none of this program's tables."""
        return self.situation.found

    @property
    def situation(self) -> Situation:
        """What the database holds of this program's tables, and what to do next. Looking changes nothing."""
        with self._telling_errors(), self._engine.begin() as connection:
            return self._seen(connection)

    def make_ready(self) -> None:
        """Bring an SQLite database up to date. Refuse any other that is not.

        Raises :class:`~domain.errors.SchemaMismatch` with what to do.
        """
        situation = self.situation
        is_sqlite = self._engine.dialect.name == "sqlite"
        if is_sqlite and situation.kind in _UPGRADED:
            self.upgrade()
        elif not situation.is_usable:
            raise self._mismatch(situation)
        if is_sqlite:  # it is this program's; what cannot be done now, a later start will do
            with suppress(DBAPIError), self._engine.begin() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    def upgrade(self) -> None:
        """Bring the tables to the newest revision in one transaction, and check that all of them are there.

        MariaDB and MySQL have no transactions for tables: each statement lasts immediately. Raises
        :class:`~domain.errors.SchemaMismatch` with what to do.
        """
        from alembic import command

        with self._locked() as config:
            situation = self._seen(config.attributes["connection"])
            if situation.kind in _UPGRADED:
                with self._telling_what_lasts():
                    command.upgrade(config, "head")
            elif not situation.is_usable:
                raise self._mismatch(situation)
        situation = self.situation
        if not situation.is_usable:
            raise self._mismatch(situation)

    def downgrade(self, revision: str) -> None:
        """Take the tables back to ``revision``: an id, ``"base"`` for no tables at all, or ``"-1"`` for one step.

        Raises :class:`~domain.errors.InvalidRevision` for one that does not exist or is not an earlier one, and
        :class:`~domain.errors.SchemaMismatch` for tables without a revision or of another program.
        """
        from alembic import command
        from alembic.util import CommandError

        if not re.fullmatch(r"-[1-9]\d*", revision):
            _refuse_unknown(revision)
        with self._locked() as config:
            self._refuse_others(config, "unversioned")
            try:
                with self._telling_what_lasts():
                    command.downgrade(config, revision)
            except CommandError as error:
                reason = "the tables do not stand at a later one: `app db status` shows the present one"
                raise InvalidRevision(revision, reason) from error

    def stamp(self, revision: str) -> None:
        """Note that the tables are at ``revision`` (``"base"``: no tables), and change none of them.

        Raises :class:`~domain.errors.InvalidRevision` for one that does not exist.
        """
        from alembic import command

        _refuse_unknown(revision)
        with self._locked() as config:
            self._refuse_others(config)
            command.stamp(config, revision)

    def _seen(self, connection: Connection) -> Situation:
        known, accept_newer = known_revisions(), self._accept_newer
        return situation_of(connection, known, mentions=_migrations_mention, accept_newer=accept_newer)

    def _refuse_others(self, config: Config, *kinds: Kind) -> None:
        situation = self._seen(config.attributes["connection"])
        if not situation.is_ours or situation.kind in kinds:
            raise self._mismatch(situation)

    def _mismatch(self, found: Situation) -> SchemaMismatch:
        return SchemaMismatch(name_of(self._engine), found.found, found.needed, found.problem, found.advice)

    @contextmanager
    def _locked(self) -> Iterator[Config]:
        from alembic.util import CommandError

        config = alembic_config()
        with self._telling_errors(), migrating(self._engine) as connection:
            config.attributes["connection"] = connection
            try:
                yield config
            except CommandError as error:
                raise ConfigurationError(f"the migrations cannot be run: {error}") from error

    @contextmanager
    def _telling_what_lasts(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            exists = getattr(error.orig, "pgcode", None) in _EXISTS or _SAYS_EXISTS.search(str(error.orig))
            meant = self._meant(error)
            if exists or self._engine.dialect.name == "mysql":
                meant.add_note(_HALFWAY)
            raise meant from error

    @contextmanager
    def _telling_errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._meant(error) from error

    def _meant(self, error: DBAPIError) -> BaseException:
        meant = translated(error, self._engine)
        return StorageUnavailable(in_use(self._engine)) if isinstance(meant, ConcurrentChange) else meant


def _refuse_unknown(revision: str) -> None:
    if revision not in ("base", *known_revisions()):
        raise InvalidRevision(revision, "there is no such one: `app db status` shows the present one")
