"""The commands that look after the tables, and what every command does with wrong settings and mistakes."""

from __future__ import annotations

import pytest

from adapters.sql.schema import known_revisions
from tests.e2e.conftest import Run


def test_the_tables_can_be_taken_back_and_brought_up_again(call: Run) -> None:
    """The status says where they stand, for people and for programs."""
    head = call("db", "status", "--json").json["head"]
    earlier = ["base", *known_revisions()][-2]
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
        f"the tables stand at revision {earlier}\n",
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
    """It is told in one line."""
    monkeypatch.setenv(*setting)
    result = call("db", "status", stdin=b"no database")
    assert (3, "", 1) == (result.code, result.out, len(result.err.splitlines()))
    assert "error: " == result.err[:7]
    assert message in result.err


@pytest.mark.parametrize("arguments", [["frobnicate"], ["db", "frobnicate"], ["db", "downgrade"]])
def test_an_unknown_command_is_exit_code_2(call: Run, arguments: list[str]) -> None:
    """The usage is shown."""
    result = call(*arguments)
    assert (2, "", "Usage: ") == (result.code, result.out, result.err[:7])


@pytest.mark.parametrize("command", [[], ["db", "upgrade"]])
def test_help_shows_no_password(call: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    """The URL can hold one."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@localhost/database")
    result = call(*command, "--help")
    assert (0, "Usage: ") == (result.code, result.out[:7])
    assert "secret" not in result.out + result.err
