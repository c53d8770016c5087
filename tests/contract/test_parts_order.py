"""Parts in a list: it has the same order for every reader, however it came about."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from operator import attrgetter

import pytest

from service_layer.unit_of_work import UnitOfWork
from tests.contract.allocation import Batch, Note, Product
from tests.contract.graphs import values
from tests.contract.parts import Oops, flush, lamp_of, products, read, references, stored, texts
from tests.contract.products import new_product
from tests.storages import Storage


def sort(notes: list[Note]) -> None:
    """Sort in place."""
    notes.sort(key=attrgetter("text"))


def swap(notes: list[Note]) -> None:
    """Swap two by a tuple."""
    notes[0], notes[1] = notes[1], notes[0]


def shuffle(notes: list[Note]) -> None:
    """Shuffle in place, which a list is set item by item by."""
    random.Random(1).shuffle(notes)  # noqa: S311  # no secret


def rotate(notes: list[Note]) -> None:
    """Put a slice in place of all."""
    notes[:] = [*notes[1:], notes[0]]


def replace_slice(notes: list[Note]) -> None:
    """Put others in place of a slice."""
    notes[0:2] = [Note(text="x"), Note(text="y"), Note(text="z")]


def insert_first(notes: list[Note]) -> None:
    """Insert before all others."""
    notes.insert(0, Note(text="first"))


def insert_before_last(notes: list[Note]) -> None:
    """Insert by a negative place."""
    notes.insert(-1, Note(text="last but one"))


def take_out_and_put_back(notes: list[Note]) -> None:
    """Take one out of the middle, and put it at the end."""
    notes.append(notes.pop(1))


def extend(notes: list[Note]) -> None:
    """Add some in place."""
    notes += [Note(text="b"), Note(text="a")]


def delete_slice(notes: list[Note]) -> None:
    """Delete every other one."""
    del notes[::2]


def clear_and_refill(notes: list[Note]) -> None:
    """Take all out, and put them in again from the end."""
    had = list(notes)
    notes.clear()
    notes.extend(reversed(had))


REORDERED: dict[str, Callable[[list[Note]], None]] = {
    one.__name__.replace("_", " "): one
    for one in (
        sort,
        swap,
        shuffle,
        rotate,
        replace_slice,
        insert_first,
        insert_before_last,
        take_out_and_put_back,
        extend,
        delete_slice,
        clear_and_refill,
        list.reverse,
    )
}

each_way = pytest.mark.parametrize("how", REORDERED)


@pytest.mark.promise(2, 8)
@each_way
def test_a_list_is_stored_in_the_order_that_it_has(storage: Storage, how: str) -> None:
    """As a change of the aggregate: the version moves, though no part was changed perhaps."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        before = texts(lamp)
        REORDERED[how](lamp.notes)
        given = values(lamp)
        uow.commit()
    assert before != texts(lamp)
    assert lamp.version == 2
    assert {**given, "version": 2} == read(storage)


@pytest.mark.promise(2)
@each_way
def test_a_new_list_is_stored_in_the_order_that_it_has(storage: Storage, how: str) -> None:
    """Of an aggregate whose addition still waits, and of one that is stored in bulk."""
    waiting, bulk = new_product("lamp"), new_product("chair")
    REORDERED[how](bulk.notes)
    with storage.unit() as uow:
        products(uow).add(waiting)
        REORDERED[how](waiting.notes)
        uow.commit()
        given = values(waiting)
    with storage.unit() as uow:
        products(uow).add_many([bulk])
        uow.commit()
    assert given == read(storage)
    assert {**values(bulk), "version": 1} == read(storage, "chair")


@pytest.mark.promise(6)
def test_a_list_keeps_its_order_through_many_writes(storage: Storage) -> None:
    """One after the other in a unit, with queries between, and in a unit after that."""
    stored(storage, "lamp")
    for _ in range(2):
        with storage.unit() as uow:
            lamp = lamp_of(uow)
            for change in REORDERED.values():
                change(lamp.notes)
                expected = texts(lamp)
                flush(uow)
                assert expected == texts(lamp_of(uow))
            uow.commit()
        assert expected == [note["text"] for note in read(storage)["notes"]]


@pytest.mark.promise(10)
@each_way
def test_an_undone_savepoint_gives_a_list_its_order_back(storage: Storage, how: str) -> None:
    """Written inside of it or not; and the list can be put in another order then."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        lamp.notes.reverse()
        expected = texts(lamp)
        for write in (lambda _: None, flush):
            with pytest.raises(Oops), uow.savepoint():
                REORDERED[how](lamp.notes)
                write(uow)
                raise Oops
            assert expected == texts(lamp)
        swap(lamp.notes)
        expected = texts(lamp)
        uow.commit()
    assert expected == [note["text"] for note in read(storage)["notes"]]


@pytest.mark.promise(2)
def test_a_list_that_was_emptied_has_an_order_again(storage: Storage) -> None:
    """The numbers begin again with those that come then."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp_of(uow).notes.clear()
        uow.commit()
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        assert [] == lamp.notes
        lamp.notes += [Note(text=text) for text in ("b", "a", "c")]
        uow.commit()
    assert ["b", "a", "c"] == [note["text"] for note in read(storage)["notes"]]


def append_out_of_order(product: Product) -> None:
    """Append where the aggregate itself would have inserted."""
    product.batches.append(Batch(reference="lamp-0", quantity=1))


def reverse(product: Product) -> None:
    """Reverse in place."""
    product.batches.reverse()


@pytest.mark.promise(2)
@pytest.mark.parametrize("change", [append_out_of_order, reverse], ids=lambda change: change.__name__)
@pytest.mark.parametrize("end", [flush, UnitOfWork.commit], ids=["flushed", "committed"])
def test_a_list_that_is_ordered_by_an_attribute_is_read_in_that_order(
    storage: Storage, change: Callable[[Product], None], end: Callable[[UnitOfWork], None]
) -> None:
    """By a new unit, whatever order it was left in; the unit that has left it so keeps it.

    Another order alone is no change of the aggregate then.
    """
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        change(lamp)
        left = references(lamp)
        end(uow)
        assert left == references(lamp)
        if end is flush:
            assert left == references(lamp_of(uow))
            uow.commit()
    found = read(storage)
    assert sorted(left) == [one["reference"] for one in found["batches"]]
    assert (1 if change is reverse else 2) == found["version"]


@pytest.mark.promise(5)
def test_an_order_is_stored_though_its_root_was_dropped(storage: Storage) -> None:
    """A unit keeps what it has read, so no change is lost."""
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        products(uow).get_by_sku("chair")
        lamp.notes.reverse()
        expected = texts(lamp)
        del lamp
        gc.collect()
        uow.commit()
    assert expected == [note["text"] for note in read(storage)["notes"]]
