"""Connect to PostgreSQL and set up the connection, behind a pooler too.

A pooler such as PgBouncer gives a server's connection to one client after another. It refuses or drops ``options`` at
the start of a connection. Each transaction then sets them at its beginning, for itself alone.
"""

from __future__ import annotations

import re
import secrets
import shlex
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from attrs import define, field

from domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import URL

SECRETS = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
"""The options that hold a secret."""

_SETTING = re.compile(r"(?:-c|--)([\w.-]+)=(.*)", re.DOTALL)
_ISOLATION = "default_transaction_isolation"

# The messages of libpq and the server about values that neither can use. They come first and without a SQLSTATE.
_WRONG = re.compile(
    r"(?:.*: )?(?:FATAL:\s+)?((?:invalid [^\n]*(?:value|port number)|root certificate file|certificate|private key"
    r"|unrecognized configuration parameter|parameter \"|definition of service|could not parse network address"
    r"|invalid command-line argument|option requires an argument|[^\n]*requires a value)[^\n]*)"
)

# Proves that options have arrived: another client may have left the values that are asked for on a pooled connection.
_MARK, _TOKEN = "plumbline.options", secrets.token_hex(8)

_LOCAL = "local"  # the key in a connection's ``info`` that holds what each transaction has to set, by name

_IDLE = 0  # psycopg2's TRANSACTION_STATUS_IDLE


@define(eq=False)
class Settings:
    """The settings of each connection of an engine: parameters of the server by name, and the same as an option."""

    asked: dict[str, str]
    text: str
    others: str
    """The settings in the URL's own options that only the start of a connection can make."""

    refused: bool = field(default=False, init=False)
    """Whether the server, or the pooler before it, refuses options."""

    @classmethod
    def of(cls, options: str, **ours: str) -> Settings:
        """Return our settings and those of the URL's own ``options``, which have precedence."""
        words = {word: _SETTING.fullmatch(word) for word in shlex.split(re.sub(r"-c\s+", "-c", options))}
        theirs = {match[1].replace("-", "_").lower(): match[2] for match in words.values() if match}
        text = " ".join(f"-c {name}={value}" for name, value in {**ours, _MARK: _TOKEN}.items())
        others = " ".join(word for word, match in words.items() if not match)
        return cls({**ours, **theirs}, f"{text} {options}".strip(), others)

    def driver(self, url: URL) -> Any:
        """Return the driver for a URL as a module whose ``connect`` leaves out options where they are refused."""
        # Not a listener to do_connect, for the reason in mysql_connect.py.
        driver = url.get_dialect().import_dbapi()
        return SimpleNamespace(**{**vars(driver), "connect": partial(self._connect, driver)})

    def _connect(self, driver: Any, *dsn: str, **arguments: Any) -> Any:
        if self.refused:
            arguments.pop("options", None)
        try:
            return driver.connect(*dsn, **arguments)
        except driver.OperationalError as error:
            if wrong := _WRONG.match(str(error)):
                raise ConfigurationError(f"DATABASE_URL has an option that cannot be used: {wrong[1]}") from error
            if "unsupported startup parameter" not in str(error) or self.refused:
                raise
        self.refused = True
        return self._connect(driver, *dsn, **arguments)

    def prepare(self, connection: Any, record: Any) -> bool:
        """Check that the settings have arrived, or let each transaction set them. Return whether it may begin late.

        Raises :class:`~domain.errors.ConfigurationError` for a setting that cannot be made.
        """
        from psycopg2.errors import ActiveSqlTransaction, CantChangeRuntimeParam, InvalidParameterValue, UndefinedObject

        calls, values = _set_local(self.asked)  # these refuse what cannot be set
        with connection.cursor() as cursor:
            try:
                cursor.execute(
                    f"SELECT current_setting(%s), current_setting(%s, true), {calls}", [_ISOLATION, _MARK, *values]
                )
            except (UndefinedObject, InvalidParameterValue, CantChangeRuntimeParam, ActiveSqlTransaction) as error:
                raise ConfigurationError(f"DATABASE_URL asks for options that cannot be set: {error}") from error
            isolation, token, *_ = cursor.fetchone()
        connection.rollback()  # the driver has begun a transaction for that query
        if token == _TOKEN:
            return bool(isolation == "read committed")
        record.info[_LOCAL] = self._local(connection, isolation)
        return False

    def _local(self, connection: Any, isolation: str) -> dict[str, str]:
        """Return what each transaction has to set. The driver sends its isolation level when it begins."""
        local = {name: value for name, value in self.asked.items() if name != _ISOLATION}
        fixed = [name for name in local if name.startswith(("default_transaction_", "transaction_"))]
        if self.others or fixed:
            raise ConfigurationError(
                f"DATABASE_URL asks for options={self.others or fixed[0]}, which the pooler before the server does not"
                " pass on: set it there, or by ALTER ROLE"
            )
        connection.set_session(isolation_level=self.asked.get(_ISOLATION, isolation))
        return local


def set_for_transaction(driver: Any, info: Mapping[str, Any]) -> None:
    """Set what the start of a connection could not, if a transaction is about to begin on it."""
    local = info.get(_LOCAL)
    if local and not driver.autocommit and driver.info.transaction_status == _IDLE:
        calls, values = _set_local(local)
        with driver.cursor() as cursor:
            cursor.execute(f"SELECT {calls}", values)


def _set_local(settings: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the calls that set parameters of the server for a transaction, and their values."""
    return ", ".join(["set_config(%s, %s, true)"] * len(settings)), [one for pair in settings.items() for one in pair]
