"""Each command, its errors and its edges: run in this process, because a process of its own costs half a second."""

from __future__ import annotations

import csv
import os
import signal
import threading
from pathlib import Path
from uuid import UUID

import pytest

from domain.errors import UnitOfWorkMisuse
from service_layer import users
from tests.e2e.conftest import ROOT, Run

PEOPLE = b"username,email\nann,ann@example.com\nbob,bob@example.com\n"


def names(call: Run) -> list[str]:
    """Return the names of all users."""
    return [user["username"] for user in call("list-users", "--limit", "1000", "--json").json["users"]]


# One user


def test_a_created_user_is_shown_and_stored(call: Run) -> None:
    """As one JSON object, the same one that get-user shows afterwards."""
    created = call("create-user", "ANN", "ann@Example.COM", "--json")
    found = call("get-user", "ann", "--json").json
    assert (0, "", found) == (created.code, created.err, created.json)
    assert ["id", "username", "email", "created_at", "active", "version"] == list(found)
    assert ("ann", "ann@example.com", True, 1) == tuple(found[key] for key in ("username", "email", "active", "version"))
    assert 7 == UUID(found["id"]).version
    assert found["created_at"].endswith("+00:00")


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        (["change-email", "ann", "new@example.com"], {"email": "new@example.com"}),
        (["change-username", "ann", "anna"], {"username": "anna"}),
        (["deactivate-user", "ann"], {"active": False}),
        (["reactivate-user", "ann"], {"active": True}),
    ],
)
def test_a_change_is_shown_and_stored(call: Run, arguments: list[str], changed: dict[str, object]) -> None:
    """And nothing else of the user changes, but for the version."""
    call("create-user", "ann", "ann@example.com")
    if changed == {"active": True}:
        call("deactivate-user", "ann")
    before = call("get-user", "ann", "--json").json
    result = call(*arguments, "--json")
    expected = before | changed | {"version": before["version"] + 1}
    assert (0, expected) == (result.code, result.json)
    assert expected == call("get-user", expected["username"], "--json").json


def test_a_deleted_user_is_gone(call: Run) -> None:
    """And whoever deletes is told."""
    call("create-user", "ann", "ann@example.com")
    result = call("delete-user", "ANN")
    assert (0, "deleted: ANN\n", "") == (result.code, result.out, result.err)
    assert [] == names(call)


# Tables


def test_a_table_has_a_line_for_each_user(call: Run) -> None:
    """Below one with headings, with the values that people look for."""
    user = call("create-user", "ann", "ann@example.com", "--json").json
    headings, row = call("list-users").out.splitlines()
    assert ["username", "email", "active", "created", "(UTC)", "id"] == headings.split()
    day, time = user["created_at"][:16].split("T")
    assert ["ann", "ann@example.com", "yes", day, time, user["id"]] == row.split()


def test_a_table_in_a_pipe_shows_values_whole(call: Run) -> None:
    """However long they are: a pipe has no width."""
    username, email = "x" * 64, f"{'y' * 60}@{'z' * 63}.{'w' * 60}.example.com"
    call("create-user", username, email)
    call("deactivate-user", username)
    [_, row] = call("get-user", username).out.splitlines()
    assert [username, email, "no"] == row.split()[:3]


@pytest.mark.parametrize("username", ["[red]", "[/]", "[link=https://example.com]x"])
def test_what_looks_like_markup_is_shown_as_it_is(call: Run, username: str) -> None:
    """A user's name must not colour, break or hide anything."""
    call("create-user", username, '"[bold] :smile:"@example.com')
    [_, row] = call("list-users").out.splitlines()
    assert [username, '"[bold]', ':smile:"@example.com', "yes"] == row.split()[:4]


def test_no_users_are_an_empty_table(call: Run) -> None:
    """And no error."""
    result = call("list-users")
    assert (0, 1, "") == (result.code, len(result.out.splitlines()), result.err)


