"""Parts in an undone savepoint: the root gets its earlier parts back, and the unit goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from domain.errors import ConcurrentChange
from proof.laws.contract.parts import (
    CHANGES,
    Oops,
    add_batch,
    change_batch,
    change_elsewhere,
    each_change,
    flush,
    lamp_of,
    products,
    read,
    stored,
)
from service_layer.unit_of_work import UnitOfWork
from tests.contract.allocation import Batch, Note, OrderLine, Product
from tests.contract.graphs import values
from tests.contract.products import new_product
from tests.storages import Storage


def nothing(_: UnitOfWork) -> None:
    """Write nothing before the end of the savepoint."""


each_write = pytest.mark.parametrize("write", [nothing, flush], ids=["waiting", "flushed"])

Write = Callable[[UnitOfWork], None]


def parts(product: Product) -> tuple[list[Batch], list[Note]]:
    """Return the parts of a product. Each equals itself alone, so the list also keeps them alive."""
    return list(product.batches), list(product.notes)


@pytest.mark.promise(10)
@each_write
@each_change
def test_an_undone_savepoint_restores_parts(storage: Storage, how: str, write: Write) -> None:
    """An undone savepoint restores the very parts and collections. Later changes build on them."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        lamp.allocate("before", 1)
        before, had = values(lamp), parts(lamp)
        with pytest.raises(Oops), uow.savepoint():
            CHANGES[how](lamp)
            write(uow)
            change_batch(lamp)
            raise Oops
        assert {**before, "version": lamp.version} == values(lamp)
        assert had == parts(lamp)
        lamp.allocate("after", 2)
        lamp.batches[0].quantity += 1
        lamp.notes[1].text = "after"
        given = values(lamp)
        uow.commit()
    assert {**given, "version": 2} == values(lamp) == read(storage)


@pytest.mark.promise(10)
@each_write
@each_change
def test_undone_changes_can_be_made_again(storage: Storage, how: str, write: Write) -> None:
    """The changes of an undone savepoint can be made again, to the same parts, and more than once."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        for _ in range(2):
            with pytest.raises(Oops), uow.savepoint():
                CHANGES[how](lamp)
                write(uow)
                raise Oops
        CHANGES[how](lamp)
        uow.commit()
    assert values(lamp) == read(storage)
    assert 2 == lamp.version


@pytest.mark.promise(10)
@each_write
@each_change
def test_an_undone_savepoint_alone_is_no_change(storage: Storage, how: str, write: Write) -> None:
    """An undone savepoint is no change: leaving the unit does not warn, and nothing stored changes."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        with pytest.raises(Oops), uow.savepoint():
            CHANGES[how](lamp)
            write(uow)
            raise Oops
        assert values(made) == values(lamp)
    assert values(made) == read(storage)


@pytest.mark.promise(10)
@each_change
def test_nested_savepoints_are_undone_one_by_one(storage: Storage, how: str) -> None:
    """Nested savepoints are undone one by one. The work of the outer one stays until its own end."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        had = parts(lamp)
        with pytest.raises(Oops), uow.savepoint():
            lamp.notes[0].text = "outer"
            lamp.batches[1].quantity = 21
            middle = values(lamp)
            with pytest.raises(Oops), uow.savepoint():
                CHANGES[how](lamp)
                raise Oops
            assert {**middle, "version": lamp.version} == values(lamp)
            with uow.savepoint():
                CHANGES[how](lamp)
            raise Oops
        assert values(made) == values(lamp)
        assert had == parts(lamp)
        CHANGES[how](lamp)
        uow.commit()
    assert values(lamp) == read(storage)
    assert 2 == lamp.version


@pytest.mark.promise(10)
@each_change
def test_the_parts_of_a_kept_savepoint_are_stored(storage: Storage, how: str) -> None:
    """The parts of a kept savepoint are stored, except those of an undone one inside of it."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        with uow.savepoint():
            CHANGES[how](lamp)
            kept = values(lamp)
            with pytest.raises(Oops), uow.savepoint():
                lamp.add_batch("undone", 1)
                lamp.notes.clear()
                raise Oops
        uow.commit()
    assert {**kept, "version": 2} == values(lamp) == read(storage)


@pytest.mark.promise(10)
@each_write
def test_a_removed_root_comes_back_whole(storage: Storage, write: Write) -> None:
    """A root that was removed in an undone savepoint is the same object with the same parts.

    The parts can be changed, moved and removed.
    """
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        lamp, chair = lamp_of(uow), products(uow).get_by_sku("chair")
        lamp.batches[0].quantity = 9
        before, had = values(lamp), parts(lamp)
        with pytest.raises(Oops), uow.savepoint():
            products(uow).remove(lamp)
            write(uow)
            raise Oops
        assert products(uow).get(lamp.id) is lamp
        assert {**before, "version": lamp.version} == values(lamp)
        assert had == parts(lamp)
        chair.batches[0].allocations.add(OrderLine(order="new", quantity=1))
        chair.notes.append(lamp.notes.pop())
        del lamp.batches[1]
        uow.commit()
    assert [values(lamp), values(chair)] == [read(storage), read(storage, "chair")]


