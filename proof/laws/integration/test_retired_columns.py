"""A column that no program uses any more can be dropped while running programs still declare it."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, field
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, Uuid, text

from adapters.sql.mapping import RETIRED, map_aggregate
from adapters.sql.repository import SqlRepository
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.aggregate import Aggregate
from domain.errors import NotFound
from domain.repository import Repository


@pytest.mark.usefixtures("unmapped")
@pytest.mark.parametrize("flat", [True, False])
def test_a_retired_column_can_be_dropped(own_engine: Engine, flat: bool) -> None:
    """A retired column can be dropped: reading, adding, changing and bulk storing go on."""

    @define(slots=False, eq=False, kw_only=True)
    class Card(Aggregate):
        text: str = field(metadata={"max_length": 40})

    columns: list[Column[Any]] = [
        Column("id", Uuid, primary_key=True),
        Column("old", String(40), info={RETIRED: True}),
        Column("text", String(40), nullable=False),
        Column("version", Integer, nullable=False),
    ]
    table = Table("tickets", MetaData(), *columns)
    map_aggregate(Card, table, flat=flat)

    class SqlCards(SqlRepository[Card], Repository[Card]):
        aggregate = Card
        not_found = NotFound

    table.create(own_engine)
    card = Card(text="a")
    for step in range(2):
        with SqlUnitOfWork(own_engine) as uow:
            tickets = SqlCards(uow, uow.session)
            tickets.add(card if step == 0 else Card(text="b"))
            tickets.add_many([Card(text="c"), Card(text="d")])
            tickets.get(card.id, lock=True).text = f"{step}"
            uow.commit()
        if step == 0:
            with own_engine.begin() as connection:
                connection.execute(text("ALTER TABLE tickets DROP COLUMN old"))
    with SqlUnitOfWork(own_engine) as uow:
        assert ["1", "b", "c", "c", "d", "d"] == sorted(one.text for one in SqlCards(uow, uow.session).list_where())
