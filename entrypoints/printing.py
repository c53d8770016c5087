"""What the command line writes: results on standard output, and all else on standard error, a line for each message."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from io import TextIOWrapper

    from stamina.instrumentation import RetryDetails


Row = TypeVar("Row")


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Show rows of texts below a line with headings."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False, highlight=False)  # a value is never taken for markup
    if not console.is_terminal:
        console.width = 1000  # a pipe has no width: one line for each row, whatever its values
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")  # where the terminal is narrow, values are folded and never cut
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_json(value: object) -> None:
    """Show plain values as one line of JSON."""
    print_line(json.dumps(value))  # in ASCII, so that no encoding of the output can spoil it


def print_line(text: str) -> None:
    """Write one line on standard output, escaped as :func:`report` does."""
    print(
        _escaped(text), flush=True
    )  # flushed, so that what cannot be written is noticed here, and not when Python ends


def report(text: str) -> None:
    """Write one line on standard error, with everything escaped that could make it look like more."""
    print(_escaped(" ".join(text.split())), file=sys.stderr)


def _escaped(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def report_retry(details: RetryDetails) -> None:
    """Say why a command takes longer: stamina calls this before each pause."""
    report(f"trying again in {details.wait_for:.1f} seconds: {details.caused_by}")


def watched(rows: Iterable[Row], source: TextIOWrapper) -> Generator[Row, None, None]:
    """Pass rows on; show on a terminal how many, and how much of the source they are where it has a size."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield from rows
        return
    size = os.fstat(source.fileno()).st_size
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("0 rows", total=size or None)
        for count, row in enumerate(rows, start=1):
            if count % 1000 == 0:
                position = os.lseek(source.fileno(), 0, os.SEEK_CUR) if size else count
                progress.update(task, description=f"{count:,} rows", completed=position)
            yield row
