"""A real MariaDB for the tests, on Linux and macOS: no service, no container, nothing left behind.

`mariadb()` starts a throw-away server from the programs of the installed MariaDB, without touching its own server and
settings. Or it uses the server in the environment variable TEST_MARIADB_URL. `new_database()` makes a database there
and drops it at the end.
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

# Character set and collation keep their defaults: the application must not rely on them.
SETTINGS = [
    "--bind-address=127.0.0.1",
    # No socket file: its path may have about 100 bytes, and temporary folders can be deeper.
    "--socket=",
    # Otherwise a client on 127.0.0.1 may count as one on localhost, which is another account.
    "--skip-name-resolve",
    # These three guard against a crash of the machine, after which these data are worthless. With 2, each commit is
    # still written before it is acknowledged. So it survives a crash of the server alone, here as in production.
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=off",
    "--debug-no-sync",
    # Small, since every process of a parallel test run starts a server.
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=16M",
    "--max-connections=100",
]


class MariadbMissing(Exception):
    """The MariaDB programs to start a server are missing. The message says what to do."""


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Yield the URL of a new, empty database with the server's own character set, and drop it at the end.

    The user in the server's URL needs all rights on databases whose names begin with ``plumbline_test_``.
    """
    with temporary_database(server, DRIVER, "CREATE DATABASE {}", "DROP DATABASE {}") as url:
        try:
            yield url
        finally:
            _disconnect_all(server, url)


@contextmanager
def mariadb() -> Iterator[str]:
    """Yield the URL of the server in TEST_MARIADB_URL, or else of a new one, as `mariadb_server()`."""
    with named_server("TEST_MARIADB_URL", mariadb_server) as server:
        yield server


@contextmanager
def mariadb_server() -> Iterator[str]:
    """Run a MariaDB as `own_mariadb()` does, and yield its superuser's URL."""
    with own_mariadb() as (url, _):
        yield url


@contextmanager
def own_mariadb() -> Iterator[tuple[str, Server]]:
    """Run a new MariaDB on a free port of 127.0.0.1. Yield its superuser's URL, and what can restart it.

    Server and files are removed at the end of the block, or soon after this process, however it died.

    Raises:
        MariadbMissing: The programs are missing.
        RuntimeError: The server does not start. The message has the end of the log.
    """
    install, program = _find("mariadb-install-db"), _find("mariadbd")
    _find("my_print_defaults")  # the installation calls it, and Debian has it in another package
    with sandbox("mariadb") as box:
        # A password, because every user of this machine can reach the port, and a superuser can read and write files.
        # The accounts that the installation makes work only through a socket file, which the server does not have.
        password = secrets.token_hex(16)
        account = box.folder / "account.sql"
        account.write_text(f"GRANT ALL ON *.* TO 'root'@'127.0.0.1' IDENTIFIED BY '{password}' WITH GRANT OPTION;\n")
        settings = ["--no-defaults", f"--datadir={box.folder}/data", *SETTINGS]
        # --force: do not look up the name of this machine, which may take long or fail.
        box.run([install, *settings, "--auth-root-authentication-method=socket", "--skip-test-db", "--force"])
        command = [program, *settings, f"--init-file={account}"]
        # SIGKILL, because its files are thrown away, and it may hang when it gets a signal while it starts.
        server = box.start(command, "ready for connections", "Bind on TCP/IP port", end=signal.SIGKILL)
        yield f"mysql://root:{password}@127.0.0.1:{server.port}/mysql", server


def _find(program: str) -> str:
    """Return the path of a program, which may be outside of the search path, such as where root looks."""
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
