"""PostgreSQL behind PgBouncer in transaction mode. It refuses or drops options when connecting."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Engine, text

from adapters.sql.engine import make_engine
from domain.errors import ConcurrentChange, ConfigurationError
from proof.laws.pgbouncer_server import PgbouncerMissing, pgbouncer
from tests.contract.members import create_member, get_member, members_metadata, new_member
from tests.contract.shop import SqlShop
from tests.fixtures import required

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
DROPS = "ignore_startup_parameters = options"
ONE = "default_pool_size = 1"
ASKED = ("lock_timeout", "TimeZone", "search_path", "transaction_isolation")


@pytest.fixture(params=["", DROPS], ids=["refuses options", "drops options"])
def pooled(request: pytest.FixtureRequest, postgres_database: str) -> Iterator[str]:
    """The URL of a database through a pooler with one connection to the server."""
    with required(pgbouncer(postgres_database, f"{ONE}\n{request.param}"), PgbouncerMissing) as url:
        yield url


def settings_of(engine: Engine) -> list[str]:
    """Return the settings of a transaction."""
    with engine.begin() as connection:
        return [str(connection.execute(text(f"SHOW {name}")).scalar()) for name in ASKED]


def test_each_transaction_has_what_was_asked_for(pooled: str) -> None:
    """Each transaction has the product's own limits and the URL's settings, which have precedence."""
    engine = make_engine(pooled, timeout=1.5)
    assert ["1500ms", "UTC", '"$user", public', "read committed"] == settings_of(engine)
    engine.dispose()
    theirs = "-csearch_path%3Dtenant%20-c%20lock_timeout%3D7s%20--default_transaction_isolation%3Dserializable"
    engine = make_engine(f"{pooled}?options={theirs}")
    assert ["7s", "UTC", "tenant", "serializable"] == settings_of(engine) == settings_of(engine)
    engine.dispose()


def test_nothing_leaks_to_other_clients(pooled: str) -> None:
    """Nothing leaks to other clients, which get the same server connection next."""
    engine = make_engine(f"{pooled}?options=-csearch_path%3Dtenant")
    members_metadata.create_all(make_engine(pooled))
    with SqlShop(make_engine(pooled)) as uow:
        uow.members.add(new_member("ann"))
        uow.commit()
    settings_of(engine)
    with closing(psycopg2.connect(pooled)) as other, other.cursor() as cursor:
        for name, value in (("lock_timeout", "0"), ("search_path", '"$user", public'), ("statement_timeout", "0")):
            cursor.execute(f"SHOW {name}")
            assert (value,) == cursor.fetchone()


def test_a_lock_is_not_waited_for_without_end(postgres_database: str) -> None:
    """A lock is not waited for without end, not even by a statement that is elsewhere its own transaction."""
    with required(pgbouncer(postgres_database), PgbouncerMissing) as pooled:
        engine = make_engine(pooled, timeout=0.3)
        members_metadata.create_all(engine)
        with SqlShop(engine) as uow:
            uow.members.add(new_member("ann"))
            uow.flush()
            with pytest.raises(ConcurrentChange):
                create_member("ann", "other@example.com", SqlShop(engine))
            uow.commit()
        assert get_member("ann", SqlShop(engine)).version == 1
        engine.dispose()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("endpoint%3Dep-1", "options=endpoint=ep-1, which the pooler before the server does not pass on"),
        ("-cdefault_transaction_read_only%3Don", "options=default_transaction_read_only, which the pooler"),
        ("-cno_such_parameter%3D1", "options that cannot be set: unrecognized configuration parameter"),
    ],
)
def test_what_cannot_be_set_later_is_refused(pooled: str, options: str, reason: str) -> None:
    """A setting that cannot be made later is refused when connecting, and not silently dropped."""
    engine = make_engine(f"{pooled}?options={options}")
    with pytest.raises(ConfigurationError, match=f"^DATABASE_URL asks for {reason}"):
        engine.connect()


def test_the_contract_holds_through_a_pooler(postgres_server: str) -> None:
    """Every law of tests/contract holds through a pooler on PostgreSQL."""
    with required(pgbouncer(postgres_server), PgbouncerMissing) as url:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-k", "postgres", "-p", "no:cacheprovider", "tests/contract"],
            cwd=ROOT,
            env={**os.environ, "TEST_POSTGRES_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-4000:]
