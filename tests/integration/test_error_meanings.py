"""Promises 7 and 14: what the errors of databases and drivers mean in the words of domain.errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import DataError, DBAPIError, OperationalError, ProgrammingError

from adapters.sql.errors import translated, translated_alone, translated_at_commit
from domain.aggregate import new_id
from domain.errors import (
    CommitOutcomeUnknown,
    ConcurrentChange,
    IntegrityViolation,
    StorageError,
    StorageUnavailable,
    ValueTaken,
)
from tests.contract.members import new_member, stored_member, stored_names
from tests.contract.orders import order_lines
from tests.contract.shop import SqlShop
from tests.storages import sql_storage

SAID = "as the driver says it"


def postgres(code: object) -> Exception:
    """Return an error as PostgreSQL's driver raises it."""
    error = Exception(SAID)
    vars(error)["pgcode"] = code
    return error


def sqlite(code: object) -> Exception:
    """Return an error as SQLite's driver raises it."""
    error = Exception(SAID)
    vars(error)["sqlite_errorcode"] = code
    return error


def mariadb(code: object) -> Exception:
    """Return an error as the driver of MariaDB and MySQL raises it."""
    return Exception(code, SAID)


def short(parameter: object) -> str:
    """Return what stands for a parameter in the name of a test."""
    return getattr(parameter, "__name__", str(parameter))


@pytest.mark.parametrize(
    ("said_by", "code", "expected"),
    [
        (postgres, "40001", ConcurrentChange),
        (postgres, "40P01", ConcurrentChange),
        (postgres, "55P03", ConcurrentChange),
        (postgres, "08006", StorageUnavailable),
        (postgres, "53300", StorageUnavailable),
        (postgres, "57P01", StorageUnavailable),
        (postgres, None, StorageUnavailable),
        (postgres, "42P01", StorageError),
        (sqlite, sqlite3.SQLITE_BUSY_SNAPSHOT, ConcurrentChange),
        (sqlite, sqlite3.SQLITE_LOCKED, ConcurrentChange),
        (sqlite, sqlite3.SQLITE_CANTOPEN, StorageUnavailable),
        (sqlite, sqlite3.SQLITE_CORRUPT, StorageError),
        (mariadb, 1020, ConcurrentChange),  # ER_CHECKREAD
        (mariadb, 1205, ConcurrentChange),  # ER_LOCK_WAIT_TIMEOUT
        (mariadb, 1206, ConcurrentChange),  # ER_LOCK_TABLE_FULL
        (mariadb, 1213, ConcurrentChange),  # ER_LOCK_DEADLOCK
        (mariadb, 0, StorageUnavailable),  # the driver's own, for a connection that is closed
        (mariadb, 1040, StorageUnavailable),  # ER_CON_COUNT_ERROR
        (mariadb, 1044, StorageUnavailable),  # ER_DBACCESS_DENIED_ERROR
        (mariadb, 1045, StorageUnavailable),  # ER_ACCESS_DENIED_ERROR
        (mariadb, 1047, StorageUnavailable),  # ER_UNKNOWN_COM_ERROR: a node that has lost its cluster
        (mariadb, 1049, StorageUnavailable),  # ER_BAD_DB_ERROR
        (mariadb, 1053, StorageUnavailable),  # ER_SERVER_SHUTDOWN
        (mariadb, 1129, StorageUnavailable),  # ER_HOST_IS_BLOCKED
        (mariadb, 1203, StorageUnavailable),  # ER_TOO_MANY_USER_CONNECTIONS
        (mariadb, 1927, StorageUnavailable),  # ER_CONNECTION_KILLED
        (mariadb, 2003, StorageUnavailable),  # CR_CONN_HOST_ERROR
        (mariadb, 2006, StorageUnavailable),  # CR_SERVER_GONE_ERROR
        (mariadb, 2013, StorageUnavailable),  # CR_SERVER_LOST
        (mariadb, 1146, StorageError),  # ER_NO_SUCH_TABLE
        (mariadb, 1406, StorageError),  # ER_DATA_TOO_LONG
        (mariadb, 3000, StorageError),  # the first behind the driver's own
    ],
    ids=short,
)
def test_an_error_code_means_what_the_database_documents(
    sqlite_engine: Engine, said_by: Callable[[object], Exception], code: object, expected: type[Exception]
) -> None:
    """Conflicts and absences may be tried again, the rest not; a lost connection is an absence whatever its code."""
    error = OperationalError("SELECT 1", None, said_by(code))
    assert type(translated(error, sqlite_engine)) is expected
    lost = OperationalError("SELECT 1", None, said_by(code), connection_invalidated=True)
    assert type(translated(lost, sqlite_engine)) is (
        ConcurrentChange if expected is ConcurrentChange else StorageUnavailable
    )


