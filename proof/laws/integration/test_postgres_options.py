"""The settings of a connection to PostgreSQL where no options arrive at its start, as behind a pooler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine, text

from adapters.sql.engine import make_engine
from domain.errors import ConcurrentChange, ConfigurationError, StorageUnavailable
from tests.contract.members import create_member, members_metadata, new_member, stored_names
from tests.contract.shop import SqlShop
from tests.storages import sql_storage

connect = psycopg2.connect


def drop(*_: object, **named: Any) -> Any:
    """Connect, and silently drop the options."""
    return connect(**{name: value for name, value in named.items() if name != "options"})


def refuse(*_: object, **named: Any) -> Any:
    """Connect, but refuse options."""
    if "options" in named:
        raise psycopg2.OperationalError("FATAL:  unsupported startup parameter: options")
    return connect(**named)


@pytest.fixture(params=[drop, refuse], ids=lambda way: way.__name__)
def pooled(
    request: pytest.FixtureRequest, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Engine]:
    """Make an engine on a database at which no options arrive."""
    monkeypatch.setattr(psycopg2, "connect", request.param)

    def make(options: str = "", timeout: float = 10.0) -> Engine:
        return make_engine(f"{postgres_database}?options={options}" if options else postgres_database, timeout)

    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ["1500ms", "UTC", '"$user", public', "read committed"]),
        ("-clock_timeout%3D7s%20--search-path%3Dtenant", ["7s", "UTC", "tenant", "read committed"]),
        ("-c%20default_transaction_isolation%3Dserializable", ["1500ms", "UTC", '"$user", public', "serializable"]),
    ],
)
def test_each_transaction_sets_them(pooled: Callable[..., Engine], options: str, expected: list[str]) -> None:
    """Each transaction makes its settings for itself alone. The driver begins it at the isolation level."""
    engine = pooled(options, 1.5)
    names = ("lock_timeout", "TimeZone", "search_path", "transaction_isolation")
    for _ in range(2):
        with engine.begin() as connection:
            assert expected == [connection.execute(text(f"SHOW {name}")).scalar() for name in names]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert connection.execute(text("SHOW lock_timeout")).scalar() == "0"
    engine.dispose()


@pytest.mark.slow
def test_a_unit_works_as_elsewhere(pooled: Callable[..., Engine]) -> None:
    """A unit works as elsewhere: it waits for a lock up to the limit, on its own connection too."""
    engine = pooled(timeout=0.3)
    members_metadata.create_all(engine)
    with SqlShop(engine) as uow:
        uow.members.add(new_member("ann"))
        uow.flush()
        with pytest.raises(ConcurrentChange):
            create_member("ann", "other@example.com", SqlShop(engine))
        uow.commit()
    with SqlShop(engine) as uow:
        assert uow.connection.exec_driver_sql("SHOW lock_timeout").scalar() == "300ms"
    assert ["ann"] == stored_names(sql_storage(engine))
    engine.dispose()


def test_what_others_left_behind_proves_nothing(pooled: Callable[..., Engine], postgres_database: str) -> None:
    """A pooled connection may have the values that are asked for, and the next one not."""
    with connect(postgres_database) as other, other.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {other.info.dbname} SET lock_timeout = 1500")
        cursor.execute(f"ALTER DATABASE {other.info.dbname} SET timezone = 'UTC'")
    other.close()
    engine = pooled(timeout=1.5)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET lock_timeout = 0")
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "1500ms"
    engine.dispose()


UNSETTABLE = [
    ("endpoint%3Dep-1", "asks for options=endpoint=ep-1, which the pooler before the server does not pass on"),
    ("-cdefault_transaction_read_only%3Don", "asks for options=default_transaction_read_only, which the pooler"),
    ("-ctransaction_read_only%3Don", "asks for options=transaction_read_only, which the pooler"),
    ("-ctransaction_isolation%3Dserializable", "asks for options that cannot be set: SET TRANSACTION ISOLATION"),
    ("-cno_such_parameter%3D1", "asks for options that cannot be set: unrecognized configuration parameter"),
]


def test_what_no_transaction_can_set_is_refused(pooled: Callable[..., Engine]) -> None:
    """A setting that no transaction can make is refused when connecting, and not silently dropped."""
    for options, reason in UNSETTABLE:
        with pytest.raises(ConfigurationError, match=f"^DATABASE_URL {reason}"):
            pooled(options).connect()


def test_refused_options_are_left_out(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options are left out once they were refused. A later refusal is about something else."""

    def refuse_all(*_: object, **_named: Any) -> Any:
        raise psycopg2.OperationalError("FATAL:  unsupported startup parameter: another")

    engine = make_engine(postgres_database)
    monkeypatch.setattr(psycopg2, "connect", refuse_all)
    with pytest.raises(StorageUnavailable, match="unsupported startup parameter: another"), SqlShop(engine) as uow:
        uow.members.list_where()
    monkeypatch.setattr(psycopg2, "connect", refuse)
    engine.connect().close()
    engine.dispose()
