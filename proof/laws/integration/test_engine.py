"""Engines: URLs as people write them, the settings of each database, and passwords that appear nowhere."""

from __future__ import annotations

import logging
import sqlite3
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy import URL, make_url, text
from sqlalchemy.pool import QueuePool

from adapters.sql.engine import make_engine
from adapters.sql.errors import name_of
from domain.errors import ConcurrentChange, ConfigurationError, StorageError, StorageUnavailable
from entrypoints.bootstrap import bootstrap, open_schema
from proof.laws.integration.driver_arguments import told_to_the_driver
from service_layer.retrying import Retrying
from tests.contract.members import create_member, get_member, members_metadata, new_member
from tests.contract.shop import SqlShop
from tests.storages import engine_of


@pytest.mark.parametrize(
    ("url", "dialect", "driver"),
    [
        ("sqlite:///app.db", "sqlite", "pysqlite"),
        ("sqlite:////var/lib/app.db", "sqlite", "pysqlite"),
        ("sqlite:////home/ann@work/app.db", "sqlite", "pysqlite"),
        ("postgresql://username:password@localhost/database", "postgresql", "psycopg2"),
        ("postgres://username:password@localhost:5433/database", "postgresql", "psycopg2"),
        ("postgresql+psycopg2://username:password@localhost/database", "postgresql", "psycopg2"),
        ("postgresql://username:p%40ss%2Fword@localhost/database?sslmode=disable", "postgresql", "psycopg2"),
        ("mysql://username:password@localhost/database", "mysql", "pymysql"),
        ("mariadb://username:password@localhost/database", "mysql", "pymysql"),
    ],
)
def test_urls_work_as_people_write_them(url: str, dialect: str, driver: str) -> None:
    """URLs work as people write them, with the project's driver, whatever SQLAlchemy's own default is."""
    if driver == "pymysql":
        pytest.importorskip("pymysql")
    engine = make_engine(url)
    assert (dialect, driver) == (engine.dialect.name, engine.dialect.driver)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", r"^DATABASE_URL cannot be read: write it like .*database, with .* \(@ as %40, / as %2F, : as %3A\)$"),
        ("nonsense with secret", "cannot be read"),
        ("postgresql://user:secret@localhost:port/database", "cannot be read"),
        (
            "oracle://user:secret@localhost/database",
            "oracle://, which is not known here: use sqlite, postgresql, mysql, mariadb or memory$",
        ),
        ("postgresql+asyncpg://user:secret@localhost/database", r"postgresql\+asyncpg://, which is not known"),
        ("postgresql://user:se@cret@localhost/database", "as %40"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file:name?mode=memory&cache=shared&uri=true", "in memory"),
        ("sqlite:///app.db?foo=secret", "needs file: and uri=true as well: foo$"),
        ("sqlite:///file:name?vfs=memdb&uri=true", "in memory"),
        ("sqlite:///file::memory:?uri=true", "in memory"),
        ("sqlite:///app.db?timeout=soon", "an option that cannot be used"),
        ("sqlite:///app.db?mode=ro", "needs file: and uri=true as well: mode$"),
        (
            "mysql://user@localhost/database?pasword=secret",
            "the option pasword, which is not known here: leave it out$",
        ),
        ("mysql://user@localhost/database?password=secret&password=secret", "the option password twice"),
        ("sqlite:///a%00b.db", "NUL"),
        ("postgresql://user:x%00y@localhost/database", "NUL"),
        ("postgresql://user:se@cret/s@localhost/database", "as %40"),
        ("postgresql://user:se@cret?s@localhost/database", "as %40"),
        ("postgresql:///user:secret@localhost/database", "as %40"),
    ],
)
def test_an_unusable_url_is_refused(url: str, reason: str) -> None:
    """A URL that cannot be used is refused without the password, and with what would be right."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        make_engine(url)
    assert "secret" not in str(caught.value)
    assert "cret@" not in str(caught.value)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing driver is named with the command that installs it: the drivers of MariaDB and MySQL are an extra."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "pymysql", raising=False)
    with pytest.raises(ConfigurationError, match="pip install pymysql"):
        make_engine("mysql://username:password@localhost/database")


@pytest.mark.parametrize(
    ("url", "timeout", "seconds"),
    [
        ("postgresql://localhost/database", 0.1, 2),  # its least value
        ("postgresql://localhost/database", 7.4, 7),
        ("postgresql://localhost/database?connect_timeout=5", 7.4, 5),
        ("mysql://localhost/database", 0.1, 1),  # its least value
        ("mysql://localhost/database", 7.4, 7),
        ("mysql://localhost/database?connect_timeout=5", 7.4, 5),
    ],
)
def test_a_server_is_waited_for_in_whole_seconds(url: str, timeout: float, seconds: int) -> None:
    """A server is waited for in whole seconds, as its driver takes them. The URL has precedence.

    A free connection is waited for to the fraction.
    """
    engine = make_engine(url, timeout)
    told = told_to_the_driver(engine)
    assert isinstance(engine.pool, QueuePool)
    assert (seconds, timeout) == (int(told["connect_timeout"]), engine.pool.timeout())


def test_an_engine_waits_ten_seconds_by_default() -> None:
    """By default an engine waits ten seconds for a free connection, and so for everything else."""
    engine = make_engine("postgresql://localhost/database")
    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.timeout() == 10


def test_an_engine_is_named_without_its_password() -> None:
    """An engine is named without its password and options, which can also hold one."""
    engine = make_engine("postgresql://user:secret@localhost/database?password=secret")
    assert "postgresql+psycopg2://user:***@localhost/database" == name_of(engine)


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("postgresql://localhost/database?user=ann&password=secret", {"password": "secret"}),
        ("postgresql://localhost/database?user=ann&sslpassword=secret", {"sslpassword": "secret"}),
        ("mysql://ann@localhost/database?password=secret", {"password": "secret"}),
        ("mysql://ann@localhost/database?ssl_key_password=secret", {"ssl": {"password": "secret"}}),
    ],
)
def test_a_password_option_reaches_only_the_driver(url: str, secret: dict[str, Any]) -> None:
    """A password given as an option reaches the driver alone: applications log what an engine shows of itself."""
    if url.startswith("mysql"):
        pytest.importorskip("pymysql")
    engine = make_engine(url)
    told = told_to_the_driver(engine)
    assert secret.items() <= told.items()
    assert "secret" not in repr(engine)
    assert "secret" not in str(engine.url)


def written(url: URL, as_option: bool) -> str:
    """Return a URL as text, with the password before the @ or only among the options."""
    text = url.render_as_string(hide_password=False)
    return f"{text.replace(f':{url.password}@', '@')}?password={url.password}" if as_option else text


@pytest.mark.slow
@pytest.mark.parametrize("server", ["postgres_database", "mariadb_database"])
@pytest.mark.parametrize("as_option", [False, True], ids=["before the @", "as an option"])
def test_logs_hold_no_password_and_no_values(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, server: str, as_option: bool
) -> None:
    """Logs hold neither the password nor the values, with all that SQLAlchemy can log, a failure included.

    Its traceback has no password either. It may have values, since PostgreSQL shows a part of the statement.
    """
    good = make_url(request.getfixturevalue(server))
    password = str(good.password)
    url = written(good, as_option)
    with caplog.at_level(logging.DEBUG, "sqlalchemy"):
        with open_schema(url) as schema:
            schema.upgrade()
        with bootstrap(url) as application:
            engine = engine_of(application)
            members_metadata.create_all(engine)
            uow = SqlShop(engine)
            create_member("ann", "ann@example.com", uow)
            shown = repr(application)
            with pytest.raises(StorageError) as caught, uow:
                uow.connection.execute(text("SELECT :value FROM no_such_table"), {"value": "bob@example.com"})
    assert "INSERT INTO members" in caplog.text
    told = caplog.text + shown
    assert [] == [secret for secret in (password, "ann@example.com", "bob@example.com") if secret in told]
    assert password not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("server", ["postgres_server", "mariadb_server"])
@pytest.mark.parametrize("as_option", [False, True], ids=["before the @", "as an option"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "nobody", "password": "secret-word"},
        {"port": 1, "password": "secret-word"},
        {"host": "no-such-host.invalid", "password": "secret-word"},
        {"database": "no_such_database"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_no_error_of_a_driver_holds_the_password(
    request: pytest.FixtureRequest, server: str, as_option: bool, wrong: dict[str, Any]
) -> None:
    """No error of a driver holds the password, and no traceback with its causes does.

    The password is wrong, a server refuses or is not found, or the database does not exist.
    """
    url = make_url(request.getfixturevalue(server)).set(**wrong)
    with pytest.raises(StorageUnavailable) as caught:
        bootstrap(written(url, as_option))
    assert str(url.password) not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@127.0.0.1:1/database",
        "postgres://user:secret@no-such-host.invalid/database",
        "postgresql://127.0.0.1:1/database?user=user&password=secret",
    ],
)
def test_an_unreachable_server_is_named(url: str) -> None:
    """A server that cannot be reached is named without the password, in one error that may be tried again."""
    with pytest.raises(StorageUnavailable, match="cannot be used") as caught:
        bootstrap(url)
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


def test_retries_log_no_password(caplog: pytest.LogCaptureFixture) -> None:
    """The log of each retry on a server that cannot be reached holds no password."""
    engine = make_engine("postgresql://user:secret@127.0.0.1:1/database?password=secret")
    with pytest.raises(StorageUnavailable):
        Retrying(attempts=3)(get_member, "ann", SqlShop(engine))
    told = [str(vars(record)) for record in caplog.records]
    assert [True] * 2 == ["user:***@127.0.0.1:1/database" in one for one in told]
    assert "secret" not in "".join(told)


def test_a_missing_database_is_named(postgres_server: str) -> None:
    """A missing database is named in the server's own words."""
    with pytest.raises(StorageUnavailable, match="no_such_database"):
        bootstrap(postgres_server.rpartition("/")[0] + "/no_such_database")


