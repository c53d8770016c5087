"""Promises 7 and 14: the meaning of database and driver errors in the words of domain.errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import DataError, DBAPIError, OperationalError, ProgrammingError

from adapters.sql.errors import give_up_read_only_server, translated, translated_alone, translated_at_commit
from domain.aggregate import new_id
from domain.errors import (
    CommitOutcomeUnknown,
    ConcurrentChange,
    IntegrityViolation,
    StorageError,
    StorageUnavailable,
    ValueTaken,
)
from proof.laws.contract.orders import order_lines
from tests.contract.members import new_member, stored_member, stored_names
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
    """Return the text for a parameter in the name of a test."""
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
        (mariadb, 0, StorageUnavailable),  # the driver's own, for a closed connection
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
        (mariadb, 3000, StorageError),  # the first after the driver's own
    ],
    ids=short,
)
def test_an_error_code_means_what_is_documented(
    sqlite_engine: Engine, said_by: Callable[[object], Exception], code: object, expected: type[Exception]
) -> None:
    """An error code means what the database documents. Conflicts and absences may be tried again, the rest not.

    A lost connection is an absence, whatever its code.
    """
    error = OperationalError("SELECT 1", None, said_by(code))
    assert type(translated(error, sqlite_engine)) is expected
    lost = OperationalError("SELECT 1", None, said_by(code), connection_invalidated=True)
    assert type(translated(lost, sqlite_engine)) is (
        ConcurrentChange if expected is ConcurrentChange else StorageUnavailable
    )


@pytest.mark.parametrize("code", [1364, 3819, 4025])
def test_a_broken_check_is_a_violation_everywhere(sqlite_engine: Engine, code: int) -> None:
    """A broken check is an integrity violation whatever the driver calls it. So is a column that got no value."""
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
def test_a_failed_commit_is_unknown(
    sqlite_engine: Engine, said_by: Callable[[object], Exception], code: object, expected: type[Exception]
) -> None:
    """A failed commit is unknown unless the database says that nothing was written.

    SQLite says so when it is busy or full, PostgreSQL by any code, and MariaDB only of a lost race.
    """
    error = OperationalError("COMMIT", None, said_by(code))
    meant = translated_at_commit(error, sqlite_engine)
    assert type(meant) is expected
    assert str(sqlite_engine.url) in str(meant)


@pytest.mark.promise(14)
@pytest.mark.parametrize(
    ("said_by", "code", "expected"),
    [
        (sqlite, sqlite3.SQLITE_ERROR, StorageError),  # such as a missing table
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
def test_a_failed_single_statement_is_unknown(
    sqlite_engine: Engine, said_by: Callable[[object], Exception], code: object, expected: type[Exception]
) -> None:
    """A statement that commits by itself is unknown unless the database says that it was not run or was undone.

    If the connection was lost with it, the outcome is unknown.
    """
    meant = translated_alone(OperationalError("INSERT", None, said_by(code)), sqlite_engine)
    assert type(meant) is expected
    assert str(sqlite_engine.url) in str(meant)


@pytest.mark.promise(14)
def test_a_statement_lost_with_its_connection(sqlite_engine: Engine) -> None:
    """A statement lost with its connection is unknown, whatever the server lacked. Otherwise it was undone."""
    lost = OperationalError("INSERT", None, postgres("53100"), connection_invalidated=True)
    assert type(translated_alone(lost, sqlite_engine)) is CommitOutcomeUnknown


@pytest.mark.promise(14)
@pytest.mark.parametrize("kind", [ProgrammingError, DataError])
def test_an_unsent_statement_has_stored_nothing(sqlite_engine: Engine, kind: type[DBAPIError]) -> None:
    """A statement that the driver does not send has stored nothing and has no code.

    Its value is of an unknown type or too long.
    """
    assert type(translated_alone(kind("INSERT", None, postgres(None)), sqlite_engine)) is StorageError


@pytest.mark.every_case
@pytest.mark.promise(7)
def test_an_undeclared_constraint_is_never_another(own_engine: Engine) -> None:
    """A constraint without a domain error is named, with what to write. The driver's error is the cause."""
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
def test_a_bulk_beside_a_trigger_names_the_error(own_engine: Engine) -> None:
    """A taken value of a bulk gets its error where a trigger writes too. SQLite counts the trigger's rows."""
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
def test_a_broken_foreign_key_is_a_violation(engine: Engine) -> None:
    """A foreign key that the caller's own statement breaks is an integrity violation. The unit is lost."""
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
def test_a_broken_check_is_named(own_engine: Engine, bulk: bool) -> None:
    """A broken check constraint is an integrity violation with its name. SQLite cannot add one to a table."""
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


def test_a_standby_refuses_serializable(engine: Engine) -> None:
    """As a server that is no primary: a unit may be tried again, and the pool looks for another one."""
    error = Exception("cannot use serializable mode in a hot standby")
    vars(error)["pgcode"] = "0A000"
    context = SimpleNamespace(original_exception=error, is_disconnect=False)
    give_up_read_only_server(context)  # type: ignore[arg-type]  # all that it looks at
    assert context.is_disconnect
    wrapped = DBAPIError("", {}, error, connection_invalidated=True)
    assert isinstance(translated(wrapped, engine), StorageUnavailable)
