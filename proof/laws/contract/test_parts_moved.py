"""Parts that move, come back, or stand in a wrong place: between parents, roots and units."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from domain.errors import DuplicateIdentity, UnitOfWorkMisuse
from proof.laws.contract.parts import flush, flushed_or_not, lamp_of, products, read, stored
from service_layer.unit_of_work import UnitOfWork
from tests.contract.allocation import OrderLine, Product
from tests.contract.graphs import values
from tests.contract.products import new_product
from tests.storages import Storage

# Between parents, and between roots.


def move_line(source: Product, target: Product) -> None:
    """Move a part at the second level."""
    target.batches[-1].allocations.add(source.batches[0].allocations.pop())


def move_batch(source: Product, target: Product) -> None:
    """Move a part with its own parts."""
    batch = source.batches.pop(0)
    target.batches.append(batch)
    target.change_reference(batch, batch.reference)


def move_note(source: Product, target: Product) -> None:
    """Move a part that has a place and a key."""
    target.notes.insert(1, source.notes.pop())


def move_batch_first_added(source: Product, target: Product) -> None:
    """Put a part into its new list before it is taken out of the old one."""
    batch = source.batches[0]
    target.batches.append(batch)
    target.change_reference(batch, batch.reference)
    del source.batches[0]


def exchange_notes(source: Product, target: Product) -> None:
    """Swap all parts of a kind."""
    source.notes, target.notes = target.notes, source.notes


def move_and_change(source: Product, target: Product) -> None:
    """Move a part, and change it and its parts on the way."""
    batch = source.batches.pop(0)
    batch.quantity = 99
    batch.allocations.clear()
    batch.allocations.add(OrderLine(order="moved", quantity=9))
    target.batches.append(batch)
    target.change_reference(batch, "aaa")


MOVES: dict[str, Callable[[Product, Product], None]] = {
    one.__name__.replace("_", " "): one
    for one in (move_line, move_batch, move_note, move_batch_first_added, exchange_notes, move_and_change)
}


@pytest.mark.promise(2, 4, 8)
@flushed_or_not
@pytest.mark.parametrize("how", MOVES)
def test_a_part_moves_between_two_roots(storage: Storage, how: str, flushed: bool) -> None:
    """A part can move between two roots of a unit. It stays the same object, and both versions rise."""
    stored(storage, "chair", "lamp")
    with storage.unit() as uow:
        source, target = lamp_of(uow), products(uow).get_by_sku("chair")
        held = {*map(id, source.batches), *map(id, target.batches)}
        MOVES[how](source, target)
        if flushed:
            flush(uow)
        given = [values(source), values(target)]
        assert held == {*map(id, source.batches), *map(id, target.batches)}
        uow.commit()
    assert [{**one, "version": 2} for one in given] == [read(storage), read(storage, "chair")]


@pytest.mark.promise(2, 4)
@pytest.mark.parametrize("how", MOVES)
def test_a_part_moves_into_an_added_root(storage: Storage, how: str) -> None:
    """A part can move into a root that is added in the same unit, whether that is written or not."""
    stored(storage, "lamp")
    chair = new_product("chair")
    with storage.unit() as uow:
        products(uow).add(chair)
        lamp = lamp_of(uow)
        MOVES[how](lamp, chair)
        uow.commit()
    assert [values(lamp), values(chair)] == [read(storage), read(storage, "chair")]
    assert 2 == lamp.version


@pytest.mark.promise(2, 4)
def test_a_part_moves_out_of_a_removed_root(storage: Storage) -> None:
    """A part can move out of a root that is then removed. It is not removed with it."""
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        lamp, chair = lamp_of(uow), products(uow).get_by_sku("chair")
        move_batch(lamp, chair)
        products(uow).remove(lamp)
        uow.commit()
    assert values(chair) == read(storage, "chair")
    assert ["chair-1", "chair-2", "lamp-1"] == [batch.reference for batch in chair.batches]


@pytest.mark.promise(2)
@flushed_or_not
def test_a_part_can_move_to_and_fro(storage: Storage, flushed: bool) -> None:
    """A part can move to and fro. In the end nothing has moved, and nothing is written unless it was on the way."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        line = lamp.batches[0].allocations.pop()
        lamp.batches[1].allocations.add(line)
        if flushed:
            flush(uow)
        lamp.batches[1].allocations.remove(line)
        lamp.batches[0].allocations.add(line)
        uow.commit()
    assert {**values(made), "version": 2 if flushed else 1} == read(storage)


