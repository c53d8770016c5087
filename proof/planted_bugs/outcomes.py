"""Promises 14 and 15: a commit never lies, and connections come back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from unittest.mock import patch

from sqlalchemy.exc import SQLAlchemyError

from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql import errors as sql_errors
from adapters.sql import sqlite as sql_sqlite
from adapters.sql import unit_of_work as sql_unit_of_work
from adapters.sql.savepoint import SqlSavepoint
from adapters.sql.session import UnitSession
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import (
    CommitOutcomeUnknown,
    StorageError,
    StorageUnavailable,
    TransactionLost,
)
from proof.planted_bugs.registry import around, bug, instead
from service_layer.unit_of_work import UnitOfWork


@bug("fake")
def errors_of_a_commit_are_swallowed_in_the_fake() -> None:
    """A commit returns although it has failed."""

    def commit(original: Any, unit: Any) -> None:
        with suppress(StorageError):
            original(unit)

    around(FakeUnitOfWork, "_commit", commit)


@bug("sql")
def errors_of_a_commit_are_swallowed_in_the_database() -> None:
    """A commit returns although it has failed."""

    def commit(original: Any, unit: Any) -> None:
        with suppress(StorageError):
            original(unit)

    around(SqlUnitOfWork, "_commit", commit)


@bug("fake")
def an_unknown_outcome_is_taken_for_success() -> None:
    """A commit of which nobody knows whether it happened returns."""

    def commit(original: Any, unit: Any) -> None:
        with suppress(CommitOutcomeUnknown):
            original(unit)

    around(FakeUnitOfWork, "_commit", commit)


@bug("sql")
def an_unknown_outcome_is_taken_for_a_failure() -> None:
    """A connection that dies while committing is StorageUnavailable, as if nothing had been stored."""
    instead(sql_unit_of_work, "translated_at_commit", sql_errors.translated)


@bug("fake", "sql")
def an_unknown_outcome_may_be_tried_again() -> None:
    """CommitOutcomeUnknown is retryable."""
    instead(CommitOutcomeUnknown, "retryable", True)


@bug("fake", "sql")
def a_storage_that_is_away_may_not_be_tried_again() -> None:
    """StorageUnavailable is not retryable."""
    instead(StorageUnavailable, "retryable", False)


@bug("sql")
def a_storage_that_is_away_is_not_recognized() -> None:
    """A database that cannot be reached just now is no StorageUnavailable."""
    instead(sql_errors, "_unavailable", lambda _: False)


@bug("sql")
def a_connection_stays_in_use_after_a_commit() -> None:
    """The connection does not come back when the unit commits."""

    def commit(original: Any, unit: Any) -> None:
        with patch.object(unit, "_end", unit.session.expunge_all):
            original(unit)

    around(SqlUnitOfWork, "_commit", commit)


@bug("sql")
def a_connection_stays_in_use_after_a_rollback() -> None:
    """The connection does not come back when the block is left without a commit."""

    def roll_back(unit: Any) -> None:
        unit.session.expunge_all()
        if unit.session.used is not None:
            unit.session.used.connection.rollback()

    instead(SqlUnitOfWork, "_roll_back", roll_back)


@bug("postgres")
def a_rollback_that_fails_hides_the_callers_error() -> None:
    """Where the connection is gone, the block is left by an error of the rollback, and not by the caller's own."""

    def end(original: Any, session: Any) -> None:
        try:
            if session.used is not None:
                session.used.connection.rollback()
        finally:
            original(session)

    around(UnitSession, "end", end)


@bug("postgres")
def a_commit_of_a_transaction_that_was_given_up_returns() -> None:
    """A commit returns although PostgreSQL has answered it with a rollback, for an error that was swallowed."""
    instead(UnitSession, "refuse_if_ended", lambda _: None)


@bug("sql")
def a_unit_goes_on_after_its_transaction() -> None:
    """A full disk in a savepoint ends the whole transaction, and the unit goes on without what was done before."""

    def roll_back(original: Any, savepoint: Any) -> None:
        with suppress(SQLAlchemyError, TransactionLost):
            original(savepoint)

    around(SqlSavepoint, "roll_back", roll_back)
    instead(UnitSession, "is_lost", lambda _: False)


@bug("sql")
def a_transaction_that_was_lost_to_a_full_disk_is_not_noted() -> None:
    """A commit stores what came after a full disk alone, when somebody swallowed that error."""
    instead(sql_sqlite, "_note_lost_transaction", lambda _: None)


@bug("fake", "sql")
def a_savepoint_that_cannot_be_undone_raises_the_error_that_it_was_undone_for() -> None:
    """Where the transaction is gone, a savepoint is left by another error, which says that the unit can go on."""

    def undo(original: Any, unit: Any, savepoint: Any, written: Any, error: Any) -> None:
        if unit._loss is None:
            original(unit, savepoint, written, error)

    around(UnitOfWork, "_undo", undo)


@bug("sql")
def an_error_of_a_repositorys_own_statement_is_not_translated() -> None:
    """An error of SQLAlchemy leaves the block if a repository runs a statement past its session."""
    instead(SqlUnitOfWork, "_translated", lambda _, error: error)
