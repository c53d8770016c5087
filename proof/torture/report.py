"""Report the findings of the torture: on the terminal, and as tables in docs/reliability.md."""

from __future__ import annotations

import platform
import secrets
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime

from proof.benchmarks.report import machine, put_between_marks

SHOWN = 20


def parser(program: str, description: str | None) -> ArgumentParser:
    """Return a parser that knows ``--seed`` and ``--write``."""
    made = ArgumentParser(prog=f"python -m proof.torture {program}", description=description)
    made.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32), help="of all that is random")
    made.add_argument("--write", action="store_true", help="put the figures into docs/reliability.md")
    return made


def complain(violations: Sequence[str]) -> int:
    """Print what is wrong. Return the exit code: 1 if anything is."""
    for violation in violations[:SHOWN]:
        print(f"VIOLATION: {violation}")
    if len(violations) > SHOWN:
        print(f"and {len(violations) - SHOWN} more")
    return 1 if violations else 0


def write(name: str, options: Namespace, command: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Put a table and its circumstances between the marks of this name, if asked to and if it has any row."""
    if not (options.write and rows):
        return
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    for row in rows:
        cells = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    circumstances = (
        f"Run on {datetime.now(UTC):%Y-%m-%d} by `python -m proof.torture {command} --seed {options.seed}`,"
        f" on {machine()}, Python {platform.python_version()}."
    )
    put_between_marks(name, "\n".join([circumstances, "", *lines]), page="reliability.md")
