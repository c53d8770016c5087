"""Parts: they are stored, read, changed and removed with their root, alike on every storage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from uuid import UUID

import pytest

from domain.errors import DuplicateIdentity, UncommittedChanges, UnitOfWorkMisuse
from domain.repository import STREAM_BATCH
from proof.laws.contract.library import Author, Award, Book
from proof.laws.contract.parts import (
    CHANGES,
    add_batch,
    change_batch,
    each_change,
    flush,
    lamp_of,
    products,
    read,
    stored,
)
from service_layer.unit_of_work import UnitOfWork
from tests.contract.allocation import Batch, Note, OrderLine, Product
from tests.contract.graphs import exact, twin, values
from tests.contract.products import new_product
from tests.storages import Storage


@pytest.mark.promise(2)
def test_parts_come_back_as_they_were(storage: Storage) -> None:
    """Parts come back with their values and types, in collections that do not remember the unit."""
    product = Product(sku="lamp")
    product.add_batch("B-2", 0, date.max).allocations |= {OrderLine(order=one, quantity=1) for one in ("é🫖", "Y", "y")}
    product.add_batch("B-1", -(2**31), date.min)
    product.add_batch("a", 2**31 - 1)
    product.notes += [Note(id=UUID(int=id), text=text) for id, text in ((2**128 - 1, "x "), (1, ""), (2**64, "x"))]
    with storage.unit() as uow:
        products(uow).add(product)
        uow.commit()
    with storage.unit() as uow:
        found = lamp_of(uow)
    assert ["B-1", "B-2", "a"] == [one.reference for one in found.batches]
    assert exact(product) == exact(found)
    assert {Batch} == {type(one) for one in found.batches}
    assert {OrderLine} == {type(one) for one in found.batches[1].allocations}
    assert isinstance(found.batches, list)
    assert isinstance(found.batches[1].allocations, set)


@pytest.mark.promise(2)
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_parts_are_stored_with_a_new_root(storage: Storage, bulk: bool) -> None:
    """Parts are stored with a new root, one by one or in bulk, with or without parts. A bulk changes no object."""
    made = [new_product("lamp"), Product(sku="chair"), new_product("table")]
    expected = [{**values(one), "version": 1} for one in made]
    with storage.unit() as uow:
        if bulk:
            products(uow).add_many(made)
        else:
            for one in made:
                products(uow).add(one)
        uow.commit()
    with storage.unit() as uow:
        assert expected == [values(one) for one in products(uow).page().items]
    assert [{**one, "version": 0 if bulk else 1} for one in expected] == [values(one) for one in made]


@pytest.mark.promise(2)
def test_a_bulk_does_not_track_parts(storage: Storage) -> None:
    """A bulk does not track parts: a later change is not stored, and the key is taken."""
    lamp = new_product()
    expected = {**values(lamp), "version": 1}
    with storage.unit() as uow:
        products(uow).add_many([lamp])
        change_batch(lamp)
        uow.commit()
    assert expected == read(storage)
    with pytest.raises(DuplicateIdentity), storage.unit() as uow:
        products(uow).add(lamp)
        uow.commit()


@pytest.mark.promise(2)
def test_removing_a_root_takes_its_parts_with_it(storage: Storage) -> None:
    """Removing a root removes its parts. Those of another root stay, and a new root can take all their values."""
    lamp, chair = stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        products(uow).remove(products(uow).get(lamp.id))
        within = products(uow).list_with_batch("lamp-1"), products(uow).list_serving("lamp-a")
        uow.commit()
    heir = new_product("lamp")
    with storage.unit() as uow:
        after = products(uow).list_with_batch("lamp-1"), products(uow).list_serving("lamp-a")
        products(uow).add(heir)
        uow.commit()
    assert (([], []), ([], [])) == (within, after)
    assert [{**values(heir), "version": 1}, values(chair)] == [read(storage, sku) for sku in ("lamp", "chair")]


@pytest.mark.promise(16)
@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_a_page_holds_whole_aggregates(storage: Storage, limit: int) -> None:
    """A page holds whole aggregates: its limit counts roots, not their parts."""
    made = [new_product("a"), Product(sku="b"), new_product("c"), new_product("d"), Product(sku="e")]
    with storage.unit() as uow:
        products(uow).add_many(made)
        uow.commit()
    with storage.unit() as uow:
        page = products(uow).page(limit=limit)
        pages = [page.items]
        while page.next is not None and len(pages) <= len(made):
            page = products(uow).page(page.next, limit)
            pages.append(page.items)
    assert [{**values(one), "version": 1} for one in made] == [values(one) for items in pages for one in items]


@pytest.mark.promise(16)
def test_a_stream_yields_whole_aggregates(storage: Storage) -> None:
    """A stream yields whole aggregates across the borders of its batches."""
    made = [
        new_product(f"{number:04}") if number % 40 == 0 else Product(sku=str(number))
        for number in range(STREAM_BATCH + 2)
    ]
    with storage.unit() as uow:
        products(uow).add_many(made)
        uow.commit()
    with storage.unit() as uow:
        assert [{**values(one), "version": 1} for one in made] == [values(one) for one in products(uow).stream()]


@pytest.mark.promise(5, 6)
def test_a_query_by_parts_sees_the_units_writes(storage: Storage) -> None:
    """A query by parts sees added, changed, removed and bulk parts. It returns each root once, as the held object."""
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        lamp, chair = lamp_of(uow), products(uow).get_by_sku("chair")
        lamp.change_reference(lamp.batches[0], "new")
        lamp.batches[1].allocations.add(OrderLine(order="late", quantity=1))
        del chair.batches[0]
        products(uow).add_many([new_product("table")])
        found = [products(uow).list_with_batch(one) for one in ("lamp-1", "new", "chair-1", "chair-2", "table-1")]
        serving = [products(uow).list_serving(one) for one in ("late", "chair-a", "table-a")]
        uow.rollback()
    assert [[], [lamp], [], [chair]] == found[:4]
    assert [[lamp], []] == serving[:2]
    assert found[4] == serving[2]
    assert [id(lamp), id(chair), id(lamp)] == [id(one) for [one] in (found[1], found[3], serving[0])]


@pytest.mark.promise(5)
@each_change
def test_a_query_overwrites_no_parts(storage: Storage, how: str) -> None:
    """A query neither overwrites nor mixes parts that another unit changed. A new unit reads the new ones."""
    [made] = stored(storage, "lamp")
    with storage.unit() as uow:
        mine = lamp_of(uow)
        with storage.unit() as other:
            theirs = lamp_of(other)
            CHANGES[how](theirs)
            other.commit()
        found = [products(uow).get(mine.id), *products(uow).page().items, *products(uow).list_serving("lamp-a")]
        assert {id(mine)} == {id(one) for one in found}
        assert values(made) == values(mine)
    assert values(theirs) == read(storage)


@pytest.mark.promise(6)
def test_parts_can_be_changed_again_and_again(storage: Storage) -> None:
    """Each change of parts in a unit builds on the one before. The version rises by one for all of them."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        for change in CHANGES.values():
            if lamp.batches and lamp.batches[0].allocations:
                change(lamp)
                flush(uow)
        uow.commit()
    assert 2 == lamp.version
    assert values(lamp) == read(storage)


