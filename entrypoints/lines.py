"""The lines of a text file, each held in memory by a bounded piece only."""

from __future__ import annotations

import csv
from collections import deque
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

LONGEST_LINE = csv.field_size_limit()
"""How many characters of a line are read; one that is not shorter is refused, and so is a CSV row of several lines."""

MOST_LINES = 1000
"""How many lines a CSV row may have: whatever a quotation mark swallows is read again for each line of it."""


def bounded(source: TextIO) -> Iterator[str]:
    """Yield the lines of a file; of one that is too long only the beginning, so that it takes no more memory."""
    before = "\n"
    while piece := source.readline(LONGEST_LINE):
        # A line feed alone behind a carriage return is the rest of a line's end that was cut in two.
        if before.endswith("\n") or (before.endswith("\r") and piece != "\n"):
            yield piece
        before = piece


class Lines:
    """The lines of a CSV file, of which those of the row at hand can be read once more.

    A quotation mark that is never closed makes one row of all lines behind it; read again, they are rows of their own.
    """

    def __init__(self, source: TextIO) -> None:
        self.number = 0
        """The number of the line that was read last."""
        self.row: list[str] = []
        """The lines of the row at hand."""
        self._length = 0
        self._source = bounded(source)
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

    def go_back(self, keep: int) -> None:
        """Let the next line be the one behind the first ``keep`` lines of the row at hand; a row begins there."""
        self.number -= len(self.row) - keep
        self._ahead.extendleft(reversed(self.row[keep:]))
        self.begin_row()
