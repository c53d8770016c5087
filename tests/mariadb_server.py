"""A real MariaDB for the tests, on Linux and macOS: no service, no container, nothing left behind.

`mariadb()` starts a throw-away server from the programs of the installed MariaDB, whose own server and settings it
leaves alone, or uses the server that the environment variable TEST_MARIADB_URL names; `new_database()` makes a database
there that is dropped at the end.
"""

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from tests.servers import Server, administrator, named_server, sandbox, temporary_database

DRIVER = "mysql+pymysql"

# Character set and collation stay what they are: the application must not rely on them.
SETTINGS = [
    "--bind-address=127.0.0.1",
    # No socket file: its path may have about 100 bytes, and temporary folders can be deeper.
    "--socket=",
    # Otherwise a client on 127.0.0.1 may be taken for one on localhost, which is another account.
    "--skip-name-resolve",
    # These three guard against a crash of the machine, and nobody wants these data after one. With 2, each commit is
    # still written before it is acknowledged, and so survives a crash of the server alone, here as in production.
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=off",
    "--debug-no-sync",
    # Small, since every process of a parallel test run starts a server.
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=16M",
    "--max-connections=100",
]


class MariadbMissing(Exception):
    """There are no MariaDB programs to start a server with; the message says what to do."""


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Yield the URL of a new, empty database on a server, with the character set it has there, and drop it at the end.

    The user in the server's URL needs all rights on databases whose names begin with ``plumbline_test_``.
    """
    with temporary_database(server, DRIVER, "CREATE DATABASE {}", "DROP DATABASE {}") as url:
        try:
            yield url
        finally:
            _disconnect_all(server, url)


@contextmanager
def mariadb() -> Iterator[str]:
    """Yield the URL of the server that TEST_MARIADB_URL names, or else of one of our own, as `mariadb_server()`."""
    with named_server("TEST_MARIADB_URL", mariadb_server) as server:
        yield server


@contextmanager
def mariadb_server() -> Iterator[str]:
    """Run a MariaDB as `own_mariadb()` does, and yield its superuser's URL."""
    with own_mariadb() as (url, _):
        yield url


@contextmanager
def own_mariadb() -> Iterator[tuple[str, Server]]:
    """Run a MariaDB of our own on a free port of 127.0.0.1 and yield its superuser's URL, and what can restart it.

    Server and files go at the end of the block, or soon after this process, however it died. Raises MariadbMissing
    without the programs, RuntimeError with the end of the log if the server does not start.
    """
    install, program = _find("mariadb-install-db"), _find("mariadbd")
    _find("my_print_defaults")  # which the installation calls, and which Debian has in another package
    with sandbox("mariadb") as box:
        # A password, because every user of this machine can reach the port, and a superuser can read and write files.
        # The accounts that the installation makes can be used through a socket file only, and there is none.
        password = secrets.token_hex(16)
        account = box.folder / "account.sql"
        account.write_text(f"GRANT ALL ON *.* TO 'root'@'127.0.0.1' IDENTIFIED BY '{password}' WITH GRANT OPTION;\n")
        settings = ["--no-defaults", f"--datadir={box.folder}/data", *SETTINGS]
        # --force: without looking up the name of this machine, which may take long or fail.
        box.run([install, *settings, "--auth-root-authentication-method=socket", "--skip-test-db", "--force"])
        command = [program, *settings, f"--init-file={account}"]
        # SIGKILL, because its files are thrown away, and it may hang when it is told to end while it starts.
        server = box.start(command, "ready for connections", "Bind on TCP/IP port", end=signal.SIGKILL)
        yield f"mysql://root:{password}@127.0.0.1:{server.port}/mysql", server


def _find(program: str) -> str:
    """Return the path of a program, which may be where only root looks for programs, or where nobody does."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/libexec")
    if path is None:
        raise MariadbMissing(
            f"no {program} of MariaDB here: set TEST_MARIADB_URL, or install the programs; on Debian:"
            " apt-get install mariadb-server-core mariadb-client-core"
        )
    return path


def _disconnect_all(server: str, database: str) -> None:
    """End the connections that a failed test left open: DROP DATABASE would wait a day for their transactions."""
    with administrator(server, DRIVER) as connection:
        left = "SELECT id FROM information_schema.processlist WHERE db = %s"
        for number in connection.exec_driver_sql(left, (make_url(database).database,)).scalars().all():
            with suppress(OperationalError):  # It has just ended by itself.
                connection.exec_driver_sql(f"KILL {number}")
