"""The samples are right. A wrong one is reported before anything is proven with it, in words about the sample."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.sample import Sample
from tests.contract.sample_check import check
from tests.contract.samples import SAMPLES


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.repository)
def test_each_sample_is_right(sample: Sample[Any]) -> None:
    """Each sample is right: the assumptions of the tests about its aggregate hold."""
    check(sample)
