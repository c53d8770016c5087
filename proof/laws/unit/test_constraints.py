"""What a port declares is checked when it is declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.constraints import Unique
from domain.errors import ValueTaken

WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "nothing": (lambda: Unique(error=ValueTaken), "needs one or more attributes of the root or of one part"),
    "root and part": (lambda: Unique("name", "lines.number", error=ValueTaken), "of the root or of one part"),
    "condition elsewhere": (
        lambda: Unique("name", where={"lines.n": 1}, error=ValueTaken),
        "of the root or of one part",
    ),
    "root per parent": (lambda: Unique("name", per_parent=True, error=ValueTaken), "parts directly below the root"),
    "second level": (lambda: Unique("a.b.c", per_parent=True, error=ValueTaken), "parts directly below the root"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_unique_value_is_refused(case: str) -> None:
    """A wrong unique value is refused in words, with what was written."""
    wrong, says = WRONG[case]
    with pytest.raises(TypeError, match=says):
        wrong()
