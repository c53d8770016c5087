"""Bugs in the settings, at the start, and in the care of the tables."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import adapters.sql.engine
import adapters.sql.errors
import adapters.sql.migrating
import adapters.sql.schema
import entrypoints.bootstrap
import entrypoints.cli
import entrypoints.config
import entrypoints.user_commands
import entrypoints.user_files
from adapters.sql.schema import Schema
from entrypoints.config import Settings
from proof.planted_bugs.registry import around, bug, instead

if TYPE_CHECKING:
    from collections.abc import Iterator


@bug("sql", entry="db", caught_by="integration/test_schema.py::test_tables_of_a_newer_program_are_refused")
def a_newer_database_is_used() -> None:
    """A program starts on the tables of a newer one."""

    def make_ready(self: Any) -> None:
        if self.situation.kind in ("new", "behind"):
            self.upgrade()

    instead(Schema, "make_ready", make_ready)


@bug(
    "sql",
    entry="db",
    caught_by="integration/test_migration_locks.py::test_a_long_upgrade_is_not_waited_for",
)
def two_programs_upgrade_together() -> None:
    """Two programs may change the tables of an SQLite file at the same time."""
    adapters.sql.migrating._LOCK["sqlite"] = "BEGIN"


@bug(
    "sql",
    entry="db",
    caught_by="integration/test_migrated_rows.py::test_a_migration_keeps_the_children_of_rows",
)
def an_upgrade_takes_the_parts_along() -> None:
    """A migration on SQLite that copies a table removes what refers to it."""

    @contextmanager
    def migrating(original: Any, engine: Any) -> Iterator[Any]:
        with original(engine) as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    around(adapters.sql.migrating, "migrating", migrating)


@bug("sql", entry="db", caught_by="e2e/test_cli_db.py::test_the_tables_go_down_and_up_again")
def status_names_the_wrong_revision() -> None:
    """The JSON of ``db status`` has the two revisions the wrong way round."""
    around(
        entrypoints.cli,
        "print_json",
        lambda original, value: original(value | {"current": value["head"], "head": value["current"]}),
    )


@bug("sql", entry="bootstrap", caught_by="unit/test_config.py::test_nan_is_no_time_limit")
def no_number_is_a_timeout() -> None:
    """``DATABASE_TIMEOUT=nan`` is taken for a number of seconds."""

    def seconds(original: Any, value: Any) -> float:
        return float(value) if str(value) == "nan" else float(original(value))

    around(entrypoints.config, "_seconds", seconds)


@bug("sql", entry="bootstrap", caught_by="unit/test_config.py::test_what_is_set_to_nothing_has_its_default")
def an_empty_setting_counts() -> None:
    """An empty setting is not replaced by its default."""

    def from_environment(environment: Any = os.environ) -> Any:
        default = Settings()
        return Settings(
            database_url=environment.get("DATABASE_URL", default.database_url),
            database_timeout=entrypoints.config._seconds(environment.get("DATABASE_TIMEOUT", default.database_timeout)),
            database_ping=entrypoints.config._switch({"DATABASE_PING": "0", **environment}, "DATABASE_PING"),
        )

    instead(Settings, "from_environment", from_environment)


@bug(
    "postgres",
    entry="bootstrap",
    caught_by="integration/test_idle_connections.py::test_a_ping_replaces_an_ended_connection",
)
def a_connection_is_never_tried() -> None:
    """``DATABASE_PING=1`` has no effect."""
    around(adapters.sql.engine, "make_engine", lambda original, url, timeout=10.0, **_: original(url, timeout))


@bug("sql", entry="bootstrap", caught_by="integration/test_engine.py::test_an_engine_is_named_without_its_password")
def an_error_shows_the_password() -> None:
    """The messages about a database show its password."""

    def name_of(engine: Any) -> str:
        return str(engine.url.render_as_string(hide_password=False))

    instead(adapters.sql.errors, "name_of", name_of)
    instead(adapters.sql.migrating, "name_of", name_of)
    instead(adapters.sql.schema, "name_of", name_of)
