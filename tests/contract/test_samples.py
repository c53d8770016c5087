"""The samples are right, and a wrong one is told before anything is proven with it, in words about the sample."""

from __future__ import annotations

import time
from typing import Any

import pytest
from attrs import evolve

from tests.contract.orders import ORDERS
from tests.contract.sample import Sample
from tests.contract.sample_check import WrongSample, check
from tests.contract.samples import SAMPLES
from tests.contract.users import USERS
from tests.contract.wrong_samples import WRONG, username


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.repository)
def test_each_sample_is_right(sample: Sample[Any]) -> None:
    """What the tests take for granted of an aggregate is so."""
    check(sample)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_sample_is_told_in_words_about_it(wrong: str) -> None:
    """Which sample, which function, what it did and what to write; in much less than a second."""
    sample, says = WRONG[wrong]
    start = time.perf_counter()
    with pytest.raises(WrongSample) as caught:
        check(sample)
    assert f"the sample {says}" == str(caught.value)
    assert time.perf_counter() - start < 5


def test_a_sample_needs_no_rename_and_no_way_to_set_or_find_a_unique_value() -> None:
    """As where the key says the word, and a unique value is frozen or is that of a part."""
    check(evolve(USERS, rename=None, unique=username(set=None, find=None)))


def test_new_ids_of_parts_are_no_difference() -> None:
    """A change may make parts by the domain's own methods, whose ids are new each time."""
    check(evolve(ORDERS, edits={"more": lambda order, number: order.set_quantity(f"sku{number}", 1)}))
