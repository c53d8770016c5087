"""Files of users as JSON Lines, and what an export and the file of rejects hold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import pytest

from domain.user import EmailAddress, InvalidUsername, User, Username
from entrypoints import user_csv, user_files, user_formats, user_jsonl
from entrypoints.sources import Source
from entrypoints.user_formats import Rows
from service_layer.users import UserRow
from tests.unit.user_reading import Read, Reading, reading_with


@pytest.fixture
def read_jsonl(tmp_path: Path) -> Read:
    """Read the bytes of a JSON Lines file."""
    return reading_with(user_jsonl.read_jsonl, tmp_path / "people.jsonl")


def test_a_json_line_has_two_values(read_jsonl: Read) -> None:
    """A JSON line has the values of its two keys. Other keys are ignored. Blank lines count and are no rows."""
    content = b'\xef\xbb\xbf\n{"email": "a@b", "x": 7, "username": " ann"}\r\n \t\n{"username": "", "email": ""}'
    assert Reading([UserRow(2, "ann", "a@b"), UserRow(4, "", "")], []) == read_jsonl(content)


def test_bad_bytes_cost_one_json_line(read_jsonl: Read) -> None:
    """Bytes that are not UTF-8 cost one JSON line, whatever other lines hold."""
    reading = read_jsonl(b'{"username": "\xff", "email": "a@b"}\n{"username": "bob", "email": "b@b"}\n')
    assert [UserRow(2, "bob", "b@b")] == reading.rows
    [(row, reason)] = reading.refused
    assert (UserRow(1, "\ufffd", "a@b"), "it is not UTF-8") == (row, reason[:15])


def test_an_escape_is_no_bad_byte(read_jsonl: Read) -> None:
    """An escape that is no character costs its JSON line. It does not make the file look like another encoding."""
    [(row, reason)] = read_jsonl(rb'{"username": "\udce9", "email": "a@b"}').refused
    assert (UserRow(1, "\ufffd", "a@b"), r"'\udce9' stands where") == (row, reason[:21])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "it is not JSON: "),
        (b"ann,a@b", "it is not JSON: Expecting value, at character 1"),
        (b'{"username": "ann"} {}', "it is not JSON: Extra data, at character 21"),
        (b"[" * 100_000, "it cannot be read as JSON: "),
        (b'{"username": ' + b"9" * 5_000 + b"}", "it cannot be read as JSON: Exceeds the limit (4300 digits)"),
        (
            b'{"username": "ann", "username": "bob", "email": "a@b"}',
            "it cannot be read as JSON: a key is there twice",
        ),
        (b'["ann", "a@b"]', "it is JSON, but not an object"),
        (b"null", "it is JSON, but not an object"),
    ],
    ids=["cut off", "CSV", "two values", "deep", "number of 5000 digits", "a key twice", "array", "null"],
)
def test_a_line_that_is_no_json_object_is_refused(read_jsonl: Read, line: bytes, reason: str) -> None:
    """A line that is no JSON object is refused with the reason and its number, and the rest is read."""
    good = b'{"username": "bob", "email": "b@b"}'
    reading = read_jsonl(b"\n".join([good, line, good]))
    assert [UserRow(1, "bob", "b@b"), UserRow(3, "bob", "b@b")] == reading.rows
    [(refused, found)] = reading.refused
    assert (UserRow(2, None, None), reason) == (refused, found[: len(reason)])


@pytest.mark.parametrize(
    ("found", "username", "email"),
    [
        ({}, None, None),
        ({"username": "ann"}, "ann", None),
        ({"username": 7, "email": "a@b"}, None, "a@b"),
        ({"username": "ann", "email": ["a@b"]}, "ann", None),
        ({"username": None, "email": None}, None, None),
    ],
)
def test_a_json_line_without_two_texts_is_refused(
    read_jsonl: Read, found: dict[str, Any], username: str | None, email: str | None
) -> None:
    """A JSON line without two texts is refused with those that it has."""
    reading = read_jsonl(json.dumps(found).encode())
    reason = "the keys username and email must both be there, with text as their values"
    assert Reading([], [(UserRow(1, username, email), reason)]) == reading


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", "csv"),
        ("a.jsonl", "jsonl"),
        ("a.NDJSON", "jsonl"),
        ("a.json", "jsonl"),
        ("a.txt", "csv"),
        ("a", "csv"),
        ("-", "csv"),
    ],
)
def test_the_ending_of_a_name_tells_the_format(name: str, expected: str) -> None:
    """The ending of a name gives the format. Without a known ending it is CSV."""
    assert expected == user_files.format_of(Path(name))


def test_an_exported_csv_file_has_a_header() -> None:
    """An exported CSV file has a header line and a row for each user: ISO 8601 times in UTC, few quotation marks."""
    target = io.StringIO()
    user_csv.write_csv([ANN, ZOYA], target)
    expected = (
        "id,username,email,created_at,active,version\n"
        "01893b3e-8a00-7000-8000-000000000001,ann,ann@example.com,2023-07-09T12:00:00+00:00,True,3\n"
        '01893b3e-8a00-7000-8000-000000000002,зоя,"""a, b""@example.com",2023-07-09T12:00:00.000250+00:00,False,0\n'
    )
    assert expected == target.getvalue()


