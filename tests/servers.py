"""What the throw-away database servers of the tests share. Each server has its own file beside this one.

A server runs in a `sandbox()`, which leaves nothing behind, and gives each test a `temporary_database()`.
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
# Below the ports that systems give to clients (32768 and up on Linux). While a server is down, a client that tries to
# reach such a port can get that very port and so connect to itself.
PORTS = range(20000, 32000)

# Reads a line if all was tidied up, and end of file if the test run died before it could (kill -9). Then it ends its
# process group, which is the server or what prepares it. It removes the files when these processes have had time to
# end. The last kill, which ends the watcher too, is for a MariaDB that hangs, as it may when it gets a signal while it
# starts.
WATCHER = """
read -r _ && exit
trap '' QUIT
kill -QUIT 0
for pause in 1 5; do sleep $pause; rm -rf "$1"; done
kill -KILL 0
"""


@contextmanager
def named_server(variable: str, own: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Yield the URL of the server in an environment variable, or else of a new one."""
    given = os.environ.get(variable)
    with nullcontext(given) if given else own() as server:
        yield server


@contextmanager
def temporary_database(server: str, driver: str, create: str, drop: str) -> Iterator[str]:
    """Yield the URL of a new database on a server, and drop it at the end.

    The driver has its SQLAlchemy name. Each statement has a ``{}`` for the name of the database.
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
    """The place of a server: a folder for its files, and how subprocess starts a program there."""

    folder: Path
    options: dict[str, Any]
    _stack: ExitStack

    def run(self, command: list[str]) -> None:
        """Run a program that prepares the server. Raises RuntimeError with its output if it fails."""
        if "user" in self.options:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.options["user"], self.options["group"])
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **self.options
        )
        if done.returncode != 0:
            raise RuntimeError(f"{Path(command[0]).name} failed: {done.stdout}")

    def start(self, command: list[str], ready: str, port_taken: str, end: signal.Signals) -> "Server":
        """Start a server and return it once it accepts connections. The sandbox will end it by the signal ``end``.

        ``ready`` is the text in its log then. ``port_taken`` is the text if another program has the port. Raises
        RuntimeError with the end of the log if the server does not start.
        """
        for _ in range(PORTS_TRIED):
            # Another program may have the port or take it now. Then the server says so and ends, and we try another
            # port.
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
    """A server in a sandbox. It can be stopped and started again on the same port with the same files."""

    box: Sandbox
    command: list[str]
    ready: str
    end: signal.Signals
    port: int
    _process: subprocess.Popen[Any] | None = None

    def start(self) -> str:
        """Start the server. Return its log when it is ready or has failed."""
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
        """End the server and all connections to it."""
        if self._process is not None:
            _stop(self._process, self.end)
            self._process = None


@contextmanager
def sandbox(name: str) -> Iterator[Sandbox]:
    """Yield a sandbox.

    Programs and files are removed at the end of the block, or soon after this process, however it died.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix=f"plumbline-{name}-")))
        # A new process group, since Ctrl-C is for the test run, which still needs the server to tidy up. Not
        # prctl(PR_SET_PDEATHSIG): it exists only on Linux, leaves the files, and fires when the starting thread ends.
        watcher = subprocess.Popen(
            ["/bin/sh", "-c", WATCHER, "watcher", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        stack.callback(watcher.communicate, b"\n")
        # Temporary files belong into the folder as well.
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
        # Asked before the log is read: the log of an ended server is then complete.
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
