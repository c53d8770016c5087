"""MariaDB and MySQL: the settings of a connection and a table, and how a broken constraint is recognized."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from attrs import evolve
from sqlalchemy import Engine, event, insert, make_url, text

from adapters.sql.engine import make_engine
from adapters.sql.mapping import metadata
from domain.aggregate import new_id
from domain.errors import (
    DuplicateIdentity,
    IntegrityViolation,
    StorageError,
    StorageUnavailable,
    TransactionLost,
    UnitOfWorkMisuse,
)
from entrypoints.bootstrap import bootstrap
from proof.laws.contract.orders import orders
from tests import mariadb_server as programs
from tests.contract.members import (
    EmailTaken,
    Member,
    NameTaken,
    new_member,
    stored_member,
    stored_names,
    stored_values,
    values,
)
from tests.contract.shop import SHOP_METADATA, SqlShop
from tests.fixtures import required
from tests.servers import administrator
from tests.storages import shop_engine, sql_storage

pymysql = pytest.importorskip("pymysql")

ODD_SETTINGS = [
    "--sql-mode=",
    "--transaction-isolation=SERIALIZABLE",
    "--character-set-server=latin1",
    "--collation-server=latin1_german1_ci",
    "--default-storage-engine=MyISAM",
    "--innodb-rollback-on-timeout=ON",
    "--innodb-lock-wait-timeout=100",
    "--default-time-zone=+05:00",
    "--lower-case-table-names=1",
]


@pytest.fixture(scope="module")
def odd_server() -> Iterator[str]:
    """The URL of a server with other settings than the program needs, in everything that it may rely on."""
    if "TEST_MARIADB_URL" in os.environ:
        pytest.skip("the settings of somebody else's server cannot be changed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "SETTINGS", [*programs.SETTINGS, *ODD_SETTINGS])
        with required(programs.mariadb_server(), programs.MariadbMissing) as url:
            yield url


@pytest.fixture
def odd_engine(odd_server: str) -> Iterator[Engine]:
    """An engine on such a server, with all tables."""
    with programs.new_database(odd_server) as url, shop_engine(url) as engine:
        yield engine


def settings(url: str, timeout: float, names: list[str]) -> dict[str, object]:
    """Return the settings of an engine's connection."""
    engine = make_engine(url, timeout)
    with engine.connect() as connection:
        found = {name: connection.exec_driver_sql(f"SELECT @@SESSION.{name}").scalar() for name in names}
    engine.dispose()
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("timeout", "seconds"), [(0.1, 1), (1.4, 1), (1.6, 2), (30.0, 30)])
def test_a_writer_waits_up_to_the_limit(mariadb_database: str, timeout: float, seconds: int) -> None:
    """A writer waits for a row or a table up to the limit: in whole seconds, at least one, as the server counts."""
    expected = {"innodb_lock_wait_timeout": seconds, "lock_wait_timeout": seconds}
    assert expected == settings(mariadb_database, timeout, list(expected))


@pytest.mark.parametrize(("option", "seconds"), [("", 2), ("?connect_timeout=7", 7)])
def test_the_driver_connects_within_the_limit(mariadb_server: str, option: str, seconds: int) -> None:
    """The driver waits for a connection up to the limit, unless the URL says otherwise."""
    engine = make_engine(mariadb_server + option, timeout=1.6)
    told: dict[str, Any] = {}
    event.listen(engine, "do_connect", lambda _dialect, _record, _arguments, options: told.update(options))
    engine.connect().close()
    engine.dispose()
    assert seconds == told["connect_timeout"]


@pytest.mark.slow
def test_a_connection_is_alike_on_every_server(mariadb_server: str, odd_server: str) -> None:
    """A connection is alike on every server: READ COMMITTED, strict, and able to send every character."""
    expected = {
        "character_set_client": "utf8mb4",
        "character_set_connection": "utf8mb4",
        "character_set_results": "utf8mb4",
        "tx_isolation": "READ-COMMITTED",
    }
    for url in (mariadb_server, odd_server):
        assert expected == settings(url, 1, list(expected))
        modes = str(settings(url, 1, ["sql_mode"])["sql_mode"]).split(",")
        assert {"STRICT_ALL_TABLES", "STRICT_TRANS_TABLES", "NO_ENGINE_SUBSTITUTION"} <= set(modes)


def test_what_the_url_sets_has_precedence(mariadb_server: str) -> None:
    """The URL has precedence: its init_command is the only one, and its sql_mode replaces ours."""
    init = quote("SET SESSION innodb_lock_wait_timeout = 7, tx_isolation = 'REPEATABLE-READ'", safe="")
    names = ["innodb_lock_wait_timeout", "tx_isolation", "sql_mode"]
    assert [7, "REPEATABLE-READ", "ANSI_QUOTES"] == list(
        settings(f"{mariadb_server}?init_command={init}&sql_mode=ANSI_QUOTES", 1, names).values()
    )


