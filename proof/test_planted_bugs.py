"""The contract suite can fail: it notices each of the bugs in proof/planted_bugs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import proof.planted_bugs  # noqa: F401  # registers them
from proof.planted_bugs.registry import BUGS

ROOT = Path(__file__).parents[1]

# Most bugs are noticed by the first of these, which are quick. Then comes what holds for one storage alone, then what
# else is in the contract suite, and at last the large collections and the random histories, which take longest.
FIRST = ["transactions", "objects", "misuse", "conflicts", "savepoints"]
LAST = ["collections", "same_behaviour"]
ALONE = {
    "fake": [
        f"unit/test_{name}.py"
        for name in (
            "errors",
            "copies",
            "fake_failures",
            "fake_database",
            "retrying",
            "user_unknown_outcomes",
            "open_units",
        )
    ],
    "sql": ["unit/test_errors.py"]
    + [
        f"integration/test_{name}.py"
        for name in (
            "failures",
            "single_statements",
            "single_statement_errors",
            "single_statement_refusals",
            "sqlite_single_statements",
            "sqlite_turns",
            "sqlite_full_disk",
            "error_meanings",
            "unknown_outcomes",
            "user_unknown_outcomes",
            "memory",
            "engine",
            "types",
            "own_statements",
            "repository_statements",
            "streams",
            "mapped",
            "mapping",
            "parts_written",
        )
    ],
    "postgres": [
        f"integration/test_{name}.py"
        for name in (
            "single_statements",
            "postgres_transactions",
            "bulk",
            "bulk_stopped",
            "failures",
            "unknown_outcomes",
            "user_unknown_outcomes",
            "idle_connections",
            "types",
            "round_trips",
            "user_round_trips",
        )
    ],
}
TESTS_OF = {
    "fake": "(fake or test_errors or test_retrying or unknown_outcomes or test_open_units)"
    " and not postgres and not mariadb",
    "sql": "(sqlite or test_errors or test_error_meanings or test_mapped or test_mapping)"
    " and not postgres and not mariadb",
    "postgres": "(postgres or somebody_swallowed or at_a_higher_level) and not mariadb",
}
NOWHERE = "nowhere://127.0.0.1:1"
SECONDS = 300
PARTS = 4
"""How many runs the tests without a bug are divided into, each of which has so many seconds."""

EVERY = int(os.environ.get("EVERY", "1"))
"""1 for all bugs; with 6, every sixth of them."""


def suite(storage: str) -> list[str]:
    """Return the files with the tests of a storage, in the order in which they shall run."""
    every = [path.stem.removeprefix("test_") for path in sorted(ROOT.glob("tests/contract/test_*.py"))]
    first, between, last = (
        [f"contract/test_{name}.py" for name in names]
        for names in (FIRST, [name for name in every if name not in FIRST + LAST], LAST)
    )
    return [f"tests/{file}" for file in (*first, *ALONE[storage], *between, *last)]


def run(
    storage: str, bug: str, server: str = NOWHERE, files: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the tests of a storage up to the first that fails, with a bug in the code or with none (``""``).

    ``server`` is the URL of the PostgreSQL that they may use, and ``files`` are those of the tests, if not all.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST", "HYPOTHESIS"))}
    # Nobody answers there: a test that wanted a server would be an error, and none is started.
    servers = {"TEST_POSTGRES_URL": server, "TEST_MARIADB_URL": NOWHERE}
    # Without rewritten assertions pytest starts in half the time.
    options = ["-x", "-q", "--tb=short", "--assert=plain", "-pno:cacheprovider", "-pno:xdist"]
    selection = ["-k", TESTS_OF[storage], *(files or suite(storage))]
    with TemporaryDirectory(prefix="plumbline-proof-") as folder:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "proof.planted_bugs", f"--basetemp={folder}", *options, *selection],
            cwd=ROOT,
            env={**kept, **servers, "PLANTED_BUG": bug, "HISTORIES": "100", "SEED": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )


@pytest.fixture
def server(request: pytest.FixtureRequest, storage: str) -> str:
    """The URL of the PostgreSQL that the tests of a storage may use."""
    return str(request.getfixturevalue("postgres_server")) if storage == "postgres" else NOWHERE


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("storage", TESTS_OF)
def test_without_a_planted_bug_the_suite_passes(storage: str, server: str, part: int) -> None:
    """So what fails with one fails because of it."""
    done = run(storage, "", server, suite(storage)[part::PARTS])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "storage"),
    [pytest.param(name, storage, id=f"{storage}-{name}") for name, bug in BUGS.items() for storage in bug.storages][
        ::EVERY
    ],
)
def test_a_planted_bug_is_noticed(name: str, storage: str, server: str) -> None:
    """By a test that fails: an error in its preparation, or in pytest, would prove nothing."""
    done = run(storage, name, server)
    caught = re.search(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
    print(f"{storage}: {name}: {caught[1] if caught else 'nothing'}")  # shown by -rA
    assert (done.returncode, bool(caught)) == (1, True), done.stdout + done.stderr


@pytest.mark.slow
def test_each_bug_says_what_is_broken() -> None:
    """In a sentence."""
    assert [] == [name for name, bug in BUGS.items() if not (bug.plant.__doc__ or "").endswith(".")]


@pytest.mark.parametrize("page", ["README.md", "docs/testing.md"])
def test_the_pages_say_how_many_bugs_are_planted(page: str) -> None:
    """So that nobody has to believe an old number."""
    assert f" {len(BUGS)} " in (ROOT / page).read_text(encoding="utf-8")
