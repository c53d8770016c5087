"""Parts and the version of their root: every change of a part raises it, and no update is lost."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.errors import ConcurrentChange
from proof.laws.contract.parts import (
    CHANGES,
    add_line,
    change_batch,
    change_elsewhere,
    each_change,
    flush,
    flushed_or_not,
    lamp_of,
    products,
    read,
    stored,
)
from tests.contract.allocation import Batch, Note, OrderLine, Product
from tests.contract.graphs import values
from tests.storages import Storage


@pytest.mark.promise(2, 8)
@flushed_or_not
@each_change
def test_a_change_of_parts_raises_the_version_once(storage: Storage, how: str, flushed: bool) -> None:
    """A change of parts alone raises the version once, even if the unit writes one part early."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        CHANGES[how](lamp)
        if flushed:
            flush(uow)
            change_batch(lamp)
            flush(uow)
            lamp.batches[-1].eta = None
        given = values(lamp)
        uow.commit()
    assert (1, 2) == (made.version, lamp.version)
    assert {**given, "version": 2} == read(storage)


@pytest.mark.promise(6, 8)
def test_a_change_that_was_taken_back_is_none(storage: Storage) -> None:
    """A change that was taken back is no change. Nor is another list of the same parts or a set of equal values."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        lamp.batches = list(lamp.batches)
        lamp.notes.reverse()
        lamp.notes.reverse()
        lamp.batches[0].quantity += 1
        lamp.batches[0].quantity -= 1
        line = lamp.batches[0].allocations.pop()
        lamp.batches[0].allocations.add(line)
        lamp.batches[0].allocations = {OrderLine(order=line.order, quantity=line.quantity)}
        lamp.add_batch("new", 1).allocations.add(OrderLine(order="new", quantity=1))
        lamp.batches.remove(lamp.batch("new"))
        uow.commit()
    assert [values(made)] * 2 == [values(lamp), read(storage)]


@pytest.mark.promise(8)
def test_savepoints_raise_the_version_once_too(storage: Storage) -> None:
    """Changes of parts in a savepoint raise the version once, together with those before and after it."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        change_batch(lamp)
        with uow.savepoint():
            add_line(lamp)
            with uow.savepoint():
                lamp.notes.reverse()
        change_batch(lamp)
        given = values(lamp)
        uow.commit()
    assert lamp.version == 2
    assert {**given, "version": 2} == read(storage)


@pytest.mark.promise(8)
@pytest.mark.parametrize("theirs", ["change note", "add line", "remove batch", "root"])
@pytest.mark.parametrize("mine", ["clear date", "add note", "remove line", "reverse notes", "root", "root removed"])
def test_a_second_change_of_other_parts_is_refused(storage: Storage, mine: str, theirs: str) -> None:
    """The second of two changes of different parts is refused. Only the first is stored, without warnings."""
    [made] = stored(storage, "lamp")
    with pytest.raises(ConcurrentChange, match=f"Product {made.id}"), storage.unit() as uow:
        lamp = lamp_of(uow)
        with storage.unit() as other:
            change(products(other).get(made.id), theirs)
            other.commit()
        with storage.unit(read_only=True) as third:
            expected = values(products(third).get(made.id))
        if mine == "root removed":
            products(uow).remove(lamp)
        else:
            change(lamp, mine)
        uow.commit()
    assert expected["version"] == 2
    with storage.unit() as uow:
        assert expected == values(products(uow).get(made.id))


def change(product: Product, how: str) -> None:
    """Change the root or a part of it."""
    if how == "root":
        product.change_sku(f"{product.sku} {product.version}")
    else:
        CHANGES[how](product)


@pytest.mark.promise(8)
def test_only_one_change_of_a_part_is_stored(storage: Storage) -> None:
    """Two changes of the same part cannot both be stored: the second would overwrite what it has not seen."""
    stored(storage, "lamp")
    with pytest.raises(ConcurrentChange), storage.unit() as uow:
        lamp = lamp_of(uow)
        with storage.unit() as other:
            change_batch(lamp_of(other))
            other.commit()
        change_batch(lamp)
        uow.commit()
    assert 11 == read(storage)["batches"][0]["quantity"]


