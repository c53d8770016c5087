"""How a connection to PostgreSQL is made: its options, and what it is set to, behind a pooler too.

A pooler such as PgBouncer gives a server's connection to one client after another. It refuses ``options`` at the start
of a connection, or drops them. So what they set is then set at the beginning of each transaction, and for that alone.
"""

from __future__ import annotations

import re
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

# What libpq and the server say of values that neither can use: before anything else is sent, and without a SQLSTATE.
_WRONG = re.compile(
    r"(?:.*: )?(?:FATAL:\s+)?((?:invalid [^\n]*(?:value|port number)|root certificate file|certificate|private key"
    r"|unrecognized configuration parameter|parameter \")[^\n]*)"
)

LOCAL = "local"
"""The key in a connection's ``info`` that holds what is to be set in each transaction, by name."""

_IDLE = 0  # what psycopg2 calls TRANSACTION_STATUS_IDLE


@define(eq=False)
class Settings:
    """What each connection of an engine is set to: parameters of the server, by name, and the same as an option."""

    asked: dict[str, str]
    text: str
    others: str
    """What the URL's own options ask for that only the start of a connection can set."""

    refused: bool = field(default=False, init=False)
    """Whether the server, or the pooler before it, refuses options."""

    @classmethod
    def of(cls, options: str, **ours: str) -> Settings:
        """Return our settings, and those of the URL's own ``options``, which have precedence."""
        words = {word: _SETTING.fullmatch(word) for word in shlex.split(options.replace("-c ", "-c"))}
        theirs = {match[1].replace("-", "_").lower(): match[2] for match in words.values() if match}
        text = " ".join(f"-c {name}={value}" for name, value in ours.items())
        others = " ".join(word for word, match in words.items() if not match)
        return cls({**ours, **theirs}, f"{text} {options}".strip(), others)

    def driver(self, url: URL) -> Any:
        """Return the driver for a URL, as a module whose ``connect`` does without options where they are refused."""
        # Not by a listener of do_connect, which would keep those of an application from being asked: its log-in, say.
        driver = url.get_dialect().import_dbapi()
        return SimpleNamespace(**{**vars(driver), "connect": partial(self._connect, driver)})

    def _connect(self, driver: Any, **arguments: Any) -> Any:
        if self.refused:
            arguments.pop("options", None)
        try:
            return driver.connect(**arguments)
        except driver.OperationalError as error:
            if wrong := _WRONG.match(str(error)):
                raise ConfigurationError(f"DATABASE_URL has an option that cannot be used: {wrong[1]}") from error
            if "unsupported startup parameter" not in str(error) or self.refused:
                raise
        self.refused = True
        return self._connect(driver, **arguments)

    def prepare(self, connection: Any, record: Any) -> str:
        """Look whether the settings have arrived, let each transaction set them otherwise; return the isolation level.

        Raises :class:`~domain.errors.ConfigurationError` for a setting that cannot be made.
        """
        from psycopg2.errors import CantChangeRuntimeParam, InvalidParameterValue, UndefinedObject

        pairs = ", ".join(["current_setting(%s, true), set_config(%s, %s, true)"] * len(self.asked))
        values = [one for name, value in self.asked.items() for one in (name, name, value)]
        with connection.cursor() as cursor:
            try:
                cursor.execute(f"SELECT current_setting(%s), {pairs}", [_ISOLATION, *values])
            except (UndefinedObject, InvalidParameterValue, CantChangeRuntimeParam) as error:
                raise ConfigurationError(f"DATABASE_URL asks for options that cannot be set: {error}") from error
            isolation, *found = cursor.fetchone()
        connection.rollback()  # the driver has begun a transaction for that query
        if found[::2] != found[1::2] or (self.others and self.refused):
            record.info[LOCAL] = self._local(connection)
        return str(isolation)

    def _local(self, connection: Any) -> dict[str, str]:
        """Return what each transaction has to set; its isolation level is said by the driver when it begins."""
        local = {name: value for name, value in self.asked.items() if name != _ISOLATION}
        fixed = [name for name in local if name.startswith("default_transaction_")]
        if self.others or fixed:
            raise ConfigurationError(
                f"DATABASE_URL asks for options={self.others or fixed[0]}, which the pooler before the server does not"
                " pass on: set it there, or by ALTER ROLE"
            )
        if _ISOLATION in self.asked:
            connection.set_session(isolation_level=self.asked[_ISOLATION])
        return local


def set_for_transaction(driver: Any, info: Mapping[str, Any]) -> None:
    """Set what the start of a connection could not, if a transaction is about to begin on it."""
    local = info.get(LOCAL)
    if local and not driver.autocommit and driver.info.transaction_status == _IDLE:
        with driver.cursor() as cursor:
            marks = ", ".join(["set_config(%s, %s, true)"] * len(local))
            cursor.execute(f"SELECT {marks}", [one for pair in local.items() for one in pair])