def test_an_unusable_sqlite_file_is_named(tmp_path: Path) -> None:
    """An SQLite file that cannot be opened is named: its folder is missing, or it is something else."""
    with pytest.raises(StorageUnavailable, match=r"missing/app\.db cannot be used: unable to open"):
        bootstrap(f"sqlite:///{tmp_path / 'missing' / 'app.db'}")
    other = tmp_path / "letter.txt"
    other.write_text("Dear Ann, this is not a database, but it is long enough to look like one." * 10)
    with pytest.raises(StorageError, match=r"letter\.txt refused a statement: file is not a database"):
        bootstrap(f"sqlite:///{other}")


def test_sqlite_is_set_up_for_concurrent_writers(tmp_path: Path) -> None:
    """SQLite is set up for concurrent writers: a write-ahead log, foreign keys, and the waiting time of a writer."""
    engine = make_engine(f"sqlite:///{tmp_path / 'app.db'}", timeout=1.5)
    with engine.connect() as connection:
        pragmas = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        ]
    engine.dispose()
    assert ["wal", 1, 1500, 2] == pragmas


@pytest.mark.slow
def test_a_postgres_writer_waits_up_to_the_limit(postgres_database: str) -> None:
    """A writer on PostgreSQL waits for a lock up to the limit, unless the URL says otherwise."""
    found = []
    for url in (postgres_database, f"{postgres_database}?options=-c%20lock_timeout%3D7s"):
        engine = make_engine(url, timeout=1.5)
        with engine.connect() as connection:
            found.append(connection.execute(text("SHOW lock_timeout")).scalar())
        engine.dispose()
    assert ["1500ms", "7s"] == found


