"""A pytest plugin that breaks the code on purpose, in one small way: the tests must notice.

    PLANTED_BUG=flush_writes_nothing python -m pytest -p proof.planted_bugs tests/contract

Each bug is a function whose docstring says what it breaks. It names one test that notices it, and its subject: a
promise, a line of what people model, or an entry point. proof/test_planted_bugs.py proves that each is noticed.

With STORAGES, such as ``fake sqlite``, the tests of other storages are left out after the cases have been chosen. So
the rest are among those of ``make test``. The quick ones come first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings

from proof.planted_bugs import (  # noqa: F401  # each registers its own
    commands,
    constraints,
    failures,
    queries,
    tables,
    units,
    values,
    writes,
)
from proof.planted_bugs.registry import BUGS

if TYPE_CHECKING:
    from collections.abc import Generator

_NAME = os.environ.get("PLANTED_BUG")
_STORAGES = os.environ.get("STORAGES", "").split()

# The large collections, the random histories, and what starts processes.
_LAST = ("test_collections", "test_memory", "test_same_behaviour", "tests/e2e")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Plant the bug that the environment names, if any, before any test is imported."""
    if _NAME:
        BUGS[_NAME].plant()


def pytest_configure() -> None:
    """Accept a failing random history as it is: looking for the shortest one would take minutes."""
    if _NAME:
        settings.register_profile("planted bug", phases=[Phase.generate])
        settings.load_profile("planted bug")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Leave out the tests of other storages, and let the quick tests come first."""
    yield
    left_out = {item for item in items if _STORAGES and _is_of_another_storage(item)}
    config.hook.pytest_deselected(items=[*left_out])
    items[:] = sorted((item for item in items if item not in left_out), key=_place)


def _is_of_another_storage(item: pytest.Item) -> bool:
    servers = [name for name in getattr(item, "fixturenames", ()) if name.startswith(("postgres", "mariadb"))]
    text = " ".join([item.nodeid.lower(), *servers])
    return any(name in text for name in {"fake", "sqlite", "postgres", "mariadb"}.difference(_STORAGES))


def _place(item: pytest.Item) -> tuple[bool, bool]:
    return any(name in item.nodeid for name in _LAST), not item.nodeid.startswith("tests/contract")