@pytest.mark.promise(8)
@pytest.mark.parametrize("theirs", ["remove batch", "remove line", "remove note"])
@pytest.mark.parametrize("mine", ["that part changed", "root removed"])
def test_a_part_removed_elsewhere_is_a_conflict(storage: Storage, theirs: str, mine: str) -> None:
    """A part that another unit removed is a conflict for its change and for the root's removal, without warnings."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        with storage.unit() as other:
            CHANGES[theirs](lamp_of(other))
            other.commit()
        with pytest.raises(ConcurrentChange):
            if mine == "root removed":
                products(uow).remove(lamp)
            else:
                lamp.batches[0].quantity = 1
                lamp.deallocate("lamp-a")
                lamp.notes[1].text = "mine"
            uow.commit()
    assert 2 == read(storage)["version"]


@pytest.mark.promise(8)
def test_no_update_of_parts_is_lost(storage: Storage) -> None:
    """Two threads each count up a batch and retry after each conflict: every step is there in the end."""
    stored(storage, "lamp")

    def count_up(reference: str) -> None:
        done = 0
        while done < 5:
            try:
                with storage.unit() as uow:
                    lamp_of(uow).batch(reference).quantity += 1
                    uow.commit()
                done += 1
            except ConcurrentChange:
                continue

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count_up, ["lamp-1", "lamp-2"]))
    found = read(storage)
    assert ([10 + 5, 20 + 5], 1 + 2 * 5) == ([one["quantity"] for one in found["batches"]], found["version"])


def first_parts(product: Product) -> tuple[Batch, Note]:
    """Return two parts of a product, for a caller who does not keep the product."""
    return product.batches[0], product.notes[0]


@pytest.mark.promise(5, 8)
@pytest.mark.parametrize("level", ["batch", "note", "line"])
@flushed_or_not
def test_a_held_part_is_written_without_its_root(storage: Storage, level: str, flushed: bool) -> None:
    """A held part is written even if the caller dropped its root. The root's version rises all the same."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        batch, note = first_parts(lamp_of(uow))
        gc.collect()
        if level == "batch":
            batch.quantity = 8
        elif level == "note":
            note.text = "changed"
        else:
            batch.allocations.clear()
        if flushed:
            flush(uow)
        uow.commit()
    found = read(storage)
    assert 2 == found["version"]
    assert (batch.quantity, len(batch.allocations), note.text) == (
        found["batches"][0]["quantity"],
        len(found["batches"][0]["allocations"]),
        found["notes"][0]["text"],
    )


@pytest.mark.promise(5, 8)
def test_a_held_part_is_that_of_the_found_root(storage: Storage) -> None:
    """A held part belongs to the root that is found again, though others changed it. The unit goes on or is refused."""
    stored(storage, "lamp")
    with pytest.raises(ConcurrentChange), storage.unit() as uow:
        batch = lamp_of(uow).batches[0]
        gc.collect()
        change_elsewhere(storage)
        again = lamp_of(uow)
        assert again.batches[0] is batch
        assert again.version == 1
        batch.quantity = 8
        uow.commit()
    assert 2 == read(storage)["version"]


@pytest.mark.promise(8)
def test_a_held_part_of_a_streamed_root_is_written(storage: Storage) -> None:
    """A held part of a streamed root raises the root's version, though a unit does not keep streamed roots."""
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        held: list[Batch] = [product.batches[0] for product in products(uow).stream()]
        gc.collect()
        held[0].quantity = 8
        uow.commit()
    found = read(storage)
    assert (2, 8) == (found["version"], found["batches"][0]["quantity"])
    assert 1 == read(storage, "chair")["version"]


@pytest.mark.promise(8)
def test_a_held_part_of_a_streamed_root_conflicts(storage: Storage) -> None:
    """A held part of a streamed root conflicts with other changes like any other part."""
    stored(storage, "lamp")
    with pytest.raises(ConcurrentChange), storage.unit() as uow:
        [batch] = [product.batches[0] for product in products(uow).stream()]
        gc.collect()
        change_elsewhere(storage)
        batch.quantity = 8
        uow.commit()
    assert [10, 20] == [one["quantity"] for one in read(storage)["batches"]]
