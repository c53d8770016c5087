"""The aggregates that the contract suite proves. Add yours: one line here, for about ten in a file like members.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.answered_requests import ANSWERED_REQUESTS
from tests.contract.members import MEMBERS
from tests.contract.products import PRODUCTS
from tests.contract.sample import Sample
from tests.contract.users import USERS

SAMPLES: tuple[Sample[Any], ...] = (
    ANSWERED_REQUESTS,
    MEMBERS,
    PRODUCTS,
    USERS,
)

over_renamed = pytest.mark.parametrize(
    "sample",
    [pytest.param(sample, id=sample.repository) for sample in SAMPLES if sample.rename is not None],
)
"""Runs a test over ``kit`` for each aggregate that can be renamed."""


def each_unique_with(*functions: str) -> pytest.MarkDecorator:
    """Run a test over ``kit`` and ``unique`` for each unique value that has ``"set"``, ``"find"`` or both."""
    return pytest.mark.parametrize(
        ("sample", "unique"),
        [
            pytest.param(sample, unique, id=f"{sample.repository}.{unique.attribute}")
            for sample in SAMPLES
            for unique in sample.unique
            if all(getattr(unique, name) is not None for name in functions)
        ],
    )


each_unique = each_unique_with()
"""Runs a test over ``kit`` and ``unique`` for each unique value of every aggregate."""

each_unique_of_the_root = pytest.mark.parametrize(
    each_unique.args[0], [one for one in each_unique.args[1] if "." not in str(one.id).partition(".")[2]]
)
"""The same for each unique value of a root. Its row is written before those of its parts."""

each_unique_that_changes = each_unique_with("set")
"""The same for each unique value that can be changed."""

each_unique_that_is_found = each_unique_with("find")
"""The same for each unique value that the repository can find."""