@pytest.mark.promise(10)
@each_write
def test_an_added_root_is_new_again(storage: Storage, write: Write) -> None:
    """A root that was added in an undone savepoint is new again, with its present parts. It can be added again."""
    lamp = new_product()
    with storage.unit() as uow:
        with pytest.raises(Oops), uow.savepoint():
            products(uow).add(lamp)
            write(uow)
            add_batch(lamp)
            raise Oops
        assert (0, []) == (lamp.version, products(uow).list_with_batch("lamp-1"))
        products(uow).add(lamp)
        uow.commit()
    assert {**values(lamp), "version": 1} == read(storage)


@pytest.mark.promise(10)
@each_write
def test_an_added_part_is_new_again(storage: Storage, write: Write) -> None:
    """A part that was added in an undone savepoint is new again. It can be added to any root, with its parts."""
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        lamp, chair = lamp_of(uow), products(uow).get_by_sku("chair")
        with pytest.raises(Oops), uow.savepoint():
            batch = lamp.add_batch("new", 5)
            batch.allocations.add(OrderLine(order="new", quantity=1))
            write(uow)
            raise Oops
        assert ["lamp-1", "lamp-2"] == [one.reference for one in lamp.batches]
        chair.batches.append(batch)
        uow.commit()
    assert [{**values(chair), "version": 2}, 1] == [read(storage, "chair"), read(storage)["version"]]
    assert "new" == chair.batches[-1].reference


@pytest.mark.promise(10)
@each_write
@pytest.mark.parametrize("kind", ["batch", "line", "note"])
def test_an_undone_move_between_roots(storage: Storage, kind: str, write: Write) -> None:
    """An undone savepoint undoes a move between roots. Both roots are as before, and the part can move again."""
    made = stored(storage, "lamp", "chair")

    def move(source: Product, target: Product) -> None:
        if kind == "batch":
            target.batches.append(source.batches.pop())
        elif kind == "line":
            target.batches[1].allocations.add(source.batches[0].allocations.pop())
        else:
            target.notes.insert(0, source.notes.pop())

    with storage.unit() as uow:
        lamp, chair = lamp_of(uow), products(uow).get_by_sku("chair")
        had = parts(lamp), parts(chair)
        with pytest.raises(Oops), uow.savepoint():
            move(lamp, chair)
            write(uow)
            raise Oops
        assert [values(one) for one in made] == [values(lamp), values(chair)]
        assert had == (parts(lamp), parts(chair))
        move(lamp, chair)
        uow.commit()
    assert [values(lamp), values(chair)] == [read(storage), read(storage, "chair")]
    assert (2, 2) == (lamp.version, chair.version)


@pytest.mark.promise(3, 10)
@pytest.mark.parametrize("end", ["commit", "rollback", "left"])
def test_parts_stay_readable_after_an_undone_savepoint(storage: Storage, end: str) -> None:
    """Parts of an undone savepoint stay readable, restored or new. No attribute is left to be read later."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        with pytest.raises(Oops), uow.savepoint():
            added = lamp.add_batch("new", 5)
            added.allocations.add(OrderLine(order="new", quantity=1))
            removed = lamp.batches.pop(0)
            flush(uow)
            raise Oops
        expected = values(lamp)
        if end != "left":
            getattr(uow, end)()
    assert expected == values(lamp)
    assert ("new", 5, None, {OrderLine(order="new", quantity=1)}) == (
        added.reference,
        added.quantity,
        added.eta,
        added.allocations,
    )
    assert removed.allocations == {OrderLine(order="lamp-a", quantity=5)}


@pytest.mark.promise(8, 10)
@each_write
def test_a_conflict_after_an_undone_savepoint(storage: Storage, write: Write) -> None:
    """A conflict after an undone savepoint still counts: reading again neither hides nor mixes other changes."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        with pytest.raises(Oops), uow.savepoint():
            change_batch(lamp)
            lamp.notes.reverse()
            raise Oops
        change_elsewhere(storage)
        lamp.batches[1].eta = None
        with pytest.raises(ConcurrentChange):
            write(uow)
            uow.commit()
    assert 2 == read(storage)["version"]


@pytest.mark.promise(10)
def test_a_part_moved_into_a_new_one_comes_back(storage: Storage) -> None:
    """A part that moved into a new part comes back. The new part alone leaves the unit."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        [line] = lamp.batches[0].allocations
        with pytest.raises(Oops), uow.savepoint():
            lamp.batches[0].allocations.discard(line)
            lamp.add_batch("new", 10).allocations.add(line)
            flush(uow)
            raise Oops
        assert [line] == list(lamp.batches[0].allocations)
        lamp.batches[0].allocations.discard(line)
        uow.commit()
    assert values(lamp) == read(storage)
