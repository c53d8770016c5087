"""The part of a SQL repository that is the same for every aggregate."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import func, inspect, select

from adapters.sql.bulk import insert_many
from adapters.sql.declared import declare
from adapters.sql.queries import parameters_of, statement_of
from adapters.sql.reading import lock_row, read_whole
from adapters.sql.session import AS_IT_IS
from domain.aggregate import K
from domain.repository import A, Repository

if TYPE_CHECKING:
    from sqlalchemy import Table

    from adapters.sql.session import UnitSession
    from domain.query import Query
    from service_layer.unit_of_work import UnitOfWork


class SqlRepository(Repository[A, K]):
    """A repository over the table of its aggregate.

    A subclass adds queries by ``select()`` on ``session``. They see the changes of the unit, raise the errors of
    domain.errors, and read each aggregate whole.
    """

    table: ClassVar[Table]
    """The table of the aggregates."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declare(cls)
        cls.table = inspect(cls.aggregate).local_table

    def __init__(self, unit: UnitOfWork, session: UnitSession) -> None:
        self._unit = unit
        self.session = session

    def _add(self, aggregate: A) -> None:
        self._unit.register_new(aggregate)

    def _add_batch(self, aggregates: list[A]) -> None:
        with self._unit.writing:
            self._unit.register_bulk()
            insert_many(self.session, aggregates)

    def _remove(self, aggregate: A) -> None:
        self._unit.register_removed(aggregate)

    def _flush(self) -> None:
        self._unit.flush()

    def _select(self, query: Query, *, is_stream: bool = False) -> list[A]:
        statement, parameters = statement_of(self.aggregate, query), parameters_of(query)

        def read() -> list[A]:
            return list(self.session.scalars(statement, parameters, execution_options={AS_IT_IS: True}))

        with self._unit.reading:
            return read_whole(read, self.session, strongly=not is_stream)

    def _size(self, query: Query) -> int:
        matching = statement_of(self.aggregate, query).with_only_columns(self.table.c.id).order_by(None).subquery()
        statement = select(func.count()).select_from(matching)
        return self.session.scalars(statement, parameters_of(query)).one()

    def _lock(self, query: Query) -> A | None:
        with self._unit.writing:
            lock_row(statement_of(self.aggregate, query), parameters_of(query), self.session)
        return next(iter(self._select(query)), None)
