"""An object that cannot be a part is refused where it is put, in the same words on every storage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import InvalidValue, UnitOfWorkMisuse
from proof.laws.contract.customers import Address, Customer
from proof.laws.contract.parts import lamp_of, read, stored
from tests.contract.allocation import Note, OrderLine, Product
from tests.storages import Storage

PUTS: dict[str, Callable[[Product, Any], object]] = {
    "into a list that is numbered": lambda lamp, wrong: lamp.notes.append(wrong),
    "into a list": lambda lamp, wrong: lamp.batches.insert(0, wrong),
    "into a set": lambda lamp, wrong: lamp.batches[0].allocations.add(wrong),
    "with a new list": lambda lamp, wrong: setattr(lamp, "batches", [wrong]),
    "into a new root": lambda _, wrong: Product(sku="new", notes=[wrong]),
}

NO_PARTS: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "a text": lambda: "part",
    "another part": lambda: Address("here"),
    "a root": lambda: Product(sku="other"),
}


@pytest.mark.promise(11)
@pytest.mark.parametrize("wrong", NO_PARTS)
@pytest.mark.parametrize("put", PUTS)
def test_what_is_no_part_is_refused(storage: Storage, put: str, wrong: str) -> None:
    """An object that is no part is refused where it is put. The message names the right class."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        with pytest.raises(UnitOfWorkMisuse, match=r"part belongs: put one of class (Batch|Note|OrderLine)"):
            PUTS[put](lamp, NO_PARTS[wrong]())
        uow.rollback()


@pytest.mark.promise(11)
@pytest.mark.parametrize("wrong", ["a text", "a root"])
def test_what_is_no_single_part_is_refused(wrong: str) -> None:
    """An object that is no single part is refused, also outside of a unit. None is not a part."""
    customer = Customer(name="ann", address=None)
    with pytest.raises(UnitOfWorkMisuse, match="where a part belongs: put one of class Address there"):
        customer.address = NO_PARTS[wrong]()


@pytest.mark.promise(11)
def test_a_part_made_before_mapping_is_refused() -> None:
    """A part that was made before its class was mapped is refused: it lacks what mapping adds to each object."""
    with pytest.raises(UnitOfWorkMisuse, match="was made before its class was mapped"):
        Product(sku="lamp", notes=[Note.__new__(Note)])


@pytest.mark.promise(7)
def test_what_a_part_cannot_hold_is_refused(storage: Storage) -> None:
    """A value that a part cannot hold is refused by the next call, at every level. Nothing is stored."""
    changes: list[Callable[[Product], object]] = [
        lambda lamp: setattr(lamp.batches[0], "reference", "x" * 41),
        lambda lamp: setattr(lamp.notes[0], "text", "x" * 101),
        lambda lamp: lamp.batches[0].allocations.add(OrderLine(order="x" * 41, quantity=1)),
    ]
    stored(storage, "lamp")
    before = read(storage)
    for change in changes:
        with pytest.raises(InvalidValue, match="may have at most"), storage.unit() as uow:
            change(lamp_of(uow))
            uow.flush()
    assert before == read(storage)
