"""The part of a SQL repository that is the same for every aggregate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import bindparam, inspect, select

from adapters.sql.bulk import insert_many
from adapters.sql.declared import declare
from adapters.sql.reading import STREAM
from domain.repository import A, Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy import Select, Table

    from adapters.sql.session import UnitSession
    from service_layer.unit_of_work import UnitOfWork


class SqlRepository(Repository[A]):
    """A repository over the table of its aggregate.

    A subclass adds queries by ``select()`` on ``session``: they see what the unit has changed, raise the errors of
    domain.errors, and read each aggregate whole. The standard statements are built once for the class and not at each
    call, because building one costs more than most of the rest.
    """

    table: ClassVar[Table]
    """The table of the aggregates."""

    _by_key: ClassVar[dict[str, Select[Any]]]
    _first: ClassVar[Select[Any]]
    _next: ClassVar[Select[Any]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declare(cls)
        cls.table = inspect(cls.aggregate).local_table
        everything = select(cls.aggregate)
        cls._by_key = {column.key: everything.where(column == bindparam("value")) for column in cls.table.columns}
        cls._first = everything.order_by(cls.table.c.id).limit(bindparam("limit"))
        cls._next = cls._first.where(cls.table.c.id > bindparam("after"))

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

    def _find(self, key: str, value: object) -> A | None:
        found: A | None = self.session.scalars(self._by_key[key], {"value": value}).first()
        return found

    def _after(self, after: UUID | None, limit: int) -> list[A]:
        return self._page(after, limit, {})

    def _slices_after(self, after: UUID | None, limit: int) -> Iterator[list[A]]:
        found = self._page(after, limit, {STREAM: True})
        if found:
            yield found
            if len(found) == limit:  # another batch will be read
                self._unit.flush()  # write what the caller has changed, while the objects are still alive

    def _page(self, after: UUID | None, limit: int, options: dict[str, Any]) -> list[A]:
        if after is None:
            found = self.session.scalars(self._first, {"limit": limit}, execution_options=options)
        else:
            found = self.session.scalars(self._next, {"after": after, "limit": limit}, execution_options=options)
        return list(found)
