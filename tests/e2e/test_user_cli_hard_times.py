"""Imports that meet a full disk or only bad rows."""

from __future__ import annotations

import csv
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import Run, people, stored

# A file that would grow beyond this many bytes fails as on a full disk, with another message of the system.
LIMITED = (
    "import resource, sys; limit = int(sys.argv.pop(1)); resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit));"
    "from entrypoints.cli import main; main()"
)
# The peak memory of the process, on the last line of its output.
MEASURED = (
    "import atexit, resource; from entrypoints.cli import main;"
    "atexit.register(lambda: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)); main()"
)


@pytest.mark.slow
def test_an_import_after_a_full_disk_is_finished(call: Run, folder: Path) -> None:
    """An import that a full disk has ended is finished by running it again. No row is missing or doubled.

    It ends in an error that says what to do next.
    """
    (folder / "people.csv").write_bytes(people(5_000))
    command = [sys.executable, "-c", LIMITED, "600000", "import-users", "people.csv"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    before = stored(folder)
    again = call("import-users", "people.csv", "--json")
    assert (3, "", 2) == (ended.returncode, ended.stdout, len(ended.stderr.splitlines()))
    assert 0 < before < 5_000
    assert (0, 5_000 - before, before) == (again.code, again.json["stored"], again.json["present"])
    assert 5_000 == stored(folder)
    with closing(sqlite3.connect(folder / "people.db")) as connection:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_an_import_without_space_for_rejects(call: Run, folder: Path) -> None:
    """An import whose rejects found no space is finished by running it again. Every refused row is in the file.

    That includes rows whose batch was stored before.
    """
    rows = "".join(
        f"user{number},user{number}@example.com\nno name {number},x@example.com\n" for number in range(1_200)
    )
    (folder / "people.csv").write_text(f"username,email\n{rows}")
    ended = call("import-users", "people.csv", "--rejects", "/dev/full")
    again = call("import-users", "people.csv", "--rejects", "rejects.csv")
    with (folder / "rejects.csv").open(newline="") as rejects:
        refused = [row["username"] for row in csv.DictReader(rejects)]
    assert (1, "error: /dev/full: No space left on device\n") == (ended.code, ended.err)
    assert 1 == again.code
    assert [f"no name {number}" for number in range(1_200)] == refused
    assert 1_200 == stored(folder)


@pytest.mark.slow
def test_bad_rows_take_no_more_memory(folder: Path) -> None:
    """A longer import of bad rows takes no more memory. The rejects have every row in order. The exit code is 1."""
    kinds = (
        "no name {},a@example.com",
        "user{},no address",
        "user{}",
        'user{},"x"y',
        "é{},a@example.com",
        "user{},a@example.com,more",
    )
    peaks = []
    for count in (10_000, 100_000):
        rows = "".join(f"{kinds[number % len(kinds)].format(number)}\n" for number in range(count))
        (folder / "people.csv").write_text(f"username,email\n{rows}", encoding="latin-1")
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, "import-users", "people.csv"], capture_output=True, text=True, check=False
        )
        told, peak = done.stdout.splitlines()
        peaks.append(int(peak))
        with (folder / "people.csv.rejects.csv").open(newline="") as rejects:
            lines = [int(row["line"]) for row in csv.DictReader(rejects)]
        assert (1, f"stored: 0, stored before: 0, refused: {count}") == (done.returncode, told)
        assert [*range(2, count + 2)] == lines
    assert peaks[1] < peaks[0] * 1.1
