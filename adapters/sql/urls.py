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

_QUOTES = {*"\"'`\u201c\u201d\u2018\u2019"}

_UNREADABLE = (
    "DATABASE_URL cannot be read: write it like sqlite:///app.db or postgresql://user:password@host/database,"
    " with special characters in the password escaped (@ as %40, / as %2F, : as %3A)"
)


def parsed(database_url: str) -> URL:
    """Return the URL of a database, with the name of its driver.

    Raises :class:`~domain.errors.ConfigurationError`, without the password, for one that cannot be used.
    """
    text = database_url.strip().removeprefix("\ufeff")  # the mark with which some editors begin a file
    _check_text(text)
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    address, _, options = rest.partition("?")
    if not scheme.startswith("sqlite") and (address.count("@") > 1 or "@" in options):
        raise ConfigurationError(
            "DATABASE_URL has an @ where none can be: write one in a password, or behind the ?, as %40"
        )
    _check_options(options)
    url = _read(f"{scheme}://{rest}")
    if url is None:
        raise ConfigurationError(_UNREADABLE)
    _check(url)
    return url.set(drivername=_DRIVERS[url.drivername][0])


def _check_text(text: str) -> None:
    if "\0" in text or "%00" in text:
        raise ConfigurationError("DATABASE_URL has a NUL character: remove it")
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ConfigurationError("DATABASE_URL has bytes that are not UTF-8: write them as %, such as %FF")
    if text[:1] in _QUOTES:
        raise ConfigurationError("DATABASE_URL has quotation marks around it: leave them out")
    if text == "memory":
        raise ConfigurationError("DATABASE_URL is memory: write memory:// for the fake")
    if "://" not in text:
        raise ConfigurationError(_UNREADABLE)


def _check_options(options: str) -> None:
    parts = [part.partition("=") for part in options.split("&") if part]
    if any(not name or not equals for name, equals, _ in parts):
        raise ConfigurationError(
            "DATABASE_URL has a ? before what is no option: write options as name=value, a ? of a password as %3F, and"
            " none in the name of a file"
        )
    if empty := [name for name, _, value in parts if not value]:
        raise ConfigurationError(f"DATABASE_URL has the option {empty[0]} without a value: write one, or leave it out")


def _read(text: str) -> URL | None:
    """Return the URL; ``None`` for one that cannot be read. What the libraries say may hold a part of the password."""
    is_postgres = _DRIVERS.get(text.partition("://")[0], ("", ""))[1] == "psycopg2"
    try:
        return postgres_url(text) if is_postgres else make_url(text)
    except (ArgumentError, ValueError):
        return None


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
    if kind == "mysql" and (url.host or "").startswith(("/", "%2F", "%2f")):
        raise ConfigurationError("DATABASE_URL has the path of a socket as its host: write ?unix_socket=/path instead")
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
