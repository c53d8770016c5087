"""Promises 2 to 10 for a single part: an attribute holds it, not a list or a set."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import evolve

from domain.errors import ConcurrentChange, UnitOfWorkMisuse
from proof.laws.contract.customers import (
    Address,
    Customer,
    NumberTaken,
    Phone,
    customers_of,
    new_customer,
    stored_customer,
)
from tests.contract.graphs import values
from tests.storages import Storage


def replace(ann: Customer) -> None:
    """Move to another address, with the number that was given up."""
    ann.address = Address("second", Phone("ann-1"))


def replace_and_keep_inner(ann: Customer) -> None:
    """Move to another address, with the same telephone."""
    assert ann.address is not None
    phone, ann.address.phone = ann.address.phone, None
    ann.address = Address("second", phone)


def replace_inner(ann: Customer) -> None:
    """Get another telephone with the same number."""
    assert ann.address is not None
    ann.address.phone = Phone("ann-1")


def set_to_none(ann: Customer) -> None:
    """Have no address."""
    ann.address = None


def set_inner_to_none(ann: Customer) -> None:
    """Have no telephone."""
    assert ann.address is not None
    ann.address.phone = None


def change_inner(ann: Customer) -> None:
    """Get another number."""
    assert ann.address is not None
    assert ann.address.phone is not None
    ann.address.phone.number = "ann-2"


def replace_twice(ann: Customer) -> None:
    """Move twice."""
    ann.address = None
    ann.address = Address("second")
    ann.address = Address("third")


def set_to_none_after_a_copy_is_gone(ann: Customer) -> None:
    """Have no address, after another customer was made with the same address and thrown away."""
    evolve(ann)
    ann.address = None


each_change = pytest.mark.parametrize(
    "change",
    [
        replace,
        replace_and_keep_inner,
        replace_inner,
        set_to_none,
        set_to_none_after_a_copy_is_gone,
        set_inner_to_none,
        change_inner,
        replace_twice,
    ],
    ids=lambda change: change.__name__.replace("_", " "),
)


def read(storage: Storage, customer: Customer) -> Customer:
    """Read a customer in a separate unit."""
    with storage.unit(read_only=True) as uow:
        return customers_of(uow).get(customer.id)


@pytest.mark.promise(2, 8)
@pytest.mark.parametrize("flushed", [False, True], ids=["waiting", "flushed"])
@each_change
def test_a_single_part_is_stored(storage: Storage, change: Callable[[Customer], None], flushed: bool) -> None:
    """A single part is stored. A change of it alone raises the root's version once."""
    ann = stored_customer(storage)
    with storage.unit() as uow:
        mine = customers_of(uow).get(ann.id)
        change(mine)
        if flushed:
            uow.flush()
            mine.rename("anna")
        uow.commit()
    assert 2 == mine.version
    assert values(mine) == values(read(storage, ann))
    assert values(mine)["address"] != values(ann)["address"] or change is replace_inner


@pytest.mark.promise(10)
@pytest.mark.parametrize("flushed", [False, True], ids=["waiting", "flushed"])
@each_change
def test_a_single_part_is_given_back(storage: Storage, change: Callable[[Customer], None], flushed: bool) -> None:
    """An undone savepoint gives a single part back. It can be changed further."""
    ann = stored_customer(storage)
    with storage.unit() as uow:
        mine = customers_of(uow).get(ann.id)
        with pytest.raises(KeyError), uow.savepoint():
            change(mine)
            if flushed:
                uow.flush()
            raise KeyError
        assert values(ann) == values(mine)
        assert mine.address is not None
        mine.address.street = "second"
        uow.commit()
    assert values(mine) == values(read(storage, ann))


@pytest.mark.promise(2, 4)
def test_a_single_part_moves_between_roots(storage: Storage) -> None:
    """A single part moves between roots with its own part."""
    ann, bob = stored_customer(storage), stored_customer(storage, "bob")
    with storage.unit() as uow:
        mine, other = customers_of(uow).get(ann.id), customers_of(uow).get(bob.id)
        mine.address, other.address = None, mine.address
        uow.commit()
    assert read(storage, ann).address is None
    assert values(other) == values(read(storage, bob))
    assert "ann-1" == values(other)["address"]["phone"]["number"]


@pytest.mark.promise(2, 4)
def test_single_parts_are_exchanged(storage: Storage) -> None:
    """Single parts are exchanged between two roots."""
    ann, bob = stored_customer(storage), stored_customer(storage, "bob")
    with storage.unit() as uow:
        mine, other = customers_of(uow).get(ann.id), customers_of(uow).get(bob.id)
        mine.address, other.address = other.address, mine.address
        uow.commit()
    assert [values(mine), values(other)] == [values(read(storage, ann)), values(read(storage, bob))]
    assert values(ann)["address"] == values(other)["address"]


@pytest.mark.promise(4)
def test_a_single_part_of_two_roots_is_refused(storage: Storage) -> None:
    """A single part of two roots is refused like one in two lists."""
    ann, bob = stored_customer(storage), stored_customer(storage, "bob")
    with pytest.raises(UnitOfWorkMisuse, match="in two places"), storage.unit() as uow:
        customers_of(uow).get(bob.id).address = customers_of(uow).get(ann.id).address
        uow.flush()


@pytest.mark.promise(4)
def test_an_ended_units_single_part_is_refused(storage: Storage) -> None:
    """A single part of an ended unit is refused, when it is written at the latest."""
    ann, bob = stored_customer(storage), stored_customer(storage, "bob")
    gone = read(storage, ann).address
    with pytest.raises(UnitOfWorkMisuse, match="is of another unit of work"), storage.unit() as uow:
        customers_of(uow).get(bob.id).address = gone
        uow.commit()


@pytest.mark.promise(7)
def test_a_taken_single_part_value_is_refused(storage: Storage) -> None:
    """A taken value of a single part is refused with the declared error and the value."""
    stored_customer(storage)
    bob = new_customer("bob")
    bob.address = Address("second", Phone("ann-1"))
    with storage.unit() as uow:
        customers_of(uow).add(bob)
        with pytest.raises(NumberTaken) as caught:
            uow.flush()
    assert "ann-1" == caught.value.value


@pytest.mark.promise(2)
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_customers_are_stored_and_removed(storage: Storage, bulk: bool) -> None:
    """Customers are stored and removed with their parts. The database fills columns that the domain does not know."""
    made = [new_customer(name) for name in ("ann", "bob")]
    made[1].address = None
    with storage.unit() as uow:
        if bulk:
            customers_of(uow).add_many(made)
        else:
            for one in made:
                customers_of(uow).add(one)
        uow.commit()
    for one in made:
        assert {**values(one), "version": 1} == values(read(storage, one))
    with storage.unit() as uow:
        for one in customers_of(uow).page().items:
            customers_of(uow).remove(one)
        customers_of(uow).add(new_customer())
        uow.commit()


@pytest.mark.promise(8)
def test_one_of_two_changes_of_a_part_succeeds(storage: Storage) -> None:
    """One of two changes of a single part succeeds, whatever part each of them changes."""
    ann = stored_customer(storage)
    with storage.unit() as uow:
        mine = customers_of(uow).get(ann.id)
        with storage.unit() as other:
            change_inner(customers_of(other).get(ann.id))
            other.commit()
        mine.address = None
        with pytest.raises(ConcurrentChange):
            uow.flush()
