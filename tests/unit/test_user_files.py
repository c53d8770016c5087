"""Users in files: what is read, what is refused with which reason, and what is written."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from domain.user import InvalidUsername
from entrypoints import lines, user_csv, user_files, user_jsonl
from entrypoints.lines import LONGEST_LINE
from entrypoints.sources import Source
from entrypoints.user_formats import InvalidHeader
from service_layer.users import UserRow
from tests.unit.user_reading import Read, Reading, reading_with


@pytest.fixture
def read_csv(tmp_path: Path) -> Read:
    """Read the bytes of a CSV file."""
    return reading_with(user_csv.read_csv, tmp_path / "people.csv")


@pytest.fixture
def read_jsonl(tmp_path: Path) -> Read:
    """Read the bytes of a JSON Lines file."""
    return reading_with(user_jsonl.read_jsonl, tmp_path / "people.jsonl")


def test_a_csv_row_has_two_values_and_a_line(read_csv: Read) -> None:
    """A CSV row has the values of its two columns and the number of its line. The header line is the first."""
    assert Reading([UserRow(2, "ann", "ann@example.com")], []) == read_csv(b"username,email\nann,ann@example.com\n")


def test_columns_may_have_any_order(read_csv: Read) -> None:
    """The columns may have any order and others beside them, so an export and rejects can be imported."""
    content = b"id,email,active,username\n7,ann@example.com,True,ann\n"
    assert [UserRow(2, "ann", "ann@example.com")] == read_csv(content).rows


@pytest.mark.parametrize(
    "content",
    [
        b"username,email\r\nann,a@b\r\nbob,b@b\r\n",
        b"username,email\rann,a@b\rbob,b@b\r",
        b"\xef\xbb\xbfusername,email\nann,a@b\nbob,b@b\n",
        b"username,email\nann,a@b\nbob,b@b",
        b'"username","email"\n"ann","a@b"\n"bob","b@b"\n',
    ],
    ids=["CRLF", "CR", "byte-order mark", "no end of line at the end", "quoted"],
)
def test_the_usual_kinds_of_csv_are_the_same(read_csv: Read, content: bytes) -> None:
    """The usual kinds of CSV are the same, whatever ends their lines, with a mark at the beginning or without."""
    assert Reading([UserRow(2, "ann", "a@b"), UserRow(3, "bob", "b@b")], []) == read_csv(content)


def test_a_row_counts_from_its_first_line(read_csv: Read) -> None:
    """A row of several lines counts from its first, where a reader looks for it. Blank lines count and are no rows."""
    content = b'\n\nusername,email\n\n"a\nn\nn",x\n\nbob,"b\r\n"\ncarol,c\n'
    expected = [UserRow(5, "a\nn\nn", "x"), UserRow(9, "bob", "b"), UserRow(11, "carol", "c")]
    assert Reading(expected, []) == read_csv(content)


def test_values_lose_white_space_around_them(read_csv: Read) -> None:
    """Values lose the white space around them. Quotation marks, inner spaces and NUL are left to the domain."""
    content = b'username,email\n" a""b ",\x00\n\xc3\xa9 , a b\t\n'
    assert Reading([UserRow(2, 'a"b', "\x00"), UserRow(3, "é", "a b")], []) == read_csv(content)


@pytest.mark.parametrize("content", [b"username,email", b"username,email\n", b"username,email\n\n\r\n"])
def test_a_file_without_rows_is_no_mistake(read_csv: Read, content: bytes) -> None:
    """A file without rows is no mistake: an import of nothing stores nothing."""
    assert Reading([], []) == read_csv(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"ann,ann@example.com\n",
        b"username|email\n",
        b"username\nann\n",
        b"username,email,email\n",
        b"sep=|\nusername,email\n",
        b'"username,email\n',
        b'username,"' + b"x" * 200_000 + b'"\n',
    ],
    ids=["empty", "blank", "no header", "bars", "no email", "email twice", "other sep", "open quotes", "huge"],
)
def test_a_header_without_the_columns_is_refused(read_csv: Read, content: bytes) -> None:
    """A header line that does not name the columns is refused before the first row: no row can be understood."""
    with pytest.raises(InvalidHeader, match="is not a valid header line"):
        read_csv(content)


@pytest.mark.parametrize(
    ("line", "username", "email"),
    [
        (b"ann", "ann", None),
        (b"ann,ann@example.com,", None, None),
        (b"smith, ann,ann@example.com", None, None),
    ],
)
def test_a_csv_row_of_another_length_is_refused(
    read_csv: Read, line: bytes, username: str | None, email: str | None
) -> None:
    """A CSV row of another length is refused and the rest read. It is unknown which cell is wrong.

    So its two values never count as a good row.
    """
    reading = read_csv(b"username,email\n" + line + b"\nbob,b\n")
    reason = f"the header line has 2 cells, and this row {line.count(b',') + 1}"
    assert Reading([UserRow(3, "bob", "b")], [(UserRow(2, username, email), reason)]) == reading


@pytest.mark.parametrize("line", [b'"ann"x,a@b', b'ann,"' + b"x" * 200_000 + b'"'], ids=["after quotes", "huge"])
def test_a_line_that_is_not_csv_is_refused(read_csv: Read, line: bytes) -> None:
    """A line that is not CSV is refused and the rest read, without a guess about its meaning."""
    reading = read_csv(b"username,email\n" + line + b"\nbob,b\n")
    assert [UserRow(3, "bob", "b")] == reading.rows
    assert [UserRow(2, None, None)] == [row for row, _ in reading.refused]


def test_an_open_quotation_mark_costs_one_line(read_csv: Read) -> None:
    """An open quotation mark costs one line, also at the end of the file. The lines after it keep their numbers."""
    many = b"bob,b@example.com\n" * 20_000
    reading = read_csv(b'username,email\nann,"a@example.com\n' + many + b'"cid,c@example.com\ndan,d@example.com\n')
    assert [2, 20_003] == [row.line for row, _ in reading.refused]
    reason = "it has 131072 characters or more, or more than 1000 lines; is a quotation mark missing or too many?"
    assert reason == reading.refused[0][1]
    assert [*range(3, 20_003), 20_004] == [row.line for row in reading.rows]


@pytest.mark.parametrize("length", [LONGEST_LINE + 1, 3 * LONGEST_LINE])
def test_a_line_that_is_too_long_is_refused(read_csv: Read, read_jsonl: Read, length: int) -> None:
    """A line that is too long is refused and the rest read, in either format, without holding it in memory."""
    for read, start, good in (
        (read_csv, b"username,email\n", b"bob,b@example.com\n"),
        (read_jsonl, b"", b'{"username": "bob", "email": "b@example.com"}\n'),
    ):
        reading = read(start + b"a" * length + b"\n" + good)
        assert ["bob"] == [row.username for row in reading.rows]
        assert 1 == len(reading.refused)


@pytest.mark.parametrize("columns", ["username,email,notes", "notes,username,email"])
def test_a_line_that_is_too_long_gives_no_value(read_csv: Read, read_jsonl: Read, columns: str) -> None:
    """No value is read from a line that is too long, though each cell is short enough: an address may be cut."""
    beginning = '{"username": "ann", "email": "ann@b.org"}'.ljust(LONGEST_LINE)
    assert [UserRow(1, None, None)] == [row for row, _ in read_jsonl(f"{beginning}x".encode()).refused]
    row = columns.replace("notes", "x" * (LONGEST_LINE - 20)).replace("username", "ann").replace("email", "ann@b.org")
    reading = read_csv(f"{columns}\n{row}.example.com\nbob,bob@b.org,x\n".encode())
    assert [UserRow(2, None, None)] == [row for row, _ in reading.refused]
    assert [3] == [row.line for row in reading.rows]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("length", range(LONGEST_LINE - 3, LONGEST_LINE + 3))
def test_the_greatest_line_hides_none_behind_it(read_jsonl: Read, length: int, end: str) -> None:
    """A line of the greatest length hides none behind it, whatever ends it. Later lines keep their numbers."""
    good = '{"username": "bob", "email": "b@b"}'
    reading = read_jsonl(f"{'a' * length}{end}{good}{end}{good}".encode())
    assert [2, 3] == [row.line for row in reading.rows]
    assert [1] == [row.line for row, _ in reading.refused]


class Counted(Source):
    """A source that counts the lines read from it."""

    count = 0

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]  # as TextIOWrapper itself has it
        """Read a line and count it."""
        self.count += 1
        return super().readline(size)


def test_a_row_takes_a_limited_number_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row takes a limited number of lines. So a file of open quotation marks is never held or read again whole."""
    monkeypatch.setattr(lines, "MOST_LINES", 10)
    count = 35
    source = Counted(io.BytesIO(b"username,email\n" + b'a","\n' * count))
    rows = iter(user_csv.read_csv(source))
    first = next(rows)
    assert (2, 1 + lines.MOST_LINES + 1) == (first.line, source.count)
    assert [*range(3, count + 2)] == [row.line for row in rows]


