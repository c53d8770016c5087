"""A proxy before a PostgreSQL or MariaDB server that cuts connections at a COMMIT, before it arrives or after it.

It reads the messages that clients send, whole ones, however they come in: a COMMIT is recognised by its message and not
by its letters, which could be a part of anything.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum

from attrs import define
from sqlalchemy import make_url

_COMMIT = b"COMMIT"


class Cut(Enum):
    """Where a connection is cut: before the COMMIT reaches the server, or before its reply reaches the client."""

    BEFORE = "before"
    AFTER = "after"


@define
class PostgresMessages:
    """Divides what a client sends into messages (PostgreSQL manual, *Message Formats*)."""

    _rest: bytes = b""
    _has_begun: bool = False  # until the start-up message, no message has a type

    def divide(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Yield each message that is complete by now, and whether it is a COMMIT."""
        self._rest += data
        while True:
            head = 1 if self._has_begun else 0
            if len(self._rest) < head + 4:
                return
            end = head + int.from_bytes(self._rest[head : head + 4])  # which counts itself
            if len(self._rest) < end:
                return
            message, self._rest = self._rest[:end], self._rest[end:]
            if not self._has_begun:
                # Before it, a client may ask for encryption, by a code whose major version is 1234.
                self._has_begun = int.from_bytes(message[4:6]) == 3
                yield message, False
            else:
                yield message, message[:1] == b"Q" and message[5:].rstrip(b"\0; ").upper() == _COMMIT


@define
class MysqlMessages:
    """Divides what a client sends into packets (MariaDB's documentation, *Client/Server Protocol*)."""

    _rest: bytes = b""

    def divide(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Yield each packet that is complete by now, and whether it is a COMMIT."""
        self._rest += data
        while len(self._rest) >= 4:
            end = 4 + int.from_bytes(self._rest[:3], "little")
            if len(self._rest) < end:
                return
            message, self._rest = self._rest[:end], self._rest[end:]
            yield message, message[4:5] == b"\x03" and message[5:].rstrip(b"; ").upper() == _COMMIT


class CuttingProxy:
    """Passes everything on, and asks ``decide`` at each COMMIT where to cut its connection, if at all."""

    def __init__(self, url: str, decide: Callable[[], Cut | None]) -> None:
        parts = make_url(url)
        is_postgres = parts.get_backend_name() == "postgresql"
        self._messages = PostgresMessages if is_postgres else MysqlMessages
        self._server = (parts.host or "127.0.0.1", parts.port or (5432 if is_postgres else 3306))
        self._decide = decide
        self._listener = socket.create_server(("127.0.0.1", 0))
        through = parts.set(host="127.0.0.1", port=self._listener.getsockname()[1])
        self.url = through.render_as_string(hide_password=False)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more clients."""
        self._listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread that waits for them
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server, suppress(ConnectionError):
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            messages = self._messages()
            while True:
                readable, _, _ = select.select([client, server], [], [])
                if server in readable:
                    answer = server.recv(1 << 16)
                    if not answer:
                        return
                    client.sendall(answer)
                if client in readable:
                    data = client.recv(1 << 16)
                    if not data or not self._pass_on(messages.divide(data), server):
                        return

    def _pass_on(self, messages: Iterator[tuple[bytes, bool]], server: socket.socket) -> bool:
        """Send messages to the server, and return whether the connection goes on."""
        for message, is_commit in messages:
            cut = self._decide() if is_commit else None
            if cut is Cut.BEFORE:
                return False
            server.sendall(message)
            if cut is Cut.AFTER:
                server.recv(1 << 16)  # the reply, which the client never sees
                return False
        return True


@contextmanager
def cutting_proxy(url: str, decide: Callable[[], Cut | None]) -> Iterator[str]:
    """Yield the URL of the same database through a proxy."""
    proxy = CuttingProxy(url, decide)
    try:
        yield proxy.url
    finally:
        proxy.close()
