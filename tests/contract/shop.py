"""The units of work of the tests: those of the project, with the aggregates for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, MetaData

from adapters.fake.database import FakeDatabase
from adapters.fake.repository import FakeRepository
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql.repository import SqlRepository
from adapters.sql.unit_of_work import SqlUnitOfWork
from service_layer.unit_of_work import UnitOfWork
from tests.contract.allocation import FakeProductRepository, SqlProductRepository, allocation_metadata
from tests.contract.members import FakeMemberRepository, SqlMemberRepository, members_metadata

if TYPE_CHECKING:
    from tests.contract.allocation import ProductRepository
    from tests.contract.members import MemberRepository

SHOP_METADATA: list[MetaData] = [members_metadata, allocation_metadata]
"""The metadata of their tables, which no migration makes."""

REPOSITORIES: dict[str, tuple[type[SqlRepository[Any, Any]], type[FakeRepository[Any, Any]]]] = {
    "members": (SqlMemberRepository, FakeMemberRepository),
    "products": (SqlProductRepository, FakeProductRepository),
}
"""Both repositories of each aggregate, by their name in a unit of work."""


class Shop(UnitOfWork):
    """A unit of work with the aggregates of the tests. More may be put into :data:`REPOSITORIES`."""

    members: MemberRepository
    products: ProductRepository

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class SqlShop(SqlUnitOfWork, Shop):
    """A shop over a SQL database."""

    def __init__(self, engine: Engine, *, read_only: bool = False) -> None:
        super().__init__(engine, read_only=read_only)
        for name, (sql, _) in REPOSITORIES.items():
            setattr(self, name, sql(self, self.session))


class FakeShop(FakeUnitOfWork, Shop):
    """A shop over a fake database."""

    def __init__(self, database: FakeDatabase | None = None, *, read_only: bool = False) -> None:
        super().__init__(database, read_only=read_only)
        for name, (_, fake) in REPOSITORIES.items():
            setattr(self, name, fake(self, self.session))


def of(uow: UnitOfWork, name: str) -> Any:
    """Return a repository of the tests' units by its name."""
    return getattr(uow, name)
