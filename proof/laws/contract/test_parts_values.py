"""Unique values and keys of parts: a taken one is refused alike, with the declared error and value."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from domain.errors import ConcurrentChange, DuplicateIdentity, UnitOfWorkMisuse, ValueTaken
from proof.laws.contract.orders import Order
from proof.laws.contract.orders import OrderLine as LineOfOrder
from proof.laws.contract.parts import flush, lamp_of, products, read, stored
from service_layer.unit_of_work import UnitOfWork
from tests.contract.allocation import BatchReferenceTaken, Note, OrderAllocated, OrderLine, Product, SkuTaken
from tests.contract.graphs import values
from tests.contract.products import new_product
from tests.storages import Storage

# Taken by another one.


def add_taken_reference(lamp: Product) -> None:
    """Add a part."""
    lamp.add_batch("chair-1", 1)


def change_to_taken_reference(lamp: Product) -> None:
    """Change a part."""
    lamp.change_reference(lamp.batches[0], "chair-1")


def add_reference_of_its_own_root(lamp: Product) -> None:
    """Add a part."""
    lamp.add_batch("lamp-1", 1)


def add_two_of_one_reference(lamp: Product) -> None:
    """Add parts that clash only with each other."""
    lamp.add_batch("new", 1)
    lamp.add_batch("new", 2)


def add_taken_order(lamp: Product) -> None:
    """Add a part at the second level."""
    lamp.batches[1].allocations.add(OrderLine(order="chair-a", quantity=1))


def add_taken_order_in_a_new_part(lamp: Product) -> None:
    """Add a part with another one inside of it."""
    lamp.add_batch("new", 1).allocations.add(OrderLine(order="chair-a", quantity=1))


def add_order_of_its_own_root(lamp: Product) -> None:
    """Add a part at the second level, beside another one of its root."""
    lamp.batches[1].allocations.add(OrderLine(order="lamp-a", quantity=1))


def exchange_references(lamp: Product) -> None:
    """Exchange the values of two parts: the first is written before the second has given its own up."""
    first, second = lamp.batches
    first.reference, second.reference = second.reference, first.reference


def change_to_given_up_reference(lamp: Product) -> None:
    """Give a stored part the value of one that is removed with it: changes are written first."""
    del lamp.batches[0]
    lamp.change_reference(lamp.batches[0], "lamp-1")


def take_sku_and_reference(lamp: Product) -> None:
    """Change the root and a part."""
    lamp.change_sku("chair")
    lamp.add_batch("chair-1", 1)


def take_reference_and_order(lamp: Product) -> None:
    """Add parts at both levels."""
    lamp.batches[0].allocations.add(OrderLine(order="chair-a", quantity=1))
    lamp.add_batch("chair-1", 1)


TAKEN: dict[str, tuple[Callable[[Product], None], type[ValueTaken], str]] = {
    function.__name__.replace("_", " "): (function, error, value)
    for function, error, value in (
        (add_taken_reference, BatchReferenceTaken, "chair-1"),
        (change_to_taken_reference, BatchReferenceTaken, "chair-1"),
        (add_reference_of_its_own_root, BatchReferenceTaken, "lamp-1"),
        (add_two_of_one_reference, BatchReferenceTaken, "new"),
        (add_taken_order, OrderAllocated, "chair-a"),
        (add_taken_order_in_a_new_part, OrderAllocated, "chair-a"),
        (add_order_of_its_own_root, OrderAllocated, "lamp-a"),
        (exchange_references, BatchReferenceTaken, "lamp-2"),
        (change_to_given_up_reference, BatchReferenceTaken, "lamp-1"),
        (take_sku_and_reference, SkuTaken, "chair"),
        (take_reference_and_order, BatchReferenceTaken, "chair-1"),
    )
}

BETWEEN_STORED_PARTS = ("exchange references", "change to given up reference")
"""The changes that a new root can make without a clash."""

each_taken = pytest.mark.parametrize("how", TAKEN)
each_end = pytest.mark.parametrize("end", [flush, UnitOfWork.commit], ids=["query", "commit"])


@pytest.mark.promise(7)
@each_end
@each_taken
def test_a_taken_value_of_a_part_is_refused(storage: Storage, how: str, end: Callable[[UnitOfWork], None]) -> None:
    """A taken value of a part is refused with the declared error and value. The root's error comes first.

    Nothing is stored, and the unit has failed.
    """
    change, error, value = TAKEN[how]
    made = stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        change(lamp_of(uow))
        with pytest.raises(error) as caught:
            end(uow)
        with pytest.raises(UnitOfWorkMisuse):
            flush(uow)
    assert value == caught.value.value
    assert [values(one) for one in made] == [read(storage), read(storage, "chair")]


@pytest.mark.promise(7, 10)
@each_taken
def test_a_savepoint_undoes_a_taken_part_value(storage: Storage, how: str) -> None:
    """A savepoint undoes a taken value of a part. The unit goes on with the earlier parts of the root."""
    change, error, _ = TAKEN[how]
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        lamp.notes.reverse()
        expected = values(lamp)
        with pytest.raises(error), uow.savepoint():
            change(lamp)
        assert {**expected, "version": lamp.version} == values(lamp)
        lamp.batches[0].quantity = 7
        uow.commit()
    assert values(lamp) == read(storage)
    assert 2 == lamp.version


@pytest.mark.promise(7)
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
@pytest.mark.parametrize("how", [how for how in TAKEN if how not in BETWEEN_STORED_PARTS])
def test_a_new_root_with_a_taken_part_is_refused(storage: Storage, how: str, bulk: bool) -> None:
    """A taken value of a part of a new root is refused. A bulk does not say which."""
    change, error, value = TAKEN[how]
    [chair] = stored(storage, "chair")
    lamp = new_product()
    change(lamp)
    with pytest.raises(error) as caught, storage.unit() as uow:
        products(uow).add_many([lamp]) if bulk else products(uow).add(lamp)
        uow.commit()
    assert (None if bulk else value) == caught.value.value
    with storage.unit() as uow:
        assert [values(chair)] == [values(one) for one in products(uow).stream()]


@pytest.mark.promise(7)
def test_one_of_two_threads_gets_a_part_value(storage: Storage) -> None:
    """Of two threads that take one value for parts of two roots at the same moment, one succeeds."""
    stored(storage, "lamp", "chair")
    both = Barrier(2, timeout=10)

    def take(sku: str) -> str | None:
        try:
            with storage.unit() as uow:
                products(uow).get_by_sku(sku).add_batch("new", 1)
                both.wait()
                uow.commit()
        except BatchReferenceTaken as error:
            return str(error.value)
        except ConcurrentChange:  # a deadlock, on MariaDB: the other one has the value
            return "new"
        return None

    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            assert ["None", "new"] == sorted(map(str, pool.map(take, ["lamp", "chair"])))
        with storage.unit() as uow:
            [holder] = products(uow).list_with_batch("new")
            holder.batches.remove(holder.batch("new"))
            uow.commit()


@pytest.mark.promise(7)
@each_end
def test_a_stored_part_id_is_refused(storage: Storage, end: Callable[[UnitOfWork], None]) -> None:
    """The id of a stored part is refused like that of a root."""
    with storage.unit() as uow:
        taken = LineOfOrder(sku="tea", quantity=1)
        uow.orders.add(Order(reference="first", lines={taken}))
        uow.commit()
    line = LineOfOrder(id=taken.id, sku="cup", quantity=2)
    with storage.unit() as uow:
        uow.orders.add(Order(reference="second", lines={line}))
        with pytest.raises(DuplicateIdentity, match=str(taken.id)):
            end(uow)


def add_its_id_again(_: UnitOfWork, lamp: Product) -> None:
    """Add a second part with one id."""
    lamp.notes.append(Note(id=lamp.notes[0].id, text="again"))


def add_its_id_to_another_root(uow: UnitOfWork, lamp: Product) -> None:
    """Add a part with that id in a new root."""
    products(uow).add(Product(sku="chair", notes=[Note(id=lamp.notes[0].id, text="again")]))


def add_two_of_one_id(_: UnitOfWork, lamp: Product) -> None:
    """Add two new parts with one id."""
    note = Note(text="new")
    lamp.notes += [note, Note(id=note.id, text="again")]


@pytest.mark.promise(7, 10)
@each_end
@pytest.mark.parametrize("add", [add_its_id_again, add_its_id_to_another_root, add_two_of_one_id])
def test_the_id_of_a_held_part_is_refused(
    storage: Storage, add: Callable[[UnitOfWork, Product], None], end: Callable[[UnitOfWork], None]
) -> None:
    """The id of another part of the unit is refused without a warning. A savepoint undoes it."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        with pytest.raises(DuplicateIdentity, match="the id"), uow.savepoint():
            add(uow, lamp)
            flush(uow)
        assert values(made) == values(lamp)
        add(uow, lamp)
        with pytest.raises(DuplicateIdentity, match="the id"):
            end(uow)


@pytest.mark.promise(7)
def test_a_root_value_comes_before_a_part_id(storage: Storage) -> None:
    """A taken value of the root comes before the id of a part, since the root is written first."""
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        lamp.change_sku("chair")
        add_its_id_again(uow, lamp)
        with pytest.raises(SkuTaken):
            uow.commit()
