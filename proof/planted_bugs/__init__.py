"""A pytest plugin that breaks the code on purpose, in one small way: the suite must notice.

    PLANTED_BUG=no_copy_on_read python -m pytest -p proof.planted_bugs tests/contract

Each bug is a function whose docstring says what is broken then, in the words of docs/promises.md; there is a file for
each few promises. What the storages have in common is broken for all. That each is noticed is proven by
proof/test_planted_bugs.py.
"""

from __future__ import annotations

import os

from hypothesis import Phase, settings

from proof.planted_bugs import (  # noqa: F401  # each registers its own
    alone,
    collections,
    meeting_units,
    misuse,
    objects,
    outcomes,
    own_writes,
    parts,
    parts_kept,
    postgres,
    savepoints,
    storing,
    unique_values,
    use_cases,
)
from proof.planted_bugs.registry import BUGS


def pytest_configure() -> None:
    """Plant the bug that the environment names, if it names one."""
    name = os.environ.get("PLANTED_BUG")
    if name:
        BUGS[name].plant()
        # That a random history fails is enough; to look for the shortest one would take minutes.
        settings.register_profile("planted bug", phases=[Phase.generate])
        settings.load_profile("planted bug")
