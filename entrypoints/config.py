"""The settings of the application, read from the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attrs import field, frozen

from domain.errors import ConfigurationError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self


def _stripped(text: str) -> str:
    return text.strip()


@frozen
class Settings:
    """What can be set from outside.

    ``database_url`` (``DATABASE_URL``) chooses the storage: ``sqlite:///file``, ``postgresql://...``, ``mysql://...``,
    ``mariadb://...``, or ``memory://`` for the fake. ``database_timeout`` (``DATABASE_TIMEOUT``) is how many seconds to
    wait for a connection or for another writer's lock, before giving up with a clear error. ``database_ping``
    (``DATABASE_PING``, 1 or 0) is whether a connection is tried before each use. That costs a round trip. Without
    it, a unit may meet an idle connection that the server, or a proxy before it, has ended.
    ``database_accept_newer`` (``DATABASE_ACCEPT_NEWER``, 1 or 0) is whether a program starts on a database whose tables
    a newer version of it has extended (docs/migrations.md).
    """

    # It can hold a password, and a file or a secret that it comes from can end with a line end.
    database_url: str = field(default="sqlite:///plumbline.db", converter=_stripped, repr=False)
    database_timeout: float = 10.0
    database_ping: bool = False
    database_accept_newer: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the settings; what is not set, or set to nothing, has its default.

        Raises :class:`~domain.errors.ConfigurationError` for a value that cannot be used.
        """
        default = cls()
        return cls(
            database_url=environment.get("DATABASE_URL") or default.database_url,
            database_timeout=_seconds(environment.get("DATABASE_TIMEOUT") or default.database_timeout),
            database_ping=_switch(environment, "DATABASE_PING"),
            database_accept_newer=_switch(environment, "DATABASE_ACCEPT_NEWER"),
        )


def _seconds(value: str | float) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:  # also false for "nan"
        raise ConfigurationError(f"DATABASE_TIMEOUT is {shown(value)}: set it to seconds, from 0.1 to 3600")
    return seconds


def _switch(environment: Mapping[str, str], name: str) -> bool:
    value = (environment.get(name) or "0").strip()
    if value not in ("0", "1"):
        raise ConfigurationError(f"{name} is {shown(value)}: set it to 1 or 0")
    return value == "1"
