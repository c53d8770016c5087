"""Promise 16: pages, streams and bulk; and what a repository answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import make_transient_to_detached

from adapters.fake.copies import copy_of
from adapters.fake.repository import FakeRepository
from adapters.fake.session import FakeSession
from adapters.fake.tracked import Tracked
from adapters.sql import repository as sql_repository
from adapters.sql.parts import relations_of
from adapters.sql.repository import SqlRepository
from adapters.sql.session import UnitSession
from domain.query import Query
from domain.repository import BULK_BATCH, STREAM_BATCH, Page, Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

from proof.planted_bugs.registry import around, bug, instead


@bug("fake", "sql")
def a_page_leaves_out_its_border() -> None:
    """Paging leaves out the first aggregate of each following page."""

    def page(repository: Any, after: Any = None, limit: int = 50, **_: Any) -> Page[Any]:
        found = repository._select(Query(limit=limit + 1, after=after))
        return Page(tuple(found[:limit]), found[limit].id if len(found) > limit else None)

    instead(Repository, "page", page)


@bug("fake", "sql")
def a_page_repeats_its_border() -> None:
    """Each page but the last one shows the first aggregate of the following page, too."""

    def page(repository: Any, after: Any = None, limit: int = 50, **_: Any) -> Page[Any]:
        found = repository._select(Query(limit=limit + 1, after=after))
        return Page(tuple(found), found[limit - 1].id if len(found) > limit else None)

    instead(Repository, "page", page)


@bug("fake", "sql")
def the_last_page_promises_another_one() -> None:
    """The last page has a key for a following page, which is empty."""

    def page(original: Any, *args: Any, **options: Any) -> Page[Any]:
        found: Page[Any] = original(*args, **options)
        return Page(found.items, found.items[-1].id if found.items else None)

    around(Repository, "page", page)


@bug("fake", "sql")
def the_order_of_ids_is_reversed() -> None:
    """Lists and pages come in the reversed order of their ids."""
    for kind in (FakeRepository, SqlRepository):
        around(kind, "_select", lambda original, *args, **options: original(*args, **options)[::-1])


@bug("sql")
def a_stream_reads_everything_at_once() -> None:
    """A stream holds all that is stored in memory."""

    def stream(original: Any, repository: Any) -> Iterator[Any]:
        yield from list(original(repository))

    around(Repository, "stream", stream)


@bug("fake", "sql")
def a_stream_stops_after_a_batch() -> None:
    """A stream yields its first batch alone."""

    def stream(repository: Any) -> Iterator[Any]:
        yield from repository.page(limit=STREAM_BATCH).items

    instead(Repository, "stream", stream)


@bug("sql")
def a_stream_holds_what_it_has_read() -> None:
    """A stream holds all that it has read, until the unit ends."""

    def keep(original: Any, session: Any, roots: Any, **_: Any) -> None:
        original(session, roots)

    around(UnitSession, "keep", keep)


@bug("fake")
def a_bulk_addition_tracks_its_objects_in_the_fake() -> None:
    """Aggregates that were added in bulk belong to the unit, and what they are changed to later is stored."""

    def insert_many(original: Any, session: Any, aggregates: Any) -> None:
        original(session, aggregates)
        for one in aggregates:
            one.version += 1
            session._track((type(one), one.id), Tracked(one, copy_of(one)))

    around(FakeSession, "insert_many", insert_many)


@bug("sql")
def a_bulk_addition_tracks_its_objects_in_the_database() -> None:
    """Aggregates that were added in bulk belong to the unit, and what they are changed to later is stored."""

    def insert_many(original: Any, session: Any, aggregates: Any) -> None:
        original(session, aggregates)
        for one in aggregates:
            if not relations_of(type(one)):
                one.version += 1
                make_transient_to_detached(one)
                session.add(one)

    around(sql_repository, "insert_many", insert_many)


@bug("fake", "sql")
def a_bulk_addition_stores_its_first_batch_alone() -> None:
    """A bulk addition counts all that it was given, and stores the first batch."""

    def add_many(original: Any, repository: Any, aggregates: Any) -> Any:
        given = list(aggregates)
        original(repository, given[:BULK_BATCH])
        return len(given)

    around(Repository, "add_many", add_many)


@bug("fake", "sql")
def a_bulk_addition_of_a_list_stores_what_comes_before_a_wrong_one() -> None:
    """Of a list that holds something else, too, the batches before are stored."""
    around(Repository, "add_many", lambda original, repository, aggregates: original(repository, iter(aggregates)))


@bug("fake", "sql")
def a_bulk_addition_reads_its_source_at_once() -> None:
    """A bulk addition holds all that it is given in memory before it stores the first of it."""
    around(Repository, "add_many", lambda original, repository, aggregates: original(repository, list(aggregates)))


@bug("fake", "sql")
def what_is_missing_is_nothing() -> None:
    """A repository answers None for a key that nobody has, instead of raising NotFound."""
    instead(Repository, "_get_by", lambda repository, key, value, **_: repository._find_by(key, value))
