"""Tables of one name in two schemas of a database: each keeps its own unique values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import field
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, UniqueConstraint, Uuid, event
from sqlalchemy.schema import CreateSchema

from adapters.sql.engine import make_engine
from adapters.sql.mapping import map_aggregate, metadata
from adapters.sql.repository import SqlRepository
from domain.constraints import Unique
from domain.errors import NotFound, ValueTaken
from domain.repository import Repository
from proof.laws.integration.mappings import a_root
from tests.contract.shop import SqlShop


class EastTaken(ValueTaken):
    """Another place in the east has this name."""


class WestTaken(ValueTaken):
    """Another place in the west has this name."""


PLACES = MetaData(naming_convention=metadata.naming_convention)


def _repository(schema: str, error: type[ValueTaken]) -> type[SqlRepository[Any]]:
    kind: Any = a_root(schema.title(), name=field(type=str, metadata={"max_length": 9}))
    table = Table(
        "places",
        PLACES,
        Column("id", Uuid, primary_key=True),
        Column("name", String(9), nullable=False),
        Column("version", Integer, nullable=False),
        UniqueConstraint("name"),
        schema=schema,
    )
    map_aggregate(kind, table)
    port: Any = type(
        "Places",
        (Repository,),
        {"aggregate": kind, "not_found": NotFound, "unique": (Unique("name", error=error),)},
    )
    return type("SqlPlaces", (SqlRepository, port), {})


EAST, WEST = _repository("east", EastTaken), _repository("west", WestTaken)


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database with the two schemas."""
    engine = make_engine(request.getfixturevalue(f"{request.param}_database"))

    def attach(connection: Any, _record: object) -> None:
        for name in ("east", "west"):
            connection.execute(f"ATTACH DATABASE '{tmp_path}/{name}.db' AS {name}")

    if request.param == "sqlite":
        event.listen(engine, "connect", attach)
    else:
        with engine.begin() as connection:
            for name in ("east", "west"):
                connection.execute(CreateSchema(name))
    PLACES.create_all(engine)
    yield engine
    engine.dispose()


def place(repository: Any) -> Any:
    """Return a new place of the schema of a repository."""
    return repository.aggregate(name="ann")


@pytest.mark.parametrize(("places", "error"), [(EAST, EastTaken), (WEST, WestTaken)])
def test_each_schema_has_its_own_values(
    engine: Engine, places: type[SqlRepository[Any]], error: type[Exception]
) -> None:
    """Each schema has its own values: one that is taken in one schema is free in the other."""
    with SqlShop(engine) as uow:
        for repository in (EAST(uow, uow.session), WEST(uow, uow.session)):
            repository.add(place(repository))
        uow.commit()
    with pytest.raises(error), SqlShop(engine) as uow:
        repository = places(uow, uow.session)
        repository.add(place(repository))
        uow.commit()