@pytest.mark.slow
def test_tables_are_alike_on_every_server(odd_engine: Engine) -> None:
    """Tables are alike whatever the defaults: with transactions, exact texts, and times to the microsecond."""
    tables = "SELECT table_name, engine, table_collation FROM information_schema.tables WHERE table_schema = schema()"
    columns = (
        "SELECT DISTINCT coalesce(collation_name, column_type) FROM information_schema.columns"
        " WHERE table_schema = schema() AND (collation_name IS NOT NULL OR data_type LIKE '%time%')"
    )
    with odd_engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(tables))]
        types = set(connection.execute(text(columns)).scalars())
    made = [table.name for one in (metadata, *SHOP_METADATA) for table in one.sorted_tables]
    names = sorted(["alembic_version", *made])
    assert [(name, "InnoDB", "utf8mb4_nopad_bin") for name in names] == sorted(found)
    assert {"utf8mb4_nopad_bin", "utf8mb4_bin", "datetime(6)", "time(6)"} == types  # utf8mb4_bin is that of JSON


@pytest.mark.slow
def test_a_server_with_odd_settings_works(odd_engine: Engine) -> None:
    """A server with odd settings stores names of all scripts and times to the microsecond, and refuses a taken name."""
    storage = sql_storage(odd_engine)
    member = Member(name="мир", email="ü@example.com", created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC))
    with storage.unit() as uow:
        uow.members.add(member)
        uow.commit()
    with storage.unit() as uow:
        assert values(member) == values(uow.members.get_by_name("мир"))
    with pytest.raises(NameTaken, match="'мир'"), storage.unit() as uow:
        uow.members.add(new_member("мир"))
        uow.commit()


@pytest.mark.slow
@pytest.mark.promise(7)
def test_a_taken_value_in_every_server_language(odd_server: str, odd_engine: Engine) -> None:
    """A taken value is recognized in every language of the server. In some, the key's name does not come last."""
    storage = sql_storage(odd_engine)
    stored_member(storage, "ann")
    refused = {}
    with administrator(odd_server, programs.DRIVER) as connection:
        for language in ("de_DE", "ja_JP", "hu_HU", "cs_CZ", "en_US"):
            connection.exec_driver_sql(f"SET GLOBAL lc_messages = '{language}'")
            odd_engine.dispose()
            with pytest.raises((NameTaken, IntegrityViolation)) as caught, storage.unit() as uow:
                uow.members.add(new_member("ann"))
                uow.commit()
            refused[language] = caught.type
    assert dict.fromkeys(refused, NameTaken) == refused


