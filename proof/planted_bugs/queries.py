"""Bugs in reads of objects, queries, pages and streams, and in bulks."""

from __future__ import annotations

import operator
from itertools import islice
from typing import TYPE_CHECKING, Any

from attrs import evolve
from sqlalchemy import inspect
from sqlalchemy.orm import make_transient_to_detached

import adapters.sql.postgres_copy
import adapters.sql.queries
import adapters.sql.reading
import adapters.sql.repository
import domain.query
import domain.repository
from adapters.fake.copies import copy_of
from adapters.fake.repository import FakeRepository
from adapters.fake.session import FakeSession
from adapters.fake.tracked import Tracked
from adapters.sql.parts import relations_of
from adapters.sql.repository import SqlRepository
from adapters.sql.session import UnitSession
from domain.query import Query, Where
from domain.repository import Repository
from proof.planted_bugs.registry import around, bug, instead

if TYPE_CHECKING:
    pass


@bug("fake", line="queries", caught_by="contract/test_queries.py::test_none_meets_no_comparison_with_a_value")
def none_differs_from_a_value() -> None:
    """``!=`` a value holds for ``None`` on the fake."""

    def holds(original: Any, self: Any, one: Any) -> bool:
        is_none = self.operator == "!=" and self.value is not None and getattr(one, self.attribute) is None
        return is_none or bool(original(self, one))

    around(Where, "holds", holds)


@bug("fake", line="queries", caught_by="contract/test_queries.py::test_a_limit_of_zero_finds_nothing")
def a_limit_of_zero_is_no_limit() -> None:
    """A query of the fake with the limit 0 finds all."""
    around(Query, "answer", lambda original, self, rows: original(evolve(self, limit=self.limit or None), rows))


@bug("fake", "sql", line="queries", caught_by="contract/test_queries.py::test_finding_counting_and_existence")
def get_many_keeps_the_order_asked() -> None:
    """``get_many()`` returns the aggregates in the order in which their ids are given."""

    def get_many(original: Any, self: Any, ids: Any) -> Any:
        asked = list(ids)
        return sorted(original(self, asked), key=lambda one: asked.index(one.id))

    around(Repository, "get_many", get_many)


@bug("fake", "sql", line="queries", caught_by="contract/test_queries.py::test_all_comparisons_hold")
def at_most_means_less() -> None:
    """A comparison by ``<=`` leaves out equal values."""
    domain.query.COMPARISONS["<="] = operator.lt


@bug("postgres", line="queries", caught_by="contract/test_queries.py::test_none_is_the_least_on_pages")
def none_comes_last() -> None:
    """PostgreSQL sorts ``None`` as the greatest value."""

    def statement(original: Any, kind: Any, where: Any, order_by: str, is_limited: bool, after: Any) -> Any:
        found, columns = original(kind, where, order_by, is_limited, after), inspect(kind).columns
        if order_by.removeprefix("-") == "id":
            return found
        order = [adapters.sql.queries._comparable(columns[order_by.removeprefix("-")]), columns["id"]]
        return found.order_by(None).order_by(*[one.desc() if order_by.startswith("-") else one for one in order])

    around(adapters.sql.queries, "_statement", statement)


@bug("fake", "sql", promise=16, caught_by="contract/test_queries.py::test_pages_under_a_sort_key_meet_all")
def a_page_begins_with_the_last_one() -> None:
    """A page in the order of ids begins with the last aggregate of the page before."""

    def follows(original: Any, key: Any, id: Any, after: str, follows: Any, is_reverse: bool) -> Any:
        inclusive = operator.le if is_reverse else operator.ge
        return original(key, id, after, inclusive if after == "id" else follows, is_reverse)

    def answer(original: Any, self: Any, rows: Any) -> Any:
        rows = list(rows)
        everything = original(evolve(self, after=None, limit=None), rows)
        places = [place for place, one in enumerate(everything) if self.key == "id" and one.id == self.after]
        return everything[places[0] :][: self.limit] if places else original(self, rows)

    around(adapters.sql.queries, "_follows", follows)
    around(Query, "answer", answer)


@bug("sql", promise=16, caught_by="contract/test_queries.py::test_pages_under_a_sort_key_meet_all")
def a_reverse_order_has_forward_ties() -> None:
    """Equal values are sorted by id from the least, in the reverse order too."""

    def statement(original: Any, kind: Any, where: Any, order_by: str, is_limited: bool, after: Any) -> Any:
        found, columns = original(kind, where, order_by, is_limited, after), inspect(kind).columns
        if not order_by.startswith("-") or order_by == "-id":
            return found
        return found.order_by(None).order_by(columns[order_by[1:]].desc(), columns["id"])

    around(adapters.sql.queries, "_statement", statement)


@bug("fake", "sql", promise=16, caught_by="contract/test_collections.py::test_a_page_of_an_impossible_size_is_refused")
def a_page_may_hold_one_more() -> None:
    """A page may hold 1001 aggregates."""
    instead(domain.repository, "MAX_PAGE", 1001)


