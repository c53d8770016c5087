"""Children that refer to their parents, for each kind of reference in the aggregates of the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from domain.aggregate import new_id
from domain.errors import ReferenceMissing, StillReferenced
from proof.laws.contract import invoices, library
from proof.laws.contract.invoices import Article, Employee, Extra, Invoice, Line
from proof.laws.contract.library import Author, Award, Book
from tests.contract.shop import of

if TYPE_CHECKING:
    from service_layer.unit_of_work import UnitOfWork
    from tests.storages import Storage


def store(storage: Storage, repository: str, one: Any) -> Any:
    """Store an aggregate in a separate unit and return it."""
    with storage.unit() as uow:
        of(uow, repository).add(one)
        uow.commit()
    return one


def stored_ids(storage: Storage, repository: str) -> list[Any]:
    """Return the ids of all stored aggregates."""
    with storage.unit(read_only=True) as uow:
        return [one.id for one in of(uow, repository).stream()]


# The repositories of children and parents, the functions that make and change a child and make a parent, and the
# errors.
Kind = tuple[
    str,
    str,
    Callable[[Any], Any],
    Callable[[Any, Any], object],
    Callable[["Storage"], Any],
    type[ReferenceMissing],
    type[StillReferenced],
]


def _set(name: str) -> Callable[[Any, Any], object]:
    return lambda one, id: setattr(one, name, id)


def _set_line(invoice: Invoice, id: Any) -> None:
    invoice.lines[0].article_id = id


def _set_extra(invoice: Invoice, id: Any) -> None:
    invoice.lines[0].extras = {Extra(id)}


KINDS: dict[str, Kind] = {
    "an earlier class": (
        "books",
        "authors",
        lambda id: Book(name="b", author_id=id),
        _set("author_id"),
        lambda _: Author(name="parent"),
        library.AuthorMissing,
        library.AuthorHasBooks,
    ),
    "a later class": (
        "awards",
        "books",
        lambda id: Award(name="a", book_id=id),
        _set("book_id"),
        lambda storage: Book(name="parent", author_id=store(storage, "authors", Author(name="other")).id),
        library.BookMissing,
        library.BookHasAwards,
    ),
    "a part": (
        "invoices",
        "articles",
        lambda id: Invoice(lines=[Line(1, id), Line(2)]),
        _set_line,
        lambda _: Article(name="parent"),
        invoices.ArticleMissing,
        invoices.ArticleHasLines,
    ),
    "a part of a part": (
        "invoices",
        "articles",
        lambda id: Invoice(lines=[Line(1, None, {Extra(id)})]),
        _set_extra,
        lambda _: Article(name="parent"),
        invoices.ExtraMissing,
        invoices.ArticleIsExtra,
    ),
    "its own class": (
        "employees",
        "employees",
        lambda id: Employee(badge=str(new_id()), manager_id=id),
        _set("manager_id"),
        lambda _: Employee(badge=str(new_id())),
        invoices.ManagerMissing,
        invoices.EmployeeManages,
    ),
}


class Family:
    """A kind of reference on a storage: children refer to parents."""

    def __init__(self, storage: Storage, kind: Kind) -> None:
        self.storage = storage
        self.children, self.parents, self.child, self.refer, self._new_parent, self.missing, self.in_use = kind

    def parent(self) -> Any:
        """Return a new parent."""
        return self._new_parent(self.storage)

    def stored_parent(self) -> Any:
        """Store a new parent."""
        return store(self.storage, self.parents, self.parent())

    def stored_child(self, id: Any) -> Any:
        """Store a new child."""
        return store(self.storage, self.children, self.child(id))

    def of_children(self, uow: UnitOfWork) -> Any:
        """Return the repository of the children."""
        return of(uow, self.children)

    def of_parents(self, uow: UnitOfWork) -> Any:
        """Return the repository of the parents."""
        return of(uow, self.parents)
