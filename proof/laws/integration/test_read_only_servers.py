"""A server that is no longer the primary: nothing is stored there, and the pool gives it up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, make_url
from sqlalchemy.pool import Pool

from adapters.sql.engine import make_engine
from domain.errors import StorageUnavailable
from tests import mariadb_server as programs
from tests.contract.members import create_member, members_metadata, new_member, stored_names
from tests.contract.shop import SqlShop
from tests.fixtures import required
from tests.storages import sql_storage

pytestmark = pytest.mark.promise(14)

Demotion = tuple[str, Callable[[bool], None]]


@pytest.fixture
def postgres(postgres_database: str) -> Iterator[Demotion]:
    """The URL of a database, and a function that makes the connections so far refuse to write."""
    made = []

    @event.listens_for(Pool, "connect")
    def note(connection: Any, _record: object) -> None:
        made.append(connection)

    def demote(on: bool) -> None:
        for connection in made if on else ():
            with connection.cursor() as cursor:
                cursor.execute("SET default_transaction_read_only = on")
            connection.commit()

    yield postgres_database, demote
    event.remove(Pool, "connect", note)


@pytest.fixture(scope="module")
def mariadb_of_our_own() -> Iterator[str]:
    """A server whose settings no other test needs."""
    with required(programs.mariadb_server(), programs.MariadbMissing) as url:
        yield url


@pytest.fixture
def mariadb(mariadb_of_our_own: str) -> Iterator[Demotion]:
    """The URL of an ordinary user, whom a read-only server refuses to write, and a function that makes it read-only."""
    with programs.new_database(mariadb_of_our_own) as url:
        admin = make_engine(url).execution_options(isolation_level="AUTOCOMMIT")
        name = make_url(url).database

        def demote(on: bool) -> None:
            with admin.connect() as connection:
                connection.exec_driver_sql(f"SET GLOBAL read_only = {int(on)}")

        with admin.connect() as connection:
            connection.exec_driver_sql("CREATE OR REPLACE USER ann@'%%' IDENTIFIED BY 'ann'")
            connection.exec_driver_sql(f"GRANT ALL ON {name}.* TO ann@'%%'")
        plain = make_url(url).set(username="ann", password="ann")  # noqa: S106  # of a throw-away server
        yield plain.render_as_string(hide_password=False), demote
        demote(False)
        admin.dispose()


@pytest.fixture(params=["postgres", "mariadb"])
def demotion(request: pytest.FixtureRequest) -> Demotion:
    """Each of the two in turn."""
    found: Demotion = request.getfixturevalue(request.param)
    return found


def two_writes(uow: SqlShop) -> None:
    """Write in a transaction of two statements."""
    with uow:
        uow.members.add(new_member("bob"))
        uow.flush()
        uow.members.add(new_member("cid"))
        uow.commit()


def one_write(uow: SqlShop) -> None:
    """Write by one statement, which may be its own transaction."""
    create_member("bob", "bob@example.com", uow)


@pytest.mark.slow
@pytest.mark.parametrize("write", [one_write, two_writes])
@pytest.mark.parametrize("ping", [False, True])
def test_a_demoted_primary_is_given_up(demotion: Demotion, write: Callable[[SqlShop], None], ping: bool) -> None:
    """A demoted primary is given up: a write is not stored, and the next unit connects to the new primary."""
    url, demote = demotion
    engine = make_engine(url, ping=ping)
    members_metadata.create_all(engine)
    uow = SqlShop(engine)
    create_member("ann", "ann@example.com", uow)
    demote(True)
    with pytest.raises(StorageUnavailable, match=r"cannot be used: .*read[- ]only") as caught:
        write(uow)
    assert caught.value.retryable
    demote(False)
    assert ["ann"] == stored_names(sql_storage(engine))
    write(uow)
    engine.dispose()


@pytest.mark.slow
def test_a_commit_on_a_demoted_primary(mariadb: Demotion) -> None:
    """A commit on a demoted primary stores nothing. MariaDB refuses COMMIT as well, and its outcome is known."""
    url, demote = mariadb
    engine = make_engine(url)
    members_metadata.create_all(engine)
    with pytest.raises(StorageUnavailable, match="read-only"), SqlShop(engine) as uow:
        uow.members.add(new_member("ann"))
        uow.flush()
        demote(True)
        uow.commit()
    demote(False)
    assert [] == stored_names(sql_storage(engine))
    engine.dispose()


def test_a_pool_made_while_a_server_is_read_only_recovers(mariadb_of_our_own: str) -> None:
    """Its sessions are read-only from their start."""
    with programs.new_database(mariadb_of_our_own) as url:
        admin = make_engine(url).execution_options(isolation_level="AUTOCOMMIT")
        members_metadata.create_all(admin)
        engine = make_engine(url)
        for on in (1, 0):
            with admin.connect() as connection:
                connection.exec_driver_sql(f"SET GLOBAL tx_read_only = {on}")
            if on:
                with pytest.raises(StorageUnavailable, match="READ ONLY"):
                    one_write(SqlShop(engine))
        one_write(SqlShop(engine))
        engine.dispose()
        admin.dispose()
