"""Promises 3, 8 and 10 for attributes that are not stored: they get their default when an object is read."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from proof.laws.contract.customers import Customer, customers_of, new_customer, stored_customer
from tests.contract.shop import SqlShop
from tests.storages import Storage, sql_storage


def unstored(customer: Customer) -> list[object]:
    """Return the unstored attributes of a customer and its parts."""
    found: list[object] = [customer.events, customer.mood]
    if customer.address is not None:
        found.append(customer.address.visits)
        if customer.address.phone is not None:
            found.append(customer.address.phone.calls)
    return found


def fill(customer: Customer) -> list[object]:
    """Give all unstored attributes other values and return them."""
    assert customer.address is not None
    assert customer.address.phone is not None
    customer.events.append("met")
    customer.mood = "happy"
    customer.address.visits.append("bob")
    customer.address.phone.calls += 1
    return [["met"], "happy", ["bob"], 1]


DEFAULTS: list[object] = [[], "calm", [], 0]


@pytest.mark.promise(2)
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_what_is_not_stored_gets_its_default(storage: Storage, bulk: bool) -> None:
    """Unstored attributes get their default on what is read. Added objects keep theirs."""
    ann = new_customer()
    filled = fill(ann)
    with storage.unit() as uow:
        if bulk:
            customers_of(uow).add_many([ann])
        else:
            customers_of(uow).add(ann)
        uow.commit()
    assert filled == unstored(ann)
    with storage.unit() as uow:
        assert DEFAULTS == unstored(customers_of(uow).get(ann.id))


@pytest.mark.promise(3)
def test_each_object_gets_a_default_of_its_own(storage: Storage) -> None:
    """Each object gets a separate default if a factory makes it."""
    ann, bob = stored_customer(storage), stored_customer(storage, "bob")
    with storage.unit() as uow:
        fill(customers_of(uow).get(ann.id))
        assert DEFAULTS == unstored(customers_of(uow).get(bob.id))
    with storage.unit() as uow:
        assert DEFAULTS == unstored(customers_of(uow).get(ann.id))


@pytest.mark.promise(8)
def test_an_unstored_change_is_no_change(storage: Storage) -> None:
    """A change of an unstored attribute is no change: leaving the unit does not warn, and the version stays."""
    ann = stored_customer(storage)
    with storage.unit() as uow:
        mine = customers_of(uow).get(ann.id)
        filled = fill(mine)
    assert filled == unstored(mine)
    with storage.unit() as uow:
        fill(customers_of(uow).get(ann.id))
        uow.commit()
    with storage.unit() as uow:
        assert 1 == customers_of(uow).get(ann.id).version


@pytest.mark.promise(3)
def test_what_is_not_stored_is_kept_by_queries(storage: Storage) -> None:
    """Queries keep unstored attributes while the unit lives, after its flushes and its commit, and after its end."""
    ann = stored_customer(storage)
    with storage.unit() as uow:
        mine = customers_of(uow).get(ann.id)
        filled = fill(mine)
        mine.rename("anna")
        uow.flush()
        assert [mine] == list(customers_of(uow).page().items)
        uow.commit()
    assert [["met", "renamed to anna"], *filled[1:]] == unstored(mine)


@pytest.mark.promise(2)
def test_events_are_recorded_on_what_was_read(storage: Storage) -> None:
    """Events are recorded on read objects, though ``__init__`` has not run."""
    ann = stored_customer(storage)
    with storage.unit() as uow:
        mine = customers_of(uow).get(ann.id)
        mine.rename("anna")
        uow.commit()
    assert ["renamed to anna"] == mine.events
    assert [] == ann.events


@pytest.mark.promise(10)
@pytest.mark.parametrize("flushed", [False, True], ids=["waiting", "flushed"])
def test_an_undone_savepoint_sets_the_defaults(storage: Storage, flushed: bool) -> None:
    """An undone savepoint sets the defaults again on aggregates changed in it: their events have not happened."""
    ann, bob = stored_customer(storage), stored_customer(storage, "bob")
    with storage.unit() as uow:
        mine, other = customers_of(uow).get(ann.id), customers_of(uow).get(bob.id)
        filled = fill(other)
        with pytest.raises(KeyError), uow.savepoint():
            fill(mine)
            mine.rename("anna")
            if flushed:
                uow.flush()
            raise KeyError
        assert DEFAULTS == unstored(mine)
        assert filled == unstored(other)


@pytest.mark.promise(10)
def test_an_undone_removal_sets_the_defaults(storage: Storage) -> None:
    """An undone removal sets the defaults again, for the root and its parts."""
    ann = stored_customer(storage)
    with storage.unit() as uow:
        mine = customers_of(uow).get(ann.id)
        fill(mine)
        with pytest.raises(KeyError), uow.savepoint():
            customers_of(uow).remove(mine)
            raise KeyError
        assert DEFAULTS == unstored(mine)


@pytest.mark.promise(10)
def test_a_kept_savepoint_keeps_unstored_attributes(storage: Storage) -> None:
    """A released savepoint keeps unstored attributes: the events in it have happened."""
    ann = stored_customer(storage)
    with storage.unit() as uow:
        mine = customers_of(uow).get(ann.id)
        with uow.savepoint():
            filled = fill(mine)
            mine.rename("anna")
        uow.commit()
    assert [["met", "renamed to anna"], *filled[1:]] == unstored(mine)


@pytest.mark.promise(10)
def test_an_undone_addition_keeps_its_values(storage: Storage) -> None:
    """An object that an undone savepoint added is new again and keeps its values."""
    ann = new_customer()
    with storage.unit() as uow:
        with pytest.raises(KeyError), uow.savepoint():
            customers_of(uow).add(ann)
            filled = fill(ann)
            uow.flush()
            raise KeyError
        assert filled == unstored(ann)
        customers_of(uow).add(ann)
        uow.commit()
    assert filled == unstored(ann)


@pytest.mark.promise(3)
def test_a_partly_refreshed_object_keeps_the_rest(engine: Engine) -> None:
    """A refresh of some attributes, by a repository, does not touch the unstored ones."""
    ann = stored_customer(sql_storage(engine))
    with SqlShop(engine) as uow:
        mine = uow.customers.get(ann.id)
        filled = fill(mine)
        uow.session.refresh(mine, ["name"])
        assert filled == unstored(mine)
