"""Only the place of a part at the time of the write counts, not its earlier places or other holders."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import pytest
from attrs import evolve

from domain.errors import UnitOfWorkMisuse
from proof.laws.contract.parts import Oops, flush, lamp_of, products, read, stored
from service_layer.unit_of_work import UnitOfWork
from tests.contract.allocation import OrderLine, Product
from tests.contract.graphs import values
from tests.contract.products import new_product
from tests.storages import Storage


def swap_and_swap_back(lamp: Product) -> None:
    """Swap two parts of a list, twice."""
    for _ in range(2):
        lamp.notes[0], lamp.notes[1] = lamp.notes[1], lamp.notes[0]


def rotate_all_the_way(lamp: Product) -> None:
    """Move the last part to the front, as often as the list is long."""
    for _ in lamp.notes:
        lamp.notes.insert(0, lamp.notes[-1])
        lamp.notes.pop()


def swap_batches_and_change_back(lamp: Product) -> None:
    """Swap parts of a list that is ordered by an attribute, and change them back."""
    lamp.batches[0], lamp.batches[1] = lamp.batches[1], lamp.batches[0]
    for batch in lamp.batches:
        batch.quantity += 1
        batch.quantity -= 1


def add_an_equal_line(lamp: Product) -> None:
    """Add an equal value to a set."""
    line = next(iter(lamp.batches[0].allocations))
    lamp.batches[0].allocations.add(OrderLine(order=line.order, quantity=line.quantity))


UNCHANGED: dict[str, Callable[[Product], None]] = {
    one.__name__.replace("_", " "): one
    for one in (swap_and_swap_back, rotate_all_the_way, swap_batches_and_change_back, add_an_equal_line)
}

WRITES: dict[str, Callable[[UnitOfWork], object]] = {
    "flush": UnitOfWork.flush,
    "an addition": lambda uow: products(uow).add(Product(sku="another")),
    "a bulk": lambda uow: products(uow).add_many([Product(sku="another")]),
}


@pytest.mark.promise(2, 8)
@pytest.mark.parametrize("how", UNCHANGED)
def test_what_stands_as_before_is_unchanged(storage: Storage, how: str) -> None:
    """Parts that stand as before are unchanged: no row is written or lost, and no version rises."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        UNCHANGED[how](lamp_of(uow))
        uow.commit()
    assert values(made) == read(storage)


@pytest.mark.promise(2, 8)
@pytest.mark.parametrize("write", WRITES)
def test_what_stands_as_before_survives_any_write(storage: Storage, write: str) -> None:
    """Parts that stand as before survive any write, of other objects too."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        swap_and_swap_back(lamp_of(uow))
        WRITES[write](uow)
        uow.commit()
    assert values(made) == read(storage)


@pytest.mark.promise(13)
def test_an_equal_line_is_no_write(storage: Storage) -> None:
    """An equal line is no write in a read-only unit: the next query is not refused."""
    stored(storage, "lamp")
    with storage.unit(read_only=True) as uow:
        add_an_equal_line(lamp_of(uow))
        flush(uow)


def change_what_was_elsewhere(lamp: Product, other: Product) -> None:
    """Put a part into another root and take it out again, then change it in its place."""
    other.notes.append(lamp.notes[0])
    other.notes.remove(lamp.notes[0])
    lamp.notes[0].text = "changed"


def change_what_a_copy_has_lost(lamp: Product, _: Product) -> None:
    """Take a part out of a copy of the root, then change it."""
    copied = copy(lamp)
    copied.notes.pop(0)
    lamp.notes[0].text = "changed"


def remove_what_a_copy_holds(lamp: Product, _: Product) -> None:
    """Remove a part that a copy of the root still has."""
    lamp.__dict__["before"] = copy(lamp)
    lamp.batches.pop()


def remove_from_under_a_copied_part(lamp: Product, _: Product) -> None:
    """Remove a part whose parent was copied."""
    lamp.__dict__["before"] = evolve(lamp.batches[0])
    lamp.deallocate("lamp-a")


def remove_what_a_new_root_holds(lamp: Product, _: Product) -> None:
    """Remove a part that also a root holds which is never added."""
    lamp.__dict__["before"] = Product(sku="never", notes=[lamp.notes.pop()])


def remove_after_a_copy_is_gone(lamp: Product, _: Product) -> None:
    """Remove a part after a copy of the root was made and thrown away."""
    copy(lamp)
    lamp.batches.pop()


def remove_after_a_new_root_is_gone(lamp: Product, _: Product) -> None:
    """Remove a part after another root was made with the same lists and thrown away."""
    evolve(lamp, sku="another")
    lamp.batches.pop()


def remove_after_a_new_part_is_gone(lamp: Product, _: Product) -> None:
    """Remove a part after another parent was made with the same set and thrown away."""
    evolve(lamp.batches[0])
    lamp.deallocate("lamp-a")


def remove_by_an_equal_one(lamp: Product, _: Product) -> None:
    """Take a line out of its set by an equal one."""
    lamp.batches[0].allocations.remove(OrderLine(order="lamp-a", quantity=5))


def hand_over_from_a_removed_part(lamp: Product, _: Product) -> None:
    """Put the lines of a part into another one, and remove the part, which still holds them."""
    old, new = lamp.batches
    new.allocations |= old.allocations
    lamp.batches.remove(old)


CHANGED: dict[str, Callable[[Product, Product], None]] = {
    one.__name__.replace("_", " "): one
    for one in (
        change_what_was_elsewhere,
        change_what_a_copy_has_lost,
        remove_what_a_copy_holds,
        remove_from_under_a_copied_part,
        remove_what_a_new_root_holds,
        remove_after_a_copy_is_gone,
        remove_after_a_new_root_is_gone,
        remove_after_a_new_part_is_gone,
        remove_by_an_equal_one,
        hand_over_from_a_removed_part,
    )
}


@pytest.mark.promise(2, 8)
@pytest.mark.parametrize("flushed", [False, True], ids=["waiting", "flushed"])
@pytest.mark.parametrize("how", CHANGED)
def test_what_stands_otherwise_is_stored_so(storage: Storage, how: str, flushed: bool) -> None:
    """Parts that stand elsewhere are stored there, whatever else holds or has held them."""
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        lamp, chair = lamp_of(uow), products(uow).get_by_sku("chair")
        CHANGED[how](lamp, chair)
        if flushed:
            uow.flush()
        uow.commit()
    assert values(lamp) == read(storage)
    assert (2, 1) == (lamp.version, chair.version)


@pytest.mark.promise(2)
def test_an_equal_line_removes_a_line_repeatedly(storage: Storage) -> None:
    """An equal line removes a line again and again, also one that was added by the same unit."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lines = lamp_of(uow).batches[0].allocations
        for _ in range(2):
            lines.remove(OrderLine(order="lamp-a", quantity=5))
            lines.add(OrderLine(order="lamp-a", quantity=5))
            uow.flush()
        lines.remove(OrderLine(order="lamp-a", quantity=5))
        uow.commit()
    assert [] == read(storage)["batches"][0]["allocations"]


