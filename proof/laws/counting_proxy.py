"""A proxy before a database server that counts how often a client has to wait for an answer."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from attrs import define, field
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Iterator


@define(eq=False)
class Link:
    """The connection of one client, and the proxy's own connection to the server for it."""

    client: socket.socket
    server: socket.socket
    waiting: bool = False
    said: bytes = b""
    """The end of the server's last message."""
    over: threading.Event = field(factory=threading.Event)
    """Set when the client knows that nothing more will come."""

    def cut(self) -> None:
        """End both connections, visibly for either side."""
        for one in (self.client, self.server):
            with suppress(OSError):  # it has ended already
                one.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Passes everything on. Each message of a client after one of the server begins a round trip."""

    def __init__(self, host: str, port: int) -> None:
        self.trips = 0
        self.server = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def request(self, _link: Link, data: bytes) -> bytes:
        """Count the beginning of a round trip. Return the data for the server."""
        self.trips += 1
        return data

    def answer(self, _link: Link, data: bytes) -> bytes:
        """Return the data for the client, from a message of the server."""
        return data

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(ConnectionRefusedError), socket.create_connection(self.server) as server:
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._begin(Link(client, server))

    def _begin(self, link: Link) -> None:
        answers = threading.Thread(target=self._pass_on_answers, args=(link,), daemon=True)
        answers.start()
        with suppress(OSError):
            while data := link.client.recv(65536):
                if not link.waiting:
                    link.waiting = True
                    data = self.request(link, data)
                link.server.sendall(data)
        with suppress(OSError):
            link.server.shutdown(socket.SHUT_WR)
        answers.join()

    def _pass_on_answers(self, link: Link) -> None:
        with suppress(OSError):
            while data := link.server.recv(65536):
                link.said = (link.said + data)[-16:]
                link.waiting = False
                link.client.sendall(self.answer(link, data))
        with suppress(OSError):
            link.client.shutdown(socket.SHUT_WR)
        link.over.set()


AnyProxy = TypeVar("AnyProxy", bound=Proxy)


@contextmanager
def proxy_to(url: str, kind: type[AnyProxy]) -> Iterator[tuple[AnyProxy, str]]:
    """Yield a proxy before the server of a URL, and the URL of the same database through it."""
    real = make_url(url)
    port = real.port or (5432 if real.get_backend_name() == "postgresql" else 3306)
    proxy = kind(real.host or "127.0.0.1", port)
    try:
        yield proxy, real.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
    finally:
        proxy.listener.shutdown(socket.SHUT_RDWR)  # this wakes the thread that waits for clients
        proxy.listener.close()
