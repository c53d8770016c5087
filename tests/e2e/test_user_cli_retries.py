"""Commands on a database that fails on purpose: what is run again, and what people see."""

from __future__ import annotations

from functools import partial
from typing import Literal

import pytest

from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from domain.errors import CommitOutcomeUnknown, ConcurrentChange, StorageUnavailable
from entrypoints import commands
from entrypoints.bootstrap import Application
from service_layer.users import create_user
from tests.e2e.conftest import PEOPLE, Run, names

FASTER = ConcurrentChange("somebody was faster")
AWAY = StorageUnavailable("the server is away")


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> FakeDatabase:
    """A fake database that holds the user ann. All commands of the test run on it."""
    database = FakeDatabase()
    create_user("ann", "ann@example.com", FakeUnitOfWork(database))
    monkeypatch.setattr(commands, "bootstrap", lambda: Application(partial(FakeUnitOfWork, database), lambda: None))
    return database


WRITING = [
    ["create-user", "bob", "bob@example.com"],
    ["change-email", "ann", "new@example.com"],
    ["change-username", "ann", "anna"],
    ["deactivate-user", "ann"],
    ["reactivate-user", "ann"],
    ["delete-user", "ann"],
    ["import-users", "-"],
]
READING = [["get-user", "ann"], ["list-users"]]


@pytest.mark.parametrize(
    ("at", "arguments"),
    [("commit", command) for command in WRITING] + [("read", command) for command in READING],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_command_is_run_again(
    call: Run, database: FakeDatabase, at: Literal["commit", "read"], arguments: list[str]
) -> None:
    """A command whose work did not happen is run again. Each time there is a line on standard error."""
    for call_number in (1, 2):
        database.fail(at, FASTER if call_number == 1 else AWAY, call=call_number)
    result = call(*arguments, stdin=PEOPLE)
    assert 0 == result.code
    assert [
        "trying again in 0.0 seconds: somebody was faster: read again in a new unit of work and repeat the change",
        "trying again in 0.0 seconds: the server is away",
    ] == result.err.splitlines()


def test_a_command_that_keeps_failing_ends(call: Run, database: FakeDatabase) -> None:
    """A command that keeps failing ends with its error after some attempts, as it would after one."""
    for number in range(1, 50):
        database.fail("read", AWAY, call=number)
    result = call("get-user", "ann")
    assert (3, "", "error: the server is away") == (result.code, result.out, result.err.splitlines()[-1])
    assert 6 == len(result.err.splitlines())


def test_an_export_is_not_run_again(call: Run, database: FakeDatabase) -> None:
    """An export is not run again: its earlier output would be there twice."""
    database.fail("read", AWAY)
    assert (3, "error: the server is away\n") == ((result := call("export-users")).code, result.err)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("own_id", [[], ["--id", "018f3b6e-7d3c-7000-8000-000000000001"]], ids=["made", "given"])
def test_an_unknown_creation_says_what_to_do(
    call: Run, database: FakeDatabase, own_id: list[str], stored: bool
) -> None:
    """A creation of unknown outcome says how to be sure: run it again with the id, given or made by the command."""
    database.fail("commit", CommitOutcomeUnknown("lost while committing"), stored=stored)
    command = ["create-user", "bob", "bob@example.com"]
    result = call(*command, *own_id)
    error, advice = result.err.splitlines()
    assert (3, "", "error: lost while committing") == (result.code, result.out, error)
    before, _, rest = advice.partition("--id ")
    id, _, after = rest.partition(": ")
    assert ("to be sure, run the same command with ", "it stores the user if that is missing") == (before, after)
    assert own_id in ([], ["--id", id])
    again = call(*command, "--id", id, "--json")
    assert (0, id, 1) == (again.code, again.json["id"], again.json["version"])
    assert ["ann", "bob"] == sorted(names(call))


@pytest.mark.usefixtures("database")
def test_an_id_that_another_user_has_is_refused(call: Run) -> None:
    """An id that another user has is refused in one line that names it."""
    id = call("get-user", "ann", "--json").json["id"]
    result = call("create-user", "bob", "bob@example.com", "--id", id)
    assert (1, 1) == (result.code, len(result.err.splitlines()))
    assert f"error: the id {id} is stored already" in result.err
    assert ["ann"] == names(call)


def test_an_import_that_cannot_find_out_says_more(call: Run, database: FakeDatabase) -> None:
    """An import that cannot find out says how to finish it. Nothing is doubled then."""
    database.fail("commit", CommitOutcomeUnknown("lost while committing"), stored=True)
    for number in range(3, 13):  # the first look makes two queries
        database.fail("read", AWAY, call=number)
    result = call("import-users", "-", stdin=PEOPLE)
    assert (3, "") == (result.code, result.out)
    assert [
        "error: lost while committing",
        "what is stored stays so, and running the same command again stores the rest",
    ] == result.err.splitlines()[-2:]
    assert "stored: 0, stored before: 2, refused: 0\n" == call("import-users", "-", stdin=PEOPLE).out
