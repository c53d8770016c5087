"""The lock of the migrations: a program waits for another one, and says so if it waits in vain."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import DBAPIError

import adapters.sql.migrating
from adapters.sql.engine import make_engine
from adapters.sql.migrating import LOCK_TABLE, migrating
from adapters.sql.schema import Schema
from domain.errors import StorageUnavailable


@pytest.fixture
def impatient(empty_url: str) -> Iterator[Schema]:
    """The tables of a database of each kind, seen by a program that hardly waits."""
    engine = make_engine(empty_url, 0.1)
    yield Schema(engine)
    engine.dispose()


@pytest.mark.parametrize("change", [pytest.param("upgrade", marks=pytest.mark.every_case), "downgrade", "stamp"])
def test_a_long_upgrade_is_not_waited_for(empty_engine: Engine, impatient: Schema, change: str) -> None:
    """A program does not wait for a long upgrade. It names the other one, and the error may be tried again."""
    arguments = () if change == "upgrade" else ("base",)
    with migrating(empty_engine), pytest.raises(StorageUnavailable) as caught:
        getattr(impatient, change)(*arguments)
    assert caught.value.retryable
    assert "another program is using or changing the tables of " in str(caught.value)
    assert str(caught.value).endswith(": try again when it has ended")
    getattr(impatient, change)(*arguments)


@pytest.mark.slow
def test_a_table_that_is_in_use_is_not_waited_for(server_engine: Engine) -> None:
    """A table in use, such as one that a transaction reads, is not waited for. The words are the same."""
    with server_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE held (id INTEGER)")
    impatient = make_engine(server_engine.url.render_as_string(hide_password=False), 0.1)
    try:
        with server_engine.begin() as reader:
            reader.exec_driver_sql("SELECT * FROM held").all()
            lock = Schema(impatient)._locked()  # in which a migration runs
            with pytest.raises(StorageUnavailable, match="try again when it has ended"), lock as config:
                config.attributes["connection"].exec_driver_sql("DROP TABLE held")
    finally:
        impatient.dispose()
        with server_engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE held")


@pytest.fixture
def cluster_url(mariadb_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database on a MariaDB that counts as a node of a Galera cluster."""
    monkeypatch.setattr(adapters.sql.migrating, "_GALERA", "SELECT 1")
    return mariadb_database


def test_a_cluster_is_locked_by_a_table(cluster_url: str) -> None:
    """A cluster is locked by a table. The second program waits in vain. After the first, the lock is gone."""
    first, second = make_engine(cluster_url), make_engine(cluster_url, 0.1)
    with migrating(first), pytest.raises(StorageUnavailable, match="try again when it has ended"):
        Schema(second).upgrade()
    Schema(second).upgrade()
    assert not inspect(second).has_table(LOCK_TABLE)
    first.dispose()
    second.dispose()


@pytest.mark.slow
def test_a_killed_program_leaves_a_clusters_lock(cluster_url: str) -> None:
    """A killed program leaves the lock of a cluster. The next one says literally what to do."""
    program = (
        "import os, sys; import adapters.sql.migrating as locks; from adapters.sql.engine import make_engine;"
        " locks._GALERA = 'SELECT 1'; lock = locks.migrating(make_engine(sys.argv[1])); lock.__enter__(); os._exit(9)"
    )
    assert 9 == subprocess.run([sys.executable, "-c", program, cluster_url], check=False).returncode
    engine = make_engine(cluster_url, 0.1)
    with pytest.raises(StorageUnavailable) as caught:
        Schema(engine).upgrade()
    advice = str(caught.value).partition("then run ")[2]
    assert f"DROP TABLE {LOCK_TABLE}" == advice
    with engine.begin() as connection:
        connection.exec_driver_sql(advice)
    Schema(engine).upgrade()
    engine.dispose()


def test_a_lock_that_cannot_be_made_is_an_error(cluster_url: str) -> None:
    """A lock that cannot be made is an error. Only a race is tried again."""
    engine = make_engine(cluster_url)
    with engine.connect() as reader:
        reader.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        with pytest.raises(DBAPIError, match="READ ONLY"):
            adapters.sql.migrating._created(reader)  # as a server that is read only would refuse it
    engine.dispose()


def test_a_lock_made_in_between_is_waited_for(cluster_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that another program makes between the look and the statement is no error. It is waited for."""
    engine = make_engine(cluster_url)
    with migrating(engine), engine.connect() as other:
        monkeypatch.setattr("sqlalchemy.engine.reflection.Inspector.has_table", lambda *_: False)
        assert not adapters.sql.migrating._created(other)
    engine.dispose()
