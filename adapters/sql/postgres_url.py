"""The URL of a PostgreSQL database in the forms of its own programs, and the options that the driver knows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, make_url

from adapters.sql.options import existing_file, value_of
from domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

REPEATABLE = ("host", "port")
"""The options that may come more than once, for the members of a cluster."""

# The options that name a file.
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "passfile")

_MEMBER = re.compile(r"(?:\[([^\]]+)\]|([^:/\[\]]+))(?::(\d*))?")  # [::1]:5432, or host:5432

_ADVICE = {
    "ssl": "write sslmode=require",
    "schema": "write options=-csearch_path%3DNAME",
    "currentSchema": "write options=-csearch_path%3DNAME",
    "search_path": "write options=-csearch_path%3DNAME",
}


def check_options(url: URL) -> None:
    """Raise :class:`~domain.errors.ConfigurationError` for an option of a URL that the driver does not take."""
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import parse_dsn

    for name, value in url.query.items():
        known = name not in ("ssl", "replication")  # the one is for a URL alone, the other speaks no SQL
        try:
            parse_dsn(f"postgresql:///?{name}=")
        except ProgrammingError:
            known = False
        if not known:
            write = _ADVICE.get(name, "leave it out")
            raise ConfigurationError(f"DATABASE_URL has the option {name}, which PostgreSQL does not know: {write}")
        if name in _FILES and value != "system":  # "system" stands for the files of the system
            value_of(name, str(value), existing_file)


def postgres_url(text: str) -> URL:
    """Return a URL with all hosts and ports in its options, unless it has one host that is no socket.

    The text has libpq's own forms: several hosts, and the folder of a socket as ``%2Frun`` (PostgreSQL's documentation,
    section 32.1.1.2).

    Raises:
        ``ValueError``: The text cannot be read.
        :class:`~domain.errors.ConfigurationError`: The hosts and ports do not match.
    """
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import parse_dsn

    scheme, _, rest = text.partition("://")
    address, _, query = rest.partition("?")
    url = make_url(f"{scheme}://?{query}")
    try:
        known = parse_dsn(f"postgresql://{address}")
    except ProgrammingError:
        raise ValueError from None  # its message may hold a part of the password
    url = url.set(username=known.get("user"), password=known.get("password"), database=known.get("dbname"))
    hosts, ports = _members(known, url.query)
    if any(port and not port.isdecimal() for port in ports):
        raise ValueError
    if len(hosts) != len(ports):
        raise ConfigurationError(f"DATABASE_URL has {len(hosts)} hosts and {len(ports)} ports: write one for each")
    url = url.difference_update_query(REPEATABLE)
    if len(hosts) > 1 or hosts[0].startswith("/"):
        return url.update_query_dict({"host": ",".join(hosts), "port": ",".join(ports)})
    return url.set(host=hosts[0] or None, port=int(ports[0]) if ports[0] else None)


def _members(known: Mapping[str, str], query: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the hosts and ports from the options, or else from the address. One port may stand for all."""
    asked, port = query.get("host", known.get("host", "")), query.get("port", known.get("port", ""))
    each = asked.split(",") if isinstance(asked, str) else list(asked)
    found = [_MEMBER.fullmatch(one) for one in each] if "host" in query else []
    if any(one and one[3] for one in found):  # as SQLAlchemy writes them: ?host=one:5432&host=other:5432
        if port:
            raise ConfigurationError(
                "DATABASE_URL has ports behind its hosts and the option port: write one or the other"
            )
        each = [one[1] or one[2] if one else host for one, host in zip(found, each, strict=True)]
        return each, [(one and one[3]) or "" for one in found]
    ports = port.split(",") if isinstance(port, str) else list(port)
    return each, ports * len(each) if len(ports) == 1 else ports
