"""Parts in a list: every reader sees the same order, however it came about."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from operator import attrgetter

import pytest

from domain import repository as repositories
from domain.query import Query
from proof.laws.contract.parts import Oops, flush, lamp_of, products, read, references, stored, texts
from service_layer.unit_of_work import UnitOfWork
from tests.contract.allocation import Batch, Note, Product
from tests.contract.graphs import values
from tests.contract.products import new_product
from tests.storages import Storage


def sort(notes: list[Note]) -> None:
    """Sort in place."""
    notes.sort(key=attrgetter("text"))


def swap(notes: list[Note]) -> None:
    """Swap two parts by tuple assignment."""
    notes[0], notes[1] = notes[1], notes[0]


def shuffle(notes: list[Note]) -> None:
    """Shuffle in place, which sets the list item by item."""
    random.Random(1).shuffle(notes)  # noqa: S311  # no secret


def rotate(notes: list[Note]) -> None:
    """Replace all by a slice."""
    notes[:] = [*notes[1:], notes[0]]


def replace_slice(notes: list[Note]) -> None:
    """Replace a slice by others."""
    notes[0:2] = [Note(text="x"), Note(text="y"), Note(text="z")]


def insert_first(notes: list[Note]) -> None:
    """Insert before all others."""
    notes.insert(0, Note(text="first"))


def insert_before_last(notes: list[Note]) -> None:
    """Insert by a negative index."""
    notes.insert(-1, Note(text="last but one"))


def take_out_and_put_back(notes: list[Note]) -> None:
    """Take one out of the middle and append it."""
    notes.append(notes.pop(1))


def extend(notes: list[Note]) -> None:
    """Extend in place."""
    notes += [Note(text="b"), Note(text="a")]


def delete_slice(notes: list[Note]) -> None:
    """Delete every other one."""
    del notes[::2]


def clear_and_refill(notes: list[Note]) -> None:
    """Take all out, and append them again from the end."""
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
def test_a_list_is_stored_in_its_order(storage: Storage, how: str) -> None:
    """A list is stored in its order, as a change of the aggregate. The version rises even if no part was changed."""
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
def test_a_new_list_is_stored_in_its_order(storage: Storage, how: str) -> None:
    """A new list is stored in its order, for a pending addition and in bulk."""
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


@pytest.mark.every_case
@pytest.mark.promise(6)
def test_a_list_keeps_its_order_through_writes(storage: Storage) -> None:
    """A list keeps its order through many writes in a unit, with queries between, and in a later unit."""
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
def test_a_savepoint_restores_the_order_of_a_list(storage: Storage, how: str) -> None:
    """An undone savepoint restores the order of a list, written or not. The list can be reordered then."""
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
def test_an_emptied_list_has_an_order_again(storage: Storage) -> None:
    """The numbers of an emptied list begin again with the next parts."""
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
    """Append where the aggregate would have inserted."""
    product.batches.append(Batch(reference="lamp-0", quantity=1))


def reverse(product: Product) -> None:
    """Reverse in place."""
    product.batches.reverse()


@pytest.mark.promise(2)
@pytest.mark.parametrize("change", [append_out_of_order, reverse], ids=lambda change: change.__name__)
@pytest.mark.parametrize("end", [flush, UnitOfWork.commit], ids=["flushed", "committed"])
def test_an_attribute_orders_a_list(
    storage: Storage, change: Callable[[Product], None], end: Callable[[UnitOfWork], None]
) -> None:
    """A new unit reads a list in the order of an attribute. The unit that left another order keeps it.

    Then another order alone is no change of the aggregate.
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


@pytest.mark.every_case
@pytest.mark.promise(5)
def test_an_order_is_stored_without_its_root(storage: Storage) -> None:
    """A new order is stored even if the caller dropped the root: a unit keeps what it has read."""
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


@pytest.mark.promise(2, 16)
def test_a_part_from_another_list_stays_last(storage: Storage) -> None:
    """A part that moved to the end of another list is read there, though it had the number of a part before it."""
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        lamp, chair = lamp_of(uow), products(uow).get_by_sku("chair")
        del chair.notes[1:]
        chair.notes[0].text = "first"
        chair.notes.append(lamp.notes.pop(0))
        uow.commit()
    assert ["first", "new"] == [note["text"] for note in read(storage, "chair")["notes"]]


@pytest.mark.promise(2, 16)
def test_an_order_is_stored_within_a_stream(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new order of what a stream gave is stored, even if it is collected before the next batch is read."""
    stored(storage, "chair", "lamp")
    monkeypatch.setattr(repositories, "STREAM_BATCH", 1)
    with storage.unit() as uow:
        found = products(uow)
        select = found._select  # what a stream calls for each batch

        def select_later(query: Query, *, is_stream: bool = False) -> list[Product]:
            gc.collect()
            return select(query, is_stream=is_stream)

        monkeypatch.setattr(found, "_select", select_later)
        for each in found.stream():
            each.notes.reverse()
            del each
        uow.commit()
    expected = ["fragile", "heavy", "new"]
    assert [expected] * 2 == [[note["text"] for note in read(storage, sku)["notes"]] for sku in ("chair", "lamp")]
