"""A PostgreSQL of our own that can be stopped at once, as by ``pg_ctl stop -m immediate``, and started again."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define

from tests.postgres_server import SETTINGS, _find_programs
from tests.servers import START_SECONDS, Sandbox, sandbox

# Below those that systems give to clients (32768 and up on Linux): while the server is down, a client that tries to
# connect to such a port could be given that very port, and so be connected to itself.
PORTS = range(20000, 32000)

STOP_SECONDS = 30


@define
class RestartablePostgres:
    """A server with the URL of its superuser; it stays on its port and its files."""

    url: str
    _box: Sandbox
    _command: list[str]
    _server: subprocess.Popen[Any] | None = None

    def start(self) -> None:
        """Start the server, and return when it accepts connections; after an immediate stop, it recovers first."""
        log = self._box.folder / "log"
        with log.open("wb") as output:
            self._server = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **self._box.options,
            )
        give_up = time.monotonic() + START_SECONDS
        while "ready to accept connections" not in log.read_text(errors="replace"):
            if self._server.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"PostgreSQL did not start; its log:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.005)

    def stop_at_once(self) -> None:
        """Stop the server without a checkpoint or a word to its clients, and return when it has ended."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(STOP_SECONDS)


@contextmanager
def restartable_postgres() -> Iterator[RestartablePostgres]:
    """Run a PostgreSQL of our own on 127.0.0.1; server and files go at the end of the block.

    Raises PostgresMissing without the programs, RuntimeError with the end of the log if the server does not start.
    """
    with sandbox("postgres") as box:
        programs = _find_programs(box)
        password = secrets.token_hex(16)
        (box.folder / "password").write_text(password)
        initdb = [f"{programs}/initdb", "-D", f"{box.folder}/data", "-U", "postgres", "--auth=password"]
        box.run([*initdb, "--pwfile=password", "--encoding=UTF8", "--no-locale", "--no-sync"])
        port = _free_port()
        command = [f"{programs}/postgres", "-D", f"{box.folder}/data", *SETTINGS, f"--port={port}"]
        server = RestartablePostgres(f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres", box, command)
        server.start()
        try:
            yield server
        finally:
            server.stop_at_once()


def _free_port() -> int:
    for _ in range(20):
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port among 20 of {PORTS.start} to {PORTS.stop - 1}")
