"""The settings of the server, read from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from domain.errors import ConfigurationError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

LOCAL = ("127.0.0.1", "localhost", "[::1]")
"""The names by which a client on this machine calls the server."""

_SHORTEST_TOKEN = 20


@frozen
class HttpSettings:
    """What can be set from outside.

    ``tokens`` (``HTTP_TOKENS``, separated by commas, or the lines of the file that ``HTTP_TOKENS_FILE`` names) are the
    secrets of which a client has to send one; without any, everybody may call. ``hosts`` (``HTTP_HOSTS``) are the names
    of this server, which a client calls it by. ``origins`` (``HTTP_ORIGINS``) are the web pages whose scripts may call
    it. ``json_logs`` (``HTTP_LOG``, ``json`` or ``human``) is the form of the log.

    ``threads`` is how many requests are worked on at the same time: as many as the pool has connections. Others wait
    for at most ``wait`` seconds. A body has at most ``body_size`` bytes, and comes within ``body_seconds``.
    """

    tokens: tuple[str, ...] = field(default=(), repr=False)
    hosts: tuple[str, ...] = LOCAL
    origins: tuple[str, ...] = ()
    json_logs: bool = False
    threads: int = 15
    wait: float = 5.0
    body_size: int = 64 * 1024
    body_seconds: float = 10.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the settings. Raises :class:`~domain.errors.ConfigurationError` for a value that cannot be used."""
        tokens = _words(environment.get("HTTP_TOKENS", ""))
        file = environment.get("HTTP_TOKENS_FILE")
        if file:
            tokens += _tokens_in(file)
        if any(len(token) < _SHORTEST_TOKEN or not token.isascii() for token in tokens):
            raise ConfigurationError(
                f"a token in HTTP_TOKENS is too short to be a secret: make one of {_SHORTEST_TOKEN} or more characters"
                " of ASCII, by python3 -c 'import secrets; print(secrets.token_urlsafe())'"
            )
        log = environment.get("HTTP_LOG") or "human"
        if log not in ("human", "json"):
            raise ConfigurationError(f"HTTP_LOG is {shown(log)}: set it to human or json")
        hosts = tuple(host.lower() for host in _words(environment.get("HTTP_HOSTS", "")))
        origins = _words(environment.get("HTTP_ORIGINS", ""))
        return cls(tokens=tokens, hosts=(*LOCAL, *hosts), origins=origins, json_logs=log == "json")

    def check_address(self, host: str) -> None:
        """Raise :class:`~domain.errors.ConfigurationError` for an address that others reach, without a token."""
        if host != LOCAL[0] and not self.tokens:
            raise ConfigurationError(
                f"others could reach the address {host}, and everybody may call a server without a token:"
                " set HTTP_TOKENS or HTTP_TOKENS_FILE, or leave out --host"
            )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _tokens_in(file: str) -> tuple[str, ...]:
    try:
        lines = Path(file).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"HTTP_TOKENS_FILE cannot be read: {error}") from error
    if not lines:
        raise ConfigurationError(f"HTTP_TOKENS_FILE {shown(file)} holds no token: write one on each line")
    return tuple(lines)