@bug("fake", "sql", promise=16, caught_by="contract/test_queries.py::test_pages_under_a_sort_key_meet_all")
def a_full_last_page_names_another() -> None:
    """The last page names a next one if it is full."""

    def page(original: Any, self: Any, after: Any = None, limit: int = 50, **options: Any) -> Any:
        found = original(self, after, limit, **options)
        if found.next is None and len(found.items) == limit:
            return evolve(found, next=Query(order_by=options.get("order_by", "id")).place(found.items[-1]))
        return found

    around(Repository, "page", page)


@bug(
    "fake",
    "sql",
    promise=16,
    caught_by="contract/test_collections.py::test_a_bulk_takes_any_iterator",
)
def the_rest_of_an_iterator_is_not_stored() -> None:
    """``add_many()`` stores of an iterator only batches that are full."""

    def add_many(original: Any, self: Any, aggregates: Any) -> int:
        if isinstance(aggregates, list | tuple):
            return int(original(self, aggregates))
        count, remaining = 0, iter(aggregates)
        while len(batch := list(islice(remaining, domain.repository.BULK_BATCH))) == domain.repository.BULK_BATCH:
            count += int(original(self, batch))
        return count

    around(Repository, "add_many", add_many)


@bug("sql", promise=16, caught_by="integration/test_memory.py::test_a_stream_and_a_bulk_hold_few_at_a_time")
def a_stream_keeps_what_it_has_read() -> None:
    """The aggregates of a stream stay in memory until the unit ends."""
    around(SqlRepository, "_select", lambda original, self, query, **_: original(self, query))


@bug(
    "postgres",
    promise=16,
    caught_by="contract/test_user_hostile_values.py::test_an_import_stores_hostile_values",
)
def a_bulk_does_not_escape_backslashes() -> None:
    """COPY takes a backslash in a text for the beginning of an escape."""
    signs = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
    instead(adapters.sql.postgres_copy, "_ESCAPED", str.maketrans(signs))


@bug("fake", "sql", promise=16, caught_by="contract/test_collections.py::test_a_bulk_does_not_track_its_objects")
def a_bulk_tracks_its_objects() -> None:
    """Aggregates that were added in bulk belong to the unit, and later changes of them are stored."""

    def insert_on_fake(original: Any, session: Any, aggregates: Any) -> None:
        original(session, aggregates)
        for one in aggregates:
            one.version += 1
            session._track((type(one), one.id), Tracked(one, copy_of(one)))

    def insert(original: Any, session: Any, aggregates: Any) -> None:
        original(session, aggregates)
        for one in aggregates:
            if not relations_of(type(one)):
                one.version += 1
                make_transient_to_detached(one)
                session.add(one)

    around(FakeSession, "insert_many", insert_on_fake)
    around(adapters.sql.repository, "insert_many", insert)


@bug("fake", promise=6, caught_by="contract/test_queries.py::test_a_query_sees_what_its_unit_has_written")
def a_count_does_not_see_own_writes() -> None:
    """The fake counts committed rows alone, without the unit's own writes."""

    def size(self: Any, query: Any) -> int:
        with self._unit.reading:
            rows = [row for (kind, _), row in self.session.database.rows.items() if kind is self.aggregate]
            return len(query.answer(rows))

    instead(FakeRepository, "_size", size)


@bug(
    "fake",
    promise=3,
    caught_by="contract/test_objects.py::test_a_query_overwrites_nothing_read",
)
def two_units_read_one_object() -> None:
    """Two units of the fake that read a row get the same object."""
    shared: dict[int, tuple[Any, Any]] = {}

    def object_of(original: Any, session: Any, kind: Any, row: Any) -> Any:
        key = kind, row.id
        if key not in session._tracked:
            original(session, kind, row)
            _, session._tracked[key] = shared.setdefault(id(row), (row, session._tracked[key]))
        return session._tracked[key].aggregate

    around(FakeSession, "object_of", object_of)


@bug("sql", promise=5, caught_by="contract/test_parts_order.py::test_an_order_is_stored_without_its_root")
def a_unit_keeps_nothing_alive() -> None:
    """A unit forgets an aggregate as soon as the caller does."""

    def keep(original: Any, self: Any, roots: Any, *, strongly: bool = True) -> None:  # noqa: ARG001
        original(self, roots, strongly=False)

    around(UnitSession, "keep", keep)


@bug("fake", "sql", promise=5, caught_by="contract/test_locked_reads.py::test_a_locked_read_is_the_newest")
def a_lock_does_not_read_again() -> None:
    """An aggregate that the unit has read keeps its old values when it is locked."""

    def lock(original: Any, self: Any, kind: Any, query: Any) -> Any:
        self._read_again = lambda *_: None
        try:
            return original(self, kind, query)
        finally:
            del self._read_again

    around(FakeSession, "lock", lock)
    instead(adapters.sql.reading, "read_again", lambda *_: None)
