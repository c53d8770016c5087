"""Promise 14, where a commit sends one statement alone: what may go so, and what its errors mean."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from adapters.sql import errors as sql_errors
from adapters.sql import session as sql_session
from adapters.sql import sqlite as sql_sqlite
from adapters.sql import unit_of_work as sql_unit_of_work
from adapters.sql.constraints import Constraint
from adapters.sql.errors import ALONE
from adapters.sql.parts import relations_of
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import CommitOutcomeUnknown
from proof.planted_bugs.registry import around, bug, instead


@bug("sql", "postgres")
def a_lost_statement_that_went_alone_is_taken_for_a_failure() -> None:
    """A connection that dies while a statement goes alone is StorageUnavailable, as if nothing had been stored."""
    instead(sql_unit_of_work, "translated_alone", sql_errors.translated)


@bug("sql", "postgres")
def a_refused_statement_that_went_alone_is_an_unknown_outcome() -> None:
    """An error that surely left nothing behind may not be tried again, where the statement went alone."""

    def unknown(error: Any, _engine: Any) -> CommitOutcomeUnknown:
        return CommitOutcomeUnknown(str(error))

    instead(sql_unit_of_work, "translated_alone", unknown)


@bug("sql")
def what_the_driver_cannot_send_alone_is_an_unknown_outcome() -> None:
    """A value that the driver refuses, so that nothing was sent, may have been stored, where it would go alone."""

    class Other(Exception):  # an error that is never raised
        pass

    for name in ("ProgrammingError", "DataError"):
        instead(sql_errors, name, Other)


@bug("sql")
def what_sqlite_has_not_run_alone_is_an_unknown_outcome() -> None:
    """A file that may not be written, or has no such table, may have stored a statement that went alone."""
    instead(sql_errors, "_SQLITE_REFUSED", set())


@bug("sql")
def an_error_of_the_disk_is_taken_for_a_failure_of_what_went_alone() -> None:
    """After an error of reading or writing the file, a statement that went alone is taken for not stored."""
    instead(sql_errors, "_SQLITE_REFUSED", {*sql_errors._SQLITE_REFUSED, 10})


@bug("sql", "postgres")
def what_goes_alone_is_never_committed() -> None:
    """A statement that goes alone is sent in a transaction, which nobody commits."""
    instead(sql_unit_of_work, "ALONE", "no such key")


@bug("sql", "postgres")
def several_statements_go_alone() -> None:
    """Where several aggregates were changed, each statement of the commit is a transaction by itself."""

    def is_one_statement(unit: Any) -> bool:
        changed = unit.session.changed() if unit._has_unwritten() else []
        return bool(changed) and not any(relations_of(type(one)) for one in changed)

    instead(SqlUnitOfWork, "_is_one_statement", is_one_statement)


@bug("sql", "postgres")
def the_last_statement_of_a_transaction_goes_alone() -> None:
    """A commit that finds one statement left sends it alone, though a transaction has begun, which nobody commits."""
    _may_go_alone(lambda _is_possible, _connection: True)


@bug("sql")
def a_statement_goes_alone_after_a_transaction_that_was_ended_beside_the_unit() -> None:
    """Who has ended the unit's transaction by a statement is not told so by a commit that sends one statement."""

    def can_write_alone(_: Any, connection: Any) -> bool:
        driver = connection.connection.driver_connection
        return driver.isolation_level is None and not driver.in_transaction

    _may_go_alone(can_write_alone)


@bug("sql")
def a_statement_goes_alone_where_the_driver_begins_a_transaction() -> None:
    """Where somebody has set a connection's level, SQLite's driver begins one, and nobody commits it."""

    def can_write_alone(_: Any, connection: Any) -> bool:
        return "begun" not in connection.info and not connection.connection.driver_connection.in_transaction

    _may_go_alone(can_write_alone)


@bug("postgres")
def a_statement_goes_alone_at_every_level() -> None:
    """At REPEATABLE READ, the driver begins a transaction for what goes alone, and nobody commits it."""
    _may_go_alone(lambda is_possible, connection: is_possible(connection) or not connection.info["begins_late"])


@bug("postgres")
def a_statement_goes_alone_after_the_connection_was_given_away() -> None:
    """After ``uow.connection``, the driver begins a transaction for what goes alone, and nobody commits it."""

    def can_write_alone(is_possible: Any, connection: Any) -> bool:
        driver = connection.connection.driver_connection
        will_begin = not driver.autocommit and driver.status == 1  # psycopg2's STATUS_READY
        return bool(is_possible(connection) or (connection.info["begins_late"] and will_begin))

    _may_go_alone(can_write_alone)


@bug("postgres")
def nobody_looks_whether_the_server_has_ended_the_connection() -> None:
    """What goes alone on a connection that the server has ended meanwhile is an unknown outcome, and not retryable."""
    _may_go_alone(lambda _, connection: connection.connection.driver_connection.autocommit)


@bug("postgres")
def a_servers_farewell_is_taken_for_a_sign_of_life() -> None:
    """Of a connection that the server has ended meanwhile, its reason alone is read, and not that it has ended."""

    def can_write_alone(_: Any, connection: Any) -> bool:
        driver = connection.connection.driver_connection
        with suppress(connection.dialect.loaded_dbapi.Error):
            driver.poll()
            return bool(driver.autocommit)
        return False

    _may_go_alone(can_write_alone)


def _may_go_alone(can_write_alone: Any) -> None:
    possible = sql_session._CAN_WRITE_ALONE
    changed = {name: partial(can_write_alone, original) for name, original in possible.items()}
    instead(sql_session, "_CAN_WRITE_ALONE", changed)


@bug("postgres")
def nothing_goes_alone() -> None:
    """A commit with one statement left needs three round trips for it."""
    instead(SqlUnitOfWork, "_is_one_statement", lambda _: False)


@bug("sql", "postgres")
def a_connection_goes_on_alone() -> None:
    """After a statement that went alone, each statement of the next unit on that connection is stored at once."""
    _go_on_alone(after_an_error=False)


@bug("sql", "postgres")
def a_connection_goes_on_alone_after_an_error() -> None:
    """Likewise, if the statement was refused."""
    _go_on_alone(after_an_error=True)


def _go_on_alone(*, after_an_error: bool) -> None:
    def flush(original: Any, unit: Any) -> None:
        connection = unit.session.used
        unit.sent_alone = connection.info if connection is not None and ALONE in connection.info else None
        try:
            original(unit)
        except BaseException:
            if not after_an_error or connection is None or connection.invalidated:
                unit.sent_alone = None
            raise

    def commit(original: Any, unit: Any) -> None:
        unit.sent_alone = None
        try:
            original(unit)
        finally:
            if unit.sent_alone is not None:
                unit.sent_alone[ALONE] = True

    around(SqlUnitOfWork, "_flush", flush)
    around(SqlUnitOfWork, "_commit", commit)


@bug("sql")
def a_taken_value_whose_holder_is_gone_by_then_is_none() -> None:
    """A value that was taken when a statement went alone, and is free when SQLite is asked again, is not named."""
    broken: list[bool] = []

    def is_broken(original: Any, *args: Any) -> Any:
        broken.append(original(*args))
        return broken[-1]

    def name(original: Any, context: Any) -> Any:
        broken.clear()
        error = original(context)
        return error if any(broken) else None

    around(Constraint, "is_broken", is_broken)
    around(sql_sqlite, "name_constraint", name)