# Pages


def test_pages_follow_each_other(call: Run) -> None:
    """By the id that stands under next in JSON, and on standard error below a table."""
    created = [call("create-user", f"user{n}", f"user{n}@example.com", "--json").json for n in range(3)]
    first = call("list-users", "--limit", "2", "--json").json
    second = call("list-users", "--limit", "2", "--after", first["next"], "--json").json
    assert {"users": created[:2], "next": created[1]["id"]} == first
    assert {"users": created[2:], "next": None} == second
    hint = f"for the next page: app list-users --after {created[1]['id']} --limit 2\n"
    assert hint == call("list-users", "--limit", "2").err
    assert "" == call("list-users", "--limit", "3").err


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create-user", "ann", "other@example.com"], "the user name 'ann' is taken already"),
        (["create-user", "bob", "ann@example.com"], "the email address 'ann@example.com' is taken already"),
        (["create-user", "b\nob\x1b[31m", "bob@example.com"], r"'b\nob\x1b[31m' is not a valid user name"),
        (["create-user", "bob", "bob"], "'bob' is not a valid email address"),
        (["get-user", "nobody"], "no user has the username 'nobody'"),
        (["get-user", "\udcff"], r"'\udcff' is not a valid user name"),
        (["change-email", "ann", ""], "'' is not a valid email address"),
        (["change-username", "nobody", "ann"], "no user has the username 'nobody'"),
        (["delete-user", "nobody"], "no user has the username 'nobody'"),
        (["list-users", "--limit", "0"], "0 is not a valid value: a page holds 1 to 1000"),
        (["import-users", "missing.csv"], "missing.csv: No such file or directory"),
        (["import-users", "."], ".: Is a directory"),
        (["import-users", "missing\n.csv"], "missing .csv: No such file or directory"),
        (["import-users", "-", "--rejects", "no/such/folder"], "no/such/folder: No such file or directory"),
        (["export-users", "--output", "no/such/folder"], "no/such/folder: No such file or directory"),
        (["import-users", "-"], "[] is not a valid header line: it must name the columns username and email"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_1(call: Run, arguments: list[str], message: str) -> None:
    """On standard error, with the reason, and nothing on standard output."""
    call("create-user", "ann", "ann@example.com")
    result = call(*arguments)
    assert (1, "", 1) == (result.code, result.out, len(result.err.splitlines()))
    assert f"error: {message}" == result.err[: len(f"error: {message}")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["get-user"],
        ["list-users", "--after", "ann"],
        ["list-users", "--limit", "many"],
        ["import-users", "people.csv", "--format", "xml"],
        ["import-users", "people.csv", "--rejects", "people.csv"],
        ["import-users", "people.csv", "--rejects", "link.csv"],
    ],
)
def test_a_wrong_command_line_is_exit_code_2(call: Run, folder: Path, arguments: list[str]) -> None:
    """And nothing is read, stored or overwritten."""
    (folder / "people.csv").write_bytes(PEOPLE)
    (folder / "link.csv").symlink_to("people.csv")
    result = call(*arguments)
    assert (2, "") == (result.code, result.out)
    assert "Usage: " == result.err[:7]
    assert PEOPLE == (folder / "people.csv").read_bytes()


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("DATABASE_URL", "sqlite:///no/such/folder/people.db", "unable to open database file"),
        ("DATABASE_URL", "sqlite:///people.csv", "file is not a database"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL cannot be read"),
        ("DATABASE_TIMEOUT", "soon", "DATABASE_TIMEOUT is 'soon'"),
    ],
)
@pytest.mark.parametrize("arguments", [["list-users"], ["import-users", "-"], ["db", "status"]])
def test_storage_that_cannot_be_used_is_one_line_and_exit_code_3(
    call: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    message: str,
    arguments: list[str],
) -> None:
    """Whatever was to be done with it."""
    (folder / "people.csv").write_bytes(PEOPLE)
    monkeypatch.setenv(variable, value)
    result = call(*arguments, stdin=PEOPLE)
    assert (3, "", 1) == (result.code, result.out, len(result.err.splitlines()))
    assert "error: " == result.err[:7]
    assert message in result.err