@pytest.mark.promise(2)
@flushed_or_not
def test_a_removed_part_can_be_put_back(storage: Storage, flushed: bool) -> None:
    """A removed part can be put back in the same unit, into the same root or another, with its parts."""
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        lamp, chair = lamp_of(uow), products(uow).get_by_sku("chair")
        first, second = lamp.batches
        lamp.batches.clear()
        if flushed:
            flush(uow)
        lamp.batches.append(second)
        chair.batches.append(first)
        uow.commit()
    assert ["lamp-2"] == [one["reference"] for one in read(storage)["batches"]]
    found = read(storage, "chair")["batches"][-1]
    assert ("lamp-1", [{"order": "lamp-a", "quantity": 5}]) == (found["reference"], found["allocations"])


# Wrong places.


def twice_in_a_list(lamp: Product, _: Product) -> None:
    """Put a part into its list a second time."""
    lamp.batches.append(lamp.batches[0])


def a_new_one_twice(lamp: Product, _: Product) -> None:
    """Put a new part into a list twice."""
    lamp.add_batch("lamp-9", 1)
    lamp.batches.append(lamp.batch("lamp-9"))


def in_two_roots(lamp: Product, chair: Product) -> None:
    """Put a part into the list of a second root."""
    chair.batches.append(lamp.batches[0])


def a_new_one_in_two_roots(lamp: Product, chair: Product) -> None:
    """Put a new part into the lists of two roots."""
    chair.batches.append(lamp.add_batch("lamp-9", 1))


def in_two_parents(lamp: Product, _: Product) -> None:
    """Put a part at the second level into a second parent."""
    lamp.batches[1].allocations |= lamp.batches[0].allocations


def one_list_in_two_roots(lamp: Product, chair: Product) -> None:
    """Give a list of parts to a second root."""
    chair.notes = lamp.notes


TWICE: dict[str, Callable[[Product, Product], None]] = {
    one.__name__.replace("_", " "): one
    for one in (
        twice_in_a_list,
        a_new_one_twice,
        in_two_roots,
        a_new_one_in_two_roots,
        in_two_parents,
        one_list_in_two_roots,
    )
}

each_end = pytest.mark.parametrize("end", [flush, UnitOfWork.commit], ids=["query", "commit"])


@pytest.mark.promise(4)
@each_end
@pytest.mark.parametrize("how", TWICE)
def test_a_part_stands_in_one_place_alone(storage: Storage, how: str, end: Callable[[UnitOfWork], None]) -> None:
    """A part stands in one place alone. If it stands in two, the next call is refused, and nothing is stored."""
    made = stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        TWICE[how](lamp_of(uow), products(uow).get_by_sku("chair"))
        with pytest.raises(UnitOfWorkMisuse, match=r"Batch|OrderLine|Note"):
            end(uow)
        uow.rollback()
    assert [values(one) for one in made] == [read(storage), read(storage, "chair")]


@pytest.mark.promise(4)
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_a_part_of_two_new_roots_is_refused(storage: Storage, bulk: bool) -> None:
    """A part of two new roots is refused."""
    lamp, chair = new_product("lamp"), new_product("chair")
    chair.notes.append(lamp.notes[0])
    with storage.unit() as uow:
        with pytest.raises(UnitOfWorkMisuse, match="Note"):
            if bulk:
                products(uow).add_many([lamp, chair])
            else:
                products(uow).add(lamp)
                products(uow).add(chair)
            uow.commit()
        uow.rollback()
    with storage.unit() as uow:
        assert [] == list(products(uow).stream())


@pytest.mark.promise(4)
@pytest.mark.parametrize("is_stored", [False, True])
def test_a_part_of_an_added_root_may_move(storage: Storage, is_stored: bool) -> None:
    """A part of an added object of an ended unit may move to another root before it is written.

    If the identity of the object is still stored, it is that which is refused.
    """
    stored(storage, "chair", "lamp")
    with storage.unit() as uow:
        old = products(uow).get_by_sku("chair")
    if not is_stored:
        with storage.unit() as uow:
            products(uow).remove(products(uow).get_by_sku("chair"))
            uow.commit()
    with pytest.raises(DuplicateIdentity) if is_stored else nullcontext(), storage.unit() as uow:
        lamp = lamp_of(uow)
        products(uow).add(old)
        lamp.notes.append(old.notes.pop())
        uow.commit()
    assert is_stored or [values(old), values(lamp)] == [read(storage, "chair"), read(storage)]


@pytest.mark.promise(4)
def test_a_part_of_an_open_unit_is_no_new_one(storage: Storage) -> None:
    """A part that an open unit holds is refused in a new root of another unit."""
    stored(storage, "lamp")
    with storage.unit() as uow, pytest.raises(UnitOfWorkMisuse), storage.unit() as other:
        chair = new_product("chair")
        chair.notes.append(lamp_of(uow).notes[0])
        products(other).add(chair)
        flush(other)
