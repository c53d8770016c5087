"""The examples of the page of promises, which are about users, work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from domain.errors import CommitOutcomeUnknown
from proof.docs.markdown import blocks
from service_layer.users import create_user, export_users, get_user
from tests.storages import Storage

PAGE = Path(__file__).parents[2] / "docs" / "promises.md"


@pytest.mark.promise(2)
def test_the_examples_of_the_page_work(storage: Storage) -> None:
    """The examples of the page work on every storage."""
    uow = storage.unit()
    create_user("ann", "ann@example.com", uow)
    program: dict[str, Any] = {"uow": uow, "unit_of_work": storage.unit}
    for example in blocks(PAGE):
        exec(example.text, program)  # noqa: S102  # our own text
    assert get_user("ann", uow).email == "ann@example.org"
    assert get_user("bob", uow) == program["user"]
    assert asyncio.run(program["handle"]("ann", "ann@example.net")) == get_user("ann", uow)
    assert get_user("ann", uow).email == "ann@example.net"


@pytest.mark.parametrize("stored", [True, False])
def test_the_unknown_outcome_stores_one_user(stored: bool) -> None:
    """The example of an unknown outcome stores one user, whichever of the two outcomes has happened."""
    database = FakeDatabase()
    uow = FakeUnitOfWork(database)
    database.fail("commit", CommitOutcomeUnknown("lost while committing"), stored=stored)
    program: dict[str, Any] = {"uow": uow}
    exec(blocks(PAGE)[1].text, program)  # noqa: S102  # likewise
    assert [program["user"]] == list(export_users(uow))
