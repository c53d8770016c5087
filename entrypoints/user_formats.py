"""Users as CSV or JSON Lines: read for an import, written for an export, one row at a time.

The names and addresses of an export can be imported again; ids, times and ``active`` are not taken over. A row that
cannot be read costs that row alone: it comes with an :class:`InvalidRow` as its problem, for which the use case refuses
it like any other.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

from domain.errors import InvalidValue
from service_layer.users import UserRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Self

    from domain.user import User

FIELDS = ("id", "username", "email", "created_at", "active", "version")
"""What a user shows to the outside, in the order of an export's columns."""

LONGEST_LINE = csv.field_size_limit()
"""How many characters of a line are read; one that is not shorter is refused, and so is a CSV row of several lines."""

MOST_LINES = 1000
"""How many lines a CSV row may have: whatever a quotation mark swallows is read again for each line of it."""

NEEDED = ("username", "email")
"""The columns that an import needs."""


class InvalidHeader(InvalidValue):
    """A CSV file does not begin with the names of its columns, so none of its rows can be understood."""

    kind: ClassVar[str] = "header line"


class InvalidRow(InvalidValue):
    """A row of a file cannot be read; ``value`` is what was found there."""

    kind: ClassVar[str] = "row"


def as_record(user: User) -> dict[str, Any]:
    """Return a user as plain values under the names of :data:`FIELDS`; the time in ISO 8601, in UTC."""
    return {
        "id": str(user.id),
        "username": user.username,
        "email": user.email,
        "created_at": user.created_at.isoformat(),
        "active": user.active,
        "version": user.version,
    }


def format_of(path: Path) -> str:
    """Return the key of :data:`READERS` and :data:`WRITERS` that a file's ending asks for: CSV unless it says other."""
    return "jsonl" if path.suffix.lower() in (".jsonl", ".ndjson") else "csv"


def read_csv(source: TextIO) -> Iterator[UserRow]:
    """Yield the rows below a header line that names the columns username and email, in any order and beside others.

    Blank lines are skipped. Raises :class:`InvalidHeader` before the first row.
    """
    # Strict, because the lenient mode guesses what a misplaced quotation mark means, and takes a quoted cell that the
    # end of the file cuts off for a whole one.
    lines = _Lines(source)
    reader = csv.reader(lines, strict=True)
    header = _read_header(reader)
    username, email = (header.index(name) for name in NEEDED)
    while True:
        lines.begin_row()
        line = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = f"{error}; is a quotation mark missing or too many?"
            yield UserRow(line, None, None, InvalidRow(lines.row[0], reason))
            lines.go_back_behind_the_first()
            reader = csv.reader(lines, strict=True)
            continue
        if len(cells) == len(header):
            yield UserRow(line, cells[username], cells[email])
        elif cells:
            problem = InvalidRow(cells, f"the header line has {len(header)} cells, and this row {len(cells)}")
            yield UserRow(line, _cell(cells, username), _cell(cells, email), problem)


class _Lines:
    """The lines of a file, of which those of the row at hand can be read once more.

    A quotation mark that is never closed makes one row of all lines behind it; read again, they are rows of their own.
    """

    def __init__(self, source: TextIO) -> None:
        self.number = 0
        self.row: list[str] = []
        self._length = 0
        self._source = _bounded(source)
        self._ahead: deque[str] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else next(self._source)
        self.row.append(line)
        self.number += 1
        self._length += len(line)
        if self._length >= LONGEST_LINE or len(self.row) > MOST_LINES:
            # As the reader itself refuses a cell: what was cut off could be the end of an address.
            raise csv.Error(f"it has {LONGEST_LINE} characters or more, or more than {MOST_LINES} lines")
        return line

    def begin_row(self) -> None:
        """Let the next line be the first of a row."""
        self.row = []
        self._length = 0

    def go_back_behind_the_first(self) -> None:
        """Let the second line of the row at hand be the next one."""
        self.number -= len(self.row) - 1
        self._ahead.extendleft(reversed(self.row[1:]))


def _bounded(source: TextIO) -> Iterator[str]:
    """Yield the lines of a file; of one that is too long only the beginning, so that it takes no more memory."""
    before = "\n"
    while piece := source.readline(LONGEST_LINE):
        # A line feed alone behind a carriage return is the rest of a line's end that was cut in two.
        if before.endswith("\n") or (before.endswith("\r") and piece != "\n"):
            yield piece
        before = piece


def _read_header(reader: Iterator[list[str]]) -> list[str]:
    try:
        header = next((cells for cells in reader if cells), [])
    except csv.Error as error:
        raise InvalidHeader([], f"it cannot be read: {error}") from error
    if any(header.count(name) != 1 for name in NEEDED):
        raise InvalidHeader(
            header, "it must name the columns username and email, each once, separated by commas, in UTF-8"
        )
    return header


def _cell(cells: list[str], position: int) -> str | None:
    return cells[position] if position < len(cells) else None


def read_jsonl(source: TextIO) -> Iterator[UserRow]:
    """Yield a row for each line that holds a JSON object with the keys username and email; blank lines are skipped."""
    for line, text in enumerate(_bounded(source), start=1):
        if text.isspace():
            continue
        try:
            found = _parse_object(text)
        except InvalidRow as problem:
            yield UserRow(line, None, None, problem)
            continue
        username, email = (found.get(name) for name in NEEDED)
        if isinstance(username, str) and isinstance(email, str):
            yield UserRow(line, username, email)
        else:
            reason = "the keys username and email must both be there, with text as their values"
            yield UserRow(line, username, email, InvalidRow(text, reason))


def _parse_object(text: str) -> dict[str, Any]:
    if len(text) == LONGEST_LINE:
        # Not all of it, because a thousand such rows are held at once.
        raise InvalidRow(text[:60], f"the line is too long: it must have fewer than {LONGEST_LINE} characters")
    try:
        found = json.loads(text, object_pairs_hook=_without_doubles)
    except json.JSONDecodeError as error:
        raise InvalidRow(text, f"it is not JSON: {error.msg}, at character {error.pos + 1}") from error
    except (ValueError, RecursionError) as error:  # a key twice; thousands of digits; a thousand nested lists
        raise InvalidRow(text, f"it cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidRow(text, "it is JSON, but not an object")
    return found


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice, and nobody can know which value is meant")
    return found


def write_csv(users: Iterable[User], target: TextIO) -> None:
    """Write a header line with the names in :data:`FIELDS`, and a row for each user."""
    writer = csv.DictWriter(target, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(as_record(user) for user in users)


def write_jsonl(users: Iterable[User], target: TextIO) -> None:
    """Write a JSON object with the keys in :data:`FIELDS` for each user, one in a line."""
    target.writelines(json.dumps(as_record(user), ensure_ascii=False) + "\n" for user in users)


READERS = {"csv": read_csv, "jsonl": read_jsonl}
"""How to read each format."""

WRITERS = {"csv": write_csv, "jsonl": write_jsonl}
"""How to write each format."""