def delete_a_list(lamp: Product) -> None:
    """Delete the attribute itself, not its content."""
    del lamp.batches


def delete_a_set(lamp: Product) -> None:
    """Delete the set of a part."""
    del lamp.batches[0].allocations


def delete_a_value(lamp: Product) -> None:
    """Delete an attribute that holds no parts."""
    del lamp.notes[0].text


each_deletion = pytest.mark.parametrize("delete", [delete_a_list, delete_a_set, delete_a_value])


@pytest.mark.promise(11)
@each_deletion
def test_a_deleted_attribute_is_refused(storage: Storage, delete: Callable[[Product], None]) -> None:
    """A deleted attribute is refused by the next call, which says what to write."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        delete(lamp)
        with pytest.raises(UnitOfWorkMisuse, match="was deleted: clear it"):
            flush(uow)
        uow.rollback()


@pytest.mark.promise(3)
def test_a_deleted_list_is_not_read_again(storage: Storage) -> None:
    """No query reads a deleted list again in silence."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        delete_a_list(lamp)
        with pytest.raises(UnitOfWorkMisuse, match="was deleted: clear it"):
            assert [] == lamp.batches
            uow.commit()
        uow.rollback()


@pytest.mark.promise(11)
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
@each_deletion
def test_an_incomplete_new_root_is_refused(storage: Storage, delete: Callable[[Product], None], bulk: bool) -> None:
    """A deleted attribute of a new root is refused."""
    lamp = new_product()
    delete(lamp)
    with storage.unit() as uow:
        with pytest.raises(UnitOfWorkMisuse, match="was deleted: clear it"):
            products(uow).add_many([lamp]) if bulk else products(uow).add(lamp)
            flush(uow)
        uow.rollback()
    assert 0 == lamp.version


@pytest.mark.promise(10)
@each_deletion
def test_a_savepoint_restores_a_deleted_attribute(storage: Storage, delete: Callable[[Product], None]) -> None:
    """An undone savepoint restores a deleted attribute with its content."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        with pytest.raises(Oops), uow.savepoint():
            delete(lamp)
            raise Oops
        assert values(made) == values(lamp)
        uow.commit()


@pytest.mark.promise(2)
@pytest.mark.parametrize("flushed", [False, True], ids=["waiting", "flushed"])
def test_a_part_of_a_removed_part_is_not_stored(storage: Storage, flushed: bool) -> None:
    """A part that was added to a removed part is not stored, in whichever order that was done."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        gone = lamp.batches[0]
        gone.allocations.add(OrderLine(order="before", quantity=1))
        if flushed:
            uow.flush()
        lamp.batches.remove(gone)
        gone.allocations.add(OrderLine(order="after", quantity=1))
        uow.commit()
    assert values(lamp) == read(storage)
    assert 2 == lamp.version
