"""The commands that manage the tables, and the effect of wrong settings and mistakes on every command."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adapters.sql.schema import known_revisions
from tests.e2e.conftest import Run

UPGRADE = "run `app db upgrade`"


def test_the_tables_go_down_and_up_again(call: Run) -> None:
    """The tables can be taken back and brought up again. The status says where they are, for people and programs."""
    head = call("db", "status", "--json").json["head"]
    earlier = ["base", *known_revisions()][-2]
    steps = [
        call("db", "upgrade").out,
        call("db", "status", "--json").json,
        call("db", "downgrade", "-1").out,
        call("db", "upgrade").out,
        call("db", "downgrade", "base").out,
        call("db", "status", "--json").json,
    ]
    assert [
        f"the tables stand at revision {head}\n",
        _status("ready", head, head, f"stands at revision {head}, and has all tables of this program", ""),
        f"the tables stand at revision {earlier}\n",
        f"the tables stand at revision {head}\n",
        "the tables stand at revision base\n",
        _status("new", None, head, f"has no tables of this program yet, and this program needs revision {head}"),
    ] == steps


def _status(situation: str, current: str | None, head: str, problem: str, advice: str = UPGRADE) -> dict[str, object]:
    return {"current": current, "head": head, "situation": situation, "problem": problem, "advice": advice}


def test_the_status_is_a_sentence_and_an_advice(call: Run) -> None:
    """The status is a sentence and the next step for people, in two or three lines."""
    head = known_revisions()[-1]
    before, _, after = (call("db", one).out.splitlines() for one in ("status", "upgrade", "status"))
    assert [
        f"the tables stand at revision base, and this program needs {head}",
        f"new: the database has no tables of this program yet, and this program needs revision {head}",
        "next: run `app db upgrade`",
    ] == before
    assert [
        f"the tables stand at revision {head}, and this program needs {head}",
        f"ready: the database stands at revision {head}, and has all tables of this program",
    ] == after


def test_a_revision_is_printed_escaped(call: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A revision is printed escaped, since another program has chosen it."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE alembic_version AS SELECT 'a\x1b[2J\nb' AS version_num")
    printed = call("db", "status").out
    assert "the tables stand at revision a\\x1b[2J\\nb, and" in printed
    assert "\x1b" not in printed


def test_a_revision_can_be_noted(call: Run) -> None:
    """A revision can be noted, and the tables stay as they are."""
    call("db", "upgrade")
    assert "the tables stand at revision base\n" == call("db", "stamp", "base").out
    assert "unversioned" == call("db", "status", "--json").json["situation"]
    assert 3 == call("db", "upgrade").code
    assert 0 == call("db", "stamp", known_revisions()[-1]).code
    assert 0 == call("db", "upgrade").code


@pytest.mark.parametrize(
    "command", [("downgrade", "nope"), ("downgrade", "-9"), ("downgrade", ""), ("stamp", "nope"), ("stamp", "-1")]
)
def test_a_revision_that_there_is_not_is_refused(call: Run, command: tuple[str, str]) -> None:
    """An unknown revision is refused in one line, with the exit code for an invalid value."""
    call("db", "upgrade")
    result = call("db", *command)
    assert f"error: {command[1]!r} is not a valid revision" in result.err
    assert (1, "", 1) == (result.code, result.out, len(result.err.splitlines()))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (("DATABASE_URL", "sqlite:///no/such/folder/people.db"), "unable to open database file"),
        (("DATABASE_URL", "sqlite:///standard input"), "file is not a database"),
        (("DATABASE_URL", "nonsense"), "DATABASE_URL cannot be read"),
        (("DATABASE_URL", "memory://"), "memory:// has no tables"),
        (("DATABASE_TIMEOUT", "soon"), "DATABASE_TIMEOUT is 'soon'"),
    ],
)
def test_an_unusable_storage_is_exit_code_3(
    call: Run, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str], message: str
) -> None:
    """An unusable storage is exit code 3 and one line."""
    monkeypatch.setenv(*setting)
    result = call("db", "status", stdin=b"no database")
    assert (3, "", 1) == (result.code, result.out, len(result.err.splitlines()))
    assert "error: " == result.err[:7]
    assert message in result.err


@pytest.mark.parametrize("arguments", [["frobnicate"], ["db", "frobnicate"], ["db", "downgrade"]])
def test_an_unknown_command_is_exit_code_2(call: Run, arguments: list[str]) -> None:
    """An unknown command is exit code 2 and shows the usage."""
    result = call(*arguments)
    assert (2, "", "Usage: ") == (result.code, result.out, result.err[:7])


@pytest.mark.parametrize("command", [[], ["db", "upgrade"]])
def test_help_shows_no_password(call: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    """Help shows no password, which the URL can hold."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@localhost/database")
    result = call(*command, "--help")
    assert (0, "Usage: ") == (result.code, result.out[:7])
    assert "secret" not in result.out + result.err
