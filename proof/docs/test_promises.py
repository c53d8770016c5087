"""The page of promises and the tests agree."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "promises.md"


def promised() -> list[int]:
    """Return the numbers of the page."""
    return [int(number) for number in re.findall(r"^(\d+)\. \*\*", PAGE.read_text(encoding="utf-8"), re.MULTILINE)]


def proven() -> dict[int, set[str]]:
    """Return the numbers that the tests carry, with the files of these tests."""
    found: dict[int, set[str]] = {}
    for path in [
        path for folder in ("tests/*", "proof/laws/*", "proof/docs") for path in ROOT.glob(f"{folder}/test_*.py")
    ]:
        text = path.read_text(encoding="utf-8")
        for mark in re.findall(r"^@pytest\.mark\.promise\(([\d, ]+)\)$", text, re.MULTILINE):
            for number in mark.split(","):
                found.setdefault(int(number), set()).add(path.relative_to(ROOT).as_posix())
    return found


def listed() -> dict[int, set[str]]:
    """Return the files that the page names for each number."""
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {int(number): set(re.findall(r"\]\(\.\./([^)]+)\)", files)) for number, files in rows}


def test_promises_and_tests_name_each_other() -> None:
    """Every promise has a test, and every test names a promise of the page."""
    assert promised() == list(range(1, 17))
    assert set(promised()) == proven().keys()


def test_the_page_names_files_with_tests() -> None:
    """The page names a file for each promise that has such tests. The named files have tests with that mark.

    Other files may have some as well.
    """
    tests = proven()
    assert promised() == sorted(listed())
    assert {} == {
        number: files - tests[number] for number, files in listed().items() if not files or files - tests[number]
    }
