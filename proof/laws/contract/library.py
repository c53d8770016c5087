"""Three aggregates for the tests that refer to each other: a book to its author, and an award to its book.

By class name, an author comes before the book that needs it, but an award before the book that it needs. So writing in
the order of class names is wrong for one of them.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from attrs import define, field
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, Uuid

from adapters.fake.repository import FakeRepository
from adapters.sql.mapping import map_aggregate, metadata
from adapters.sql.repository import SqlRepository
from domain.aggregate import Aggregate
from domain.constraints import Reference
from domain.errors import NotFound, ReferenceMissing, StillReferenced
from domain.repository import Repository


class LibraryNotFound(NotFound):
    """The library has nothing with this id."""

    kind: ClassVar[str] = "author, book or award"


class AuthorMissing(ReferenceMissing):
    """The author of a book is not stored."""

    kind: ClassVar[str] = "author"


class AuthorHasBooks(StillReferenced):
    """An author with books cannot be removed."""

    kind: ClassVar[str] = "book"


class BookMissing(ReferenceMissing):
    """The book of an award is not stored."""

    kind: ClassVar[str] = "book"


class BookHasAwards(StillReferenced):
    """A book with awards cannot be removed."""

    kind: ClassVar[str] = "award"


@define(slots=False, eq=False, kw_only=True)
class Author(Aggregate):
    """A person who writes books."""

    name: str = field(metadata={"max_length": 40})


@define(slots=False, eq=False, kw_only=True)
class Book(Aggregate):
    """A book by an author."""

    name: str = field(metadata={"max_length": 40})
    author_id: UUID


@define(slots=False, eq=False, kw_only=True)
class Award(Aggregate):
    """An award for a book."""

    name: str = field(metadata={"max_length": 40})
    book_id: UUID


library_metadata = MetaData(naming_convention=metadata.naming_convention)


def _table(name: str, *references: Column[Any]) -> Table:
    return Table(
        name,
        library_metadata,
        Column("id", Uuid, primary_key=True),
        Column("name", String(40), nullable=False),
        *references,
        Column("version", Integer, nullable=False),
    )


authors = _table("authors")
books = _table("books", Column("author_id", ForeignKey(authors.c.id), nullable=False))
awards = _table("awards", Column("book_id", ForeignKey(books.c.id), nullable=False))

map_aggregate(Author, authors)
map_aggregate(Book, books)
map_aggregate(Award, awards)


class AuthorRepository(Repository[Author]):
    """The stored authors."""

    aggregate = Author
    not_found = LibraryNotFound


class BookRepository(Repository[Book]):
    """The stored books."""

    aggregate = Book
    not_found = LibraryNotFound
    references = (Reference("author_id", to=Author, missing=AuthorMissing, in_use=AuthorHasBooks),)


class AwardRepository(Repository[Award]):
    """The stored awards."""

    aggregate = Award
    not_found = LibraryNotFound
    references = (Reference("book_id", to=Book, missing=BookMissing, in_use=BookHasAwards),)


class SqlAuthors(SqlRepository[Author], AuthorRepository):
    """The authors of a SQL unit of work."""


class SqlBooks(SqlRepository[Book], BookRepository):
    """The books of a SQL unit of work."""


class SqlAwards(SqlRepository[Award], AwardRepository):
    """The awards of a SQL unit of work."""


class FakeAuthors(FakeRepository[Author], AuthorRepository):
    """The authors of a fake unit of work."""


class FakeBooks(FakeRepository[Book], BookRepository):
    """The books of a fake unit of work."""


class FakeAwards(FakeRepository[Award], AwardRepository):
    """The awards of a fake unit of work."""


LIBRARY: dict[str, tuple[type[SqlRepository[Any]], type[FakeRepository[Any]]]] = {
    "authors": (SqlAuthors, FakeAuthors),
    "books": (SqlBooks, FakeBooks),
    "awards": (SqlAwards, FakeAwards),
}
"""The repositories of these aggregates, by their names in a unit of work."""
