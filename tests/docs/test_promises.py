"""The page of promises and the tests agree."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from domain.errors import CommitOutcomeUnknown
from service_layer.users import create_user, export_users, get_user
from tests.markdown import blocks
from tests.storages import Storage

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "promises.md"


def promised() -> list[int]:
    """Return the numbers of the page."""
    return [int(number) for number in re.findall(r"^(\d+)\. \*\*", PAGE.read_text(encoding="utf-8"), re.MULTILINE)]


def proven() -> dict[int, set[str]]:
    """Return the numbers that the tests carry, with the files of these tests."""
    found: dict[int, set[str]] = {}
    for path in (ROOT / "tests").glob("*/test_*.py"):
        text = path.read_text(encoding="utf-8")
        for mark in re.findall(r"^@pytest\.mark\.promise\(([\d, ]+)\)$", text, re.MULTILINE):
            for number in mark.split(","):
                found.setdefault(int(number), set()).add(path.relative_to(ROOT).as_posix())
    return found


def listed() -> dict[int, set[str]]:
    """Return the files that the page names for each number."""
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {int(number): set(re.findall(r"\]\(\.\./([^)]+)\)", files)) for number, files in rows}


def test_every_promise_has_a_test_and_every_test_names_a_promise_of_the_page() -> None:
    """None is only written down, and none only tested."""
    assert promised() == list(range(1, 17))
    assert set(promised()) == proven().keys()


def test_the_page_names_a_file_for_each_promise_that_has_such_tests() -> None:
    """Files that are named have tests with that mark; others may have some too."""
    tests = proven()
    assert promised() == sorted(listed())
    assert {} == {
        number: files - tests[number] for number, files in listed().items() if not files or files - tests[number]
    }


@pytest.mark.promise(2)
def test_the_examples_of_the_page_work(storage: Storage) -> None:
    """On every storage."""
    uow = storage.unit()
    create_user("ann", "ann@example.com", uow)
    program: dict[str, Any] = {"uow": uow, "unit_of_work": storage.unit}
    for example in blocks(PAGE):
        exec(example.text, program)  # noqa: S102  # our own text
    assert get_user("ann", uow).email == "ann@example.org"
    assert get_user("bob", uow) == program["user"]
    assert asyncio.run(program["handle"]("ann", "ann@example.net")) == get_user("ann", uow)
    assert get_user("ann", uow).email == "ann@example.net"


@pytest.mark.parametrize("stored", [True, False])
def test_the_example_of_an_unknown_outcome_stores_one_user(stored: bool) -> None:
    """Whichever of the two has happened."""
    database = FakeDatabase()
    uow = FakeUnitOfWork(database)
    database.fail("commit", CommitOutcomeUnknown("lost while committing"), stored=stored)
    program: dict[str, Any] = {"uow": uow}
    exec(blocks(PAGE)[1].text, program)  # noqa: S102  # likewise
    assert [program["user"]] == list(export_users(uow))
