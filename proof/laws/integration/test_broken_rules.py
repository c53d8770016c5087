"""Promise 7: a CHECK comes before the key, unique values and references, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from attrs import field
from sqlalchemy import BigInteger, CheckConstraint, Column, Engine, ForeignKey, String, UniqueConstraint

from adapters.sql.mapping import map_aggregate
from adapters.sql.repository import SqlRepository
from domain.aggregate import new_id
from domain.constraints import Reference, Unique
from domain.errors import IntegrityViolation, NotFound, ReferenceMissing, StillReferenced, ValueTaken
from proof.laws.integration.mappings import a_root, a_table
from tests.contract.shop import SqlShop

AN_ID: Any = UUID | None

Rules = tuple[type[Any], type[Any]]
"""A class of aggregates, and its repository."""


@pytest.fixture
def rules(engine: Engine, unmapped: None) -> Iterator[Rules]:  # noqa: ARG001  # what is mapped here ends with the test
    """A class with constraints of several kinds, in a separate table."""
    kind = a_root(
        "Rule",
        name=field(default="ann", type=str, metadata={"max_length": 9}),
        n=field(default=1, type=int),
        above_id=field(default=None, type=AN_ID),
    )
    table = a_table(
        Column("name", String(9), nullable=False),
        Column("n", BigInteger),
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


@pytest.mark.every_case
@pytest.mark.promise(7)
def test_rules_of_a_row_come_first(engine: Engine, rules: Rules) -> None:
    """Rules of a row come first, even if the row breaks everything that the port declares."""
    kind, repository = rules
    with SqlShop(engine) as uow:
        repository(uow, uow.session).add(stored := kind())
        uow.commit()
    with pytest.raises(IntegrityViolation) as caught, SqlShop(engine) as uow:
        repository(uow, uow.session).add(kind(id=stored.id, above_id=new_id(), n=20))
        uow.commit()
    assert ("ck_rules_small", "check") == (caught.value.constraint, caught.value.kind)
