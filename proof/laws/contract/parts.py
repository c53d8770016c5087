"""Shared by the tests of parts: ways to change the parts of a product, to store it and to look at it."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import pytest

from service_layer.unit_of_work import UnitOfWork
from tests.contract.allocation import Batch, Note, OrderLine, Product, ProductRepository
from tests.contract.graphs import values
from tests.contract.products import LATER, new_product
from tests.storages import Storage


class Oops(Exception):
    """The error with which the tests leave a block."""


def products(uow: UnitOfWork) -> ProductRepository:
    """Return the products of a unit of work."""
    found: ProductRepository = uow.products  # type: ignore[attr-defined]  # only the tests' own units have some
    return found


def stored(storage: Storage, *skus: str) -> list[Product]:
    """Store products and return the objects. Their unit has ended."""
    made = [new_product(sku) for sku in skus]
    with storage.unit() as uow:
        for one in made:
            products(uow).add(one)
        uow.commit()
    return made


def lamp_of(uow: UnitOfWork) -> Product:
    """Return the product of most tests."""
    return products(uow).get_by_sku("lamp")


def read(storage: Storage, sku: str = "lamp") -> dict[str, Any]:
    """Return all that is stored of a product, read by a separate unit."""
    with storage.unit(read_only=True) as uow:
        return values(products(uow).get_by_sku(sku))


def flush(uow: UnitOfWork) -> None:
    """Make a unit write what it has not written yet."""
    products(uow).list_with_batch("none")


def texts(product: Product) -> list[str]:
    """Return the texts of the notes, in their order."""
    return [note.text for note in product.notes]


def references(product: Product) -> list[str]:
    """Return the references of the batches, in their order."""
    return [batch.reference for batch in product.batches]


def change_elsewhere(storage: Storage, sku: str = "lamp") -> None:
    """Change a part that no other change here touches, in a separate unit."""
    with storage.unit() as uow:
        products(uow).get_by_sku(sku).notes[1].text = "changed elsewhere"
        uow.commit()


# Ways to change a product by its parts alone.


def change_batch(product: Product) -> None:
    """Change a part at the first level."""
    product.batches[0].quantity += 1


def clear_date(product: Product) -> None:
    """Set a value of a part to None."""
    product.batches[1].eta = None


def add_batch(product: Product) -> None:
    """Add a part with parts."""
    product.add_batch(f"{product.sku}-0", 7, LATER).allocations.add(OrderLine(order=f"{product.sku}-b", quantity=7))


def remove_batch(product: Product) -> None:
    """Remove a part with parts."""
    del product.batches[0]


def change_and_remove_batch(product: Product) -> None:
    """Change a part, then remove it."""
    product.batches[0].quantity += 1
    product.batches[0].allocations.clear()
    del product.batches[0]


def replace_batches(product: Product) -> None:
    """Replace a list."""
    product.batches = [product.batches[1], Batch(reference=f"{product.sku}-3", quantity=1)]


def add_line(product: Product) -> None:
    """Add a part at the second level."""
    product.allocate(f"{product.sku}-c", 1)


def remove_line(product: Product) -> None:
    """Remove a part at the second level."""
    product.deallocate(f"{product.sku}-a")


def replace_line(product: Product) -> None:
    """Replace a value."""
    product.deallocate(f"{product.sku}-a")
    product.allocate(f"{product.sku}-d", 4)


def move_line(product: Product) -> None:
    """Move a part from one parent to another."""
    product.batches[1].allocations.add(product.batches[0].allocations.pop())


def clear_lines(product: Product) -> None:
    """Replace a set by an empty one."""
    product.batches[0].allocations = set()


def change_note(product: Product) -> None:
    """Change a part that has its own key."""
    product.notes[0].text = "changed"


def add_note(product: Product) -> None:
    """Add a part before the others."""
    product.notes.insert(0, Note(text="first"))


def remove_note(product: Product) -> None:
    """Remove a part from between others."""
    del product.notes[1]


def sort_notes(product: Product) -> None:
    """Change the order alone."""
    product.notes.sort(key=attrgetter("text"))


def reverse_notes(product: Product) -> None:
    """Reverse the order and change nothing else."""
    product.notes.reverse()


CHANGES: dict[str, Callable[[Product], None]] = {
    change.__name__.replace("_", " "): change
    for change in (
        change_batch,
        clear_date,
        add_batch,
        remove_batch,
        change_and_remove_batch,
        replace_batches,
        add_line,
        remove_line,
        replace_line,
        move_line,
        clear_lines,
        change_note,
        add_note,
        remove_note,
        sort_notes,
        reverse_notes,
    )
}
"""All these changes. Each can be made to a product of :func:`new_product`."""

each_change = pytest.mark.parametrize("how", CHANGES)
flushed_or_not = pytest.mark.parametrize("flushed", [False, True], ids=["waiting", "flushed"])
