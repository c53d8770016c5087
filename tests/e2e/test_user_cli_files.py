"""Imports and exports, run in this process."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from service_layer import users
from tests.e2e.conftest import PEOPLE, ROOT, Run, names


def test_an_import_stores_every_row(call: Run, folder: Path) -> None:
    """And says how many."""
    (folder / "people.csv").write_bytes(PEOPLE)
    result = call("import-users", "people.csv")
    assert (0, "stored: 2, stored before: 0, refused: 0\n", "") == (result.code, result.out, result.err)
    assert ["ann", "bob"] == names(call)


def test_an_import_that_is_run_again_changes_nothing(call: Run) -> None:
    """Neither is a row stored twice, nor is it an error."""
    call("import-users", "-", stdin=PEOPLE)
    before = call("list-users", "--json").json
    result = call("import-users", "-", "--json", stdin=PEOPLE)
    expected = {"stored": 0, "present": 2, "refused": 0, "rejects": "import.rejects.csv"}
    assert (0, expected) == (result.code, result.json)
    assert before == call("list-users", "--json").json


def test_refused_rows_are_told_and_all_others_stored(call: Run, folder: Path) -> None:
    """Those that the domain refuses and those that cannot be read, with exit code 1."""
    (folder / "people.csv").write_bytes(PEOPLE + b"carol\nANN,second@example.com\ndave,dave@example.com\n")
    result = call("import-users", "people.csv")
    assert (1, "stored: 3, stored before: 0, refused: 2\n") == (result.code, result.out)
    assert "rows refused: 2; people.csv.rejects.csv says which, and why\n" == result.err
    assert ["ann", "bob", "dave"] == names(call)
    with (folder / "people.csv.rejects.csv").open(newline="") as rejects:
        refused = sorted((row["line"], row["username"], row["email"]) for row in csv.DictReader(rejects))
    assert [("4", "carol", ""), ("5", "ANN", "second@example.com")] == refused


def test_mended_rejects_can_be_imported(call: Run, folder: Path) -> None:
    """Their file is itself a CSV file of users."""
    call("import-users", "-", "--rejects", "bad.csv", stdin=PEOPLE + b"c d,c@example.com\n")
    rejects = folder / "bad.csv"
    rejects.write_text(rejects.read_text().replace('4,"c d"', '4,"cd"'))
    assert 0 == call("import-users", "bad.csv").code
    assert ["ann", "bob", "cd"] == names(call)


def test_json_lines_are_imported_by_their_ending_or_on_demand(call: Run, folder: Path) -> None:
    """And so is CSV from a file with a misleading name."""
    (folder / "people.jsonl").write_bytes(b'{"username": "ann", "email": "ann@example.com"}\n')
    (folder / "misnamed.jsonl").write_bytes(b"username,email\nbob,bob@example.com\n")
    line = b'{"username": "carol", "email": "carol@example.com"}'
    codes = [
        call("import-users", "people.jsonl").code,
        call("import-users", "misnamed.jsonl", "--format", "csv").code,
        call("import-users", "-", "--format", "jsonl", stdin=line).code,
    ]
    assert ([0, 0, 0], ["ann", "bob", "carol"]) == (codes, names(call))


def test_an_import_of_more_than_one_batch_stores_every_row(call: Run, folder: Path) -> None:
    """A batch is a transaction; the last one is seldom full."""
    rows = [f"user{number},user{number}@example.com\n" for number in range(2_345)]
    (folder / "people.csv").write_text("username,email\n" + "".join(rows))
    assert 2_345 == call("import-users", "people.csv", "--json").json["stored"]


def test_an_interrupted_import_says_how_to_finish_it(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one line and the exit code of a program that Ctrl-C has ended."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(users, "import_users", interrupt)
    result = call("import-users", "-", stdin=PEOPLE)
    message = "interrupted: what is stored stays so, and running the same command again stores the rest\n"
    assert (130, "", message) == (result.code, result.out, result.err)


def test_the_sample_file_shows_good_rows_and_bad_ones(call: Run) -> None:
    """It is what a demonstration imports."""
    result = call("import-users", str(ROOT / "samples" / "people.csv"), "--rejects", "rejects.csv", "--json")
    assert {"stored": 31, "present": 0, "refused": 8, "rejects": "rejects.csv"} == result.json
    assert "ann" == names(call)[0]


@pytest.mark.parametrize("name", ["people.csv", "people.jsonl"])
def test_what_is_exported_can_be_imported_elsewhere(call: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With every name and address, in either format."""
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


def test_an_export_goes_to_standard_output_unless_told_otherwise(call: Run) -> None:
    """As CSV."""
    call("import-users", "-", stdin=PEOPLE)
    lines = call("export-users").out.splitlines()
    assert ["id,username,email,created_at,active,version", "ann", "bob"] == [
        lines[0],
        *(line.split(",")[1] for line in lines[1:]),
    ]
