"""Copies of the project without some of its files, to show that the rest works without them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[1]
CHECKS = ("ruff check", "ruff format --check", "mypy", "lint-imports")
"""The commands of `make check`."""


@frozen
class Copy:
    """A copy of the project in a folder, with this environment as its ``.venv``."""

    folder: Path

    def run(self, *command: str) -> None:
        """Run a command in the copy. Fail with its output."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**kept, "PYTHONPATH": str(self.folder), "CASES": "one"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def check(self) -> None:
        """Run the checks."""
        for command in CHECKS:
            self.run(*f".venv/bin/{command}".split())

    def test(self, *selection: str) -> None:
        """Run tests. Without a selection, run all that need no server, and collect the others."""
        pytest_here = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
        if selection:
            self.run(*pytest_here, *selection)
        else:
            self.run(*pytest_here, "--collect-only")
            self.run(*pytest_here, "-k", "not postgres and not mariadb")


def copied(folder: Path, *kept: str) -> Copy:
    """Return a copy of the project's own files, without its proof but for the files and folders that are kept."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if not name.startswith("proof/") or name.startswith(kept):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return Copy(folder)
