"""Files as offices make them: what is recognised, and what is refused with which advice."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from entrypoints import user_files
from entrypoints.sources import Source, is_encoding
from entrypoints.user_csv import read_csv
from entrypoints.user_formats import InvalidFile, InvalidHeader, InvalidRow, Rows
from entrypoints.user_jsonl import read_jsonl

PEOPLE = [("ann", "ann@b.org"), ("zoë", "zoe@b.org")]
PLAIN = "username,email\nann,ann@b.org\nzoë,zoe@b.org\n"
SEMICOLONS = PLAIN.replace(",", ";")
TABS = PLAIN.replace(",", "\t")
LINES = "".join(json.dumps({"username": name, "email": email}) + "\n" for name, email in PEOPLE)


def source(content: bytes, encoding: str | None = None) -> Source:
    """Return a source of these bytes."""
    return Source(io.BytesIO(content), encoding)


def people(rows: Rows) -> list[tuple[str, str]]:
    """Return the names and addresses of rows that must have no problem."""
    found = [*rows]
    assert [None] * len(found) == [row.problem for row in found]
    return [(row.username, row.email) for row in found]


def reasons(rows: Rows) -> list[str]:
    """Return why rows cannot be read."""
    return [row.problem.reason for row in rows if isinstance(row.problem, InvalidRow)]


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (PLAIN.encode(), ""),
        (PLAIN.encode("utf-8-sig"), ""),
        (f"sep=,\r\n{PLAIN}".encode(), ""),
        (SEMICOLONS.encode(), "UTF-8, separated by semicolons"),
        (f"sep=;\r\n{SEMICOLONS}".encode(), "UTF-8, separated by semicolons"),
        (f'"SEP=|"\n{PLAIN.replace(",", "|")}'.encode(), "UTF-8, separated by '|'"),
        (f"sep=\t\n{TABS}".encode(), "UTF-8, separated by tabs"),
        (f"sep=;,\r\n{SEMICOLONS}".encode(), "UTF-8, separated by semicolons"),
        (f'"sep=;",\n{PLAIN}'.encode(), ""),
        (f"sep=|;;\n{PLAIN.replace(',', '|')}".encode(), "UTF-8, separated by '|'"),
        (f"\n \n,,\nsep=;\n{SEMICOLONS}".encode(), "UTF-8, separated by semicolons"),
        (TABS.encode("utf-16"), "UTF-16, separated by tabs"),
        (b"\xfe\xff" + TABS.encode("utf-16-be"), "UTF-16, separated by tabs"),
        (PLAIN.encode("utf-32"), "UTF-32, separated by commas"),
        (
            b"Username, Email" + PLAIN[14:].encode(),
            "UTF-8, separated by commas, with the columns 'Username' and 'Email'",
        ),
        (f'\n;\n"username";"email"\n{SEMICOLONS[15:]}'.encode(), "UTF-8, separated by semicolons"),
    ],
)
def test_the_form_of_csv_is_recognised(content: bytes, form: str) -> None:
    """The form of a CSV file is recognised and reported, except the plain one. Its rows are those of the plain file."""
    rows = read_csv(source(content))
    assert (PEOPLE, form) == (people(rows), rows.form)


@pytest.mark.parametrize(
    ("content", "encoding", "form"),
    [
        (PLAIN.encode("cp1252"), "Windows-1252", "cp1252"),
        (PLAIN.encode("utf-16"), "utf-16-le", "UTF-16"),
        (PLAIN.encode("utf-16-be"), "utf-16-be", "UTF-16-BE"),
        (PLAIN.encode("utf-16-le"), "utf-16", "UTF-16-LE"),
        (PLAIN.encode("utf-16-be"), "utf-16", "UTF-16-BE"),
        (PLAIN.encode("utf-32-le"), "utf-32", "UTF-32-LE"),
        (PLAIN.encode("utf-32-be"), "utf-32", "UTF-32-BE"),
        (SEMICOLONS.encode("utf-8-sig"), "utf8", "UTF-8"),
    ],
)
def test_the_encoding_can_be_said(content: bytes, encoding: str, form: str) -> None:
    """The encoding can be given in any spelling, with a mark or without."""
    rows = read_csv(source(content, encoding))
    assert (PEOPLE, form) == (people(rows), rows.form.partition(",")[0])


def test_the_delimiter_can_be_said() -> None:
    """The delimiter can be given. It has precedence over the one of a first line."""
    content = f"sep=;\n{PLAIN.replace(',', '|')}".encode()
    assert PEOPLE == people(read_csv(source(content), "|"))
    with pytest.raises(InvalidHeader, match="separated by tabs"):
        read_csv(source(content), "\t")


def test_rows_of_empty_cells_are_no_rows() -> None:
    """Rows of empty cells are no rows, however many cells they have and wherever they are."""
    content = PLAIN.replace("zoë", " ,\n,,,\nzoë").encode() + b",\n \n,,\n"
    assert [2, 5] == [row.line for row in read_csv(source(content))]


def test_a_mark_may_come_byte_by_byte() -> None:
    """A mark and a beginning may come byte by byte, as through a pipe, which cannot seek."""

    class Dribble(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:  # noqa: ARG002  # however many are asked for
            return super().read(1)

    assert PEOPLE == people(read_csv(Source(Dribble(TABS.encode("utf-16")))))


# Bytes that are not UTF-8


def advice(encoding: str, example: str) -> str:
    """Return how a reason asks whether a file has an encoding."""
    return f"it may be {encoding} ({example!r}): if that reads right, say --encoding {encoding} for the original file"


@pytest.mark.parametrize("count", [0, 10_000], ids=["at the beginning", "far behind it"])
def test_a_bad_row_names_the_likely_encoding(count: int) -> None:
    """A row that is not UTF-8 names the likely encoding and shows the row in it, so a wrong guess is noticed."""
    content = b"username,email\n" + b"bob,bob@b.org\n" * count + b"jos\xe9,jose@b.org\nm\xfcller,m@b.org\n"
    expected = [f"it is not UTF-8; {advice('cp1252', name)}" for name in ("josé", "müller")]
    assert expected == reasons(read_csv(source(content)))


def test_a_bad_row_may_show_nothing() -> None:
    """A row that another encoding reads as a space is refused like any other."""
    assert [f"it is not UTF-8; {advice('cp1252', '')}"] == reasons(read_csv(source(b"username,email\n\xa0,a@b.org\n")))


def test_a_row_in_no_encoding_says_what_to_do() -> None:
    """A row that looks like no encoding says what to do. A way out always exists."""
    content = b"username,email\n" + b"bob,bob@b.org\n" * 10_000 + b"\x81\xff\x81\xff,a@b.org\n"
    assert ["it is not UTF-8: save the file as UTF-8, or name its encoding by --encoding"] == reasons(
        read_csv(source(content))
    )


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (PLAIN.encode("utf-16-le"), f"; {advice('utf-16-le', 'zoë,zoe@b.org')}"),
        ("a;b\nann;ann@b.org\n".encode("utf-16-be"), f"; {advice('utf-16-be', 'a;b')}"),
        (
            "имя;адрес\nЗоя;zoya@b.org\nТарас;taras@b.org\n".encode("cp1251"),
            f"; {advice('cp1251', 'имя;адрес')}",
        ),
        (b"\x81\xff\x81\xff", ""),
        (b"name\nann\n", ""),
    ],
)
def test_a_wrong_header_names_the_likely_encoding(content: bytes, hint: str) -> None:
    """A wrong header names the likely encoding with an example if the file is not UTF-8."""
    with pytest.raises(InvalidHeader) as refused:
        read_csv(source(content))
    assert hint == refused.value.reason.partition("commas, semicolons or tabs")[2]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [(b"username,email\nx\x81,a@b.org\n", "cp1252"), ("username,email\nx\ufffd,a@b.org\n".encode(), None)],
)
def test_a_replacement_character_is_refused(content: bytes, encoding: str | None) -> None:
    """A sign for an unreadable character is refused, from this reading or from an earlier program."""
    expected = "'\ufffd' stands where a character could not be read: write that character instead"
    assert [expected] == reasons(read_csv(source(content, encoding)))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_json_in_utf_16_names_the_encoding(encoding: str) -> None:
    """JSON Lines in UTF-16 without a mark name the likely encoding, as CSV does."""
    for reason in reasons(read_jsonl(source(LINES.encode(encoding)))):
        assert reason.endswith(advice(encoding, LINES.splitlines()[0]))


@pytest.mark.parametrize("name", ["nonsense", "base64", "idna", "punycode", "undefined", "a\0b", ""])
def test_what_is_no_encoding_of_text_is_known(name: str) -> None:
    """An encoding that is not one of text is known, so an option is refused before anything is read."""
    assert not is_encoding(name)


# JSON


@pytest.mark.parametrize(
    ("name", "file_format", "form"),
    [
        ("a.json", None, ""),
        ("a.txt", None, "UTF-8, JSON Lines"),
        ("-", None, "UTF-8, JSON Lines"),
        ("a.csv", "jsonl", ""),
    ],
)
def test_json_lines_are_told_from_csv(name: str, file_format: str | None, form: str) -> None:
    """JSON Lines differ from CSV by the ending or the first character. The latter is reported."""
    rows = user_files.read(source(LINES.encode()), Path(name), file_format)
    assert (PEOPLE, form) == (people(rows), rows.form)


@pytest.mark.parametrize("name", ["a.csv", "a.TSV"])
@pytest.mark.parametrize("column", ["[id]", "{x}"])
def test_a_name_that_means_csv_decides(name: str, column: str) -> None:
    """A name that ends in .csv or .tsv decides before the first character, which may begin the name of a column."""
    assert PEOPLE[:1] == people(
        user_files.read(source(f"{column},username,email\n7,ann,ann@b.org\n".encode()), Path(name))
    )


@pytest.mark.parametrize("content", [LINES, f"[{LINES}]"])
def test_json_named_csv_says_what_to_do(content: str) -> None:
    """JSON in a file that is named .csv is refused with the option to give."""
    with pytest.raises(InvalidHeader, match="if it is JSON, say --format jsonl"):
        user_files.read(source(content.encode()), Path("a.csv"))


def test_a_format_that_is_said_is_not_guessed() -> None:
    """A given format is not guessed. The usual form of JSON Lines is not reported, others are."""
    with pytest.raises(InvalidHeader):
        user_files.read(source(LINES.encode()), Path("-"), "csv")
    assert "UTF-16, JSON Lines" == read_jsonl(source(LINES.encode("utf-16"))).form


def test_a_json_array_is_refused_as_one() -> None:
    """A JSON array is refused as one, with a way to make lines of it."""
    with pytest.raises(
        InvalidFile, match=r"JSON array: write one object on each line, for example with jq -c '\.\[\]'"
    ):
        user_files.read(source(b' \n[{"username": "ann"}]'), Path("-"))


def test_json_has_no_delimiter() -> None:
    """JSON has no delimiter: a caller who gives one expects another file."""
    with pytest.raises(InvalidFile, match="leave --delimiter out"):
        user_files.read(source(LINES.encode()), Path("-"), None, ";")


def test_bytes_in_other_keys_cost_nothing() -> None:
    """Bad bytes and escapes in other keys cost nothing."""
    content = b'{"username": "zo\xc3\xab", "email": "zoe@b.org", "note": "\xe9 \\ud800"}'
    assert PEOPLE[1:] == people(read_jsonl(source(content)))


def test_an_input_that_cannot_be_read_is_named() -> None:
    """An input that cannot be read is named, as when its disk fails at the first byte."""
    path = Path("/proc/self/mem")
    if not path.exists():
        pytest.skip("only Linux has this file, whose first byte cannot be read")
    with pytest.raises(OSError, match="/proc/self/mem"):
        user_files.open_source(path)
