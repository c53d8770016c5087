"""Connect to MariaDB or MySQL: the options, and a time limit that the driver keeps only in part."""

from __future__ import annotations

import socket
from configparser import Error as ConfigParserError
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event, Timer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from adapters.sql.options import existing_file, truth, value_of, whole_number
from domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import URL


def _all_characters(text: str) -> str:
    if text.lower() != "utf8mb4":
        raise ValueError("is utf8mb4, the one that holds every character")
    return text


_OPTIONS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("user", "password", "unix_socket", "bind_address", "init_command", "sql_mode"), str),
    **dict.fromkeys(("program_name", "read_default_group"), str),
    **dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout", "max_allowed_packet"), whole_number),
    **dict.fromkeys(("local_infile", "ssl_disabled"), truth),
    "charset": _all_characters,
    "read_default_file": existing_file,
}
"""How the text of each option is read."""

# The driver's names of the TLS options, and how their text is read. By default the driver takes the certificates
# without verifying that of the server.
_TLS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "ssl_ca": ("ca", existing_file),
    "ssl_capath": ("capath", existing_file),
    "ssl_cert": ("cert", existing_file),
    "ssl_key": ("key", existing_file),
    "ssl_key_password": ("password", str),
    "ssl_cipher": ("cipher", str),
    "ssl_verify_cert": ("verify_mode", truth),
    "ssl_verify_identity": ("check_hostname", truth),
    "ssl_check_hostname": ("check_hostname", truth),
}

_ADVICE = {
    "ssl": "write ssl_ca=/path/of/ca.pem",
    "ssl_mode": "write ssl_ca=/path/of/ca.pem",
    "use_unicode": "leave it out, texts are Unicode",
    "autocommit": "leave it out, the unit of work commits",
    "port": "write it behind the host",
    "host": "write it behind the @",
}


def options_of(url: URL) -> dict[str, Any]:
    """Return the arguments of the driver for the options of a URL.

    Raises :class:`~domain.errors.ConfigurationError` for an option or a value that the driver does not take.
    """
    known = _OPTIONS | {name: read for name, (_, read) in _TLS.items()}
    for name in url.query:
        if name not in known:
            write = _ADVICE.get(name, "leave it out")
            raise ConfigurationError(f"DATABASE_URL has the option {name}, which is not known here: {write}")
    values = {name: value_of(name, str(text), known[name]) for name, text in url.query.items()}
    tls = {named: values.pop(name) for name, (named, _) in _TLS.items() if name in values}
    _check_tls(url, tls, is_disabled=values.get("ssl_disabled", False))
    if tls.get("verify_mode") is False:
        tls["check_hostname"] = False  # nothing says whose name it is
    return values | ({"ssl": tls} if tls else {})


def _check_tls(url: URL, tls: Mapping[str, Any], *, is_disabled: bool) -> None:
    """Refuse options that the driver would pass over without a word."""
    if tls and is_disabled:
        raise ConfigurationError("DATABASE_URL has ssl_disabled beside other options of TLS: write one or the other")
    if {"ssl_verify_identity", "ssl_check_hostname"} <= url.query.keys():
        raise ConfigurationError("DATABASE_URL has ssl_verify_identity and ssl_check_hostname, which are one")
    verified = tls.get("verify_mode"), tls.get("check_hostname")
    if True in verified and not tls.keys() & {"ca", "capath"}:
        raise ConfigurationError("DATABASE_URL has a server verified against nothing: write ssl_ca=/path/of/ca.pem too")
    if verified == (False, True):
        raise ConfigurationError("DATABASE_URL verifies the name of a server, but not its certificate: do both")


_CANNOT_CONNECT = 2003  # CR_CONN_HOST_ERROR, as the driver reports it


def driver_of(url: URL) -> Any:
    """Return the driver for a URL as a module whose ``connect`` keeps to its ``connect_timeout`` (seconds).

    The limit holds for reaching the server, and once more for logging in. The driver alone waits without end for a
    server that accepts a connection and then says nothing. Its ``read_timeout`` would also limit every statement.
    """
    # Not a listener to do_connect: that would keep the application's own listener, such as a log-in, from being called.
    driver = url.get_dialect().import_dbapi()
    return SimpleNamespace(**{**vars(driver), "connect": partial(_connect, driver)})


def _connect(driver: Any, **arguments: Any) -> Any:
    connection = _unconnected(driver, arguments)
    if connection.unix_socket:  # to the same machine
        connection.connect()
    else:
        _connect_in_time(connection, driver)
    return connection


def _unconnected(driver: Any, arguments: dict[str, Any]) -> Any:
    """Return a connection that is still to be made: so any error is one of the options, and of the files they name."""
    try:
        return driver.connect(**arguments, defer_connect=True)
    except ConfigParserError:  # it would show the line, which may have a password
        reason = "the file of read_default_file has lines that are no options, or none below [client]"
    except Exception as error:  # noqa: BLE001  # of OpenSSL, of the system, and of the driver
        reason = f"{type(error).__name__}: {error}"
    raise ConfigurationError(f"DATABASE_URL has an option that cannot be used: {reason}")


def _connect_in_time(connection: Any, driver: Any) -> None:
    try:
        with _reached(connection) as ours, _time_limit(ours, connection.connect_timeout):
            connection.connect(ours.dup())  # a copy, so ours still ends the connection when the driver encrypts it
    except UnicodeError as error:
        raise ConfigurationError(f"DATABASE_URL has a host that cannot be one: {connection.host}") from error
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
    """End a connection when the block takes longer. Raises TimeoutError in place of the error that follows."""
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
