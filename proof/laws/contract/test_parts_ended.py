"""Parts after the end of their unit: they stay readable, they change nothing, and no live root takes them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from domain.errors import ConcurrentChange, DuplicateIdentity, UnitOfWorkMisuse
from proof.laws.contract.parts import (
    CHANGES,
    Oops,
    add_batch,
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
from service_layer.unit_of_work import UnitOfWork
from tests.contract.allocation import OrderLine, Product
from tests.contract.graphs import twin, values
from tests.contract.products import new_product
from tests.storages import Storage

# They stay readable.


@pytest.mark.promise(3)
@pytest.mark.parametrize("end", ["commit", "rollback", "error"])
@flushed_or_not
@each_change
def test_parts_stay_readable_as_they_were(storage: Storage, how: str, flushed: bool, end: str) -> None:
    """Parts stay readable with the values of the end, after a commit, a rollback and an error.

    Their root was read, added, changed or removed.
    """
    stored(storage, "lamp", "chair", "sofa")
    table = new_product("table")
    with suppress(Oops), storage.unit() as uow:
        lamp, chair, sofa = products(uow).page().items
        removed = sofa.batches[1]
        CHANGES[how](lamp)
        products(uow).add(table)
        CHANGES[how](table)
        if flushed:
            flush(uow)
        products(uow).remove(sofa)
        expected = [values(one) for one in (lamp, chair, table, sofa)]
        if end == "error":
            raise Oops
        getattr(uow, end)()
    found = [values(one) for one in (lamp, chair, table, sofa)]
    assert without_version(expected) == without_version(found)
    assert removed is sofa.batches[1]
    if end == "commit":
        assert [2, 1, 1] == [one["version"] for one in found[:3]]


def without_version(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return values without ``version``, which means nothing after a rollback."""
    return [{name: value for name, value in one.items() if name != "version"} for one in found]


@pytest.mark.promise(3)
@pytest.mark.parametrize("read_only", [True, False], ids=["read-only", "not read-only"])
def test_parts_stay_readable_after_reading(storage: Storage, read_only: bool) -> None:
    """Parts stay readable after a unit that only read, by any query, also if the caller kept nothing else."""
    [made] = stored(storage, "lamp")
    with storage.unit(read_only=read_only) as uow:
        lamp = lamp_of(uow)
    with storage.unit(read_only=read_only) as uow:
        batches = products(uow).page().items[0].batches
    with storage.unit(read_only=read_only) as uow:
        [streamed] = products(uow).stream()
    with storage.unit(read_only=read_only) as uow:
        [serving] = products(uow).list_serving("lamp-a")
    assert [values(made)] * 3 == [values(one) for one in (lamp, streamed, serving)]
    assert [{OrderLine(order="lamp-a", quantity=5)}, set()] == [one.allocations for one in batches]