@pytest.mark.parametrize("name", ["open_target", "open_rejects"])
def test_a_database_is_never_overwritten(tmp_path: Path, name: str) -> None:
    """A database is never overwritten by an export or by rejects, whatever its file is called."""
    path = tmp_path / "users.csv"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (x)")
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="this is a database"), getattr(user_files, name)(path):
        pytest.fail("it was opened")
    assert before == path.read_bytes()


@pytest.mark.parametrize("value", ["a\rb", 'a"b', "a,b", "a\nb", "a\r\nb"])
def test_rejects_can_be_read_again(tmp_path: Path, read_csv: Read, value: str) -> None:
    """Rejects can be read again whatever they hold: a row with line ends in it stays a row."""
    path = tmp_path / "rejects.csv"
    with user_files.open_rejects(path) as rejects:
        rejects.refuse(UserRow(7, value, None), InvalidUsername(value, "a reason"))
    assert [(value, "")] == [(row.username, row.email) for row in read_csv(path.read_bytes()).rows]


def test_a_cell_cut_off_at_the_end_is_refused(read_csv: Read) -> None:
    """A quoted cell that the end of the file cuts off is refused: it could begin another user's address."""
    reading = read_csv(b'username,email\nann,"ann@example.co')
    assert ([], [UserRow(2, None, None)]) == (reading.rows, [row for row, _ in reading.refused])


# Reading JSON Lines


# Writing
