"""The page about testing does what it says: its blocks are one program, and the tests in it pass."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from proof.docs.markdown import blocks
from tests.contract.users import USERS
from tests.storages import Storage

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The Python blocks in order."""
    module = ModuleType("testing_page")
    for block in blocks(PAGE):
        assert block.language == "python", f"line {block.line}"
        exec(compile(block.text, f"{PAGE.name}, line {block.line}", "exec"), vars(module))  # noqa: S102  # our own text
    return module


def test_the_tests_of_the_page_pass(program: ModuleType) -> None:
    """The tests of the page pass with each parameter. The next test shows their needs of a storage."""
    names = [name for name in vars(program) if name.startswith("test_") and not name.endswith("_everywhere")]
    assert len(names) == 6
    for name in names:
        test = getattr(program, name)
        marks = getattr(test, "pytestmark", [])
        for arguments in [{mark.args[0]: value} for mark in marks for value in mark.args[1]] or [{}]:
            test(**arguments)


def test_the_storage_test_passes_everywhere(program: ModuleType, storage: Storage) -> None:
    """The test of the page that takes the fixture passes on every storage."""
    program.test_the_newcomer_gets_the_name_everywhere(storage)


def test_the_sample_is_that_of_the_suite(program: ModuleType) -> None:
    """The sample of the page is that of the suite: both make, change and read back the same users."""
    for sample in (program.USERS, USERS):
        user = sample.make("ann")
        assert sample.rename is not None
        sample.rename(user, "bob")
        sample.change(user, 1)
        assert ("bob", "ann@example.com", False) == (sample.word(user), user.email, user.active)
    assert [unique.attribute for unique in USERS.unique] == [unique.attribute for unique in program.USERS.unique]