@pytest.mark.promise(3)
def test_parts_stay_readable_after_a_failure(storage: Storage) -> None:
    """Parts stay readable after a conflict at the commit, with the values that they had."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        change_elsewhere(storage)
        add_batch(lamp)
        change_batch(lamp)
        expected = values(lamp)
        with pytest.raises(ConcurrentChange):
            uow.commit()
        assert without_version([expected]) == without_version([values(lamp)])
    assert without_version([expected]) == without_version([values(lamp)])


@pytest.mark.promise(4)
@each_change
def test_a_late_change_of_parts_changes_nothing(storage: Storage, how: str) -> None:
    """A change of parts after their unit changes nothing stored, and does not disturb a later unit."""
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        uow.commit()
    expected = values(lamp)
    CHANGES[how](lamp)
    with storage.unit() as uow:
        assert lamp_of(uow).batches[0] is not lamp.batches[0]
        uow.commit()
    assert expected == read(storage)


# No live root takes them.


def put_batch(live: Product, other: Product) -> None:
    """Put a part of another root into a list."""
    live.batches.append(other.batches[0])


def put_note(live: Product, other: Product) -> None:
    """Put a part that has its own key into a list."""
    live.notes.append(other.notes[0])


def put_line(live: Product, other: Product) -> None:
    """Put a part at the second level into a set."""
    live.batches[1].allocations |= other.batches[0].allocations


def put_line_into_new(live: Product, other: Product) -> None:
    """Put a part at the second level into a new part."""
    live.add_batch("new", 10).allocations.add(next(iter(other.batches[0].allocations)))


def take_over_list(live: Product, other: Product) -> None:
    """Replace a list by that of another root."""
    live.batches = list(other.batches)


PUTS: dict[str, Callable[[Product, Product], None]] = {
    one.__name__.replace("_", " "): one for one in (put_batch, put_note, put_line, put_line_into_new, take_over_list)
}

each_put = pytest.mark.parametrize("put", PUTS)
each_end = pytest.mark.parametrize("end", [flush, UnitOfWork.commit], ids=["query", "commit"])


@pytest.mark.promise(4)
@each_end
@pytest.mark.parametrize("whose", ["its own", "another"])
@each_put
def test_a_part_of_an_ended_unit_is_refused(
    storage: Storage, put: str, whose: str, end: Callable[[UnitOfWork], None]
) -> None:
    """A part of an ended unit, of this root or another, cannot be put into a live root.

    The next call says so at the latest, and nothing is stored.
    """
    made = stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        old = products(uow).get_by_sku("lamp" if whose == "its own" else "chair")
        uow.commit()
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        with pytest.raises(UnitOfWorkMisuse, match=r"Batch|Note|OrderLine"):
            PUTS[put](lamp, old)
            end(uow)
        uow.rollback()
    assert [values(one) for one in made] == [read(storage), read(storage, "chair")]


@pytest.mark.promise(4)
@each_end
@each_put
def test_a_part_of_another_open_unit_is_refused(storage: Storage, put: str, end: Callable[[UnitOfWork], None]) -> None:
    """A part of another open unit cannot be put into a live root. The other unit goes on undisturbed."""
    stored(storage, "lamp", "chair")
    with storage.unit() as other:
        theirs = products(other).get_by_sku("chair")
        expected = values(theirs)
        with storage.unit() as uow:
            lamp = lamp_of(uow)
            with pytest.raises(UnitOfWorkMisuse, match=r"Batch|Note|OrderLine"):
                PUTS[put](lamp, theirs)
                end(uow)
            uow.rollback()
        assert expected == values(theirs)
        theirs.change_sku("stool")
        other.commit()
    assert {**expected, "sku": "stool", "version": 2} == read(storage, "stool")


@pytest.mark.promise(4)
def test_a_new_root_takes_no_part_of_another_unit(storage: Storage) -> None:
    """A new root with a part of another open unit is refused, when it is added or by the next call."""
    stored(storage, "chair")
    with storage.unit() as other:
        theirs = products(other).get_by_sku("chair").notes[0]
        with storage.unit() as uow:
            with pytest.raises(UnitOfWorkMisuse, match="Note"):
                products(uow).add(Product(sku="lamp", notes=[theirs]))
                flush(uow)
            uow.rollback()


@pytest.mark.promise(4)
def test_a_copy_of_an_old_part_is_a_new_part(storage: Storage) -> None:
    """A copy of a part of an ended unit can be put into a live root. It is a new part, and the advised way."""
    stored(storage, "lamp", "chair")
    with storage.unit() as uow:
        old = products(uow).get_by_sku("chair").batches[1]
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        lamp.add_batch("copy", old.quantity, old.eta)
        uow.commit()
    assert values(lamp) == read(storage)


# A root of an ended unit can be added, as new.


@pytest.mark.promise(4)
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_a_root_of_an_ended_unit_is_new(storage: Storage, bulk: bool) -> None:
    """A root of an ended unit is new, with its parts. While it is stored, its id is taken.

    After its removal it is stored again, with its present parts.
    """
    stored(storage, "lamp")
    with storage.unit() as uow:
        lamp = lamp_of(uow)
        uow.commit()
    add_batch(lamp)

    def add(uow: UnitOfWork) -> None:
        products(uow).add_many([lamp]) if bulk else products(uow).add(lamp)
        uow.commit()

    with pytest.raises(DuplicateIdentity), storage.unit() as uow:
        add(uow)
    with storage.unit() as uow:
        products(uow).remove(products(uow).get(lamp.id))
        uow.commit()
    lamp.version = 0
    given = values(lamp)
    with storage.unit() as uow:
        add(uow)
    assert {**given, "version": 1} == read(storage)
    assert without_version([given]) == without_version([values(lamp)])


@pytest.mark.promise(4)
@pytest.mark.parametrize("end", ["rollback", "error"])
@flushed_or_not
def test_a_root_of_an_undone_addition_is_new(storage: Storage, end: str, flushed: bool) -> None:
    """A root whose addition was undone is new, with parts that came and went since."""
    lamp = new_product()
    with suppress(Oops), storage.unit() as uow:
        products(uow).add(lamp)
        if flushed:
            flush(uow)
        change_batch(lamp)
        if end == "error":
            raise Oops
        uow.rollback()
    del lamp.batches[1]
    add_batch(lamp)
    lamp.version = 0
    given = twin(lamp)
    with storage.unit() as uow:
        products(uow).add(lamp)
        uow.commit()
    assert {**values(given), "version": 1} == values(lamp) == read(storage)
