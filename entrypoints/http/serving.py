"""The server: it listens, says where, and ends when it is asked to, after the requests that it has."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
from contextlib import closing
from threading import Timer
from typing import TYPE_CHECKING, Any, NoReturn

from uvicorn import Config, Server

from entrypoints.bootstrap import bootstrap
from entrypoints.http.application import make_app
from entrypoints.http.envelope import request_id
from entrypoints.http.settings import HttpSettings
from entrypoints.printing import print_line

if TYPE_CHECKING:
    from types import FrameType

    from starlette.types import ASGIApp

LONGEST_END = 30
"""How many seconds the server takes to end, at the most. The requests that it has get a second less."""


def serve(host: str, port: int) -> None:
    """Run the server until a signal ends it.

    Raises :class:`~domain.errors.ConfigurationError` for an address that others reach, without a token, and what
    :func:`~entrypoints.bootstrap.bootstrap` raises.
    """
    settings = HttpSettings.from_environment()
    settings.check_address(host)
    log_to(sys.stderr, as_json=settings.json_logs)
    signal.signal(signal.SIGTERM, _leave)  # uvicorn sends the signal again when it has ended
    with bootstrap() as application, closing(listen(host, port)) as listening:
        name = f"[{host}]" if ":" in host else host
        print_line(f"serving on http://{name}:{listening.getsockname()[1]}")
        server_of(make_app(application, settings)).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address. Raises ``OSError`` if it is in use, or not of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends each piece of an answer immediately only on a socket that says it is of TCP: otherwise a client
    # waits 40 ms for the second one.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except BaseException:
        listening.close()
        raise
    return listening


class PunctualServer(Server):
    """A server that ends in time, even if a request waits for a database that does not answer."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end. Python itself would wait for the thread of each request."""
        late = Timer(LONGEST_END, os._exit, [1])
        late.daemon = True
        late.start()
        super().handle_exit(sig, frame)


def server_of(app: ASGIApp) -> Server:
    """Return a server for an application."""
    return PunctualServer(
        Config(
            app,
            log_config=None,
            access_log=False,  # the envelope says more, without names of users
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=LONGEST_END - 1,
        )
    )


def _leave(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def log_to(stream: Any, *, as_json: bool) -> None:
    """Write the log to a stream, as lines for people or as JSON for programs."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if as_json else HumanLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("http", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)


class HumanLines(logging.Formatter):
    """One line for each event, and a traceback below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(request_id)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of an event."""
        record.request_id = request_id.get()
        return super().format(record)


class JsonLines(HumanLines):
    """One JSON object for each event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of an event."""
        super().format(record)  # which sets the message and the traceback
        return json.dumps(
            {
                "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
                "level": record.levelname.lower(),
                "logger": record.name,
                "request_id": request_id.get(),
                "message": record.message,
                **({"traceback": record.exc_text} if record.exc_text else {}),
            }
        )
