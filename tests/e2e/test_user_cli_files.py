"""Imports and exports, run in this process."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from service_layer import users
from tests.e2e.conftest import PEOPLE, ROOT, Run, names, stored


def test_an_import_stores_every_row(call: Run, folder: Path) -> None:
    """An import stores every row and says how many."""
    (folder / "people.csv").write_bytes(PEOPLE)
    result = call("import-users", "people.csv")
    assert (0, "stored: 2, stored before: 0, refused: 0\n", "") == (result.code, result.out, result.err)
    assert ["ann", "bob"] == names(call)


def test_a_repeated_import_changes_nothing(call: Run) -> None:
    """A repeated import changes nothing: no row is stored twice, and it is no error."""
    call("import-users", "-", stdin=PEOPLE)
    before = call("list-users", "--json").json
    result = call("import-users", "-", "--json", stdin=PEOPLE)
    expected = {"stored": 0, "present": 2, "refused": 0, "rejects": "import.rejects.csv"}
    assert (0, expected) == (result.code, result.json)
    assert before == call("list-users", "--json").json


def test_refused_rows_are_reported(call: Run, folder: Path) -> None:
    """Rows that the domain refuses or that cannot be read are reported with exit code 1. All others are stored."""
    (folder / "people.csv").write_bytes(PEOPLE + b"carol\nANN,second@example.com\ndave,dave@example.com\n")
    result = call("import-users", "people.csv")
    assert (1, "stored: 3, stored before: 0, refused: 2\n") == (result.code, result.out)
    assert "rows refused: 2; people.csv.rejects.csv says which, and why\n" == result.err
    assert 1 == call("import-users", "people.csv", "--json").code
    assert ["ann", "bob", "dave"] == names(call)
    with (folder / "people.csv.rejects.csv").open(newline="") as rejects:
        refused = sorted((row["line"], row["username"], row["email"]) for row in csv.DictReader(rejects))
    assert [("4", "carol", ""), ("5", "ANN", "second@example.com")] == refused


def test_mended_rejects_can_be_imported(call: Run, folder: Path) -> None:
    """Corrected rejects can be imported: their file is itself a CSV file of users."""
    call("import-users", "-", "--rejects", "bad.csv", stdin=PEOPLE + b"c d,c@example.com\n")
    rejects = folder / "bad.csv"
    rejects.write_text(rejects.read_text().replace('4,"c d"', '4,"cd"'))
    assert 0 == call("import-users", "bad.csv").code
    assert ["ann", "bob", "cd"] == names(call)


def test_json_lines_are_imported(call: Run, folder: Path) -> None:
    """JSON Lines are imported by their ending or on demand, and so is CSV from a file with a misleading name."""
    (folder / "people.jsonl").write_bytes(b'{"username": "ann", "email": "ann@example.com"}\n')
    (folder / "misnamed.jsonl").write_bytes(b"username,email\nbob,bob@example.com\n")
    line = b'{"username": "carol", "email": "carol@example.com"}'
    codes = [
        call("import-users", "people.jsonl").code,
        call("import-users", "misnamed.jsonl", "--format", "csv").code,
        call("import-users", "-", "--format", "jsonl", stdin=line).code,
    ]
    assert ([0, 0, 0], ["ann", "bob", "carol"]) == (codes, names(call))


def test_an_import_of_several_batches(call: Run, folder: Path) -> None:
    """An import of several batches stores every row. A batch is a transaction, and the last one is seldom full."""
    rows = [f"user{number},user{number}@example.com\n" for number in range(2_345)]
    (folder / "people.csv").write_text("username,email\n" + "".join(rows))
    assert 2_345 == call("import-users", "people.csv", "--json").json["stored"]


def test_an_interrupted_import_says_what_to_do(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted import says in one line how to finish it, with the exit code of a program ended by Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(users, "import_users", interrupt)
    result = call("import-users", "-", stdin=PEOPLE)
    message = "interrupted: what is stored stays so, and running the same command again stores the rest\n"
    assert (130, "", message) == (result.code, result.out, result.err)


def test_the_sample_file_has_good_and_bad_rows(call: Run) -> None:
    """The sample file, which a demonstration imports, has good rows and bad ones."""
    result = call("import-users", str(ROOT / "samples" / "people.csv"), "--rejects", "rejects.csv", "--json")
    assert {"stored": 31, "present": 0, "refused": 8, "rejects": "rejects.csv"} == result.json
    assert "ann" == names(call)[0]


@pytest.mark.parametrize("name", ["people.csv", "people.jsonl"])
def test_an_export_can_be_imported_elsewhere(call: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An export can be imported elsewhere with every name and address, in either format."""
    call("import-users", str(ROOT / "samples" / "people.csv"), "--rejects", "rejects.csv")
    call("deactivate-user", "ann")
    exported = call("export-users", "--output", name)
    before = call("list-users", "--json").json["users"]
    monkeypatch.setenv("DATABASE_URL", "sqlite:///elsewhere.db")
    imported = call("import-users", name)
    after = call("list-users", "--json").json["users"]
    assert (0, "", "") == (exported.code, exported.out, exported.err)
    assert (0, "stored: 31, stored before: 0, refused: 0\n") == (imported.code, imported.out)
    assert sorted((u["username"], u["email"]) for u in before) == sorted((u["username"], u["email"]) for u in after)


