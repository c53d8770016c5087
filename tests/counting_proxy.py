"""A proxy before a PostgreSQL server that counts how often a client has to wait for an answer."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator


class Proxy:
    """Passes everything on. What a client sends after the server has spoken begins another round trip."""

    def __init__(self, host: str, port: int) -> None:
        self.trips = 0
        self.server = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        waiting = threading.Event()
        with client, socket.create_connection(self.server) as server:
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = threading.Thread(target=self._pass_on, args=(server, client, waiting, False), daemon=True)
            answers.start()
            self._pass_on(client, server, waiting, asks=True)
            answers.join()

    def _pass_on(self, source: socket.socket, target: socket.socket, waiting: threading.Event, asks: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not asks:
                    waiting.clear()
                elif not waiting.is_set():
                    waiting.set()
                    self.trips += 1
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def proxy_to(url: str) -> Iterator[tuple[Proxy, str]]:
    """Yield a proxy before the server of a URL, and the URL of the same database through it."""
    real = make_url(url)
    proxy = Proxy(real.host or "127.0.0.1", real.port or 5432)
    try:
        yield proxy, real.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
    finally:
        proxy.listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread that waits for clients
        proxy.listener.close()
