"""The benchmarks run and measure something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_import_is_measured(postgres_database: str) -> None:
    """The import is measured beside the bare driver and the validation, on SQLite and on PostgreSQL.

    Each contender's work is checked.
    """
    for arguments in ([], [postgres_database]):
        command = [sys.executable, "-m", "proof.benchmarks.import_users", "500", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for name in ("import_users", "validation", "bare driver", "memory added"):
            assert name in done.stdout


@pytest.mark.slow
def test_the_skeleton_is_measured(postgres_database: str) -> None:
    """The skeleton is measured beside other ways whose libraries are installed, and their work is checked.

    The development environment has SQLAlchemy and the drivers alone.
    """
    arguments = ["--rounds", "1", "--bulk", "20", "--server", postgres_database]
    command = [sys.executable, "-m", "proof.benchmarks.side_by_side", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for title in ("microseconds", "round trips", "memory"):
        for database in ("SQLite", "PostgreSQL"):
            assert f"### {database}: {title}\n" in done.stdout
    assert "| | Plumbline | SQLAlchemy ORM | SQLAlchemy Core | bare driver | textbook unit of work |" in done.stdout


@pytest.mark.slow
def test_the_fake_is_measured() -> None:
    """The fake is measured beside SQLite in memory, in separate processes that check the work of the units."""
    command = [sys.executable, "-m", "proof.benchmarks.fake", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("add", "get", "change", "refuse", "page"):
        assert f"  {name} " in done.stdout


@pytest.mark.slow
def test_growth_and_start_up_are_measured() -> None:
    """Growth and start-up are measured in separate processes, on SQLite and PostgreSQL, and printed as tables."""
    for arguments, titles in (
        (["proof.benchmarks.growth", "--size", "200"], ["| SQLite | 200 |", "| PostgreSQL | 200 |"]),
        (["proof.benchmarks.start_up"], ["| `app --help` |", "| `app get-user ann` |", "| a test of the domain |"]),
    ):
        done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for title in titles:
            assert title in done.stdout


@pytest.mark.slow
def test_the_server_is_measured(postgres_database: str) -> None:
    """The server is measured beside a bare application, and the users that both have created are counted."""
    if shutil.which("wrk") is None and os.environ.get("CI") != "true":
        pytest.skip("wrk is not installed")
    arguments = ["--seconds", "1", "--turns", "1", "--connections", "4", "--server", postgres_database]
    command = [sys.executable, "-m", "proof.benchmarks.http", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for title in ("`GET /users/{username}`", "`GET /users?limit=100`", "`POST /users`", "`POST /users` with a key"):
        assert f"| {title} | " in done.stdout
    assert "| start to first answer | " in done.stdout
    assert "no errors" in done.stdout


@pytest.mark.slow
def test_the_server_is_not_measured_without_wrk(tmp_path: Path) -> None:
    """It says what is missing, in one line."""
    command = [sys.executable, "-m", "proof.benchmarks.http"]
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (2, "wrk is not installed: apt-get install -y wrk\n") == (done.returncode, done.stderr)
