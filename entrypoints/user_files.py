"""The files of an import or an export: opened so that nobody else reads them, and no database is overwritten."""

from __future__ import annotations

import csv
import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from entrypoints.user_formats import NEEDED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import TextIOWrapper

    from domain.errors import DomainError
    from service_layer.users import UserRow

STANDARD_STREAM = Path("-")
"""The name that stands for standard input, or standard output."""


def open_source(path: Path) -> TextIOWrapper:
    """Open a file, or standard input, to be read by one of :data:`~entrypoints.user_formats.READERS`.

    A byte-order mark is passed over. Bytes that are not UTF-8 become lone surrogates, which no name and no address may
    hold: so they cost one row.
    """
    file = 0 if path == STANDARD_STREAM else path
    return open(file, encoding="utf-8-sig", errors="surrogateescape", newline="", closefd=file != 0)


@contextmanager
def open_target(path: Path) -> Iterator[TextIO]:
    """Open a file, or standard output, to be written by one of :data:`~entrypoints.user_formats.WRITERS`; always UTF-8.

    A new file is for its owner alone, and an old one keeps its rights. An ``OSError`` names the file.
    """
    _refuse_database(path)
    file = 1 if path == STANDARD_STREAM else path
    with _naming(path), open(file, "w", encoding="utf-8", newline="", closefd=file != 1, opener=_for_owner) as target:
        yield target


class Rejects:
    """The refused rows of an import, written to a CSV file that can be mended and imported in its turn."""

    def __init__(self, path: Path, target: TextIO) -> None:
        self._path = path
        # Text in quotation marks, because Python before 3.13 leaves a carriage return bare, which would end the row.
        self._writer = csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        self._writer.writerow(("line", *NEEDED, "reason"))

    def refuse(self, row: UserRow, reason: DomainError) -> None:
        """Write a row with the reason why it was refused; of its values, those that are text, and whole.

        Raises ``OSError`` with the name of the file, as when its disk is full.
        """
        values = (value if isinstance(value, str) else None for value in (row.username, row.email))
        with _naming(self._path):
            self._writer.writerow((row.line, *values, reason))


def rejects_path(source: Path) -> Path:
    """Return the default path of the rejects: beside the input, or in the current folder for standard input."""
    if source == STANDARD_STREAM:
        return Path("import.rejects.csv")
    return source.with_name(f"{source.name}.rejects.csv")


@contextmanager
def open_rejects(path: Path) -> Iterator[Rejects]:
    """Begin a new file of rejects; what UTF-8 cannot hold (lone surrogates) stands in it escaped.

    A new file is for its owner alone, and an old one keeps its rights. An ``OSError`` in writing names the file.
    """
    _refuse_database(path)
    target = open(path, "w", encoding="utf-8", errors="backslashreplace", newline="", opener=_for_owner)  # noqa: SIM115  # closed below
    try:
        yield Rejects(path, target)
    finally:
        with _naming(path):  # this alone, because what is done meanwhile may fail for other reasons
            target.close()


def _for_owner(path: str, flags: int) -> int:
    """Open a file; a new one cannot be read by other accounts, since names and addresses are in it."""
    return os.open(path, flags, 0o600)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if path != STANDARD_STREAM:
            error.filename = str(path)
        raise


def _refuse_database(path: Path) -> None:
    if path.is_file():
        with path.open("rb") as file:
            if file.read(15) == b"SQLite format 3":
                raise FileExistsError(errno.EEXIST, "this is a database, and would be destroyed", str(path))
