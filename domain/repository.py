"""The port of every repository: a collection of aggregates of one type, whatever stores them.

An implementation writes the seven abstract methods. Everything that a caller can notice about arguments, missing
aggregates, pages and streams is decided here, once for every implementation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from attrs import frozen

from domain.aggregate import Aggregate, K, bases
from domain.constraints import Reference, Unique, check_attributes
from domain.errors import InvalidValue, NotFound, shown
from domain.keys import check_key, check_keys
from domain.limits import stored_value
from domain.query import Query, Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

A = TypeVar("A", bound=Aggregate[Any])

MAX_ASKED = 10_000
"""How many values a query may ask for by ``in``, and how many ids :meth:`Repository.get_many` takes."""

MAX_PAGE = 1000
"""The most aggregates that one page can hold."""

STREAM_BATCH = 500
"""How many aggregates a stream reads at a time: few round trips, in little memory."""

BULK_BATCH = 2000
"""How many aggregates a bulk addition takes from an iterator at a time. More would hardly be quicker."""


@frozen
class Page(Generic[A]):
    """Some aggregates in their order, and the key of the page that follows.

    Pass ``next`` as ``after`` to get the following page. It is ``None`` on the last page. Otherwise it is the id of the
    last item, or the pair of its sort key and its id. (Keyset paging: Winand, *SQL Performance Explained*, 2012,
    chapter 7. Its cost does not grow with the number of pages before.)
    """

    items: tuple[A, ...]
    next: Any


class Repository(ABC, Generic[A, K]):
    """A collection of aggregates (Evans, *Domain-Driven Design*, 2003, chapter 6), used inside a unit of work.

    ``Repository[User]`` holds aggregates whose ids are UUIDs. ``Repository[Article, Sku]`` holds others.

    Additions and changes are written with the next call or with the commit, so a unit reads its own writes. Hence every
    method may raise the :class:`~domain.errors.Conflict` or :class:`~domain.errors.StorageError` of an earlier call.
    Every method raises :class:`~domain.errors.UnitOfWorkMisuse` outside of the unit's block. So do the methods that
    write, in a read-only unit.
    """

    aggregate: ClassVar[type[Aggregate[Any]]]
    """The class of the aggregates in this collection."""

    subclasses: ClassVar[tuple[type[Aggregate], ...]] = ()
    """Its subclasses whose objects are in this collection too. They share its ids, versions and unique values."""

    not_found: ClassVar[type[NotFound]]
    """The error for a key that no stored aggregate has."""

    unique: ClassVar[tuple[Unique, ...]] = ()
    """The unique values of the aggregates and their parts, in the order in which they are checked."""

    references: ClassVar[tuple[Reference, ...]] = ()
    """The attributes that hold the ids of other aggregates, in the order in which they are checked."""

    def __init_subclass__(cls) -> None:
        """Raise ``TypeError`` if a port declares an attribute or a class that the aggregate lacks."""
        super().__init_subclass__()
        if hasattr(cls, "aggregate"):
            check_keys(cls.aggregate)
        for kind in (cls.aggregate, *cls.subclasses) if hasattr(cls, "aggregate") else ():
            if not issubclass(kind, cls.aggregate):
                raise TypeError(
                    f"{kind.__name__} is no subclass of {cls.aggregate.__name__}: remove it from subclasses"
                )
            if bases.setdefault(kind, cls.aggregate) is not cls.aggregate:
                raise TypeError(
                    f"{kind.__name__} objects are held by the repository of {bases[kind].__name__}: use that one"
                )
        declared: tuple[Unique | Reference, ...] = (*cls.unique, *cls.references)
        for one in declared:
            check_attributes(one, cls.aggregate, *cls.subclasses)

    def add(self, aggregate: A) -> None:
        """Add a new aggregate, to be stored with the unit. Adding one that this unit holds changes nothing.

        Each costs a statement. For more than some hundreds, use :meth:`add_many`.

        Raises:
            :class:`~domain.errors.UnitOfWorkMisuse`: Another open unit holds the object.
            :class:`~domain.errors.DuplicateIdentity`: This unit holds another object of the same id.
            ``TypeError``: It is no aggregate of this type.
            :class:`~domain.errors.InvalidValue`: The id is not of the declared type, or not every storage can hold it.

        The next call of the unit, or its commit, raises :class:`~domain.errors.ValueTaken` for a unique value that has
        another holder, and :class:`~domain.errors.DuplicateIdentity` for an id that is stored already.
        """
        self._add(self._checked(aggregate))

    def add_many(self, aggregates: Iterable[A]) -> int:
        """Store many new aggregates in bulk and return their number.

        A list or a tuple is one batch. It goes to PostgreSQL by one COPY if the aggregates have no parts. Anything else
        is read and stored 2,000 at a time, so an iterator of any length will do. The unit does not track the objects,
        and does not change them. If reading the iterator fails, the batches before are in the unit, to be committed or
        not. An empty iterable does nothing at all. The first two errors below do not name the value. On PostgreSQL they
        come when the whole batch was sent.

        Raises:
            :class:`~domain.errors.ValueTaken`: A unique value is taken.
            :class:`~domain.errors.DuplicateIdentity`: An id is stored already, or this unit holds the object.
            ``TypeError``: One is no aggregate of this type.
            :class:`~domain.errors.InvalidValue`: A value cannot be stored.
        """
        count = 0
        remaining = map(self._checked, aggregates)
        size = None if isinstance(aggregates, list | tuple) else BULK_BATCH  # a list is in memory as a whole anyway
        while batch := list(islice(remaining, size)):
            self._add_batch(batch)
            count += len(batch)
        return count

    def get(self, id: K, *, lock: bool = False) -> A:
        """Return the aggregate with this id.

        With ``lock``, no other unit can write it until this one ends. Its values are the newest: an object that the
        unit already holds is read again.

        Raises:
            :class:`~domain.errors.NotFound`: No aggregate with this id is stored.
            :class:`~domain.errors.InvalidValue`: The id is of another type.
            :class:`~domain.errors.ConcurrentChange`: The unit waited too long for the lock.
            :class:`~domain.errors.UnitOfWorkMisuse`: A read-only unit asks for the lock.
        """
        return self._get_by("id", self._checked_id(id), lock=lock)

    def find(self, id: K) -> A | None:
        """Return the aggregate with this id, or ``None``. Raises :class:`~domain.errors.InvalidValue`."""
        return self._find_by("id", self._checked_id(id))

    def get_many(self, ids: Iterable[K]) -> list[A]:
        """Return the aggregates with these ids, in the order of ids, by one query. Those not stored are left out."""
        return self.list_where(Where("id", "in", [self._checked_id(id) for id in ids]))

    def exists(self, id: K) -> bool:
        """Return whether an aggregate with this id is stored."""
        return self.count(Where("id", "==", self._checked_id(id))) > 0

    def count(self, *where: Where) -> int:
        """Return how many stored aggregates meet all comparisons. Raises ``TypeError`` as :meth:`list_where`."""
        return self._size(self._query(where, "id", None))

    def remove(self, aggregate: A) -> None:
        """Remove an aggregate that this unit has read or added. Its row is deleted immediately.

        Raises:
            :class:`~domain.errors.UnitOfWorkMisuse`: This unit does not hold the object.
            :class:`~domain.errors.ConcurrentChange`: Another unit has changed or removed it since.
        """
        self._remove(self._checked(aggregate))

    def list_where(self, *where: Where, order_by: str = "id", limit: int | None = None) -> list[A]:
        """Return the aggregates that meet all comparisons, sorted by an attribute. See :class:`~domain.query.Query`.

        Raises:
            ``TypeError``: The aggregates do not store the attribute.
            :class:`~domain.errors.InvalidValue`: The attribute could not hold the value, or the limit is below 0.
        """
        return self._select(self._query(where, order_by, limit))

    def page(
        self, after: Any = None, limit: int = 50, *, where: tuple[Where, ...] = (), order_by: str = "id"
    ) -> Page[A]:
        """Return at most ``limit`` (1 to 1000) such aggregates that come after ``after``, the key of a page.

        Raises ``TypeError`` as :meth:`list_where`, and :class:`~domain.errors.InvalidValue` for another limit or a key
        of another order.
        """
        if type(limit) is not int or not 1 <= limit <= MAX_PAGE:
            raise InvalidValue(limit, f"a page holds 1 to {MAX_PAGE}")
        query = self._query(where, order_by, limit + 1, after)
        found = self._select(query)
        items = tuple(found[:limit])
        return Page(items=items, next=query.place(items[-1]) if len(found) > limit else None)

    def stream(self) -> Iterator[A]:
        """Yield all aggregates in the order of their ids, reading a batch at a time.

        On a database, memory stays flat while the caller keeps none of them. The fake holds all its rows anyway. Each
        batch is a separate query. No aggregate comes twice, and none that was there all the time is left out. One that
        another unit adds, changes or removes during the stream may be seen in either state.
        """
        after: K | None = None
        count = STREAM_BATCH
        while count == STREAM_BATCH:
            items = self._select(Query(limit=STREAM_BATCH, after=after), is_stream=True)
            count = len(items)
            yield from items
            if count == STREAM_BATCH:  # another batch will be read
                after = items[-1].id
                self._flush()  # write the caller's changes while the objects are still alive
            del items  # otherwise they would stay in memory while the next batch is read

    def _find_by(self, attribute: str, value: object, *, lock: bool = False) -> A | None:
        """Return the aggregate whose unique attribute is ``value``, or ``None``."""
        is_one = Where(attribute, "==", value) if value is not None else Where(attribute, "in", ())  # none has None
        query = self._query((is_one,), "id", None)
        return self._lock(query) if lock else next(iter(self._select(query)), None)

    def _get_by(self, attribute: str, value: object, *, lock: bool = False) -> A:
        """Return the same aggregate, or raise the port's ``not_found``."""
        found = self._find_by(attribute, value, lock=lock)
        if found is None:
            raise self.not_found(attribute, value)
        return found

    def _query(self, where: tuple[Where, ...], order_by: str, limit: int | None, after: Any = None) -> Query:
        asked = Query(where, order_by, limit, after)
        asked.check(self.aggregate)
        if limit is not None and (type(limit) is not int or not 0 <= limit < 2**63):
            raise InvalidValue(limit, "a limit is a number from 0 on")
        place = None if after is None else self._place(asked)
        return Query(tuple([self._as_stored(one) for one in where]), order_by, limit, place)

    def _place(self, query: Query) -> Any:
        if query.key == "id":
            return self._checked_id(query.after)
        if isinstance(query.after, tuple) and len(query.after) == 2:
            value, id = query.after
            return self._compared(query.key, value), self._checked_id(id)
        reason = f"the key of a page is the pair of {query.key} and id of the last one before it"
        raise InvalidValue(query.after, reason)

    def _as_stored(self, one: Where) -> Where:
        if one.operator != "in":
            value = self._compared(one.attribute, one.value)
            return one if value is one.value else Where(one.attribute, one.operator, value)
        if len(one.value) > MAX_ASKED:
            raise InvalidValue(len(one.value), f"a query asks for at most {MAX_ASKED} values: ask for fewer at a time")
        return Where(one.attribute, "in", [self._compared(one.attribute, value) for value in one.value])

    def _compared(self, attribute: str, value: object) -> Any:
        """Return a value as it is stored: Python compares it otherwise. Refuse one that cannot be stored."""
        if value is None:
            return None
        return self._checked_id(value) if attribute == "id" else stored_value(self.aggregate, attribute, value)

    def _checked(self, aggregate: A) -> A:
        kind = type(aggregate)
        if kind is not self.aggregate and kind not in self.subclasses:  # another class would need its own mapping
            raise TypeError(f"this repository holds {self.aggregate.__name__} objects, not {shown(aggregate)}")
        self._checked_id(aggregate.id)
        return aggregate

    def _checked_id(self, id: Any) -> Any:
        check_key(self.aggregate, id)
        return id

    @abstractmethod
    def _add(self, aggregate: A) -> None:
        """Track a new aggregate, to be inserted with the next call."""

    @abstractmethod
    def _add_batch(self, aggregates: list[A]) -> None:
        """Insert the aggregates of one batch without tracking them."""

    @abstractmethod
    def _remove(self, aggregate: A) -> None:
        """Delete a tracked aggregate with its parts."""

    @abstractmethod
    def _select(self, query: Query, *, is_stream: bool = False) -> list[A]:
        """Return the aggregates that a query describes. Those of a stream are kept only as long as the caller does."""

    @abstractmethod
    def _size(self, query: Query) -> int:
        """Return how many aggregates a query describes."""

    @abstractmethod
    def _lock(self, query: Query) -> A | None:
        """Lock the one aggregate that a query describes, and return it as it is stored now."""

    @abstractmethod
    def _flush(self) -> None:
        """Write what the unit has added and changed so far."""
