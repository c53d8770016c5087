"""Each command, its errors and its edge cases, run in this process: a separate one costs half a second."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from domain.errors import UnitOfWorkMisuse
from service_layer import users
from tests.e2e.conftest import PEOPLE, Run, names

# One user


def test_a_created_user_is_shown_and_stored(call: Run) -> None:
    """A created user is stored and shown as one JSON object, the same that get-user shows afterwards."""
    created = call("create-user", "ANN", "ann@Example.COM", "--json")
    found = call("get-user", "ann", "--json").json
    assert (0, "", found) == (created.code, created.err, created.json)
    assert ["id", "username", "email", "created_at", "active", "version"] == list(found)
    assert 7 == UUID(found.pop("id")).version
    assert timedelta(0) == datetime.fromisoformat(found.pop("created_at")).utcoffset()
    assert {"username": "ann", "email": "ann@example.com", "active": True, "version": 1} == found


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
    """A change is shown and stored. Nothing else of the user changes but the version."""
    call("create-user", "ann", "ann@example.com")
    if changed == {"active": True}:
        call("deactivate-user", "ann")
    before = call("get-user", "ann", "--json").json
    result = call(*arguments, "--json")
    expected = before | changed | {"version": before["version"] + 1}
    assert (0, expected) == (result.code, result.json)
    assert expected == call("get-user", expected["username"], "--json").json


def test_a_deleted_user_is_gone(call: Run) -> None:
    """A deleted user is gone, and the command says so."""
    call("create-user", "ann", "ann@example.com")
    result = call("delete-user", "ANN")
    assert (0, "deleted: ANN\n", "") == (result.code, result.out, result.err)
    assert [] == names(call)


# Tables


def test_a_table_has_a_line_for_each_user(call: Run) -> None:
    """A table has a line with the main values for each user, below one with headings."""
    user = call("create-user", "ann", "ann@example.com", "--json").json
    headings, row = call("list-users").out.splitlines()
    assert ["username", "email", "active", "created", "(UTC)", "id"] == headings.split()
    day, time = user["created_at"][:16].split("T")
    assert ["ann", "ann@example.com", "yes", day, time, user["id"]] == row.split()


def test_a_table_in_a_pipe_shows_values_whole(call: Run) -> None:
    """A table in a pipe shows values whole, however long they are: a pipe has no width."""
    username, email = "x" * 64, f"{'y' * 60}@{'z' * 63}.{'w' * 60}.example.com"
    call("create-user", username, email)
    call("deactivate-user", username)
    [_, row] = call("get-user", username).out.splitlines()
    assert [username, email, "no"] == row.split()[:3]


@pytest.mark.parametrize("username", ["[red]", "[/]", "[link=https://example.com]x"])
def test_what_looks_like_markup_is_shown_as_it_is(call: Run, username: str) -> None:
    """Text that looks like markup is shown as it is: a user's name must not colour, break or hide anything."""
    call("create-user", username, '"[bold] :smile:"@example.com')
    [_, row] = call("list-users").out.splitlines()
    assert [username, '"[bold]', ':smile:"@example.com', "yes"] == row.split()[:4]


