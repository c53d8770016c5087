"""The part of a fake repository that is the same for every aggregate."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, ClassVar

from domain.repository import A, Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from adapters.fake.database import Row
    from adapters.fake.unit_of_work import FakeUnitOfWork
    from domain.errors import ValueTaken

Unique = dict[str, type["ValueTaken"]]
"""The unique attributes of an aggregate, in the order of their constraints, with the error for a taken value."""


class FakeRepository(Repository[A]):
    """A repository over the rows that a :class:`~adapters.fake.unit_of_work.FakeUnitOfWork` sees.

    A subclass says in ``unique`` what its table's unique constraints say in SQL.
    """

    unique: ClassVar[Unique]

    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit
        unit.declare_unique(self.aggregate, self.unique)

    def _add(self, aggregate: A) -> None:
        self._unit.register_new(aggregate)

    def _add_batch(self, aggregates: list[A]) -> None:
        with self._unit.writing:
            self._unit.insert_batch(aggregates)

    def _remove(self, aggregate: A) -> None:
        self._unit.register_removed(aggregate)

    def _find(self, key: str, value: object) -> A | None:
        with self._unit.reading:
            row = self._unit.row_by(self.aggregate, key, value)
            return None if row is None else self._unit.tracked(self.aggregate, row)

    def _after(self, after: UUID | None, limit: int) -> list[A]:
        return self._list_where(lambda row: after is None or row["id"] > after, limit)

    def _slices_after(self, after: UUID | None, limit: int) -> Iterator[list[A]]:
        found = self._after(after, limit)
        if found:
            yield found

    def _list_where(self, wanted: Callable[[Row], bool], limit: int | None = None) -> list[A]:
        """Return the aggregates whose rows are wanted, in the order of their ids: the WHERE of a query of one's own."""
        with self._unit.reading:
            rows = [row for row in self._unit.all_rows(self.aggregate) if wanted(row)]
            rows.sort(key=itemgetter("id"))
            return [self._unit.tracked(self.aggregate, row) for row in rows[:limit]]