def test_an_export_of_no_one_has_a_header_line() -> None:
    """An export of no user has a header line, so it can be imported and its columns are known."""
    target = io.StringIO()
    user_csv.write_csv([], target)
    assert "id,username,email,created_at,active,version\n" == target.getvalue()


def test_an_exported_jsonl_file_has_objects() -> None:
    """An exported JSON Lines file has an object for each user, one in a line, in readable characters."""
    target = io.StringIO()
    user_jsonl.write_jsonl([ANN, ZOYA], target)
    lines = target.getvalue().splitlines()
    assert [user_formats.as_record(ANN), user_formats.as_record(ZOYA)] == [json.loads(line) for line in lines]
    assert "зоя" in lines[1]


@pytest.mark.parametrize(
    ("write", "read"),
    [(user_csv.write_csv, user_csv.read_csv), (user_jsonl.write_jsonl, user_jsonl.read_jsonl)],
    ids=["csv", "jsonl"],
)
def test_what_is_written_can_be_read_again(
    tmp_path: Path, write: Callable[[list[User], TextIO], None], read: Callable[[Source], Rows]
) -> None:
    """A written file can be read again name by name and address by address, whatever their characters."""
    path = tmp_path / "people"
    with user_files.open_target(path) as target:
        write([ANN, ZOYA], target)
    rows = reading_with(read, path)(path.read_bytes()).rows
    assert [(ANN.username, ANN.email), (ZOYA.username, ZOYA.email)] == [(row.username, row.email) for row in rows]


def test_rejects_hold_the_refused_rows_whole(tmp_path: Path) -> None:
    """Rejects hold the refused rows whole, with line and reason.

    U+FFFD stands for what UTF-8 cannot hold, and a value that is no text is left out.
    """
    path = tmp_path / "rejects.csv"
    name = "x" * 70 + '\udcff,"\n'
    with user_files.open_rejects(path) as rejects:
        rejects.refuse(UserRow(7, name, 7), InvalidUsername(name, "it is empty"))
    with path.open(encoding="utf-8", newline="") as written:
        header, row = csv.reader(written)
    assert ["line", "username", "email", "reason"] == header
    assert ["7", "x" * 70 + '\ufffd,"\n', "", str(InvalidUsername(name, "it is empty"))] == row


def test_rejects_are_written_anew(tmp_path: Path) -> None:
    """Rejects are written anew, since those of an earlier import are no longer true."""
    path = tmp_path / "rejects.csv"
    path.write_text("of yesterday")
    with user_files.open_rejects(path):
        pass
    assert '"line","username","email","reason"\n' == path.read_text()


@pytest.mark.parametrize(
    ("source", "expected"), [("some/people.csv", "some/people.csv.rejects.csv"), ("-", "import.rejects.csv")]
)
def test_rejects_go_beside_the_file_that_is_read(source: str, expected: str) -> None:
    """Rejects go beside the file that is read, or into the current folder for standard input."""
    assert Path(expected) == user_files.rejects_path(Path(source))


ANN = User(
    id=UUID("01893b3e-8a00-7000-8000-000000000001"),
    username=Username("ann"),
    email=EmailAddress("ann@example.com"),
    created_at=datetime(2023, 7, 9, 12, 0, tzinfo=UTC),
    version=3,
)


ZOYA = User(
    id=UUID("01893b3e-8a00-7000-8000-000000000002"),
    username=Username("зоя"),
    email=EmailAddress('"a, b"@example.com'),
    created_at=datetime(2023, 7, 9, 12, 0, 0, 250, tzinfo=UTC),
    active=False,
)