def test_a_narrow_terminal_shows_values_whole(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrow terminal shows values whole, folded within their columns."""
    user = call("create-user", "ann", "a.rather.long.address@some.where.example.com", "--json").json
    monkeypatch.setenv("FORCE_COLOR", "1")  # it makes rich take any output for a terminal
    monkeypatch.setenv("COLUMNS", "60")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", call("list-users").out).splitlines()
    headings = next(line for line in lines if "email" in line)
    rows = lines[lines.index(headings) + 1 :]
    emails, ids = headings.index("email"), headings.index("id")
    assert user["email"] == "".join(row[emails : headings.index("active")].strip() for row in rows)
    assert user["id"] == "".join(row[ids:].strip() for row in rows)


def test_no_users_are_an_empty_table(call: Run) -> None:
    """No users are an empty table and no error."""
    result = call("list-users")
    assert (0, 1, "") == (result.code, len(result.out.splitlines()), result.err)


def test_a_closed_standard_output_is_no_error(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed standard output is no error: its reader has gone."""
    monkeypatch.setattr(sys, "stdout", None)
    assert (0, "", "") == ((result := call("create-user", "ann", "ann@example.com")).code, result.out, result.err)


# Pages


def test_pages_follow_each_other(call: Run) -> None:
    """Pages follow each other by the id under next in JSON, and on standard error below a table."""
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
        (["create-user", "ann", "other@example.com"], "the username 'ann' is taken already"),
        (["create-user", "bob", "ann@example.com"], "the email 'ann@example.com' is taken already"),
        (["create-user", "b\nob\x1b[31m", "bob@example.com"], r"'b\nob\x1b[31m' is not a valid username"),
        (["create-user", "bob", "bob"], "'bob' is not a valid email"),
        (["get-user", "nobody"], "no user has the username 'nobody'"),
        (["get-user", "\udcff"], r"'\udcff' is not a valid username"),
        (["change-email", "ann", ""], "'' is not a valid email"),
        (["change-username", "nobody", "ann"], "no user has the username 'nobody'"),
        (["delete-user", "nobody"], "no user has the username 'nobody'"),
        (["list-users", "--limit", "0"], "0 is not a valid value: a page holds 1 to 1000"),
        (["import-users", "missing.csv"], "missing.csv: No such file or directory"),
        (["import-users", "."], ".: Is a directory"),
        (["import-users", "missing\n.csv"], "missing .csv: No such file or directory"),
        (["import-users", "ok.csv", "--rejects", "no/such/folder"], "no/such/folder: No such file or directory"),
        (["export-users", "--output", "no/such/folder"], "no/such/folder: No such file or directory"),
        (["import-users", "-"], "'' is not a valid header line: it must name the columns username and email"),
        (
            ["import-users", "array.json"],
            "'[' is not a valid beginning of a file: it is a JSON array: write one object",
        ),
        (
            ["import-users", "json", "--delimiter", ";"],
            "'{' is not a valid beginning of a file: it is JSON, which has no",
        ),
        (["import-users", "/dev/null"], "/dev/null: no file can be written beside it; name a file for the rejects by"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_1(call: Run, folder: Path, arguments: list[str], message: str) -> None:
    """A refusal is one line with the reason on standard error, exit code 1, and nothing on standard output."""
    (folder / "ok.csv").write_bytes(PEOPLE)
    (folder / "array.json").write_bytes(b'\n[{"username": "bob"}]')
    (folder / "json").write_bytes(b'{"username": "bob"}')
    call("create-user", "ann", "ann@example.com")
    result = call(*arguments)
    assert (1, "", 1) == (result.code, result.out, len(result.err.splitlines()))
    assert f"error: {message}" == result.err[: len(f"error: {message}")]


# What a shell passes on as bytes that are not UTF-8.
NOT_UTF_8 = (
    ["export-users", "--delimiter"],
    ["export-users", "--format"],
    ["import-users", "people.csv", "--delimiter"],
    ["import-users", "people.csv", "--encoding"],
    ["create-user", "ann", "ann@example.com", "--id"],
    ["list-users", "--after"],
    ["list-users", "--limit"],
)


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
        ["import-users", "people.csv", "--rejects", "-"],
        ["import-users", "people.csv", "--delimiter", "ab"],
        ["import-users", "people.csv", "--delimiter", '"'],
        ["import-users", "people.csv", "--delimiter", "\0"],
        ["import-users", "people.csv", "--encoding", "nonsense"],
        *([*command, "\udc85"] for command in NOT_UTF_8),
        ["export-users", "--output", "people.jsonl", "--bom"],
        ["export-users", "--format", "jsonl", "--delimiter", "tab"],
    ],
)
def test_a_wrong_command_line_is_exit_code_2(call: Run, folder: Path, arguments: list[str]) -> None:
    """A wrong command line is exit code 2, and nothing is read, stored or overwritten."""
    (folder / "people.csv").write_bytes(PEOPLE)
    (folder / "link.csv").symlink_to("people.csv")
    result = call(*arguments)
    assert (2, "") == (result.code, result.out)
    assert "Usage: " == result.err[:7]
    assert PEOPLE == (folder / "people.csv").read_bytes()
    assert {"people.csv", "link.csv", "standard input"} >= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("arguments", [["list-users"], ["import-users", "-"]])
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (("DATABASE_URL", "sqlite:///no/such/folder/people.db"), "unable to open database file"),
        (("DATABASE_URL", "sqlite:///standard input"), "file is not a database"),
        (("DATABASE_URL", "nonsense"), "DATABASE_URL cannot be read"),
        (("DATABASE_TIMEOUT", "soon"), "DATABASE_TIMEOUT is 'soon'"),
    ],
)
def test_an_unusable_storage_is_one_line(
    call: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], setting: tuple[str, str], message: str
) -> None:
    """A storage that cannot be used is one line and exit code 3, for any command."""
    monkeypatch.setenv(*setting)
    result = call(*arguments, stdin=PEOPLE)
    assert (3, "", 1) == (result.code, result.out, len(result.err.splitlines()))
    assert "error: " == result.err[:7]
    assert message in result.err


def test_a_mistake_in_the_program_is_shown(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in the program goes on with its traceback, for the developer who must repair it."""

    def use_wrongly(*_: object) -> None:
        raise UnitOfWorkMisuse("commit() comes before the end of the block")

    monkeypatch.setattr(users, "get_user", use_wrongly)
    with pytest.raises(UnitOfWorkMisuse):
        call("get-user", "ann")


@pytest.mark.parametrize("command", [["import-users"], ["get-user"]])
def test_help_does_not_show_what_the_settings_are(
    call: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Help does not show the settings: the URL can hold a password."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@localhost/database")
    result = call(*command, "--help")
    assert 0 == result.code
    assert "Usage: " == result.out[:7]
    assert "secret" not in result.out + result.err


# The fake


def test_every_command_of_users_runs_on_the_fake(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of users runs on the fake, which forgets everything when the command ends."""
    monkeypatch.setenv("DATABASE_URL", "memory://")
    assert "stored: 2, stored before: 0, refused: 0\n" == call("import-users", "-", stdin=PEOPLE).out
    assert [] == names(call)


def test_a_wrong_header_keeps_earlier_rejects(call: Run, folder: Path) -> None:
    """A wrong header keeps earlier rejects: their file is begun when the header was read."""
    (folder / "import.rejects.csv").write_text("of an earlier run")
    assert 1 == call("import-users", "-", stdin=b"no header\n").code
    assert "of an earlier run" == (folder / "import.rejects.csv").read_text()
