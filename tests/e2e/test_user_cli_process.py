"""What only a separate process can show: pipes, terminals, signals, and what it imports."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import COMMAND, PEOPLE, Run, people, stored

SECONDS = 20
"""The longest wait for what should happen immediately."""


def on_terminal(*arguments: str) -> str:
    """Run a command on a terminal. Return all that it writes there."""
    controller, terminal = pty.openpty()
    environment = os.environ | {"COLUMNS": "80", "TERM": "xterm"}
    with subprocess.Popen([*COMMAND, *arguments], stdout=terminal, stderr=terminal, env=environment):
        os.close(terminal)
        written = b""
        try:
            while piece := os.read(controller, 65_536):
                written += piece
        except OSError:  # Linux reports in this way that the terminal is closed on the other side
            pass
        os.close(controller)
    return written.decode()


def test_the_next_process_finds_stored_users(run: Run, call: Run) -> None:
    """The next process finds what one has stored in a file of the current folder, made when it is missing."""
    created = run("create-user", "зоя", "ü@example.com", "--json")
    found = call("get-user", "ЗОЯ", "--json")
    assert (0, "", 0, "") == (created.code, created.err, found.code, found.err)
    assert created.json == found.json


def test_users_can_be_piped_between_databases(run: Run, call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users can be piped from one database into another, by export and import in UTF-8."""
    call("import-users", "-", stdin="username,email\nзоя,ü@example.com\n".encode())
    exported = run("export-users", "--format", "jsonl", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///elsewhere.db")
    imported = call("import-users", "-", "--format", "jsonl", stdin=exported.out.encode())
    assert (0, "") == (exported.code, exported.err)
    assert (0, "stored: 1, stored before: 0, refused: 0\n", "") == (imported.code, imported.out, imported.err)
    assert 0 == call("get-user", "зоя").code


@pytest.mark.slow
@pytest.mark.parametrize(("ended_by", "code", "lines"), [(signal.SIGKILL, -9, 0), (signal.SIGINT, 130, 1)])
def test_a_cut_import_is_finished_by_another_run(
    call: Run, folder: Path, ended_by: signal.Signals, code: int, lines: int
) -> None:
    """An import that Ctrl-C or kill -9 has ended is finished by running it again. No row is missing or doubled."""
    whole = people(2_500)
    # Tests started in the background, and their children, ignore Ctrl-C. This process must not.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from entrypoints.cli import main; main()"
    )
    command = [sys.executable, "-c", program, "import-users", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(whole[: len(whole) * 3 // 5])
        process.stdin.flush()
        deadline = time.monotonic() + SECONDS
        while stored(folder) < 1_000:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(ended_by)
        told = process.stderr.read().decode()
        assert (code, lines) == (process.wait(SECONDS), len(told.splitlines()))
    before = stored(folder)
    again = call("import-users", "-", "--json", stdin=whole)
    assert 1_000 <= before < 2_500
    assert (0, 2_500 - before, before) == (again.code, again.json["stored"], again.json["present"])
    assert 2_500 == stored(folder)


@pytest.mark.usefixtures("on_fake")
@pytest.mark.parametrize("arguments", [["list-users"], ["export-users"], ["--help"]])
def test_a_reader_that_has_gone_away_is_no_news(arguments: list[str]) -> None:
    """A reader that has gone is no error, as when the output is piped into head."""
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert (b"", 1) == (process.stderr.read(), process.wait(SECONDS))


@pytest.mark.usefixtures("on_fake")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("arguments", [["list-users"], ["export-users"]])
def test_unwritable_output_is_exit_code_1(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Output that cannot be written is one line and exit code 1: a full disk must not pass for success."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # with it, Python notices by itself
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (1, b"error: No space left on device\n") == (process.returncode, process.stderr)


@pytest.mark.usefixtures("on_fake")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize(
    "arguments",
    [["export-users", "--output", "/dev/full"], ["import-users", "people.csv", "--rejects", "/dev/full"]],
)
@pytest.mark.parametrize("bad_rows", [1, 500], ids=["noticed at the end", "noticed meanwhile"])
def test_a_file_that_cannot_be_written_is_named(call: Run, folder: Path, arguments: list[str], bad_rows: int) -> None:
    """A file that cannot be written is named, so the message says which disk is full, whenever that is noticed."""
    (folder / "people.csv").write_bytes(PEOPLE + b"no name\n" * bad_rows)
    result = call(*arguments)
    assert (1, "", "error: /dev/full: No space left on device\n") == (result.code, result.out, result.err)


@pytest.mark.usefixtures("on_fake")
def test_a_terminal_shows_the_code_of_a_character(run: Run) -> None:
    """A terminal that cannot show a character shows its code, in tables and in messages."""
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    shown = run("create-user", "зоя", "zoya@example.com", **ascii_only)
    refused = run("get-user", "зоя", **ascii_only)
    assert (0, 1) == (shown.code, refused.code)
    assert r"\u0437\u043e\u044f" in shown.out
    assert r"error: no user has the username '\u0437\u043e\u044f'" in refused.err


def test_an_unreachable_server_is_one_line(run: Run) -> None:
    """A server that cannot be reached is one line without the password, and exit code 3."""
    with socket.socket() as taken:  # bound and not listening, so no other program answers there
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://user:secret@127.0.0.1:{taken.getsockname()[1]}/people"
        result = run("list-users", DATABASE_URL=url)
    assert (3, "", 1) == (result.code, result.out, len(result.err.splitlines()))
    assert "secret" not in result.err
    assert "127.0.0.1" in result.err


@pytest.mark.usefixtures("on_fake")
def test_an_import_shows_its_progress(folder: Path) -> None:
    """An import shows its progress on a terminal, on standard error, until it ends. The result stays."""
    (folder / "people.csv").write_bytes(people(2_000))
    written = on_terminal("import-users", "people.csv")
    assert "2,000 rows" in written
    assert "stored: 2000, stored before: 0, refused: 0" in written.splitlines()[-1]


def test_help_loads_no_storage_and_draws_nothing() -> None:
    """Help loads no storage and draws nothing, so it answers immediately, as the completion of a shell must."""
    program = (
        "import atexit, sys; from entrypoints.cli import main;"
        "unwanted = {'adapters', 'sqlalchemy', 'alembic', 'rich', 'stamina'};"
        "atexit.register(lambda: print(sorted(unwanted & set(sys.modules))));"
        "main(['--help'])"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert "[]" == process.stdout.splitlines()[-1]
