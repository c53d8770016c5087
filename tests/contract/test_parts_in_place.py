"""What counts is where a part stands when the unit writes: not the ways that it went before, nor who else holds it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import pytest
from attrs import evolve

from domain.errors import UnitOfWorkMisuse
from service_layer.unit_of_work import UnitOfWork
from tests.contract.allocation import OrderLine, Product
from tests.contract.graphs import values
from tests.contract.parts import Oops, flush, lamp_of, products, read, stored
from tests.contract.products import new_product
from tests.storages import Storage


def swap_and_swap_back(lamp: Product) -> None:
    """Swap two parts of a list, twice."""
    for _ in range(2):
        lamp.notes[0], lamp.notes[1] = lamp.notes[1], lamp.notes[0]


def rotate_all_the_way(lamp: Product) -> None:
    """Put the last part first, as often as there are parts."""
    for _ in lamp.notes:
        lamp.notes.insert(0, lamp.notes[-1])
        lamp.notes.pop()


def swap_batches_and_change_back(lamp: Product) -> None:
    """Swap parts of a list that is ordered by an attribute, and change them to and fro."""
    lamp.batches[0], lamp.batches[1] = lamp.batches[1], lamp.batches[0]
    for batch in lamp.batches:
        batch.quantity += 1
        batch.quantity -= 1


def add_an_equal_line(lamp: Product) -> None:
    """Add to a set what it has already."""
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
    """No row is written or lost, and no version rises."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        UNCHANGED[how](lamp_of(uow))
        uow.commit()
    assert values(made) == read(storage)


@pytest.mark.promise(2, 8)
@pytest.mark.parametrize("write", WRITES)
def test_what_stands_as_before_survives_any_write(storage: Storage, write: str) -> None:
    """Of other objects too."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        swap_and_swap_back(lamp_of(uow))
        WRITES[write](uow)
        uow.commit()
    assert values(made) == read(storage)


@pytest.mark.promise(13)
def test_an_equal_line_is_no_write_of_a_read_only_unit(storage: Storage) -> None:
    """The next query is not refused."""
    stored(storage, "lamp")
    with storage.unit(read_only=True) as uow:
        add_an_equal_line(lamp_of(uow))
        flush(uow)


def change_what_was_elsewhere(lamp: Product, other: Product) -> None:
    """Put a part into another root and take it out again, then change it where it is."""
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
    """Remove a part that a root has which is never added."""
    lamp.__dict__["before"] = Product(sku="never", notes=[lamp.notes.pop()])


def remove_after_a_copy_is_gone(lamp: Product, _: Product) -> None:
    """Remove a part after a copy of the root was made and thrown away."""
    copy(lamp)
    lamp.batches.pop()


def remove_after_a_new_root_is_gone(lamp: Product, _: Product) -> None:
    """Remove a part after another root was made with the same lists, and thrown away."""
    evolve(lamp, sku="another")
    lamp.batches.pop()


def remove_after_a_new_part_is_gone(lamp: Product, _: Product) -> None:
    """Remove a part after another parent was made with the same set, and thrown away."""
    evolve(lamp.batches[0])
    lamp.deallocate("lamp-a")


def remove_by_an_equal_one(lamp: Product, _: Product) -> None:
    """Take a line out of its set by another one that is equal."""
    lamp.batches[0].allocations.remove(OrderLine(order="lamp-a", quantity=5))


def hand_over_from_a_removed_part(lamp: Product, _: Product) -> None:
    """Put the lines of a part into another one, and remove the part, which still has them."""
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
    """Whatever else holds a part, or has held it."""
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
def test_a_line_is_removed_by_an_equal_one_again_and_again(storage: Storage) -> None:
    """Also when the one that it stands for was added by the same unit."""
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
    """Delete the attribute itself, and not what is in it."""
    del lamp.batches


def delete_a_set(lamp: Product) -> None:
    """Delete that of a part."""
    del lamp.batches[0].allocations


def delete_a_value(lamp: Product) -> None:
    """Delete one that holds no parts."""
    del lamp.notes[0].text


each_deletion = pytest.mark.parametrize("delete", [delete_a_list, delete_a_set, delete_a_value])


@pytest.mark.promise(11)
@each_deletion
def test_a_deleted_attribute_is_refused(storage: Storage, delete: Callable[[Product], None]) -> None:
    """By the next call, which says what to write."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        delete(lamp)
        with pytest.raises(UnitOfWorkMisuse, match="was deleted: clear it"):
            flush(uow)
        uow.rollback()


@pytest.mark.promise(3)
def test_a_deleted_list_is_not_read_again(storage: Storage) -> None:
    """No query gives it back in silence."""
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
def test_a_deleted_attribute_of_a_new_root_is_refused(
    storage: Storage, delete: Callable[[Product], None], bulk: bool
) -> None:
    """Likewise."""
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
def test_a_deleted_attribute_comes_back_with_a_savepoint(storage: Storage, delete: Callable[[Product], None]) -> None:
    """With what it held."""
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
def test_a_part_that_was_added_to_a_removed_one_is_not_stored(storage: Storage, flushed: bool) -> None:
    """In whichever order that was done."""
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
