"""The laws run on more aggregates than the tests, and in fewer cases."""

from __future__ import annotations

from pathlib import Path

import pytest

import proof.laws.stock  # noqa: F401  # it puts them into the units of work


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let ``make test`` run few cases of each law. Continuous integration runs all."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("few")
