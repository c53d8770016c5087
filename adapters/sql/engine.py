"""Engines from URLs as people write them."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from adapters.sql.mysql import mysql_engine
from adapters.sql.postgres import postgres_engine
from adapters.sql.session import keep_values_when_rolling_back_fails
from adapters.sql.sqlite import sqlite_engine
from domain.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

# The driver for each kind of URL, and the dialect's own name for it.
_DRIVERS = {
    "sqlite": ("sqlite", "sqlite3"),
    "sqlite+pysqlite": ("sqlite", "sqlite3"),
    "postgresql": ("postgresql+psycopg2", "psycopg2"),
    "postgres": ("postgresql+psycopg2", "psycopg2"),
    "postgresql+psycopg2": ("postgresql+psycopg2", "psycopg2"),
    # One dialect for both, which asks the server which of them it is: people write either for either.
    "mysql": ("mysql+pymysql", "pymysql"),
    "mysql+pymysql": ("mysql+pymysql", "pymysql"),
    "mariadb": ("mysql+pymysql", "pymysql"),
    "mariadb+pymysql": ("mysql+pymysql", "pymysql"),
}


# The options that hold a secret, by dialect. They are kept out of the engine's URL, because SQLAlchemy shows all of
# that but a password before the @.
_SECRET_OPTIONS = {
    "sqlite": (),
    "postgresql": ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"),
    "mysql": ("password", "passwd", "ssl_key_password"),
}


def make_engine(database_url: str, timeout: float = 10.0, *, ping: bool = False) -> Engine:
    """Return an engine for the URL of an SQLite file, a PostgreSQL, a MariaDB or a MySQL database.

    ``timeout`` is how many seconds to wait for a connection, and for another writer's lock. Nothing is connected yet.
    With ``ping`` each connection is tried before a unit gets it, and replaced if the server has ended it meanwhile.
    Raises :class:`~domain.errors.ConfigurationError`, without the password, for a URL that cannot be used.
    """
    url = _parsed(database_url)
    kind = url.get_backend_name()
    options = {
        "pool_timeout": timeout,
        "pool_pre_ping": ping,
        "pool_use_lifo": True,  # what the server holds for the connection that was used last is warm
        "hide_parameters": True,  # they would be in errors and logs
    }
    secrets = {name: value for name, value in url.query.items() if name in _SECRET_OPTIONS[kind]}
    try:
        engine = _MAKERS[kind](url.difference_update_query(secrets), timeout, options)
    except (ArgumentError, TypeError, ValueError) as error:
        raise ConfigurationError(f"DATABASE_URL has an option that cannot be used: {error}") from error

    event.listen(engine, "handle_error", keep_values_when_rolling_back_fails)
    _engines.add(engine)

    @event.listens_for(engine, "do_connect")
    def add_secrets(_dialect: object, _record: object, _arguments: object, named: dict[str, Any]) -> None:
        named.update(secrets)

    return engine


# A process that was forked must not use the connections of its parent: the answers would go to either of them.
_engines: WeakSet[Engine] = WeakSet()


def _begin_anew() -> None:
    for engine in _engines:
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_begin_anew)


_MAKERS = {"sqlite": sqlite_engine, "postgresql": postgres_engine, "mysql": mysql_engine}


_REPEATABLE = ("host", "port")  # for the members of a cluster of PostgreSQL


def _parsed(database_url: str) -> URL:
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "DATABASE_URL cannot be read: write it like sqlite:///app.db or postgresql://user:password@host/database,"
            " with special characters in the password escaped (@ as %40, / as %2F, : as %3A)"
        ) from error
    if url.drivername not in _DRIVERS:
        raise ConfigurationError(
            f"DATABASE_URL begins with {url.drivername}://, which is not known here:"
            " use sqlite, postgresql, mysql, mariadb or memory"
        )
    if url.get_backend_name() != "sqlite" and (database_url.count("@") > 1 or "@" in (url.database or "")):
        raise ConfigurationError("DATABASE_URL has an @ where none can be: inside a password, write it as %40")
    # Before the question mark it has been decoded, and behind it not.
    if "\0" in str(url.set(query={})) or "%00" in database_url:
        raise ConfigurationError("DATABASE_URL has a NUL character: remove it")
    repeated = [name for name, value in url.query.items() if not isinstance(value, str) and name not in _REPEATABLE]
    if repeated:
        raise ConfigurationError(f"DATABASE_URL has the option {repeated[0]} twice: write it once")
    dialect, driver = _DRIVERS[url.drivername]
    if find_spec(driver) is None:
        raise ConfigurationError(f"DATABASE_URL needs the package {driver}: pip install {driver}")
    return url.set(drivername=dialect)