def refuse_rows(engine: Engine, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the driver refuse every new row with the server's message for a duplicate."""
    execute = engine.dialect.do_execute

    def refuse(cursor: Any, statement: str, *arguments: Any) -> None:
        if statement.startswith("INSERT"):
            raise pymysql.err.IntegrityError(1062, message)
        execute(cursor, statement, *arguments)

    monkeypatch.setattr(engine.dialect, "do_execute", refuse)


@pytest.mark.promise(7)
@pytest.mark.parametrize(
    ("key", "expected", "says"),
    [
        ("uq_members_name", NameTaken, "the name 'ann' is taken"),
        ("uq_members_email", EmailTaken, "the email 'ann@example.com' is taken"),
        ("PRIMARY", DuplicateIdentity, "the id [-0-9a-f]{36} is stored already"),
        ("ux_members_active", IntegrityViolation, "^ux_members_active .unique. was broken"),
        ("members.ux_members_active", IntegrityViolation, "^ux_members_active .unique. was broken"),
        ("members.uq_members_name", NameTaken, "the name 'ann' is taken"),
        ("members.uq_members_email", EmailTaken, "the email 'ann@example.com' is taken"),
        ("members.PRIMARY", DuplicateIdentity, "the id [-0-9a-f]{36} is stored already"),
    ],
)
@pytest.mark.parametrize("value", ["x", "x' for key 'uq_members_email", "x' for key 'members.PRIMARY", "", "'", "\n"])
def test_the_key_is_at_the_end_of_the_message(
    mariadb_engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    key: str,
    expected: type[Exception],
    says: str,
) -> None:
    """The broken constraint is at the end of the message, after the value, which the caller may have chosen.

    MySQL writes the table's name before it.
    """
    refuse_rows(mariadb_engine, f"Duplicate entry '{value}' for key '{key}'", monkeypatch)
    with pytest.raises(expected, match=says), SqlShop(mariadb_engine) as uow:
        uow.members.add(new_member("ann"))
        uow.commit()


@pytest.mark.promise(7)
def test_an_undeclared_key_is_named(mariadb_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key without a domain error is named, also after a value of several lines: its name is needed to declare it."""
    refuse_rows(mariadb_engine, "Duplicate entry 'one\ntwo' for key 'ux_members_active'", monkeypatch)
    with pytest.raises(IntegrityViolation, match="ux_members_active"), SqlShop(mariadb_engine) as uow:
        uow.members.add(new_member("ann"))
        uow.commit()


@pytest.mark.promise(7)
@pytest.mark.parametrize(
    ("statement", "message", "constraint"),
    [
        ("INSERT INTO members (id) VALUES (1)", "something else", "something else"),
        (
            "INSERT INTO other_members (id) VALUES (1)",
            "Duplicate entry 'x' for key 'uq_members_name'",
            "uq_members_name",
        ),
        ("INSERT INTO other_members (id) VALUES (1)", "Duplicate entry 'x' for key 'PRIMARY'", "PRIMARY"),
    ],
)
def test_a_duplicate_of_another_table(
    mariadb_engine: Engine, monkeypatch: pytest.MonkeyPatch, statement: str, message: str, constraint: str
) -> None:
    """A duplicate in a table that is not mapped is an integrity violation, named as the server names it.

    Here the caller's own statement writes to the caller's own table.
    """
    refuse_rows(mariadb_engine, message, monkeypatch)
    with pytest.raises(IntegrityViolation) as caught, SqlShop(mariadb_engine) as uow, uow.writing:
        uow.connection.execute(text(statement))
    assert constraint == caught.value.constraint


@pytest.mark.promise(16)
def test_ids_of_every_kind_are_sorted_by_value(mariadb_engine: Engine) -> None:
    """Ids of every kind are sorted by value. The server's own type would sort some in another order."""
    time_based, random = "d41f27d6-e7d3-11f1-b725-02fc00000001", "121ecb31-3922-4a2f-a3fe-7e0dfc4f6ee6"
    smallest, greatest = UUID(int=0), UUID(int=2**128 - 1)
    ids = [greatest, UUID(random), UUID(time_based), new_id(), UUID(int=3 << 96), UUID(int=2 << 96 | 1 << 76), smallest]
    with SqlShop(mariadb_engine) as uow:
        for number, id in enumerate(ids):
            uow.members.add(evolve(new_member(f"member{number}"), id=id))
        uow.commit()
    assert sorted(ids) == [row["id"] for row in stored_values(sql_storage(mariadb_engine))]


@pytest.mark.slow
def test_a_value_that_does_not_fit_is_refused(odd_engine: Engine) -> None:
    """A value that does not fit is refused and not cut, even by a server that would cut it by default."""
    row = {"id": new_id(), "reference": "x" * 101, "version": 1}
    with pytest.raises(StorageError, match="Data too long for column 'reference'"), SqlShop(odd_engine) as uow:
        uow.session.execute(insert(orders), row)
        uow.commit()


@pytest.mark.slow
@pytest.mark.promise(7)
def test_a_lock_timeout_may_end_the_whole_unit(odd_engine: Engine) -> None:
    """A lock timeout ends the unit where the server is set up so. Not even a savepoint can go on.

    The error says that the earlier work is gone.
    """
    storage = sql_storage(odd_engine)
    ann = stored_member(storage, "ann")
    with odd_engine.begin() as other, storage.unit() as uow:
        other.execute(text("UPDATE members SET active = false"))
        uow.members.add(new_member("bob"))
        with pytest.raises(TransactionLost), uow.savepoint():
            uow.members.get(ann.id).deactivate()
        with pytest.raises(UnitOfWorkMisuse, match="ended this unit of work"):
            uow.members.page()
        other.rollback()
    assert [values(ann)] == stored_values(storage)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"database": "no_such_database"}, "Unknown database 'no_such_database'"),
        ({"password": "secret"}, "Access denied"),
        ({"port": 1}, "Can't connect"),
        ({"host": "no-such-host.invalid"}, "Can't connect"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_an_unusable_server_is_named(mariadb_server: str, change: dict[str, Any], match: str) -> None:
    """A server that cannot be used is named without the password, in the server's or the driver's words.

    The error may be tried again.
    """
    url = make_url(mariadb_server).set(**{"password": "secret", **change})
    if "database" in change:
        url = url.set(password=make_url(mariadb_server).password)
    with pytest.raises(StorageUnavailable, match=match) as caught:
        bootstrap(url.render_as_string(hide_password=False))
    assert caught.value.retryable
    assert str(url.password) not in str(caught.value)


class TimeIsUp(Exception):
    """The error of a signal handler, which may come at any moment."""


@pytest.mark.promise(7, 14, 15)
def test_an_unread_answer_ends_the_connection(mariadb_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose answer was not read is given up. The next unit would take that answer for its own."""
    stored_member(sql_storage(mariadb_engine), "ann")
    driver: Any = pymysql.connections.Connection
    read = driver._read_query_result  # a moment that no signal can be made to meet
    signals: list[TimeIsUp] = []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if signals:
            raise signals.pop()
        return read(*arguments, **options)

    monkeypatch.setattr(driver, "_read_query_result", interrupted)
    for name in ("bob", "cid"):
        with pytest.raises(TimeIsUp), SqlShop(mariadb_engine) as uow:
            signals.append(TimeIsUp())
            uow.members.add(new_member(name))
            uow.commit()
    for _ in range(3):
        with SqlShop(mariadb_engine) as uow, pytest.raises(NameTaken):
            uow.members.add(new_member("ann"))
            uow.commit()
    assert ["ann"] == stored_names(sql_storage(mariadb_engine))
