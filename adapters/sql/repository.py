"""The part of a SQL repository that is the same for every aggregate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import bindparam, select

from domain.repository import A, Repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from sqlalchemy import Select, Table

    from adapters.sql.unit_of_work import SqlUnitOfWork


class SqlRepository(Repository[A]):
    """A repository over the table of its aggregate, in a :class:`~adapters.sql.unit_of_work.SqlUnitOfWork`.

    Its statements are built once for the class, not at each call, because building one costs more than most of the
    rest.
    """

    table: ClassVar[Table]
    _by_key: ClassVar[dict[str, Select[Any]]]
    _first: ClassVar[Select[Any]]
    _next: ClassVar[Select[Any]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        everything = select(cls.aggregate)
        cls._by_key = {column.key: everything.where(column == bindparam("value")) for column in cls.table.columns}
        cls._first = everything.order_by(cls.table.c.id).limit(bindparam("limit"))
        cls._next = cls._first.where(cls.table.c.id > bindparam("after"))

    def __init__(self, unit: SqlUnitOfWork) -> None:
        self._unit = unit

    def _add(self, aggregate: A) -> None:
        self._unit.register_new(aggregate)

    def _add_batch(self, aggregates: list[A]) -> None:
        with self._unit.writing:
            self._unit.insert_batch(self.aggregate, aggregates)

    def _remove(self, aggregate: A) -> None:
        self._unit.register_removed(aggregate)

    def _find(self, key: str, value: object) -> A | None:
        found = self._list(self._by_key[key], {"value": value})
        return found[0] if found else None

    def _after(self, after: UUID | None, limit: int) -> list[A]:
        return self._list(*self._following(after, limit))

    def _slices_after(self, after: UUID | None, limit: int) -> Iterator[list[A]]:
        with self._unit.reading:
            slices = self._unit.load_slices(self.aggregate, *self._following(after, limit))
        while True:
            with self._unit.failing:
                items = next(slices, None)
            if items is None:
                return
            yield items
            del items

    def _following(self, after: UUID | None, limit: int) -> tuple[Select[Any], dict[str, Any]]:
        if after is None:
            return self._first, {"limit": limit}
        return self._next, {"after": after, "limit": limit}

    def _list(self, statement: Select[Any], parameters: Mapping[str, Any]) -> list[A]:
        """Return what a query of this repository's aggregates finds: the way to run a query of one's own."""
        with self._unit.reading:
            return self._unit.load(self.aggregate, statement, parameters)
