"""A real PgBouncer for the tests, before a PostgreSQL server: no service, nothing left behind.

It gives each transaction another connection to the server, as services that pool connections do.
"""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url

from tests.servers import sandbox

SETTINGS = """
[databases]
* = host={host} port={port} user={username} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = PORT
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 200
{more}
"""

# The last argument is --port=..., which PgBouncer takes only from its file.
START = 'sed "s/PORT/${1#--port=}/" settings > pgbouncer.ini && exec "$0" pgbouncer.ini'


class PgbouncerMissing(Exception):
    """PgBouncer is missing. The message says what to do."""


@contextmanager
def pgbouncer(server: str, more: str = "") -> Iterator[str]:
    """Run a PgBouncer in transaction mode before a server, with more settings. Yield the URL through it."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        raise PgbouncerMissing("no PgBouncer here: install Debian's package pgbouncer")
    url = make_url(server)
    with sandbox("pgbouncer") as box:
        text = SETTINGS.format(host=url.host, port=url.port, username=url.username, password=url.password, more=more)
        (box.folder / "settings").write_text(text)
        box.run(["/bin/true"])  # this gives the files to the user that runs the server
        running = box.start(["/bin/sh", "-c", START, program], "process up", "in use", end=signal.SIGINT)
        yield url.set(host="127.0.0.1", port=running.port).render_as_string(hide_password=False)