@pytest.mark.promise(9)
@each_change
def test_a_removed_root_can_be_added_again(storage: Storage, how: str) -> None:
    """A removed root can be added again in the same unit, with its present parts."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        products(uow).remove(lamp)
        CHANGES[how](lamp)
        given = values(lamp)
        products(uow).add(lamp)
        uow.commit()
    assert {**given, "version": 2} == values(lamp) == read(storage)


@pytest.mark.promise(6)
def test_a_replacing_root_has_its_own_parts(storage: Storage) -> None:
    """A root in place of a removed one has its own parts, though the ids are equal and a query met the old one."""
    lamp = new_product()
    heir = twin(lamp)
    heir.batches[0].quantity = 77
    with storage.unit() as uow:
        products(uow).add(lamp)
        flush(uow)
        products(uow).remove(lamp)
        products(uow).add_many([heir])
        found = products(uow).get(heir.id)
        assert found is not lamp
        assert [77, 20] == [batch.quantity for batch in found.batches]
        uow.rollback()


@pytest.mark.promise(12)
@each_change
def test_uncommitted_changes_of_parts_warn(storage: Storage, how: str) -> None:
    """A forgotten commit of changed parts warns, at every level, even if the root was not touched."""
    [lamp] = stored(storage, "lamp")
    with pytest.warns(UncommittedChanges), storage.unit() as uow:
        CHANGES[how](lamp_of(uow))
    assert values(lamp) == read(storage)


@pytest.mark.promise(13)
@pytest.mark.parametrize("call", [flush, UnitOfWork.commit], ids=["query", "commit"])
@each_change
def test_a_read_only_unit_refuses_changed_parts(storage: Storage, how: str, call: Callable[[UnitOfWork], None]) -> None:
    """A read-only unit refuses changed parts at the next call."""
    [lamp] = stored(storage, "lamp")
    with storage.unit(read_only=True) as uow:
        CHANGES[how](lamp_of(uow))
        with pytest.raises(UnitOfWorkMisuse, match="read-only"):
            call(uow)
        uow.rollback()
    assert values(lamp) == read(storage)


@pytest.mark.promise(2, 9)
def test_a_parent_is_stored_before_its_child(storage: Storage) -> None:
    """A parent is stored before its child without a query between, whatever the names of their classes."""
    author = Author(name="ann")
    book = Book(name="novel", author_id=author.id)
    award = Award(name="prize", book_id=book.id)
    with storage.unit() as uow:
        for name, one in (("authors", author), ("books", book), ("awards", award)):
            getattr(uow, name).add(one)
        uow.commit()
    with storage.unit() as uow:
        assert [award] == list(uow.awards.stream())
        for name, one in (("awards", award), ("books", book), ("authors", author)):
            getattr(uow, name).remove(getattr(uow, name).get(one.id))
        uow.commit()


@pytest.mark.promise(2)
def test_new_parts_are_stored_level_by_level(storage: Storage) -> None:
    """New parts inside new parts are stored after them, whatever their class names, also in a stored root."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        add_batch(lamp)
        chair = new_product("chair")
        products(uow).add(chair)
        uow.commit()
    assert [values(lamp), values(chair)] == [read(storage), read(storage, "chair")]