@pytest.mark.parametrize("code", [3819, 4025])
def test_a_broken_check_is_an_integrity_violation_whatever_the_driver_takes_it_for(
    sqlite_engine: Engine, code: int
) -> None:
    """MySQL's number and MariaDB's."""
    error = OperationalError("INSERT INTO members", None, mariadb(code))
    assert type(translated(error, sqlite_engine)) is IntegrityViolation


@pytest.mark.promise(14)
@pytest.mark.parametrize(
    ("said_by", "code", "expected"),
    [
        (sqlite, sqlite3.SQLITE_BUSY, ConcurrentChange),
        (sqlite, sqlite3.SQLITE_FULL, StorageError),
        (sqlite, sqlite3.SQLITE_IOERR_FSYNC, CommitOutcomeUnknown),
        (postgres, "40001", ConcurrentChange),
        (postgres, "P0001", StorageError),
        (postgres, "57P01", CommitOutcomeUnknown),
        (postgres, None, CommitOutcomeUnknown),
        (mariadb, 1020, ConcurrentChange),
        (mariadb, 1205, ConcurrentChange),
        (mariadb, 1213, ConcurrentChange),
        (mariadb, 0, CommitOutcomeUnknown),
        (mariadb, 1047, CommitOutcomeUnknown),
        (mariadb, 1053, CommitOutcomeUnknown),
        (mariadb, 1146, CommitOutcomeUnknown),
        (mariadb, 1180, CommitOutcomeUnknown),  # ER_ERROR_DURING_COMMIT
        (mariadb, 1927, CommitOutcomeUnknown),
        (mariadb, 2006, CommitOutcomeUnknown),
        (mariadb, 2013, CommitOutcomeUnknown),
        (mariadb, 4025, CommitOutcomeUnknown),
    ],
    ids=short,
)
def test_a_commit_that_fails_is_unknown_unless_the_database_says_that_nothing_was_written(
    sqlite_engine: Engine, said_by: Callable[[object], Exception], code: object, expected: type[Exception]
) -> None:
    """SQLite says so when it is busy or full, PostgreSQL by any code of its own, and MariaDB of a lost race alone."""
    error = OperationalError("COMMIT", None, said_by(code))
    meant = translated_at_commit(error, sqlite_engine)
    assert type(meant) is expected
    assert str(sqlite_engine.url) in str(meant)


@pytest.mark.promise(14)
@pytest.mark.parametrize(
    ("said_by", "code", "expected"),
    [
        (sqlite, sqlite3.SQLITE_ERROR, StorageError),  # such as a table that is missing
        (sqlite, sqlite3.SQLITE_READONLY, StorageError),
        (sqlite, sqlite3.SQLITE_CANTOPEN, StorageUnavailable),
        (sqlite, sqlite3.SQLITE_PROTOCOL, StorageError),
        (sqlite, sqlite3.SQLITE_MISMATCH, StorageError),
        (sqlite, sqlite3.SQLITE_NOTADB, StorageError),
        (sqlite, sqlite3.SQLITE_BUSY, ConcurrentChange),
        (sqlite, sqlite3.SQLITE_FULL, StorageError),
        (sqlite, sqlite3.SQLITE_IOERR_FSYNC, CommitOutcomeUnknown),
        (sqlite, sqlite3.SQLITE_CORRUPT, CommitOutcomeUnknown),
        (postgres, "40P01", ConcurrentChange),
        (postgres, "42P01", StorageError),
        (postgres, "53100", StorageUnavailable),
        (postgres, "57014", StorageError),
        (postgres, "57P01", CommitOutcomeUnknown),
        (postgres, "08006", CommitOutcomeUnknown),
        (postgres, None, CommitOutcomeUnknown),
    ],
    ids=short,
)
def test_a_statement_that_commits_by_itself_is_unknown_unless_the_database_says_that_it_was_not_run(
    sqlite_engine: Engine, said_by: Callable[[object], Exception], code: object, expected: type[Exception]
) -> None:
    """Or that it was undone; which nobody knows when the connection was lost with it."""
    meant = translated_alone(OperationalError("INSERT", None, said_by(code)), sqlite_engine)
    assert type(meant) is expected
    assert str(sqlite_engine.url) in str(meant)


