"""What the rows of an import keep in memory."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable

import pytest

from entrypoints import user_csv, user_jsonl
from entrypoints.lines import LONGEST_LINE
from entrypoints.sources import Source
from entrypoints.user_formats import InvalidRow, Rows


@pytest.mark.slow
@pytest.mark.parametrize(
    ("read", "content"),
    [
        (user_csv.read_csv, f"username,email\n{'é' * 100_000},a@b\n"),
        (user_csv.read_csv, f"username,email\nann,{'é' * 100_000}\n"),
        (user_csv.read_csv, f"username,email\n{'é' * 100_000}\n"),
        (user_csv.read_csv, f"username,email\n{',' * 50_000}x{'é' * 50_000}\n"),
        (user_csv.read_csv, f'username,email\n"ann"{"é" * 100_000},a@b\n'),
        (user_jsonl.read_jsonl, f'{{"username": "{"é" * 100_000}", "email": "a@b"}}'),
        (user_jsonl.read_jsonl, f'{{"username": "{"é" * 100_000}", "email": {[*range(5_000)]}}}'),
        (user_jsonl.read_jsonl, f'{{"username": "{"é" * 100_000}'),
        (user_jsonl.read_jsonl, "1" * 100_000),
        (user_jsonl.read_jsonl, "é" * LONGEST_LINE),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_refused_row_keeps_little(read: Callable[[Source], Rows], content: str, encoding: str) -> None:
    """A refused row keeps little of what was found, so a thousand of them fit into memory."""
    count = 20
    header, line = content.split("\n")[:2] if read is user_csv.read_csv else ("", content)
    file = "\n".join([header, *[line] * count]).encode(encoding)
    list(read(Source(io.BytesIO(file))))  # which loads the library that guesses encodings
    tracemalloc.start()
    try:
        refused = [*read(Source(io.BytesIO(file)))]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == len([row for row in refused if isinstance(row.problem, InvalidRow)])
    assert 1_000_000 > held  # of which the buffers have half
