"""Users as CSV: read as offices save it, and written for them, one row at a time."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, TextIO

from attrs import frozen

from entrypoints.lines import Lines
from entrypoints.user_formats import FIELDS, NEEDED, REJECTS, InvalidHeader, Rows, as_record, as_row, refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from domain.user import User
    from entrypoints.sources import Source
    from service_layer.users import UserRow

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}

# The first line that names the delimiter for a spreadsheet. One that took it for a row of cells may have saved it.
_SEP = re.compile(r'"?sep=([^"\w\s]|\t)"?([,;\t]*)\s*', re.IGNORECASE)


def read_csv(source: Source, delimiter: str | None = None) -> Rows:
    """Return the rows below a header line that names the columns username and email, in any order and beside others.

    The delimiter is the one that is given, or that of a first line ``sep=;``, or the one of comma, semicolon and tab
    by which the header line can be read. Blank lines and rows of empty cells are skipped. Raises
    :class:`~entrypoints.user_formats.InvalidHeader`.
    """
    lines = Lines(source)
    header = _read_header(source, lines, delimiter)
    if header.cells == [*REJECTS] and source.is_misread:
        reason = "the file of rejects that it begins is UTF-8: say --encoding for the original file alone"
        raise InvalidHeader(",".join(header.cells), reason)
    return Rows(_form(source, header), _rows(source, lines, header))


@frozen
class _Header:
    """The header line of a file: the delimiter by which it was read, and where the needed columns are."""

    cells: list[str]
    delimiter: str
    username: int
    email: int


def _reader(lines: Lines, delimiter: str) -> Iterator[list[str]]:
    # Strict, because the lenient mode guesses what a misplaced quotation mark means, and takes a quoted cell that the
    # end of the file cuts off for a whole one.
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)


def _read_header(source: Source, lines: Lines, delimiter: str | None) -> _Header:
    said = _SEP.fullmatch(_first_line(lines))
    if said is None:
        lines.go_back(0)
    chosen = delimiter or (said and said[1])
    candidates = [chosen] if chosen else [*_DELIMITERS]
    if said and said[2] and not delimiter:  # cells were added when the file was saved, perhaps by another delimiter
        candidates = [*candidates, *_DELIMITERS]
    text = ""
    for candidate in candidates:
        lines.begin_row()
        header = _header_of(lines, candidate)
        if header is not None:
            return header
        text = "".join(lines.row).strip()
        lines.go_back(0)
    by = _name(chosen) if chosen else "commas, semicolons or tabs"
    reason = f"it must name the columns username and email, each once, separated by {by}"
    json = "; if it is JSON, say --format jsonl" if source.first_character in ("{", "[") else ""
    raise InvalidHeader(text, reason + json + source.hint)


def _header_of(lines: Lines, delimiter: str) -> _Header | None:
    try:
        cells = next((cells for cells in _reader(lines, delimiter) if any(map(str.strip, cells))), [])
    except csv.Error:
        return None
    names = [cell.strip().casefold() for cell in cells]
    if any(names.count(name) != 1 for name in NEEDED):
        return None
    return _Header(cells, delimiter, *(names.index(name) for name in NEEDED))


def _first_line(lines: Lines) -> str:
    """Return the first line that is not blank; the row at hand begins there."""
    try:
        for line in lines:
            if line.strip(",; \t\r\n"):
                return line
            lines.begin_row()
    except csv.Error:  # it is too long
        pass
    return ""


def _name(delimiter: str) -> str:
    return _DELIMITERS.get(delimiter, repr(delimiter))


def _form(source: Source, header: _Header) -> str:
    """Return how a file is read; nothing if that is UTF-8, commas, and the names of the columns as they are."""
    columns = [header.cells[header.username], header.cells[header.email]]
    named = [] if columns == [*NEEDED] else [f"with the columns {' and '.join(map(repr, columns))}"]
    if (source.encoding_name, header.delimiter, named) == ("UTF-8", ",", []):
        return ""
    return ", ".join([source.encoding_name, f"separated by {_name(header.delimiter)}", *named])


def _rows(source: Source, lines: Lines, header: _Header) -> Iterator[UserRow]:
    username, email, width = header.username, header.email, len(header.cells)
    reader = _reader(lines, header.delimiter)
    while True:
        lines.begin_row()
        line = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = f"{error}; is a quotation mark missing or too many?"
            yield refused(line, lines.row[0], reason)
            lines.go_back(1)
            reader = _reader(lines, header.delimiter)
            continue
        if not any(map(str.strip, cells)):
            continue
        if len(cells) == width:
            yield as_row(source, line, cells[username], cells[email])
        else:
            reason = f"the header line has {width} cells, and this row {len(cells)}"
            yield refused(line, cells, reason, *_values(cells, username, email))


def _values(cells: list[str], username: int, email: int) -> list[str | None]:
    """Return the values of too many or too few cells; never both, so that their reject is refused in its turn."""
    if len(cells) > max(username, email):
        return [None, None]
    return [cells[position] if position < len(cells) else None for position in (username, email)]


def write_csv(users: Iterable[User], target: TextIO, delimiter: str = ",") -> None:
    """Write a header line with the names in :data:`~entrypoints.user_formats.FIELDS`, and a row for each user."""
    writer = csv.DictWriter(target, FIELDS, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(as_record(user) for user in users)
