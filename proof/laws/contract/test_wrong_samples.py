"""A wrong sample is reported before anything is proven with it, in words about the sample."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve

from proof.laws.contract.customers import Customer, NumberTaken, new_customer
from proof.laws.contract.library import Author, Book
from proof.laws.contract.orders import ORDERS
from proof.laws.contract.staff import NameTaken, Truck
from proof.laws.contract.wrong_samples import WRONG, unique_name
from tests.contract.members import MEMBERS
from tests.contract.products import PRODUCTS
from tests.contract.sample import Sample, UniqueValue
from tests.contract.sample_calls import WrongSample
from tests.contract.sample_check import check


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_sample_is_named(wrong: str) -> None:
    """The error of a wrong sample has the sample, the function, what it did and what to write.

    It takes far less than a second.
    """
    sample, says = WRONG[wrong]
    start = time.perf_counter()
    with pytest.raises(WrongSample) as caught:
        check(sample)
    assert f"the sample {says}" == str(caught.value)
    assert time.perf_counter() - start < 5


def test_a_sample_may_leave_functions_out() -> None:
    """A sample needs no rename and no way to set or find a unique value, as for a frozen value or one of a part."""
    check(evolve(MEMBERS, rename=None, unique=unique_name(set=None, find=None)))


def test_a_unique_value_may_have_another_name() -> None:
    """A unique value may have another name in the sample: its error identifies it."""
    reference = evolve(PRODUCTS.unique[1], attribute="the first reference")
    check(evolve(PRODUCTS, unique=[PRODUCTS.unique[0], reference, PRODUCTS.unique[2]]))


def test_a_plain_aggregate_needs_no_parts() -> None:
    """An aggregate without parts and unique values needs no edits, moves or unique values."""

    def change(author: Author, state: int) -> None:
        author.name = author.name.partition(" ")[0] + (f" {state}" if state else "")

    check(Sample("authors", lambda word: Author(name=word), lambda author: author.name.partition(" ")[0], change))


def test_a_sample_may_be_of_a_subclass() -> None:
    """A sample may be of a subclass, so each class of a repository can have one."""

    def set_load(truck: Truck, state: int) -> None:
        truck.load = state

    check(
        Sample(
            "vehicles",
            lambda word: Truck(name=word, load=0),
            lambda truck: truck.name,
            set_load,
            unique=[UniqueValue("name", None, None, NameTaken)],
        )
    )


def change_author(book: Book, state: int) -> None:
    """Change the author of a book to one of two."""
    book.author_id = UUID(int=state % 2)


def add_authors(uow: Any) -> None:
    """Add the authors that books refer to."""
    for number in range(2):
        uow.authors.add(Author(id=UUID(int=number), name=f"author {number}"))


BOOKS = Sample[Any](
    "books",
    lambda word: Book(name=word, author_id=UUID(int=0)),
    lambda book: book.name,
    change_author,
    needs=add_authors,
)


def test_a_sample_stores_what_it_refers_to() -> None:
    """A sample stores what it refers to before its aggregates, in each state."""
    check(BOOKS)


@pytest.mark.parametrize(
    ("needs", "says"),
    [
        (None, "refers to in state 0 is not stored"),
        (lambda uow: uow.authors.add(Author(id=UUID(int=0), name="one")), "in state 1 is not stored"),
        (lambda uow: uow.commit(), "and leave the commit to the suite"),
    ],
    ids=["nothing", "too little", "a commit"],
)
def test_a_missing_reference_is_reported(needs: Any, says: str) -> None:
    """A missing reference is reported with what to write."""
    with pytest.raises(WrongSample, match=says):
        check(evolve(BOOKS, needs=needs))


def change_street(customer: Customer, state: int) -> None:
    """Change the single part."""
    assert customer.address is not None
    customer.address.street = f"street {state}" if state else "first"


def test_single_parts_need_no_moves() -> None:
    """Single parts need no moves: a move would replace the part of the other aggregate."""
    number = UniqueValue[Any](
        "address.phone.number",
        lambda customer, number: setattr(customer.address.phone, "number", number),
        None,
        NumberTaken,
        read=lambda customer: customer.address.phone.number,
    )
    edits = {
        "change the street": lambda customer, number: setattr(customer.address, "street", f"street {number}"),
        "change the phone": lambda customer, number: setattr(customer.address.phone, "number", f"{number}"),
    }
    check(Sample("customers", new_customer, lambda one: one.name, change_street, unique=[number], edits=edits))


def test_new_ids_of_parts_are_no_difference() -> None:
    """New ids of parts are no difference: a change may make parts, whose ids are new each time."""
    check(evolve(ORDERS, edits={"more": lambda order, number: order.set_quantity(f"sku{number}", 1)}))
