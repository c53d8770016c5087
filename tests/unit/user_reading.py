"""Ways to read a file of users as an import does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import evolve, frozen

from entrypoints import user_files
from entrypoints.sources import Source
from entrypoints.user_formats import InvalidRow, Rows
from service_layer.users import UserRow


@frozen
class Reading:
    """The result of reading a file: its rows, and the refused ones with their reasons."""

    rows: list[UserRow]
    refused: list[tuple[UserRow, str]]


Read = Callable[[bytes], Reading]


def reading_with(read: Callable[[Source], Rows], path: Path) -> Read:
    """Return a function that writes the given bytes to a file and reads it."""

    def reading(content: bytes) -> Reading:
        path.write_bytes(content)
        reading = Reading([], [])
        with user_files.open_source(path) as source:
            for row in read(source):
                if row.problem is None:
                    reading.rows.append(row)
                else:
                    assert isinstance(row.problem, InvalidRow)
                    reading.refused.append((evolve(row, problem=None), row.problem.reason))
        return reading

    return reading
