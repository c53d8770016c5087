"""Promise 15 on servers: an idle connection that the server has ended, the effect of a ping, and how many are kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, nullcontext

import pytest
from sqlalchemy import Engine, event

from adapters.sql.engine import make_engine
from domain.errors import StorageUnavailable
from entrypoints.bootstrap import bootstrap
from proof.laws.integration.lost_connections import end_connection, number_of
from service_layer.retrying import retrying
from tests.contract.members import create_member, get_member, new_member
from tests.contract.shop import SqlShop
from tests.storages import LOCK_TIMEOUT, engine_of


@pytest.fixture
def pinged(request: pytest.FixtureRequest, server_engine: Engine) -> Iterator[SqlShop]:
    """A unit of work on a separate engine with or without a ping. Its only connection has been ended."""
    url = server_engine.url.render_as_string(hide_password=False)
    own = make_engine(url, LOCK_TIMEOUT, ping=request.param)
    uow = SqlShop(own)
    create_member("ann", "ann@example.com", uow)
    with uow:
        number = number_of(uow, own)
    end_connection(number, server_engine)
    yield uow
    own.dispose()


with_ping = pytest.mark.parametrize("pinged", [True], indirect=True)
without_ping = pytest.mark.parametrize("pinged", [False], indirect=True)


@pytest.mark.every_case
@with_ping
def test_a_ping_replaces_an_ended_connection(pinged: SqlShop) -> None:
    """A ping replaces an idle connection that was ended before the unit gets it."""
    assert "ann@example.com" == get_member("ann", pinged).email


@pytest.mark.promise(15)
@without_ping
@pytest.mark.parametrize("use", ["reading", "writing"])
def test_an_ended_connection_fails_one_unit(pinged: SqlShop, use: str) -> None:
    """An idle connection that was ended fails the unit that gets it and no other. The error may be tried again."""
    with pytest.raises(StorageUnavailable) as caught, pinged:
        if use == "reading":
            pinged.members.page()
        else:
            pinged.members.add(new_member("bob"))
            pinged.commit()
    assert caught.value.retryable
    assert "ann@example.com" == get_member("ann", pinged).email
    assert 1 == create_member("bob", "bob@example.com", pinged).version


@without_ping
def test_retrying_survives_an_ended_connection(pinged: SqlShop) -> None:
    """Retrying gets over an idle connection that was ended. Without one it costs nothing."""
    assert 1 == retrying(create_member, "bob", "bob@example.com", pinged).version


@pytest.mark.parametrize(("setting", "notices"), [("", True), ("0", True), ("1", False)])
def test_the_environment_chooses_the_ping(
    server_engine: Engine, monkeypatch: pytest.MonkeyPatch, setting: str, notices: bool
) -> None:
    """DATABASE_PING chooses whether connections are tried. Without it they are not."""
    monkeypatch.setenv("DATABASE_PING", setting)
    with bootstrap(server_engine.url.render_as_string(hide_password=False)) as application:
        uow = SqlShop(engine_of(application))
        with uow:
            number = number_of(uow, server_engine)
        end_connection(number, server_engine)
        with pytest.raises(StorageUnavailable) if notices else nullcontext(), uow:
            assert [] == list(uow.members.stream())


def test_connections_are_kept(engine: Engine) -> None:
    """All 15 of the pool are kept for the next units: none of them connects again."""
    own = make_engine(engine.url.render_as_string(hide_password=False))
    connects: list[object] = []
    event.listen(own, "connect", lambda connection, _record: connects.append(connection))
    for _ in range(2):
        with ExitStack() as open_units:
            for _ in range(15):
                open_units.enter_context(SqlShop(own)).members.page()
    own.dispose()
    assert 15 == len(connects)