def test_a_mistake_in_the_program_is_not_disguised(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on with its traceback, for whoever must mend it."""

    def use_wrongly(*_: object) -> None:
        raise UnitOfWorkMisuse("commit() comes before the end of the block")

    monkeypatch.setattr(users, "get_user", use_wrongly)
    with pytest.raises(UnitOfWorkMisuse):
        call("get-user", "ann")


# Imports


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
    rejects.write_text(rejects.read_text().replace("4,c d,", "4,cd,"))
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


def test_an_import_of_many_rows_holds_them_in_batches(call: Run, folder: Path) -> None:
    """A batch is a transaction; the last one is seldom full."""
    rows = [f"user{number},user{number}@example.com\n" for number in range(2_345)]
    (folder / "people.csv").write_text("username,email\n" + "".join(rows))
    assert 2_345 == call("import-users", "people.csv", "--json").json["stored"]


def test_an_interrupted_import_says_how_to_finish_it(call: Run, folder: Path) -> None:
    """With one line and the exit code of a program that Ctrl-C has ended."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)

    def type_and_interrupt() -> None:
        # More than a pipe holds: once all but the rest is written, the import is reading.
        with pipe.open("w") as writing:
            writing.write("username,email\n" + "ann,ann@example.com\n" * 10_000)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            stopped.wait(10)

    stopped = threading.Event()
    typist = threading.Thread(target=type_and_interrupt)
    typist.start()
    result = call("import-users", "pipe")
    stopped.set()
    typist.join()
    assert (130, "", 1) == (result.code, result.out, len(result.err.splitlines()))
    assert "run" in result.err
    assert ["ann"] == names(call)


def test_the_sample_file_shows_good_rows_and_bad_ones(call: Run) -> None:
    """It is what a demonstration imports."""
    result = call("import-users", str(ROOT / "samples" / "people.csv"), "--rejects", "rejects.csv", "--json")
    assert {"stored": 31, "present": 0, "refused": 8, "rejects": "rejects.csv"} == result.json
    assert "ann" == names(call)[0]


# Exports


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


# Tables of the database


def test_the_tables_can_be_taken_back_and_brought_up_again(call: Run) -> None:
    """The status says where they stand, for people and for programs."""
    head = call("db", "status", "--json").json["head"]
    steps = [
        call("db", "status").out,
        call("db", "upgrade").out,
        call("db", "status", "--json").json,
        call("db", "downgrade", "-1").out,
        call("db", "upgrade").out,
        call("db", "downgrade", "base").out,
        call("db", "status", "--json").json,
    ]
    assert [
        f"the tables stand at revision base, and this program needs {head}\n",
        f"the tables stand at revision {head}\n",
        {"current": head, "head": head},
        "the tables stand at revision base\n",
        f"the tables stand at revision {head}\n",
        "the tables stand at revision base\n",
        {"current": None, "head": head},
    ] == steps


@pytest.mark.parametrize("revision", ["nonsense", "-9"])
def test_a_revision_that_there_is_not_is_refused(call: Run, revision: str) -> None:
    """In one line."""
    call("db", "upgrade")
    result = call("db", "downgrade", revision)
    assert (3, "", 1) == (result.code, result.out, len(result.err.splitlines()))


# The fake


def test_every_command_of_users_runs_on_the_fake(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which forgets everything when the command ends, and has no tables."""
    monkeypatch.setenv("DATABASE_URL", "memory://")
    assert "stored: 2, stored before: 0, refused: 0\n" == call("import-users", "-", stdin=PEOPLE).out
    assert [] == names(call)
    assert (3, "error: memory:// has no tables") == ((result := call("db", "status")).code, result.err[:30])
