"""What a connection to PostgreSQL is set to where no options arrive at its start, as behind a pooler."""

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
    """Connect, and drop the options in silence."""
    return connect(**{name: value for name, value in named.items() if name != "options"})


def refuse(*_: object, **named: Any) -> Any:
    """Connect, but not with options."""
    if "options" in named:
        raise psycopg2.OperationalError("FATAL:  unsupported startup parameter: options")
    return connect(**named)


@pytest.fixture(params=[drop, refuse], ids=lambda way: way.__name__)
def pooled(
    request: pytest.FixtureRequest, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Engine]:
    """Make an engine on a database, to which no options arrive."""
    monkeypatch.setattr(psycopg2, "connect", request.param)

    def make(options: str = "", timeout: float = 10.0) -> Engine:
        return make_engine(f"{postgres_database}?options={options}" if options else postgres_database, timeout)

    return make


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ["1500ms", "UTC", '"$user", public', "read committed"]),
        ("-clock_timeout%3D7s%20--search-path%3Dtenant", ["7s", "UTC", "tenant", "read committed"]),
        ("-c%20default_transaction_isolation%3Dserializable", ["1500ms", "UTC", '"$user", public', "serializable"]),
    ],
)
def test_each_transaction_sets_them(pooled: Callable[..., Engine], options: str, expected: list[str]) -> None:
    """And no longer than it lasts; the driver begins it at the isolation level."""
    engine = pooled(options, 1.5)
    names = ("lock_timeout", "TimeZone", "search_path", "transaction_isolation")
    for _ in range(2):
        with engine.begin() as connection:
            assert expected == [connection.execute(text(f"SHOW {name}")).scalar() for name in names]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert connection.execute(text("SHOW lock_timeout")).scalar() == "0"
    engine.dispose()


def test_a_unit_works_as_elsewhere(pooled: Callable[..., Engine]) -> None:
    """It waits for a lock no longer than it may, on its own connection as well."""
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


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("endpoint%3Dep-1", "asks for options=endpoint=ep-1, which the pooler before the server does not pass on"),
        ("-cdefault_transaction_read_only%3Don", "asks for options=default_transaction_read_only, which the pooler"),
        ("-cno_such_parameter%3D1", "asks for options that cannot be set: unrecognized configuration parameter"),
    ],
)
def test_what_no_transaction_can_set_is_refused(pooled: Callable[..., Engine], options: str, reason: str) -> None:
    """When connecting, and not by silence."""
    with pytest.raises(ConfigurationError, match=f"^DATABASE_URL {reason}"):
        pooled(options).connect()


def test_options_are_left_out_once_they_were_refused(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused then is something else."""

    def refuse_all(*_: object, **_named: Any) -> Any:
        raise psycopg2.OperationalError("FATAL:  unsupported startup parameter: another")

    engine = make_engine(postgres_database)
    monkeypatch.setattr(psycopg2, "connect", refuse_all)
    with pytest.raises(StorageUnavailable, match="unsupported startup parameter: another"), SqlShop(engine) as uow:
        uow.members.list_where()
    monkeypatch.setattr(psycopg2, "connect", refuse)
    engine.connect().close()
    engine.dispose()
