"""Bugs in transactions and connections, in how their failures are reported, and in what is run again."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from attrs import evolve

import adapters.sql.postgres
import adapters.sql.session
import adapters.sql.sqlite
import adapters.sql.unit_of_work
import service_layer.retrying
from adapters.fake.rows import Rows
from adapters.fake.session import FakeSession
from adapters.sql.errors import translated
from adapters.sql.parts import relations_of
from adapters.sql.session import UnitSession
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import DomainError, StorageError
from proof.planted_bugs.registry import around, bug, instead
from service_layer.retrying import Retrying
from service_layer.unit_of_work import UnitOfWork


@bug("fake", "sql", promise=14, caught_by="unit/test_retrying.py::test_any_other_error_goes_on_immediately")
def every_storage_error_is_retried() -> None:
    """``retrying`` runs a use case again after every error of the storage."""
    instead(
        service_layer.retrying,
        "_is_retryable",
        lambda error: isinstance(error, StorageError) or (isinstance(error, DomainError) and error.retryable),
    )


@bug(
    "fake",
    "sql",
    promise=14,
    caught_by="unit/test_retrying.py::test_a_failing_use_case_raises_its_last_error",
)
def a_use_case_is_run_once_too_often() -> None:
    """``retrying`` runs a use case seven times."""
    around(
        Retrying,
        "__call__",
        lambda original, self, *args, **options: original(evolve(self, attempts=self.attempts + 1), *args, **options),
    )


@bug(
    "sql",
    promise=14,
    caught_by="integration/test_user_unknown_outcomes.py::test_creating_a_user_again_finds_out",
)
def a_lost_commit_is_surely_not_stored() -> None:
    """A connection that dies while committing is ``StorageUnavailable``."""
    instead(adapters.sql.unit_of_work, "translated_at_commit", translated)


@bug(
    "fake",
    promise=14,
    caught_by="unit/test_user_unknown_outcomes.py::test_a_changed_user_is_the_imported_one",
)
def a_commit_of_unknown_outcome_stores_nothing() -> None:
    """The fake never stores the work of a commit whose outcome is unknown."""

    def commit(original: Any, self: Any) -> None:
        failures = [one for one in self.database._failures if one.at == "commit"]
        for one in failures:
            one.stored = False
        original(self)

    around(FakeSession, "commit", commit)


@bug(
    "sql",
    promise=14,
    caught_by="integration/test_own_statements.py::test_a_commit_of_an_ended_transaction",
)
def a_lost_transaction_is_committed() -> None:
    """A commit succeeds after the transaction was ended beside the unit."""
    instead(UnitSession, "refuse_if_ended", lambda _: None)


@bug(
    "postgres",
    promise=15,
    caught_by="integration/test_postgres_transactions.py::test_a_reading_unit_has_no_transaction",
)
def a_returned_connection_stays_in_its_mode() -> None:
    """A connection to PostgreSQL that has written begins a transaction for every later query."""
    instead(adapters.sql.postgres, "_end", lambda *_: None)


@bug("sql", promise=15, caught_by="integration/test_sqlite_turns.py::test_one_writer_of_a_process_is_in_sqlite")
def a_turn_is_never_ended() -> None:
    """A writer on SQLite keeps its turn. So each later one waits a second for it."""
    instead(adapters.sql.sqlite, "_end_turn", lambda info: info.pop(adapters.sql.sqlite._TURN, None))


@bug(
    "fake",
    promise=15,
    caught_by="contract/test_transactions.py::test_changes_are_invisible_before_the_commit",
)
def a_unit_keeps_its_locks() -> None:
    """A unit of the fake that has ended keeps what it has locked."""
    instead(Rows, "end", lambda self: self._layers.clear())


@bug("sql", promise=1, caught_by="contract/test_transactions.py::test_an_addition_is_invisible_before_the_commit")
def statements_are_stored_immediately() -> None:
    """No statement begins a transaction on SQLite. So each statement is stored by itself, before any commit."""
    instead(adapters.sql.sqlite, "_BEGIN", "SELECT 1")


@bug("postgres", promise=1, caught_by="contract/test_transactions.py::test_an_addition_is_invisible_before_the_commit")
def a_write_begins_no_transaction() -> None:
    """Each statement is stored by itself, before any commit, and a rollback takes nothing back."""
    instead(adapters.sql.postgres, "_begin_before_writing", lambda *_: None)


@bug(
    "sql",
    "postgres",
    promise=1,
    caught_by="integration/test_single_statements.py::test_several_statements_need_a_transaction",
)
def several_statements_go_alone() -> None:
    """If several aggregates were changed, each statement of the commit is its own transaction."""

    def is_one_statement(unit: Any) -> bool:
        changed = unit.session.changed() if unit._has_unwritten() else []
        return bool(changed) and not any(relations_of(type(one)) for one in changed)

    instead(SqlUnitOfWork, "_is_one_statement", is_one_statement)


@bug(
    "sql",
    "postgres",
    promise=2,
    caught_by="contract/test_transactions.py::test_changes_are_invisible_before_the_commit",
)
def what_goes_alone_is_never_committed() -> None:
    """A statement that goes alone is sent in a transaction that is never committed."""
    instead(adapters.sql.unit_of_work, "ALONE", "no such key")


@bug(
    "sql",
    promise=14,
    caught_by="integration/test_sqlite_full_disk.py::test_a_full_disk_in_a_savepoint_ends_the_unit",
)
def a_full_disk_is_not_noted() -> None:
    """If the error of a full disk is caught, a commit stores only what came after it."""
    instead(adapters.sql.sqlite, "_note_lost_transaction", lambda _: None)


@bug(
    "sql",
    promise=14,
    caught_by="integration/test_error_meanings.py::test_an_undeclared_constraint_is_never_another",
)
def the_cause_of_an_error_is_lost() -> None:
    """An error of the storage does not hold the driver's error."""

    def fail(original: Any, unit: Any, error: BaseException) -> None:
        try:
            original(unit, error)
        finally:
            if isinstance(unit._failure, StorageError):
                unit._failure.__cause__ = None

    around(UnitOfWork, "fail", fail)


@bug("sql", promise=15, caught_by="integration/test_failures.py::test_the_connection_comes_back")
def a_committed_unit_keeps_its_connection() -> None:
    """The connection does not come back when the unit commits."""

    def commit(original: Any, unit: Any) -> None:
        with patch.object(unit, "_end", unit.session.expunge_all):
            original(unit)

    around(SqlUnitOfWork, "_commit", commit)


@bug(
    "postgres",
    promise=15,
    caught_by="integration/test_connections.py::test_an_engine_survives_a_restart",
)
def an_ended_connection_is_not_noticed() -> None:
    """A statement alone on a connection that the server has ended has an unknown outcome, and is not retryable."""

    def can_write_alone(connection: Any) -> bool:
        return bool(connection.connection.driver_connection.autocommit)

    known = adapters.sql.session._CAN_WRITE_ALONE
    instead(adapters.sql.session, "_CAN_WRITE_ALONE", {**known, "postgresql": can_write_alone})
