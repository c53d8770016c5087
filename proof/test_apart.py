"""The tests need nothing of the proof: a copy of the project without it is as sound."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the project without proof/, with this environment as its ``.venv``."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folder = tmp_path_factory.mktemp("apart")
    for name in filter(None, listed.split("\0")):
        if not name.startswith("proof/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def run(copy: Path, *command: str) -> None:
    """Run a command in the copy; fail with its output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    done = subprocess.run(
        command,
        cwd=copy,
        env={**kept, "PYTHONPATH": str(copy), "CASES": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["ruff check", "ruff format --check", "mypy", "lint-imports"])
def test_a_copy_without_the_proof_passes_the_checks(copy: Path, command: str) -> None:
    """Those of `make check`."""
    run(copy, *f".venv/bin/{command}".split())


@pytest.mark.slow
def test_a_copy_without_the_proof_passes_the_tests(copy: Path) -> None:
    """Those that need no server; the others import nothing else, since they are collected too."""
    pytest_here = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    run(copy, *pytest_here, "--collect-only")
    run(copy, *pytest_here, "-k", "not postgres and not mariadb", "tests/unit", "tests/contract")
    run(copy, *pytest_here, "tests/docs/test_links.py")
