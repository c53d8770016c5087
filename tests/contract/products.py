"""The sample of products, with parts at two levels."""

from __future__ import annotations

from datetime import date
from typing import Any

from attrs import evolve

from tests.contract.allocation import Batch, BatchReferenceTaken, Note, OrderAllocated, OrderLine, Product, SkuTaken
from tests.contract.sample import Sample, UniqueValue

LATER = date(2030, 1, 31)
"""When the second batch of :func:`new_product` comes."""


def new_product(sku: str = "lamp") -> Product:
    """Return a new product. The first of two batches serves an order. It has three notes."""
    product = Product(sku=sku)
    product.add_batch(f"{sku}-1", 10)
    product.add_batch(f"{sku}-2", 20, LATER)
    product.allocate(f"{sku}-a", 5)
    product.notes += [Note(text=text) for text in ("new", "heavy", "fragile")]
    return product


def _make(word: str) -> Product:
    product = new_product(word)
    # After every first reference that a word gives. So the first batch stays first when its reference is changed.
    product.change_reference(product.batches[1], f"z-{word}")
    return product


def _set_first_reference(product: Product, reference: str) -> None:
    if product.batches:
        product.change_reference(product.batches[0], reference)


def _first_lines(product: Product) -> list[tuple[Batch, OrderLine]]:
    """Return the first line of an order, with its batch. Return nothing if no batch serves one."""
    lines = [(batch, line) for batch in product.batches for line in batch.allocations]
    return sorted(lines, key=lambda one: one[1].order)[:1]


def _give_first_order(product: Product, order: str) -> None:
    for batch, line in _first_lines(product):
        batch.allocations.remove(line)
        batch.allocations.add(evolve(line, order=order))


def _change(product: Product, state: int) -> None:
    for batch in product.batches[:1]:
        batch.quantity = 10 + state
    for note in product.notes[:1]:
        note.text = f"state {state}" if state else "new"


def _edit_batch(product: Product, number: int) -> None:
    if product.batches:
        product.batches[number % len(product.batches)].change_quantity(number)


def _add_batch(product: Product, number: int) -> None:
    if len(product.batches) < 4:
        product.add_batch(f"y-{product.id.hex[-6:]}-{number}", number, LATER if number % 2 else None)


def _remove_batch(product: Product, number: int) -> None:
    if product.batches:
        del product.batches[number % len(product.batches)]


def _add_line(product: Product, number: int) -> None:
    if product.batches:
        line = OrderLine(order=f"{product.id.hex[-6:]}-{number}", quantity=number)
        product.batches[number % len(product.batches)].allocations.add(line)


def _remove_line(product: Product, number: int) -> None:
    lines = sorted(line.order for batch in product.batches for line in batch.allocations)
    if lines:
        product.deallocate(lines[number % len(lines)])


def _move_line(product: Product, number: int) -> None:
    _move(product, product, number)


def _add_note(product: Product, number: int) -> None:
    product.notes.insert(number % (len(product.notes) + 1), Note(text=f"note {number}"))


def _remove_note(product: Product, number: int) -> None:
    if product.notes:
        del product.notes[number % len(product.notes)]


def _move(source: Product, target: Product, number: int) -> None:
    """Move a line of an order to a batch of another product or of the same."""
    lines = [(line.order, batch, line) for batch in source.batches for line in batch.allocations]
    if lines and target.batches:
        _, batch, line = sorted(lines, key=lambda one: one[0])[number % len(lines)]
        batch.allocations.remove(line)
        target.batches[number % len(target.batches)].allocations.add(line)


PRODUCTS: Sample[Any] = Sample(
    repository="products",
    make=_make,
    word=lambda product: product.sku,
    rename=Product.change_sku,
    change=_change,
    unique=[
        UniqueValue("sku", Product.change_sku, lambda products, sku: products.get_by_sku(sku), SkuTaken),
        UniqueValue(
            "batches.reference",
            _set_first_reference,
            None,
            BatchReferenceTaken,
            read=lambda product: product.batches[0].reference if product.batches else None,
        ),
        UniqueValue(
            "batches.allocations.order",
            None,
            None,
            OrderAllocated,
            read=lambda product: next((line.order for _, line in _first_lines(product)), None),
            give=_give_first_order,
        ),
    ],
    queries=[
        lambda products, word: products.list_with_batch(f"{word}-1"),
        lambda products, word: products.list_serving(f"{word}-a"),
    ],
    edits={
        "change a batch": _edit_batch,
        "add a batch": _add_batch,
        "remove a batch": _remove_batch,
        "add a line": _add_line,
        "remove a line": _remove_line,
        "move a line": _move_line,
        "add a note": _add_note,
        "remove a note": _remove_note,
        "sort notes": lambda product, _: product.notes.sort(key=lambda note: (note.text, note.id)),
        "reverse notes": lambda product, _: product.notes.reverse(),
    },
    moves=_move,
)
