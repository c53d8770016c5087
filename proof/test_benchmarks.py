"""The benchmarks run, and measure something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_import_is_measured_beside_the_bare_driver_and_the_validation(postgres_database: str) -> None:
    """On SQLite, which is the default, and on PostgreSQL; each contender is checked to have done the work."""
    for arguments in ([], [postgres_database]):
        command = [sys.executable, "proof/benchmarks/import_users.py", "500", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for name in ("import_users", "validation", "bare driver", "memory added"):
            assert name in done.stdout


@pytest.mark.slow
def test_the_skeleton_is_measured_beside_other_ways_whose_work_is_checked(postgres_database: str) -> None:
    """With those whose libraries are installed: the development environment has SQLAlchemy and the drivers alone."""
    arguments = ["--rounds", "1", "--bulk", "20", "--server", postgres_database]
    command = [sys.executable, "-m", "proof.benchmarks.side_by_side", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for title in ("microseconds", "round trips", "memory"):
        for database in ("SQLite", "PostgreSQL"):
            assert f"### {database}: {title}\n" in done.stdout
    assert "| | Plumbline | SQLAlchemy ORM | SQLAlchemy Core | bare driver | textbook unit of work |" in done.stdout


@pytest.mark.slow
def test_the_fake_is_measured_beside_sqlite_in_memory() -> None:
    """In processes of their own, which check that the units have done their work."""
    command = [sys.executable, "proof/benchmarks/fake.py", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("add", "get", "change", "refuse", "page"):
        assert f"  {name} " in done.stdout


@pytest.mark.slow
def test_what_grows_and_how_long_a_start_takes_are_measured() -> None:
    """In processes of their own, on SQLite and on PostgreSQL; the figures are printed as tables."""
    for arguments, titles in (
        (["proof.benchmarks.growth", "--size", "200"], ["| SQLite | 200 |", "| PostgreSQL | 200 |"]),
        (["proof.benchmarks.start_up"], ["| `app --help` |", "| `app get-user ann` |", "| a test of the domain |"]),
    ):
        done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for title in titles:
            assert title in done.stdout
