"""docs/migrations.md does what it says: its commands run, and its situations are those of the program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from adapters.sql.schema import known_revisions
from adapters.sql.situation import Kind
from proof.docs.markdown import blocks
from proof.docs.test_readme import run

PAGE = Path(__file__).parents[2] / "docs" / "migrations.md"


@pytest.mark.slow
def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """The commands of the page work in order in an empty folder. Your project may have another revision."""
    first = known_revisions()[0]
    outputs = [run(block.text.replace("0001", first), tmp_path) for block in blocks(PAGE)]
    assert "new: the database has no tables of this program yet" in outputs[0]
    assert '"situation": "ready"' in outputs[0]
    assert f"the tables stand at revision {first}\n" == outputs[1]


def test_the_page_lists_each_situation() -> None:
    """The page lists each situation by the name that the status prints."""
    assert list(get_args(Kind)) == re.findall(r"^\| `([a-z ]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
