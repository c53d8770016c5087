"""The laws run on more aggregates than the tests."""

import proof.laws.stock  # noqa: F401  # it puts them into the units of work
