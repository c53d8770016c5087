"""The page of promises and the tests agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service_layer.unit_of_work import UnitOfWork
from service_layer.users import create_user, get_user
from tests.markdown import blocks

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "promises.md"


def promised() -> list[int]:
    """Return the numbers of the page."""
    return [int(number) for number in re.findall(r"^(\d+)\. \*\*", PAGE.read_text(encoding="utf-8"), re.MULTILINE)]


def proven() -> set[int]:
    """Return the numbers that the tests carry."""
    marks = (
        re.findall(r"^@pytest\.mark\.promise\(([\d, ]+)\)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        for path in (ROOT / "tests").glob("*/test_*.py")
    )
    return {int(number) for found in marks for mark in found for number in mark.split(",")}


def test_every_promise_has_a_test_and_every_test_names_a_promise_of_the_page() -> None:
    """None is only written down, and none only tested."""
    assert promised() == list(range(1, 17))
    assert set(promised()) == proven()


@pytest.mark.promise(2)
def test_the_example_of_the_page_works(uow: UnitOfWork) -> None:
    """On every storage."""
    create_user("ann", "ann@example.com", uow)
    [example] = blocks(PAGE)
    exec(example.text, {"uow": uow})  # noqa: S102  # our own text
    assert get_user("ann", uow).email == "ann@example.org"