@pytest.mark.slow
def test_times_ignore_the_zone_of_postgres(postgres_database: str) -> None:
    """A time comes back from PostgreSQL whatever the database's zone.

    In a zone ahead of UTC, the driver could not read the last hours.
    """
    last = datetime.max.replace(tzinfo=UTC)
    engine = make_engine(postgres_database)
    with engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {engine.url.database} SET timezone = 'Asia/Tokyo'"))
    engine.dispose()
    members_metadata.create_all(engine)
    with SqlShop(engine) as uow:
        uow.members.add(evolve(new_member("ann"), created_at=last))
        uow.commit()
    assert last == get_member("ann", SqlShop(engine)).created_at
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("option", ["", "?client_encoding=latin1"])
def test_names_of_all_scripts_reach_postgres(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """Names of all scripts reach PostgreSQL: neither the environment nor the URL can stop the driver."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with open_schema(postgres_database + option) as schema:
        schema.upgrade()
    with bootstrap(postgres_database + option) as application:
        engine = engine_of(application)
        members_metadata.create_all(engine)
        create_member("мир", "ü@example.com", SqlShop(engine))
        assert get_member("мир", SqlShop(engine)).email == "ü@example.com"


def test_another_programs_sqlite_lock(tmp_path: Path) -> None:
    """Another program's lock on an SQLite file is waited for. Held too long, it is a conflict that can be retried."""
    path = tmp_path / "app.db"
    with bootstrap(f"sqlite:///{path}") as application:
        members_metadata.create_all(engine_of(application))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    engine = make_engine(f"sqlite:///{path}", timeout=0.1)
    with pytest.raises(ConcurrentChange, match="database is locked") as caught:
        create_member("ann", "ann@example.com", SqlShop(engine))
    other.execute("ROLLBACK")
    other.close()
    assert caught.value.retryable
    assert create_member("ann", "ann@example.com", SqlShop(engine)).version == 1
    engine.dispose()
