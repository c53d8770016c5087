"""Child entities without any storage: their root alone can change them, and it keeps them in order."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from attrs import define, evolve, field, frozen
from attrs.exceptions import FrozenInstanceError

from domain.aggregate import Aggregate, Entity, in_order
from domain.errors import InvalidValue


@frozen(kw_only=True)
class Page(Entity):
    """A child entity."""

    text: str


def _pages(pages: Iterable[Page]) -> tuple[Page, ...]:
    return in_order(Page, pages)


@define(slots=False, eq=False, kw_only=True)
class Book(Aggregate):
    """Its root."""

    pages: tuple[Page, ...] = field(default=(), converter=_pages)


def book_of(pages: Iterable[Page]) -> Book:
    """Return a book with these pages."""
    return Book(pages=pages)


def page(number: int, text: str = "once upon a time") -> Page:
    """Return a page with an id that sorts by its number."""
    return Page(id=UUID(int=number), text=text)


@define(kw_only=True)
class Note(Entity):
    """A child entity whose author forgot to say that it is frozen."""

    text: str


@pytest.mark.parametrize("kind", [Page, Note])
@pytest.mark.parametrize("attribute", ["text", "id"])
def test_children_are_frozen(kind: Any, attribute: str) -> None:
    """What they hold, their ids included, changes only by another child in the root's tuple."""
    child = kind(text="once upon a time")
    same = evolve(child)
    with pytest.raises(FrozenInstanceError):
        setattr(child, attribute, getattr(kind(text="the end"), attribute))
    with pytest.raises(FrozenInstanceError):
        delattr(child, attribute)
    assert same == child


def test_a_root_keeps_its_children_in_the_order_of_their_ids() -> None:
    """Whatever order they are given in, at its making and later, by any iterable."""
    pages = [page(number) for number in (1, 2, 3)]
    for given in permutations(pages):
        book = book_of(iter(given))
        changed: Any = book_of([])
        changed.pages = given
        assert tuple(pages) == book.pages == changed.pages


def test_new_children_are_in_the_order_of_their_making() -> None:
    """As long as they are not made within the same quarter of a microsecond."""
    pages = [Page(text=str(number)) for number in range(100)]
    assert tuple(pages) == book_of(reversed(pages)).pages


def test_two_children_with_one_id_are_refused() -> None:
    """At the making of their root and later, also if they are equal; the root keeps what it had."""
    book: Any = book_of([page(1), page(2)])
    had = book.pages
    for twin in (page(2), page(2, "the end")):
        with pytest.raises(InvalidValue, match=f"another child of the same aggregate has the id {page(2).id} too"):
            book_of([page(2), page(1), twin])
        with pytest.raises(InvalidValue) as caught:
            book.pages = (*book.pages, twin)
        assert caught.value.value in (page(2), twin)
    assert had is book.pages


def test_children_are_equal_when_all_that_they_hold_is_equal() -> None:
    """Unlike roots, which are equal when their ids are."""
    assert page(1) == page(1)
    assert hash(page(1)) == hash(page(1))
    assert page(1) != page(1, "the end")
    assert page(1) != page(2)
    book = book_of([page(1)])
    assert book == evolve(book, pages=[])


@pytest.mark.parametrize("wrong", ["one", 1, None])
def test_the_id_of_a_child_is_a_uuid(wrong: Any) -> None:
    """Anything else is a mistake in the code."""
    with pytest.raises(TypeError, match="'id' must be"):
        Page(id=wrong, text="once upon a time")


def test_only_children_of_the_kind_itself_can_be_put_into_a_root() -> None:
    """What a subclass holds besides would have no place in a table."""

    @frozen(kw_only=True)
    class Plate(Page):
        picture: str

    book = book_of([page(1)])
    for wrong in (Plate(text="see right", picture="a ship"), Note(text="see left"), "page 2"):
        with pytest.raises(TypeError, match="the children here are Page objects, not "):
            book.pages = (*book.pages, wrong)  # type: ignore[arg-type]  # the wrong type is the point
    assert (page(1),) == book.pages
