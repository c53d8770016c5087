"""What an owner can leave out: the proof, and the sample aggregate with all or some of the proof."""

from __future__ import annotations

import re

import pytest

from proof.copies import Copy, copied

pytestmark = pytest.mark.slow

OF_USERS = (
    "*/user.py",
    "*/users.py",
    "adapters/*/users.py",
    "entrypoints/http/users.py",
    "entrypoints/user_*.py",
    "service_layer/user_*.py",
    "adapters/sql/migrations/versions/0001_*.py",
    "samples/*",
    "tests/*/users.py",
    "tests/*/*user*.py",
    "proof/laws/*/*user*.py",
    "tests/unit/test_office_files.py",
    "tests/unit/test_use_cases.py",
    "docs/*",
)
"""The files that go with users, their pages and tests included: an owner writes others."""

LINES = ("UserRepository", "USERS", "user_commands", "users_router")
"""Marks of the lines that go with them, in the units of work, the list of samples, and the entry points."""

CHANGED = (
    "*/unit_of_work.py",
    "adapters/*/unit_of_work.py",
    "tests/contract/samples.py",
    "entrypoints/cli.py",
    "entrypoints/http/application.py",
)
"""The files that these lines are in."""


@pytest.fixture(scope="module")
def without_proof(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy without proof/."""
    return copied(tmp_path_factory.mktemp("apart"))


@pytest.fixture(scope="module")
def without_users(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy without users, and of the proof with the laws alone."""
    copy = copied(tmp_path_factory.mktemp("users"), "proof/__init__.py", "proof/laws")
    for pattern in OF_USERS:
        for path in copy.folder.glob(pattern):
            path.unlink()
    for name in CHANGED:
        for path in copy.folder.glob(name):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text("".join(line for line in lines if not re.search("|".join(LINES), line)), encoding="utf-8")
    versions = copy.folder / "adapters/sql/migrations/versions"
    second = next(versions.glob("0002_*.py"))  # becomes a fresh first one, from the tables that are left
    text = second.read_text(encoding="utf-8").replace('down_revision = "0001"', "down_revision = None")
    second.write_text(text.replace('revision = "0002"', 'revision = "0001"'), encoding="utf-8")
    second.rename(second.with_name(second.name.replace("0002", "0001")))
    copy.run(".venv/bin/ruff", "format", "-q")  # this removes the empty lines that are left
    return copy


def test_a_copy_without_the_proof_passes_checks(without_proof: Copy) -> None:
    """A copy without the proof passes the checks of `make check`."""
    without_proof.check()


def test_a_copy_without_the_proof_passes_tests(without_proof: Copy) -> None:
    """A copy without the proof passes the tests."""
    without_proof.test("-k", "not postgres and not mariadb", "tests/unit", "tests/contract", "tests/architecture")


def test_a_copy_without_users_passes_the_checks(without_users: Copy) -> None:
    """A copy without users passes the checks: nothing else of the program needs them."""
    without_users.check()


def test_a_copy_without_users_passes_the_tests(without_users: Copy) -> None:
    """A copy without users passes the tests: the laws run on the aggregates of the tests."""
    without_users.test()
