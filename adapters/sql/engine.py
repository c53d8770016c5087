"""Engines from URLs as people write them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.exc import ArgumentError

from adapters.sql.mysql import mysql_engine
from adapters.sql.postgres import postgres_engine
from adapters.sql.session import keep_values_when_rolling_back_fails
from adapters.sql.sqlite import sqlite_engine
from adapters.sql.urls import parsed
from domain.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Engine


def make_engine(database_url: str, timeout: float = 10.0, *, ping: bool = False) -> Engine:
    """Return an engine for the URL of an SQLite file or of a PostgreSQL, MariaDB or MySQL database.

    ``timeout`` is how many seconds to wait for a connection and for another writer's lock. The engine does not connect
    yet. With ``ping`` each connection is tried before a unit gets it. If the server has ended it, it is replaced.
    Raises :class:`~domain.errors.ConfigurationError`, without the password, for a URL that cannot be used.
    """
    url = parsed(database_url)
    options = {
        "pool_timeout": timeout,
        "pool_pre_ping": ping,
        "pool_size": 15,  # all are kept: to connect anew costs more than most units
        "max_overflow": 0,
        "pool_use_lifo": True,  # the server keeps warm state for the connection that was used last
        "hide_parameters": True,  # they would appear in errors and logs
    }
    try:
        engine = _MAKERS[url.get_backend_name()](url, timeout, options)
    except (ArgumentError, TypeError, ValueError) as error:
        raise ConfigurationError(f"DATABASE_URL has an option that cannot be used: {error}") from error

    event.listen(engine, "handle_error", keep_values_when_rolling_back_fails)
    _engines.add(engine)
    return engine


# A forked process must not use its parent's connections: either process could get the answers.
_engines: WeakSet[Engine] = WeakSet()


def _begin_anew() -> None:
    for engine in _engines:
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_begin_anew)


_MAKERS = {"sqlite": sqlite_engine, "postgresql": postgres_engine, "mysql": mysql_engine}
