"""What the command line writes: results on standard output, and all else on standard error, a line for each message."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from entrypoints.user_formats import as_record

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from io import TextIOWrapper

    from stamina.instrumentation import RetryDetails

    from domain.user import User
    from service_layer.users import UserRow


def print_user(user: User, as_json: bool) -> None:
    """Show one user, as a table or as JSON."""
    if as_json:
        print_json(as_record(user))
    else:
        print_table([user])


def print_table(rows: Iterable[User]) -> None:
    """Show users below a line with headings."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False, highlight=False)  # a user's name is never taken for markup
    if not console.is_terminal:
        console.width = 1000  # a pipe has no width: one line for each user, whatever their values
    table = Table(box=None, pad_edge=False)
    for heading in ("username", "email", "active", "created (UTC)", "id"):
        table.add_column(heading, overflow="fold")  # where the terminal is narrow, values are folded and never cut
    for user in rows:
        active = "yes" if user.active else "no"
        table.add_row(user.username, user.email, active, f"{user.created_at:%Y-%m-%d %H:%M}", str(user.id))
    console.print(table)


def print_json(value: object) -> None:
    """Show plain values as one line of JSON."""
    print_line(json.dumps(value))  # in ASCII, so that no encoding of the output can spoil it


def print_line(text: str) -> None:
    """Write one line on standard output."""
    print(text, flush=True)  # flushed, so that what cannot be written is noticed here, and not when Python ends


def tell(text: str) -> None:
    """Write one line on standard error, with everything escaped that could make it look like more."""
    line = " ".join(text.split())
    print("".join(char if char.isprintable() else ascii(char)[1:-1] for char in line), file=sys.stderr)


def tell_of_retry(details: RetryDetails) -> None:
    """Say why a command takes longer: stamina calls this before each pause."""
    tell(f"trying again in {details.wait_for:.1f} seconds: {details.caused_by}")


def watched(rows: Iterable[UserRow], source: TextIOWrapper) -> Generator[UserRow, None, None]:
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
