"""Two ways to run the command line on a new SQLite file: as a separate process and, ten times faster, in this one."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import frozen
from stamina.instrumentation import set_on_retry_hooks

from entrypoints.cli import main
from tests.e2e.http_server import Shared, serving

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "entrypoints.cli")

PEOPLE = b"username,email\nann,ann@example.com\nbob,bob@example.com\n"
"""A small file to import."""

# Variables that would change the output if they are set where the tests run.
_UNWANTED = (
    "COLUMNS",
    "DATABASE_ACCEPT_NEWER",
    "DATABASE_PING",
    "DATABASE_TIMEOUT",
    "FORCE_COLOR",
    "NO_COLOR",
    "PYTHONIOENCODING",
    "TERM",
    "TTY_COMPATIBLE",
)


@frozen
class Result:
    """The end of a command: its exit code and its output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output as the JSON that it should be."""
        return json.loads(self.out)


Run = Callable[..., Result]


def names(run: Run) -> list[str]:
    """Return the names of all users, oldest first."""
    return [user["username"] for user in run("list-users", "--limit", "1000", "--json").json["users"]]


def people(count: int) -> bytes:
    """Return a CSV file with a number of users."""
    rows = "".join(f"user{number},user{number}@example.com\n" for number in range(count))
    return f"username,email\n{rows}".encode()


def stored(folder: Path) -> int:
    """Return how many users the database file holds, read past the program."""
    try:
        with closing(sqlite3.connect(f"file:{folder / 'people.db'}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM users").fetchone()[0])
    except sqlite3.OperationalError:  # the file or its table does not exist yet
        return 0


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: empty, with the environment set for an SQLite file in it."""
    for name in _UNWANTED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///people.db")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONUTF8", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def on_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run on the fake, which starts in half the time."""
    monkeypatch.setenv("DATABASE_URL", "memory://")


@pytest.fixture
def run() -> Run:
    """Run a command as a process: ``run("get-user", "ann", stdin=b"", DATABASE_URL="memory://")``."""

    def run(*arguments: str, stdin: bytes = b"", **environment: str) -> Result:
        done = subprocess.run(
            [*COMMAND, *arguments], input=stdin, capture_output=True, env=os.environ | environment, check=False
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def call(folder: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run a command inside this process: ``call("import-users", "-", stdin=b"username,email")``."""

    def call(*arguments: str, stdin: bytes = b"") -> Result:
        with _standard_input(folder / "standard input", stdin), pytest.raises(SystemExit) as end:
            main(arguments)
        assert isinstance(end.value.code, int)
        return Result(end.value.code, *capfd.readouterr())

    yield call
    set_on_retry_hooks(None)  # a command has put its own there


@contextmanager
def _standard_input(file: Path, content: bytes) -> Iterator[None]:
    """Let file descriptor 0 read these bytes, as a shell's ``<`` does."""
    file.write_bytes(content)
    original = os.dup(0)
    with file.open("rb") as opened:
        os.dup2(opened.fileno(), 0)
    try:
        yield
    finally:
        os.dup2(original, 0)
        os.close(original)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Shared, httpx.Client]]:
    """A server for all tests, and what it works on."""
    shared = Shared()
    with serving(shared.unit) as client:
        yield shared, client
