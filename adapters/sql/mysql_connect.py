"""How a connection to MariaDB or MySQL is made within a time limit, which the driver keeps only in part."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event, Timer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

_CANNOT_CONNECT = 2003  # CR_CONN_HOST_ERROR, as the driver says it


def driver_of(url: URL) -> Any:
    """Return the driver for a URL, as a module whose ``connect`` keeps to its ``connect_timeout`` (seconds).

    It is the limit for reaching the server, and once more for logging in. By itself the driver waits without end for a
    server that accepts a connection and then says nothing; its ``read_timeout`` would be a limit for every statement,
    too.
    """
    # Not by a listener of do_connect, which would keep those of an application from being asked: its log-in, say.
    driver = url.get_dialect().import_dbapi()
    return SimpleNamespace(**{**vars(driver), "connect": partial(_connect, driver)})


def _connect(driver: Any, **arguments: Any) -> Any:
    connection = driver.connect(**arguments, defer_connect=True)
    if connection.unix_socket:  # to the same machine
        connection.connect()
    else:
        _connect_in_time(connection, driver)
    return connection


def _connect_in_time(connection: Any, driver: Any) -> None:
    try:
        with _reached(connection) as ours, _time_limit(ours, connection.connect_timeout):
            connection.connect(ours.dup())  # a copy, so that ours still ends the connection when the driver encrypts it
    except OSError as error:
        message = f"Can't connect to MySQL server on {connection.host!r} ({error})"
        raise driver.OperationalError(_CANNOT_CONNECT, message) from error


def _reached(connection: Any) -> socket.socket:
    """Return a socket that the server has accepted, set up as the driver does it."""
    source = (connection.bind_address, 0) if connection.bind_address else None
    ours = socket.create_connection((connection.host, connection.port), connection.connect_timeout, source)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return ours


@contextmanager
def _time_limit(connection: socket.socket, seconds: float) -> Iterator[None]:
    """End a connection when the block takes longer; raises TimeoutError in the place of what comes of that."""
    too_late = Event()

    def end() -> None:
        too_late.set()
        with suppress(OSError):  # the server has just ended it
            connection.shutdown(socket.SHUT_RDWR)

    watch = Timer(seconds, end)
    watch.start()
    try:
        yield
    except Exception as error:
        if too_late.is_set():
            raise TimeoutError(f"it did not answer within {seconds} seconds") from error
        raise
    finally:
        watch.cancel()
        watch.join()