@pytest.mark.promise(14)
def test_a_statement_that_was_lost_with_its_connection_is_unknown_whatever_the_server_lacked(
    sqlite_engine: Engine,
) -> None:
    """Had it stayed, it would have undone the statement."""
    lost = OperationalError("INSERT", None, postgres("53100"), connection_invalidated=True)
    assert type(translated_alone(lost, sqlite_engine)) is CommitOutcomeUnknown


@pytest.mark.promise(14)
@pytest.mark.parametrize("kind", [ProgrammingError, DataError])
def test_a_statement_that_the_driver_does_not_send_has_stored_nothing(
    sqlite_engine: Engine, kind: type[DBAPIError]
) -> None:
    """As a value of a type that it does not know, or one that is too long for it: it has no code then."""
    assert type(translated_alone(kind("INSERT", None, postgres(None)), sqlite_engine)) is StorageError


@pytest.mark.promise(7)
def test_a_constraint_without_a_domain_error_is_never_reported_as_another_one(own_engine: Engine) -> None:
    """It is named, with what to write; the driver's own error is the cause."""
    with own_engine.begin() as connection:
        connection.execute(text("CREATE UNIQUE INDEX ux_members_active ON members (active)"))
    storage = sql_storage(own_engine)
    stored_member(storage, "ann")
    for bulk in (False, True):
        with (
            pytest.raises(IntegrityViolation, match=r"active.* was broken.*Unique") as caught,
            storage.unit() as uow,
        ):
            if bulk:
                uow.members.add_many([new_member("bob")])
            else:
                uow.members.add(new_member("bob"))
            uow.commit()
        assert isinstance(caught.value.__cause__, DBAPIError)
        assert caught.value.kind == "unique"


@pytest.mark.promise(7)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_taken_value_of_a_bulk_is_told_where_a_trigger_writes_too(own_engine: Engine) -> None:
    """SQLite counts what a trigger has stored among the rows of the bulk."""
    storage = sql_storage(own_engine)
    stored_member(storage, "bob")
    with own_engine.begin() as connection:
        connection.execute(text("CREATE TABLE seen (id TEXT)"))
        connection.execute(
            text("CREATE TRIGGER see AFTER INSERT ON members BEGIN INSERT INTO seen VALUES (1), (2), (3); END")
        )
    with pytest.raises(ValueTaken), storage.unit() as uow:
        uow.members.add_many([new_member("ann"), new_member("bob")])


@pytest.mark.promise(7)
def test_a_broken_foreign_key_is_an_integrity_violation(engine: Engine) -> None:
    """Of a statement of one's own, since no repository breaks one; the rest of the unit is gone with it."""
    line = {"order_id": new_id(), "id": new_id(), "sku": "tea", "quantity": 1}
    match = r"(?i)(foreign key|fk_order_lines_order_id_order).* was broken"
    with pytest.raises(IntegrityViolation, match=match) as caught, SqlShop(engine) as uow:
        uow.members.add(new_member("ann"))
        with uow.writing:
            uow.connection.execute(insert(order_lines), line)
    assert isinstance(caught.value.__cause__, DBAPIError)
    assert [] == stored_names(sql_storage(engine))


@pytest.mark.promise(7)
@pytest.mark.parametrize("engine", ["postgres", "mariadb"], indirect=True)
@pytest.mark.parametrize("bulk", [False, True])
def test_a_broken_check_constraint_is_an_integrity_violation(own_engine: Engine, bulk: bool) -> None:
    """With the constraint's name; left out is SQLite, which cannot add one to a table."""
    with own_engine.begin() as connection:
        connection.execute(text("ALTER TABLE members ADD CONSTRAINT ck_members_name_known CHECK (name <> 'bob')"))
    storage = sql_storage(own_engine)
    with (
        pytest.raises(IntegrityViolation, match=r"ck_members_name_known.* was broken.*domain check") as caught,
        storage.unit() as uow,
    ):
        if bulk:
            uow.members.add_many([new_member("ann"), new_member("bob")])
        else:
            uow.members.add(new_member("bob"))
        uow.commit()
    assert isinstance(caught.value.__cause__, DBAPIError)
    assert [] == stored_names(storage)
