"""The part of a fake repository that is the same for every aggregate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.aggregate import K
from domain.repository import A, Repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.fake.copies import Snapshot
    from adapters.fake.session import FakeSession
    from domain.query import Query
    from service_layer.unit_of_work import UnitOfWork


class FakeRepository(Repository[A, K]):
    """A repository over the rows of its aggregate in a fake database."""

    def __init__(self, unit: UnitOfWork, session: FakeSession) -> None:
        self._unit = unit
        self.session = session
        session.writer.constraints.declare(self.aggregate, self.unique, self.references)

    def _add(self, aggregate: A) -> None:
        self._unit.register_new(aggregate)

    def _add_batch(self, aggregates: list[A]) -> None:
        with self._unit.writing:
            self._unit.register_bulk()
            self.session.insert_many(aggregates)

    def _remove(self, aggregate: A) -> None:
        self._unit.register_removed(aggregate)

    def _flush(self) -> None:
        self._unit.flush()

    def _select(self, query: Query, *, is_stream: bool = False) -> list[A]:  # noqa: ARG002  # the fake holds all rows
        with self._unit.reading:
            return self.session.select(self.aggregate, query)

    def _size(self, query: Query) -> int:
        with self._unit.reading:
            return len(query.answer(self.session.all_rows(self.aggregate)))

    def _lock(self, query: Query) -> A | None:
        with self._unit.writing:
            found: A | None = self.session.lock(self.aggregate, query)
            return found

    def _list_rows(self, wanted: Callable[[Snapshot], bool], limit: int | None = None) -> list[A]:
        """Return the aggregates for which ``wanted`` is true, in the order of their ids: the WHERE of a query.

        ``wanted`` gets the stored values of an aggregate, parts included. It can read but not change them.
        """
        with self._unit.reading:
            rows = [row for row in self.session.all_rows(self.aggregate) if wanted(row)]
            return [self.session.object_of(self.aggregate, row) for row in rows[:limit]]
