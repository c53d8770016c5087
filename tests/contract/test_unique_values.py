"""Promise 7: a taken unique value: when a unit gets the error, for which value, and what it can do then."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from domain.errors import DuplicateIdentity, UnitOfWorkMisuse
from tests.contract.graphs import twin
from tests.contract.members import written
from tests.contract.sample import Kit, UniqueValue
from tests.contract.samples import each_unique, each_unique_that_changes


@pytest.mark.promise(7)
@each_unique
@pytest.mark.parametrize("by_query", [True, False])
def test_an_addition_with_a_taken_value_is_refused(kit: Kit[Any], unique: UniqueValue[Any], by_query: bool) -> None:
    """An addition with a taken value is refused with the value, by the commit or by an earlier query."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        kit.of(uow).add(kit.like(ann, unique, "bob"))
        with pytest.raises(unique.taken, match=f"the {unique.taken.kind} .+ is taken") as caught:
            written(uow) if by_query else uow.commit()
    assert unique.value(ann) == caught.value.value
    assert ["ann"] == kit.words()


@pytest.mark.promise(7)
@each_unique_that_changes
@pytest.mark.parametrize("by_query", [True, False])
def test_a_change_to_a_taken_value_is_refused(kit: Kit[Any], unique: UniqueValue[Any], by_query: bool) -> None:
    """A change to a taken value is refused, by the commit or by an earlier query."""
    ann, bob = kit.stored("ann"), kit.stored("bob")
    before = kit.all_values()
    with pytest.raises(unique.taken) as caught, kit.unit() as uow:
        kit.set(unique, kit.of(uow).get(bob.id), unique.value(ann))
        if by_query:
            kit.of(uow).page()
        else:
            uow.commit()
    assert unique.value(ann) == caught.value.value
    assert before == kit.all_values()


@pytest.mark.promise(7)
@each_unique
@pytest.mark.parametrize("case", ["stored", "stored, and of one alone", "of the same call"])
def test_a_bulk_with_a_taken_value_is_refused(kit: Kit[Any], unique: UniqueValue[Any], case: str) -> None:
    """A bulk with a value of a stored aggregate or of another one in it stores nothing. The error hides the value."""
    ann, bob = kit.stored("ann"), kit.sample.make("bob")
    cid = kit.like(bob if case == "of the same call" else ann, unique, "cid")
    with pytest.raises(unique.taken, match="among those given") as caught, kit.unit() as uow:
        kit.of(uow).add_many([cid] if case == "stored, and of one alone" else [bob, cid])
    assert caught.value.value is None
    assert ["ann"] == kit.words()


@pytest.mark.promise(7)
@pytest.mark.parametrize("way", ["by the commit", "before it", "in bulk"])
def test_a_row_is_refused_for_its_first_reason(kit: Kit[Any], way: str) -> None:
    """If an aggregate breaks several constraints, the id counts first, then the others in the order of the port."""
    ann = kit.stored("ann")
    refused, expected = [], []
    for same_id, *broken in product([True, False], repeat=1 + len(kit.sample.unique)):
        one = kit.with_id(ann.id, "bob") if same_id else kit.sample.make("bob")
        taken = [unique for unique, is_broken in zip(kit.sample.unique, broken, strict=True) if is_broken]
        for unique in taken:
            unique.put(one, unique.value(ann))
        errors = [DuplicateIdentity] * same_id + [unique.taken for unique in taken]
        if errors:
            with pytest.raises((DuplicateIdentity, *(each.taken for each in kit.sample.unique))) as caught:
                add(kit, one, way)
            refused.append(caught.type)
            expected.append(errors[0])
    assert expected == refused


def add(kit: Kit[Any], one: Any, way: str) -> None:
    """Add an aggregate, written by the commit or by an earlier query, or in bulk, behind another one."""
    with kit.unit() as uow:
        if way == "in bulk":
            kit.of(uow).add_many([kit.sample.make("cid"), one])
        else:
            kit.of(uow).add(one)
            written(uow) if way == "before it" else uow.commit()


@pytest.mark.promise(7)
@pytest.mark.parametrize("holding", [False, True])
def test_the_id_of_a_stored_aggregate_is_refused(kit: Kit[Any], holding: bool) -> None:
    """Adding an aggregate that is already stored is refused, also when the unit holds the stored one."""
    ann = kit.stored("ann")
    before = kit.all_values()
    new = kit.with_id(ann.id, "bob")
    with pytest.raises(DuplicateIdentity, match=str(ann.id)), kit.unit() as uow:
        held = [kit.of(uow).get(ann.id)] if holding else []
        kit.of(uow).add(new)
        uow.commit()
    assert (holding, before) == (bool(held), kit.all_values())


@pytest.mark.promise(5, 7)
def test_a_held_identity_is_refused_without_its_row(kit: Kit[Any]) -> None:
    """An identity that a unit holds is refused even if another unit has removed its row: it is still one object."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        mine = kit.of(uow).get(ann.id)
        with kit.unit() as other:
            kit.of(other).remove(kit.of(other).get(ann.id))
            other.commit()
        with pytest.raises(DuplicateIdentity, match=str(ann.id)):
            kit.of(uow).add(twin(mine))
    assert [] == kit.words()


@pytest.mark.promise(7)
@each_unique_that_changes
def test_the_refused_one_of_several_is_named(kit: Kit[Any], unique: UniqueValue[Any]) -> None:
    """Of several changes, the refused one is named by its value. The objects keep their values."""
    ann, bob, cid = (kit.stored(word) for word in ("ann", "bob", "cid"))
    free, taken = unique.value(kit.sample.make("dan")), unique.value(cid)
    before = kit.all_values()
    with kit.unit() as uow:
        mine = [kit.of(uow).get(one.id) for one in (ann, bob)]
        kit.set(unique, mine[0], free)
        kit.set(unique, mine[1], taken)
        with pytest.raises(unique.taken) as caught:
            kit.of(uow).get(cid.id)
        inside = [unique.value(one) for one in mine]
    assert (taken, [free, taken]) == (caught.value.value, inside)
    assert before == kit.all_values()


@pytest.mark.promise(7)
@each_unique
@pytest.mark.parametrize("use", ["page", "add", "commit", "savepoint", "rollback"])
@pytest.mark.parametrize("by_query", [True, False])
def test_a_unit_is_unusable_after_a_conflict(kit: Kit[Any], unique: UniqueValue[Any], use: str, by_query: bool) -> None:
    """After a conflict in a query or the commit a unit can only be rolled back or left. Every use says so."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        kit.of(uow).add(kit.like(ann, unique, "bob"))
        with pytest.raises(unique.taken):
            written(uow) if by_query else uow.commit()
        if use == "rollback":
            uow.rollback()
            return
        with pytest.raises(UnitOfWorkMisuse, match=f"the {unique.taken.kind} .+ is taken"):
            if use == "page":
                kit.of(uow).page()
            elif use == "add":
                kit.of(uow).add(kit.sample.make("bob"))
            elif use == "commit":
                uow.commit()
            else:
                uow.savepoint().__enter__()
    assert ["ann"] == kit.words()


@pytest.mark.promise(7)
def test_a_bulk_does_not_name_a_stored_id(kit: Kit[Any]) -> None:
    """A bulk with a stored id does not say which id, as it does not name a taken value."""
    ann = kit.stored("ann")
    again = kit.with_id(ann.id, "bob")
    with pytest.raises(DuplicateIdentity) as caught, kit.unit() as uow:
        kit.of(uow).add_many([kit.sample.make("cid"), again])
    assert caught.value.id is None
    assert ["ann"] == kit.words()
