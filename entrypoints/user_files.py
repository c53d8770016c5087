"""The files of an import or an export. They are for their owner alone, and never overwrite a database."""

from __future__ import annotations

import csv
import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from entrypoints.sources import Source
from entrypoints.user_csv import read_csv
from entrypoints.user_formats import REJECTS, InvalidFile, mendable
from entrypoints.user_jsonl import read_jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.errors import DomainError
    from entrypoints.user_formats import Rows
    from service_layer.users import UserRow

STANDARD_STREAM = Path("-")
"""The name that stands for standard input, or standard output."""

_NAME_ANOTHER = "name a file for the rejects by --rejects FILE"


def open_source(path: Path, encoding: str | None = None) -> Source:
    """Open a file, or standard input, to be read by :func:`read`. An ``OSError`` names the file."""
    number = 0 if path == STANDARD_STREAM else None
    file = open(path if number is None else number, "rb", buffering=0, closefd=number is None)  # noqa: SIM115  # closed with the source
    try:
        with _naming(path):
            return Source(file, encoding)
    except OSError:
        file.close()
        raise


def format_of(path: Path) -> str:
    """Return the format that a file's ending asks for, ``jsonl`` or ``csv``: CSV unless it says other."""
    return "jsonl" if path.suffix.lower() in (".json", ".jsonl", ".ndjson") else "csv"


def read(source: Source, path: Path, file_format: str | None = None, delimiter: str | None = None) -> Rows:
    """Return the rows of a source, in the format that is given, or that its ending or its first character shows.

    The first character of a ``.csv`` or ``.tsv`` file shows nothing, because a column may have any name. Raises
    :class:`~entrypoints.user_formats.InvalidHeader` or :class:`~entrypoints.user_formats.InvalidFile`.
    """
    expected = file_format or format_of(path)
    said = file_format is not None or path.suffix.lower() in (".csv", ".tsv")
    if expected == "csv" and (said or source.first_character not in ("{", "[")):
        return read_csv(source, delimiter)
    if delimiter:
        raise InvalidFile(source.first_character, "it is JSON, which has no delimiter: leave --delimiter out")
    return read_jsonl(source, expected=expected == "jsonl")


@contextmanager
def open_target(path: Path, *, bom: bool = False) -> Iterator[TextIO]:
    """Open a file, or standard output, to write users to it in UTF-8, with a byte-order mark or without.

    A new file is for its owner alone, and an old one keeps its rights. An ``OSError`` names the file.
    """
    _refuse_database(path)
    file = 1 if path == STANDARD_STREAM else path
    encoding = "utf-8-sig" if bom else "utf-8"
    with _naming(path), open(file, "w", encoding=encoding, newline="", closefd=file != 1, opener=_for_owner) as target:
        yield target


class Rejects:
    """The refused rows of an import, written to a CSV file that can be mended and imported in its turn."""

    def __init__(self, path: Path, target: TextIO) -> None:
        self._path = path
        # Text in quotation marks, because Python before 3.13 leaves a carriage return bare, which would end the row.
        self._writer = csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        self._writer.writerow(REJECTS)

    def refuse(self, row: UserRow, reason: DomainError) -> None:
        """Write a row with the reason why it was refused; of its values, those that can be mended there.

        Raises ``OSError`` with the name of the file, as when its disk is full.
        """
        with _naming(self._path):
            self._writer.writerow((row.line, mendable(row.username), mendable(row.email), reason))


def rejects_path(source: Path) -> Path:
    """Return the default path of the rejects: beside the input, or in the current folder for standard input.

    Raises ``OSError`` for an input among the devices, beside which there is no place for files.
    """
    if source == STANDARD_STREAM:
        return Path("import.rejects.csv")
    if Path("/dev") in source.parents:
        raise OSError(errno.EINVAL, f"no file can be written beside it; {_NAME_ANOTHER}", str(source))
    return source.parent / f"{source.name}.rejects.csv"


@contextmanager
def open_rejects(path: Path) -> Iterator[Rejects]:
    """Begin a new file of rejects; what UTF-8 cannot hold (lone surrogates) stands escaped in a reason.

    A new file is for its owner alone, and an old one keeps its rights. An ``OSError`` in writing names the file.
    """
    _refuse_database(path)
    try:
        target = open(path, "w", encoding="utf-8", errors="backslashreplace", newline="", opener=_for_owner)  # noqa: SIM115  # closed below
    except OSError as error:
        error.strerror = f"{error.strerror}; {_NAME_ANOTHER}"
        raise
    try:
        yield Rejects(path, target)
    finally:
        with _naming(path):  # this alone, because the block may fail for other reasons
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
