"""Measure how long a command takes to start, beside an idle interpreter, and what it imports.

    python -m proof.benchmarks.start_up [--write]

The commands take turns. --write updates the table in docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from proof.benchmarks.report import put_between_marks

ROOT = Path(__file__).parents[2]
RUNS = 15
OWN = ("adapters", "domain", "entrypoints", "service_layer")
SHOWN = ("attr", "email_validator", "precis_i18n", "rich", "sqlalchemy", "typer")

TEST = f"{ROOT}/tests/unit/test_users.py"

APP = ["-m", "entrypoints.cli"]
COMMANDS = {
    "an interpreter alone": ["-c", "pass"],
    "`app --help`": [*APP, "--help"],
    "`app get-user ann`": [*APP, "get-user", "ann"],
    "a test of the domain": [
        "-m",
        "pytest",
        "-pno:cacheprovider",
        "-c",
        f"{ROOT}/pyproject.toml",
        "-s",
        "-k",
        "immediately",
        TEST,
    ],
}


def run(arguments: list[str], folder: str) -> tuple[float, str]:
    """Run Python. Return the seconds and its standard error."""
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{folder}/app.db", "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - start, done.stderr


def imported(arguments: list[str], folder: str) -> Counter[str]:
    """Return the microseconds of importing, by package. Other modules count as Python's own."""
    found: Counter[str] = Counter()
    _, told = run(["-X", "importtime", *arguments], folder)
    for line in told.splitlines():
        own, _, module = (part.strip() for part in line.removeprefix("import time:").split("|"))
        package = module.partition(".")[0]
        if own.isdigit():
            name = "the project" if package in OWN else package if package in SHOWN else "Python's own and others"
            found[name] += int(own)
    return found


def main() -> None:
    """Measure in turns, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="plumbline-bench-") as folder:
        run([*APP, "create-user", "ann", "ann@example.com"], folder)
        seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(RUNS):
            for name, arguments in COMMANDS.items():
                seconds[name].append(run(arguments, folder)[0])
        lines = ["| | seconds | of which imports, in milliseconds |", "|---|---:|---|"]
        for name, arguments in COMMANDS.items():
            parts = ", ".join(
                f"{package} {took / 1000:.0f}" for package, took in imported(arguments, folder).most_common()
            )
            lines.append(f"| {name} | {median(seconds[name]):.2f} | {parts} |")
    print("\n".join(lines))
    if given.write:
        put_between_marks("start-up", "\n".join(lines))


if __name__ == "__main__":
    main()
