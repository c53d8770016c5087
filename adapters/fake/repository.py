"""The part of a fake repository that is the same for every aggregate."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from domain.repository import A, Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from adapters.fake.copies import Snapshot
    from adapters.fake.session import FakeSession
    from service_layer.unit_of_work import UnitOfWork


class FakeRepository(Repository[A]):
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

    def _find(self, key: str, value: object) -> A | None:
        with self._unit.reading:
            found: A | None = self.session.find(self.aggregate, key, value)
            return found

    def _after(self, after: UUID | None, limit: int) -> list[A]:
        return self._list_where(lambda row: after is None or row.id > after, limit)

    def _slices_after(self, after: UUID | None, limit: int) -> Iterator[list[A]]:
        found = self._after(after, limit)
        if found:
            yield found
            if len(found) == limit:  # another batch will be read
                self._unit.flush()

    def _list_where(self, wanted: Callable[[Snapshot], bool], limit: int | None = None) -> list[A]:
        """Return the aggregates for which ``wanted`` is true, in the order of their ids: the WHERE of a query.

        ``wanted`` is given the stored values of an aggregate, parts included, which it can read but not change.
        """
        with self._unit.reading:
            rows = [row for row in self.session.all_rows(self.aggregate) if wanted(row)]
            rows.sort(key=attrgetter("id"))
            return [self.session.object_of(self.aggregate, row) for row in rows[:limit]]
