"""Unique values and keys that a part gives up: another part can take them in the same unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proof.laws.contract.parts import Oops, flush, lamp_of, products, read, stored
from tests.contract.allocation import Batch, Note, OrderLine, Product
from tests.contract.graphs import values
from tests.storages import Storage


def replace_batch(lamp: Product) -> None:
    """Remove a part and add another one with its value."""
    del lamp.batches[0]
    lamp.add_batch("lamp-1", 77)


def replace_batch_added_first(lamp: Product) -> None:
    """Add a part, then remove the one that has its value."""
    old = lamp.batches[0]
    lamp.add_batch("lamp-1", 77)
    lamp.batches.remove(old)


def replace_line(lamp: Product) -> None:
    """Replace a line at the second level."""
    lamp.batches[0].allocations = {OrderLine(order="lamp-a", quantity=1)}


def replace_line_elsewhere(lamp: Product) -> None:
    """Replace a line, with the new one in another parent."""
    lamp.batches[0].allocations.clear()
    lamp.batches[1].allocations.add(OrderLine(order="lamp-a", quantity=1))


def give_up_by_a_change(lamp: Product) -> None:
    """Change a part, and add another one with its old value."""
    lamp.change_reference(lamp.batches[0], "other")
    lamp.add_batch("lamp-1", 77)


def move_line_to_new_batch(lamp: Product) -> None:
    """Move a part into a new one."""
    lamp.add_batch("new", 7).allocations.add(lamp.batch("lamp-1").allocations.pop())


def replace_batch_with_its_line(lamp: Product) -> None:
    """Replace a part and its own part."""
    lamp.batches[:] = [Batch(reference="lamp-1", quantity=9, allocations={OrderLine(order="lamp-a", quantity=9)})]


def replace_note(lamp: Product) -> None:
    """Remove a part and add another one with its key."""
    lamp.notes[1] = Note(id=lamp.notes[1].id, text="instead")


GIVEN_UP: dict[str, Callable[[Product], None]] = {
    one.__name__.replace("_", " "): one
    for one in (
        replace_batch,
        replace_batch_added_first,
        replace_line,
        replace_line_elsewhere,
        give_up_by_a_change,
        move_line_to_new_batch,
        replace_batch_with_its_line,
        replace_note,
    )
}


@pytest.mark.promise(9)
@pytest.mark.parametrize("undone_before", [False, True], ids=["at first", "after an undone savepoint"])
@pytest.mark.parametrize("how", GIVEN_UP)
def test_a_value_given_up_by_a_part_can_be_taken(storage: Storage, how: str, undone_before: bool) -> None:
    """A value that a part gives up can be taken by another part of the same aggregate, written together."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        if undone_before:
            with pytest.raises(Oops), uow.savepoint():
                GIVEN_UP[how](lamp)
                flush(uow)
                raise Oops
        GIVEN_UP[how](lamp)
        uow.commit()
    assert values(lamp) == read(storage)
    assert 2 == lamp.version


@pytest.mark.promise(9)
def test_a_value_of_a_removed_root_can_be_taken(storage: Storage) -> None:
    """A value that a removed root gives up can be taken by parts of another root and of a new one."""
    stored(storage, "lamp", "chair")
    heir = Product(sku="lamp")
    heir.batches.append(Batch(reference="lamp-2", quantity=1, allocations={OrderLine(order="lamp-a", quantity=1)}))
    with storage.unit() as uow:
        chair = products(uow).get_by_sku("chair")
        products(uow).remove(lamp_of(uow))
        chair.add_batch("lamp-1", 1)
        products(uow).add(heir)
        uow.commit()
    expected: list[dict[str, Any]] = [values(heir), values(chair)]
    assert expected == [read(storage), read(storage, "chair")]