def test_an_export_is_csv_on_standard_output(call: Run) -> None:
    """By default an export goes to standard output as CSV."""
    call("import-users", "-", stdin=PEOPLE)
    lines = call("export-users").out.splitlines()
    assert ["id,username,email,created_at,active,version", "ann", "bob"] == [
        lines[0],
        *(line.split(",")[1] for line in lines[1:]),
    ]


# Files as offices make them


def test_what_was_recognised_is_said(call: Run, folder: Path) -> None:
    """The recognised form is reported in one line on standard error, with the name of the file."""
    (folder / "people.csv").write_bytes(PEOPLE.replace(b",", b";").decode().encode("utf-16"))
    result = call("import-users", "people.csv")
    said = "reading people.csv as UTF-16, separated by semicolons\n"
    assert (0, "stored: 2, stored before: 0, refused: 0\n", said) == (result.code, result.out, result.err)


def test_an_import_that_cannot_begin_keeps_older_rejects(
    call: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that cannot begin keeps the rejects of an earlier one."""
    (folder / "bad.csv").write_text("older")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///no/such/folder/people.db")
    assert 3 == call("import-users", "-", "--rejects", "bad.csv", stdin=PEOPLE).code
    assert "older" == (folder / "bad.csv").read_text()


def test_json_is_recognised_by_its_beginning(call: Run) -> None:
    """JSON is recognised by its beginning without a name that ends in .jsonl, and this is reported."""
    result = call("import-users", "-", stdin=b'{"username": "ann", "email": "ann@example.com"}\n')
    assert (0, "reading standard input as UTF-8, JSON Lines\n") == (result.code, result.err)
    assert ["ann"] == names(call)


def test_another_encoding_is_named_never_assumed(call: Run, folder: Path) -> None:
    """Another encoding is named and never assumed: a row that is not UTF-8 is refused with the option to give.

    With the option, the row is stored.
    """
    (folder / "people.csv").write_bytes("username,email\njosé,jose@example.com\n".encode("cp1252"))
    refused = call("import-users", "people.csv", "--rejects", "bad.csv")
    told = "rows refused: 1; bad.csv says which, and why\n"
    assert (1, "stored: 0, stored before: 0, refused: 1\n", told) == (refused.code, refused.out, refused.err)
    advice = "it may be cp1252 ('josé'): if that reads right, say --encoding cp1252 for the original file"
    assert advice in (folder / "bad.csv").read_text(encoding="utf-8")
    said = call("import-users", "people.csv", "--encoding", "cp1252")
    assert (0, "reading people.csv as cp1252, separated by commas\n") == (said.code, said.err)
    assert ["josé"] == names(call)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bytes.csv", b"username,email\njos\xe9,a@b.org\n"),
        ("escape.jsonl", rb'{"username": "x\udce9", "email": "a@b.org"}'),
    ],
)
def test_rejects_are_refused_again(call: Run, folder: Path, name: str, content: bytes) -> None:
    """Unchanged rejects are refused again, in any encoding: nothing that could not be read is ever stored."""
    (folder / name).write_bytes(content)
    results = [
        call("import-users", name, "--rejects", "bad.csv"),
        call("import-users", "bad.csv", "--rejects", "worse.csv"),
        call("import-users", "bad.csv", "--encoding", "cp1251"),
    ]
    told = [f"rows refused: 1; {file} says which, and why\n" for file in ("bad.csv", "worse.csv")]
    reason = "the file of rejects that it begins is UTF-8: say --encoding for the original file alone"
    told.append(f"error: 'line,username,email,reason' is not a valid header line: {reason}\n")
    assert [(1, text) for text in told] == [(result.code, result.err) for result in results]
    assert [] == names(call)


@pytest.mark.parametrize(
    ("delimiter", "encoding", "said"),
    [(";", "utf-8-sig", "UTF-8, separated by semicolons"), ("\t", "utf-16", "UTF-16, separated by tabs")],
)
def test_an_export_survives_a_spreadsheet(call: Run, folder: Path, delimiter: str, encoding: str, said: str) -> None:
    """An export survives a spreadsheet, which saves it in another form. No user is new or refused."""
    call("import-users", str(ROOT / "samples" / "people.csv"), "--rejects", "rejects.csv")
    call("create-user", "=1+1", "=1+1@example.com")
    exported = call("export-users", "--bom", "--output", "users.csv")
    text = (folder / "users.csv").read_bytes().decode("utf-8-sig")
    with (folder / "saved.csv").open("w", encoding=encoding, newline="") as saved:
        csv.writer(saved, delimiter=delimiter).writerows([*csv.reader(text.splitlines()), [""] * 6])
    imported = call("import-users", "saved.csv")
    assert (0, "", b"\xef\xbb\xbf") == (exported.code, exported.err, (folder / "users.csv").read_bytes()[:3])
    assert (0, f"reading saved.csv as {said}\n") == (imported.code, imported.err)
    assert "stored: 0, stored before: 32, refused: 0\n" == imported.out


def test_an_export_has_the_delimiter_that_is_said(call: Run) -> None:
    """An export has the given delimiter, so a spreadsheet of any country shows columns."""
    call("import-users", "-", stdin=PEOPLE)
    result = call("export-users", "--delimiter", "tab")
    assert (0, "", "id\tusername\temail") == (result.code, result.err, result.out[:17])


def test_an_input_without_a_folder_needs_rejects(call: Run, folder: Path) -> None:
    """An input without a folder, such as a pipe of the shell, needs a name for rejects. Nothing is read."""
    reading, writing = os.pipe()
    os.write(writing, PEOPLE + b"no name\n")
    os.close(writing)
    refused = call("import-users", f"/dev/fd/{reading}")
    done = call("import-users", f"/dev/fd/{reading}", "--rejects", "bad.csv")
    os.close(reading)
    told = "no file can be written beside it; name a file for the rejects by --rejects FILE"
    assert (1, f"error: /dev/fd/{reading}: {told}\n") == (refused.code, refused.err)
    assert (1, "rows refused: 1; bad.csv says which, and why\n") == (done.code, done.err)
    assert 2 == stored(folder)


def test_unwritable_rejects_say_what_to_name(call: Run, folder: Path) -> None:
    """Rejects that cannot be written say what to name before anything is stored."""
    (folder / "people.csv").write_bytes(PEOPLE)
    (folder / "people.csv.rejects.csv").mkdir()
    result = call("import-users", "people.csv")
    told = "people.csv.rejects.csv: Is a directory; name a file for the rejects by --rejects FILE"
    assert (1, "", f"error: {told}\n") == (result.code, result.out, result.err)
    assert 0 == stored(folder)
