"""Read the URL of a database, and refuse a wrong one before connecting."""

from __future__ import annotations

from importlib.util import find_spec
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from adapters.sql.postgres_url import REPEATABLE, postgres_url
from domain.errors import ConfigurationError

# The driver for each kind of URL, and the dialect's own name for it.
_DRIVERS = {
    "sqlite": ("sqlite", "sqlite3"),
    "sqlite+pysqlite": ("sqlite", "sqlite3"),
    "postgresql": ("postgresql+psycopg2", "psycopg2"),
    "postgres": ("postgresql+psycopg2", "psycopg2"),
    "postgresql+psycopg2": ("postgresql+psycopg2", "psycopg2"),
    # One dialect for both: people write either name for either server, and the dialect asks the server which it is.
    "mysql": ("mysql+pymysql", "pymysql"),
    "mysql+pymysql": ("mysql+pymysql", "pymysql"),
    "mariadb": ("mysql+pymysql", "pymysql"),
    "mariadb+pymysql": ("mysql+pymysql", "pymysql"),
}

_UNREADABLE = (
    "DATABASE_URL cannot be read: write it like sqlite:///app.db or postgresql://user:password@host/database,"
    " with special characters in the password escaped (@ as %40, / as %2F, : as %3A)"
)


def parsed(database_url: str) -> URL:
    """Return the URL of a database, with the name of its driver.

    Raises :class:`~domain.errors.ConfigurationError`, without the password, for one that cannot be used.
    """
    text = database_url.strip()
    if "\0" in text or "%00" in text:
        raise ConfigurationError("DATABASE_URL has a NUL character: remove it")
    if text[:1] in ('"', "'"):
        raise ConfigurationError("DATABASE_URL has quotation marks around it: leave them out")
    if text == "memory":
        raise ConfigurationError("DATABASE_URL is memory: write memory:// for the fake")
    scheme = text.partition("://")[0]
    is_postgres = _DRIVERS.get(scheme, ("", ""))[1] == "psycopg2"
    if not scheme.startswith("sqlite") and (text.count("@") > 1 or "@" in text.partition("?")[2]):
        raise ConfigurationError("DATABASE_URL has an @ where none can be: inside a password, write it as %40")
    if any(part and "=" not in part for part in text.partition("?")[2].split("&")):
        raise ConfigurationError(
            "DATABASE_URL has a ? before what is no option: write options as name=value, a ? of a password as %3F, and"
            " none in the name of a file"
        )
    try:
        url = postgres_url(text) if is_postgres else make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(_UNREADABLE) from error
    _check(url)
    return url.set(drivername=_DRIVERS[url.drivername][0])


def _check(url: URL) -> None:
    if url.drivername not in _DRIVERS:
        raise ConfigurationError(
            f"DATABASE_URL begins with {url.drivername}://, which is not known here:"
            " use sqlite, postgresql, mysql, mariadb or memory"
        )
    kind = _DRIVERS[url.drivername][0].partition("+")[0]
    if kind != "sqlite" and "@" in (url.database or ""):
        raise ConfigurationError("DATABASE_URL has an @ where none can be: inside a password, write it as %40")
    repeated = [name for name, value in url.query.items() if not isinstance(value, str) and name not in REPEATABLE]
    if repeated:
        raise ConfigurationError(f"DATABASE_URL has the option {repeated[0]} twice: write it once")
    if kind == "sqlite" and url.host:
        raise ConfigurationError(f"DATABASE_URL has two slashes before {url.host}: write sqlite:///{url.host}")
    if kind == "mysql" and not url.database:
        raise ConfigurationError("DATABASE_URL names no database: write it like mysql://user:password@host/database")
    driver = _DRIVERS[url.drivername][1]
    if find_spec(driver) is None:
        raise ConfigurationError(f"DATABASE_URL needs the package {driver}: pip install {driver}")


def shown(url: URL) -> str:
    """Return a URL with all its hosts, but without its password and options, which can hold a password too."""
    text = url.set(query={}).render_as_string(hide_password=True)
    if "host" not in url.query:
        return text
    pairs = zip(str(url.query["host"]).split(","), str(url.query["port"]).split(","), strict=True)
    named = ((f"[{host}]" if ":" in host else quote(host, safe=""), port) for host, port in pairs)
    members = ",".join(f"{host}:{port}" if port else host for host, port in named)
    scheme, _, rest = text.partition("://")
    user, at, path = rest.rpartition("@")
    return f"{scheme}://{user}{at}{members}{path}"
