"""The tests can fail: they notice each of the bugs in proof/planted_bugs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

import proof.planted_bugs  # noqa: F401  # registers them
from proof.planted_bugs.registry import BUGS, ENTRIES, LINES, PROMISES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proof.planted_bugs.registry import Bug

ROOT = Path(__file__).parents[1]
NOWHERE = "nowhere://127.0.0.1:1"
NAMES = {"fake": "fake", "sql": "sqlite", "postgres": "postgres"}
"""The storages of a bug, as the ids of the tests name them."""

WHOLE = os.environ.get("WHOLE") == "1"
"""Whether each bug meets all tests of ``make test``, not only the recorded one."""


def file_of(bug: Bug) -> str:
    """Return the file of the recorded test. It is one of the tests, or of the laws beside this file."""
    file = bug.caught_by.partition("::")[0]
    return next(f"{folder}/{file}" for folder in ("tests", "proof/laws") if (ROOT / folder / file).exists())


def run(
    tests: Iterable[str], storages: Iterable[str], bug: str, server: str, *options: str
) -> subprocess.CompletedProcess[str]:
    """Run tests on some storages, with a bug in the code or with none (``""``).

    ``server`` is the URL of the PostgreSQL that they may use.
    """
    unwanted = ("CASES", "COV", "HYPOTHESIS", "PYTEST")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    # No server answers there: a test that wants one is an error, and none is started.
    kept |= {"TEST_POSTGRES_URL": server, "TEST_MARIADB_URL": NOWHERE, "PLANTED_BUG": bug, "SEED": "1"}
    kept["STORAGES"] = " ".join(NAMES[storage] for storage in storages)
    # Without rewritten assertions pytest starts in half the time.
    options = ("-q", "-rA", "--tb=short", "--assert=plain", "-pno:cacheprovider", "-pno:xdist", *options)
    with TemporaryDirectory(prefix="plumbline-proof-") as folder:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "proof.planted_bugs", f"--basetemp={folder}", *options, *tests],
            cwd=ROOT,
            env=kept,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )


def server_for(storages: Iterable[str], request: pytest.FixtureRequest) -> str:
    """Return the URL of the PostgreSQL that the tests of some storages may use."""
    return str(request.getfixturevalue("postgres_server")) if "postgres" in storages else NOWHERE


@pytest.mark.slow
@pytest.mark.parametrize("storage", NAMES)
def test_the_recorded_tests_pass_without_a_bug(storage: str, request: pytest.FixtureRequest) -> None:
    """The recorded tests pass without a bug. So a failure with a bug is because of it."""
    tests = {f"{file_of(bug)}::{bug.caught_by.partition('::')[2]}" for bug in BUGS.values() if storage in bug.storages}
    done = run(sorted(tests), [storage], "", server_for([storage], request))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(WHOLE, reason="all tests are run")
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_noticed(name: str, request: pytest.FixtureRequest) -> None:
    """A planted bug is noticed by the recorded test's cases in ``make test``, on at least one storage.

    An error in its preparation, or in pytest, would prove nothing.
    """
    bug = BUGS[name]
    function = bug.caught_by.partition("::")[2]
    done = run([file_of(bug)], bug.storages, name, server_for(bug.storages, request), "-k", function)
    failed, errors = outcomes(done, "FAILED"), outcomes(done, "ERROR")
    assert (done.returncode, errors, bool(failed)) == (1, [], True), done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not WHOLE, reason="WHOLE=1 asks for it")
@pytest.mark.parametrize("name", BUGS)
def test_all_tests_notice_a_planted_bug(name: str, postgres_server: str) -> None:
    """The tests of ``make test`` notice a planted bug. They are run until the first one fails."""
    storages = BUGS[name].storages
    # The random histories compare the fake with SQLite.
    done = run(
        ["tests", "proof/laws"], {*storages, "sql"} if "fake" in storages else storages, name, postgres_server, "-x"
    )
    failed = outcomes(done, "FAILED")
    print(f"{name}: {failed}")  # shown by -rA
    assert (done.returncode, len(failed)) == (1, 1), done.stdout + done.stderr


def outcomes(done: subprocess.CompletedProcess[str], outcome: str) -> list[str]:
    """Return the ids of the tests with this outcome."""
    return re.findall(rf"^{outcome} (\S+)", done.stdout, re.MULTILINE)


def test_each_bug_says_what_is_broken() -> None:
    """Each bug says in a sentence what is broken."""
    assert [] == [name for name, bug in BUGS.items() if not (bug.plant.__doc__ or "").strip().endswith(".")]


def test_each_bug_names_a_test() -> None:
    """Each bug names an existing test."""
    for name, bug in BUGS.items():
        function = bug.caught_by.partition("::")[2]
        assert f"def {function}(" in (ROOT / file_of(bug)).read_text(encoding="utf-8"), name


def test_each_subject_has_its_bugs() -> None:
    """Each promise and each line of what people model has two bugs, and each entry point three."""
    found = Counter(bug.about for bug in BUGS.values())
    needed = {**dict.fromkeys((*PROMISES, *LINES), 2), **dict.fromkeys(ENTRIES, 3)}
    assert found.keys() == needed.keys()
    assert [] == [about for about, count in needed.items() if found[about] < count]


@pytest.mark.parametrize("page", ["README.md", "docs/testing.md"])
def test_the_pages_have_the_number_of_bugs(page: str) -> None:
    """The pages have the present number of planted bugs, so no reader believes an old one."""
    assert f" {len(BUGS)} " in (ROOT / page).read_text(encoding="utf-8")
