"""What the throw-away database servers of the tests have in common; each has a file of its own beside this one.

A server runs in a `sandbox()`, of which nothing is left behind, and gives each test a `temporary_database()`.
"""

import os
import pwd
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import define, frozen
from sqlalchemy import Connection, NullPool, create_engine, make_url

START_SECONDS = 20
STOP_SECONDS = 10
PORTS_TRIED = 20
# Below those that systems give to clients (32768 and up on Linux): while a server is down, a client that tries to reach
# such a port can be given that very port, and so be connected to itself.
PORTS = range(20000, 32000)

# Reads a line if all was tidied up, and end of file if the test run died before it could (kill -9). Then it ends its
# process group, which is the server or what prepares it, and removes the files when these have had time to end. The
# last kill, which ends the watcher too, is for a MariaDB that hangs, as it may when told to end while it starts.
WATCHER = """
read -r _ && exit
trap '' QUIT
kill -QUIT 0
for pause in 1 5; do sleep $pause; rm -rf "$1"; done
kill -KILL 0
"""


@contextmanager
def named_server(variable: str, own: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Yield the URL of the server that an environment variable names, or else of one of our own."""
    given = os.environ.get(variable)
    with nullcontext(given) if given else own() as server:
        yield server


@contextmanager
def temporary_database(server: str, driver: str, create: str, drop: str) -> Iterator[str]:
    """Yield the URL of a new database on a server, and drop it at the end.

    The driver is named as SQLAlchemy does. Each statement has a ``{}`` where the database's name belongs.
    """
    name = f"plumbline_test_{secrets.token_hex(8)}"
    with administrator(server, driver) as connection:
        connection.exec_driver_sql(create.format(name))
    try:
        url = make_url(server).set(drivername=driver.partition("+")[0], database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        with administrator(server, driver) as connection:
            connection.exec_driver_sql(drop.format(name))


@contextmanager
def administrator(server: str, driver: str) -> Iterator[Connection]:
    """Yield a connection for statements that are not allowed in a transaction."""
    url = make_url(server).set(drivername=driver)
    with create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        yield connection


@frozen
class Sandbox:
    """Where a server of our own runs: a folder for its files, and how subprocess starts a program there."""

    folder: Path
    options: dict[str, Any]
    _stack: ExitStack

    def run(self, command: list[str]) -> None:
        """Run a program that prepares the server; raises RuntimeError with what it says if it fails."""
        if "user" in self.options:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.options["user"], self.options["group"])
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **self.options
        )
        if done.returncode != 0:
            raise RuntimeError(f"{Path(command[0]).name} failed: {done.stdout}")

    def start(self, command: list[str], ready: str, port_taken: str, end: signal.Signals) -> "Server":
        """Start a server, and return it once it accepts connections; the sandbox will end it, by the signal ``end``.

        ``ready`` is what its log says then, and ``port_taken`` what it says if somebody else has the port. Raises
        RuntimeError with the end of the log if the server does not start.
        """
        for _ in range(PORTS_TRIED):
            # Somebody else may have the port, or take it now: then the server says so and ends, and we try another.
            port = secrets.choice(PORTS)
            server = Server(self, command, ready, end, port)
            self._stack.callback(server.stop)
            messages = server.start()
            if ready in messages:
                return server
            if port_taken not in messages:
                break
        raise RuntimeError(f"{Path(command[0]).name} did not start; the end of its log:\n{messages[-2000:]}")


@define(eq=False)
class Server:
    """A server in a sandbox, which can be stopped and started again on the same port and with the same files."""

    box: Sandbox
    command: list[str]
    ready: str
    end: signal.Signals
    port: int
    _process: subprocess.Popen[Any] | None = None

    def start(self) -> str:
        """Start it; return what its log says when it is ready, or has failed to be."""
        log = self.box.folder / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*self.command, f"--port={self.port}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **self.box.options,
            )
        return _wait(self._process, log, self.ready)

    def stop(self) -> None:
        """End it, and all connections to it."""
        if self._process is not None:
            _stop(self._process, self.end)
            self._process = None


@contextmanager
def sandbox(name: str) -> Iterator[Sandbox]:
    """Yield a sandbox. Programs and files go at the end of the block, or soon after this process, however it died."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix=f"plumbline-{name}-")))
        # A process group of their own, since Ctrl-C is for the test run, which still needs the server to tidy up.
        # Not prctl(PR_SET_PDEATHSIG): it is Linux's alone, leaves the files, and fires when the starting thread ends.
        watcher = subprocess.Popen(
            ["/bin/sh", "-c", WATCHER, "watcher", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        stack.callback(watcher.communicate, b"\n")
        # Temporary files belong into the folder, too.
        environment = os.environ | {"TMPDIR": str(folder)}
        options: dict[str, Any] = {"cwd": folder, "env": environment, "process_group": watcher.pid}
        if os.geteuid() == 0:  # The servers refuse to run as root.
            nobody = pwd.getpwnam("nobody")
            options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        yield Sandbox(folder, options, stack)


def _wait(server: subprocess.Popen[Any], log: Path, ready: str) -> str:
    """Return the log when the server is ready, has ended or has had START_SECONDS.

    The log, not a connection, because another server may be the one that answers on the port.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        # Asked before the log is read: of a server that has ended, the log is then complete.
        over = server.poll() is not None or time.monotonic() > deadline
        messages = log.read_text(errors="replace")
        if over or ready in messages:
            return messages
        time.sleep(0.01)


def _stop(server: subprocess.Popen[Any], end: signal.Signals) -> None:
    """End the server by a signal, or by SIGKILL if that takes too long."""
    server.send_signal(end)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
