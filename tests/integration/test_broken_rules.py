"""Promise 7: NOT NULL and CHECK come before the key, unique values and references, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import field
from sqlalchemy import CheckConstraint, Column, Engine, ForeignKey, Integer, String, UniqueConstraint

from adapters.sql.mapping import map_aggregate
from adapters.sql.repository import SqlRepository
from domain.aggregate import new_id
from domain.constraints import Reference, Unique
from domain.errors import IntegrityViolation, NotFound, ReferenceMissing, StillReferenced, ValueTaken
from tests.contract.shop import SqlShop
from tests.integration.mappings import a_root, a_table

Rules = tuple[type[Any], type[Any]]
"""A class of aggregates, and its repository."""


@pytest.fixture
def rules(engine: Engine, unmapped: None) -> Iterator[Rules]:  # noqa: ARG001  # what is mapped here ends with the test
    """A class with constraints of every kind, in a table of its own."""
    kind = a_root("Rule", name=field(default="ann"), n=field(default=1), above_id=field(default=None))
    table = a_table(
        Column("name", String(9), nullable=False),
        Column("n", Integer),
        Column("above_id", ForeignKey("rules.id")),
        UniqueConstraint("n"),
        CheckConstraint("n < 10", name="small"),
        name="rules",
    )
    map_aggregate(kind, table)
    attributes: dict[str, Any] = {
        "aggregate": kind,
        "not_found": NotFound,
        "unique": (Unique("n", error=ValueTaken),),
        "references": (Reference("above_id", to=kind, missing=ReferenceMissing, in_use=StillReferenced),),
    }
    repository = type("Rules", (SqlRepository,), attributes)
    table.create(engine)
    yield kind, repository
    table.drop(engine)


@pytest.mark.promise(7)
def test_rules_of_a_row_come_first(engine: Engine, rules: Rules) -> None:
    """They are told even if the row breaks all that the port declares."""
    kind, repository = rules
    with SqlShop(engine) as uow:
        repository(uow, uow.session).add(stored := kind())
        uow.commit()
    for values, violated in (
        ({"n": 20}, ("ck_rules_small", "check")),
        ({"name": None}, ("name", "not null")),
        ({"name": None, "n": 20}, ("name", "not null")),
    ):
        with pytest.raises(IntegrityViolation) as caught, SqlShop(engine) as uow:
            repository(uow, uow.session).add(kind(id=stored.id, above_id=new_id(), **values))
            uow.commit()
        assert violated == (caught.value.constraint, caught.value.kind)
