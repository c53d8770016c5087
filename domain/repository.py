"""The port of every repository: a collection of aggregates of one type, whatever stores them.

An implementation writes the six abstract methods. All that a caller can notice about arguments, missing aggregates,
pages and streams is decided here, once for every implementation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar
from uuid import UUID

from attrs import frozen

from domain.aggregate import Aggregate
from domain.constraints import Reference, Unique, check_attributes
from domain.errors import InvalidValue, NotFound, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

A = TypeVar("A", bound=Aggregate)

MAX_PAGE = 1000
"""The most aggregates that one page can hold."""

STREAM_BATCH = 500
"""How many aggregates a stream reads at a time: few round trips, in little memory."""

BULK_BATCH = 2000
"""How many aggregates a bulk addition takes from an iterator at a time: more would hardly be quicker."""


@frozen
class Page(Generic[A]):
    """Some aggregates in the order of their ids, and the key of the page that follows.

    ``next`` is what to pass as ``after`` for the following page; ``None`` on the last one. (Keyset paging: Winand, *SQL
    Performance Explained*, 2012, chapter 7. Its cost does not grow with the number of pages before.)
    """

    items: tuple[A, ...]
    next: UUID | None


class Repository(ABC, Generic[A]):
    """A collection of aggregates (Evans, *Domain-Driven Design*, 2003, chapter 6), used inside a unit of work.

    What is added or changed is written with the next call or with the commit, so a unit reads its own writes. Hence
    every method may raise the :class:`~domain.errors.Conflict` or :class:`~domain.errors.StorageError` of an earlier
    call. Every method raises :class:`~domain.errors.UnitOfWorkMisuse` outside of the unit's block, and those that write
    in a read-only unit.
    """

    aggregate: ClassVar[type[Aggregate]]
    """The class of the aggregates in this collection."""

    not_found: ClassVar[type[NotFound]]
    """The error for a key that no stored aggregate has."""

    unique: ClassVar[tuple[Unique, ...]] = ()
    """The unique values of the aggregates and their parts, in the order in which they are checked."""

    references: ClassVar[tuple[Reference, ...]] = ()
    """The attributes that hold the ids of other aggregates, in the order in which they are checked."""

    def __init_subclass__(cls) -> None:
        """Raise ``TypeError`` for a unique value or a reference of an attribute that the aggregate does not have."""
        super().__init_subclass__()
        declared: tuple[Unique | Reference, ...] = (*cls.unique, *cls.references)
        for one in declared:
            check_attributes(cls.aggregate, one)

    def add(self, aggregate: A) -> None:
        """Add a new aggregate, to be stored with the unit; adding one that this unit holds changes nothing.

        Each costs a statement: for more than some hundreds, use :meth:`add_many`.

        Raises :class:`~domain.errors.UnitOfWorkMisuse` for an object of another open unit,
        :class:`~domain.errors.DuplicateIdentity` if this unit holds another object of the same id, and ``TypeError``
        for anything that is no aggregate of this type. The next call of the unit, or its commit, raises
        :class:`~domain.errors.ValueTaken` for a unique value that has another holder, and
        :class:`~domain.errors.DuplicateIdentity` for an id that is stored already.
        """
        self._add(self._checked(aggregate))

    def add_many(self, aggregates: Iterable[A]) -> int:
        """Store many new aggregates in bulk and return their number.

        A list or a tuple is one batch, which goes to PostgreSQL by one COPY if the aggregates have no parts. Anything
        else is read and stored 2,000 at a time, so an iterator of any length will do. The unit does not track the
        objects, and does not change them. If reading the iterator fails, the batches before are in the unit, to be
        committed or not. An empty iterable does nothing at all.

        Raises :class:`~domain.errors.ValueTaken` and :class:`~domain.errors.DuplicateIdentity` without the value, the
        latter also for an object that this unit holds, and ``TypeError``. On PostgreSQL, the first two come when the
        whole batch was sent.
        """
        count = 0
        remaining = map(self._checked, aggregates)
        size = None if isinstance(aggregates, list | tuple) else BULK_BATCH  # a list is in memory as a whole anyway
        while batch := list(islice(remaining, size)):
            self._add_batch(batch)
            count += len(batch)
        return count

    def get(self, id: UUID) -> A:
        """Return the aggregate with this id.

        Raises :class:`~domain.errors.NotFound`, and :class:`~domain.errors.InvalidValue` for what is no UUID.
        """
        return self._get_by("id", _checked_id(id))

    def remove(self, aggregate: A) -> None:
        """Remove an aggregate that this unit has read or added.

        Its row is deleted immediately. Raises :class:`~domain.errors.UnitOfWorkMisuse` for an object that this unit
        does not hold, and :class:`~domain.errors.ConcurrentChange` when another unit has changed or removed it since.
        """
        self._remove(self._checked(aggregate))

    def page(self, after: UUID | None = None, limit: int = 50) -> Page[A]:
        """Return at most ``limit`` (1 to 1000) aggregates whose id is greater than ``after``, in the order of ids.

        Raises :class:`~domain.errors.InvalidValue` for another limit, or a key that is no UUID.
        """
        if not isinstance(limit, int) or not 1 <= limit <= MAX_PAGE:
            raise InvalidValue(limit, f"a page holds 1 to {MAX_PAGE}")
        found = self._after(None if after is None else _checked_id(after), limit + 1)
        items = tuple(found[:limit])
        return Page(items=items, next=items[-1].id if len(found) > limit else None)

    def stream(self) -> Iterator[A]:
        """Yield all aggregates in the order of their ids, reading a batch at a time.

        Memory stays flat on a database, as long as the caller keeps none of them; the fake holds all its rows anyway.
        Each batch is a separate query. No aggregate comes twice, and none that was there all the time is left out. One
        that another unit adds, changes or removes during the stream may be seen in either state.
        """
        after: UUID | None = None
        count = STREAM_BATCH
        while count == STREAM_BATCH:
            count = 0
            for items in self._slices_after(after, STREAM_BATCH):
                yield from items
                after, count = items[-1].id, count + len(items)
                del items  # otherwise they would stay in memory while the next batch is read

    def _get_by(self, key: str, value: object) -> A:
        found = self._find(key, value)
        if found is None:
            raise self.not_found(key, value)
        return found

    def _checked(self, aggregate: A) -> A:
        if type(aggregate) is not self.aggregate:  # a subclass would need its own mapping
            raise TypeError(f"this repository holds {self.aggregate.__name__} objects, not {shown(aggregate)}")
        return aggregate

    @abstractmethod
    def _add(self, aggregate: A) -> None:
        """Track a new aggregate, to be inserted with the next call."""

    @abstractmethod
    def _add_batch(self, aggregates: list[A]) -> None:
        """Insert the aggregates of one batch, without tracking them."""

    @abstractmethod
    def _remove(self, aggregate: A) -> None:
        """Delete a tracked aggregate, with its parts."""

    @abstractmethod
    def _find(self, key: str, value: object) -> A | None:
        """Return the aggregate whose attribute ``key`` (the id, or one that is unique) is ``value``, or ``None``."""

    @abstractmethod
    def _after(self, after: UUID | None, limit: int) -> list[A]:
        """Return the first ``limit`` aggregates whose id is greater than ``after``, in the order of ids."""

    @abstractmethod
    def _slices_after(self, after: UUID | None, limit: int) -> Iterator[list[A]]:
        """Find the same aggregates, and yield them in lists, of which none is empty."""


def _checked_id(value: object) -> UUID:
    if not isinstance(value, UUID):
        raise InvalidValue(value, "an id is a UUID, not a string or a number")
    return value
