"""Files of rejects, imported as they are: what was refused is refused again."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path

import pytest

from adapters.fake.unit_of_work import FakeUnitOfWork
from entrypoints import user_files
from entrypoints.sources import Source
from entrypoints.user_csv import read_csv
from entrypoints.user_formats import InvalidHeader, InvalidRow
from entrypoints.user_jsonl import read_jsonl
from service_layer.users import import_users


@pytest.mark.parametrize("encoding", ["cp1251", "gb18030"])
def test_rejects_are_not_misread(encoding: str) -> None:
    """A file of rejects is not read in an encoding that it does not have. One that a spreadsheet saved in it is."""
    content = '"line","username","email","reason"\n2,"тарас","taken@b.org","x"\n'
    with pytest.raises(InvalidHeader, match="say --encoding for the original file alone"):
        read_csv(Source(io.BytesIO(content.encode()), encoding))
    [row] = read_csv(Source(io.BytesIO(content.encode(encoding)), encoding))
    assert ("тарас", "taken@b.org", None) == (row.username, row.email, row.problem)


@pytest.mark.parametrize("encoding", [None, "cp1251", "cp1252", "gb18030", "mac-roman", "euc-jp", "big5"])
@pytest.mark.parametrize("value", ["\ufffd", "jos\ufffd", "\ufffd\ufffd", "à\ufffdà", "зо\ufffdя", "王\ufffd"])
def test_lost_characters_are_refused_always(value: str, encoding: str | None) -> None:
    """What stands for an unreadable character is refused in every encoding, and stays in the next rejects."""
    content = f'username,email\n"{value}",a@b.org\na,"{value}@b.org"\n'.encode()
    rows = [*read_csv(Source(io.BytesIO(content), encoding))]
    assert [InvalidRow, InvalidRow] == [type(row.problem) for row in rows]
    assert [True, True] == ["\ufffd" in value for value in (rows[0].username, rows[1].email)]


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (read_csv, b"jos\xe9,jose@b.org\njose,jos\xe9@b.org\n"),
        (read_csv, b"smith,ann@b.org,ann@b.org\nbob,bob@b.org,\ncid\n"),
        (read_csv, b'dan,"dan@b.org\n'),
        (read_jsonl, rb'{"username": "x\udce9", "email": "x@b.org"}'),
        (read_jsonl, rb'{"username": "x", "email": "x\ud800@b.org"}'),
        (read_jsonl, rb'{"username": 7, "email": "x@b.org"}'),
        (read_jsonl, json.dumps({"username": "a\n5,eve,eve@b.org,\n" * 900, "email": "x@b.org"}).encode()),
    ],
)
def test_a_refused_row_is_refused_again(tmp_path: Path, read: type, content: bytes) -> None:
    """A refused row is refused again when its file of rejects is imported unchanged.

    No row of the file is stored, and no line of one counts as a row.
    """
    uow = FakeUnitOfWork()
    header = b"username,email\n" if read is read_csv else b""
    files = [tmp_path / name for name in ("people", "1.csv", "2.csv")]
    files[0].write_bytes(header + content)
    summaries = []
    for before, after in pairwise(files):
        reading = read if before is files[0] else read_csv
        with user_files.open_source(before) as opened, user_files.open_rejects(after) as rejects:
            summaries.append(import_users(reading(opened), rejects.refuse, uow))
    assert [0, 0] == [summary.stored for summary in summaries]
    assert 0 < summaries[0].refused == summaries[1].refused
