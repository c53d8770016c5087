"""Promises 2 to 16 for subclasses of an aggregate, in joined tables and in a single one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import define

from domain.aggregate import new_id
from domain.errors import ConcurrentChange, DuplicateIdentity, UnitOfWorkMisuse
from domain.query import Where
from proof.laws.contract.catalog import euros
from proof.laws.contract.staff import (
    MAKERS,
    Badge,
    Car,
    Director,
    Employee,
    Engineer,
    Goal,
    GoalTaken,
    Manager,
    NameTaken,
    Truck,
    items_of,
    read,
    stored,
    with_id,
)
from proof.laws.contract.test_copies import COPYING
from tests.contract.graphs import exact, values
from tests.storages import Storage

each_kind = pytest.mark.parametrize("kind", ["manager", "director", "truck"])
each_flush = pytest.mark.parametrize("flushed", [False, True], ids=["waiting", "flushed"])


def edits_of(one: Any) -> list[Callable[[Any], None]]:
    """Return changes of an object, each with other values."""
    found: dict[type, list[Callable[[Any], None]]] = {
        Employee: [lambda one: one.badges.append(Badge(door="d"))],
        Manager: [
            lambda one: setattr(one, "budget", euros(6)),
            lambda one: setattr(one, "budget", None),
            lambda one: one.goals.pop(),
            lambda one: one.goals.append(Goal(text="new")),
            lambda one: setattr(one.goals[0], "text", "changed"),
        ],
        Director: [lambda one: setattr(one, "car", None), lambda one: setattr(one, "car", "blue")],
        Engineer: [lambda one: setattr(one, "language", "Ada")],
        Car: [lambda one: setattr(one, "seats", 5)],
        Truck: [lambda one: setattr(one, "load", 5), lambda one: setattr(one, "seats", 3)],
    }
    own = [edit for kind, edits in found.items() if isinstance(one, kind) for edit in edits]
    return [lambda one: setattr(one, "name", "anna"), *own]


def look(one: Any) -> Any:
    """Return the class of an object and all that it holds."""
    return type(one), exact(one)


@pytest.mark.promise(2, 3)
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_objects_of_subclasses_are_stored(storage: Storage, bulk: bool) -> None:
    """Objects of subclasses are stored in one collection, and are read whole in their class."""
    made = [make(name) for name, make in MAKERS.items()]
    for some in (made[:4], made[4:]):
        with storage.unit() as uow:
            if bulk:
                assert len(some) == items_of(uow, some[0]).add_many(some)
            else:
                for one in some:
                    items_of(uow, one).add(one)
            uow.commit()
        with storage.unit() as uow:
            found = items_of(uow, some[0]).list_where()
        assert [(type(one), {**exact(one), "version": ("int", 1)}) for one in some] == list(map(look, found))


@pytest.mark.promise(2, 8)
@each_flush
@each_kind
def test_a_change_of_a_subclass_is_stored(storage: Storage, kind: str, flushed: bool) -> None:
    """A change of a subclass is stored, in each attribute and each part. The version rises once."""
    ann = stored(storage, kind)
    for number, edit in enumerate(edits_of(ann)):
        before = read(storage, ann)
        with storage.unit() as uow:
            mine = items_of(uow, ann).get(ann.id)
            edit(mine)
            if flushed:
                uow.flush()
            uow.commit()
        assert number + 2 == mine.version
        assert {**values(before), "version": 0} != {**values(mine), "version": 0}
        assert look(mine) == look(read(storage, ann))


@pytest.mark.promise(10)
@each_flush
@each_kind
def test_a_change_of_a_subclass_is_undone(storage: Storage, kind: str, flushed: bool) -> None:
    """A savepoint undoes a change of a subclass. The object can be changed further."""
    ann = stored(storage, kind)
    with storage.unit() as uow:
        mine = items_of(uow, ann).get(ann.id)
        for edit in edits_of(ann):
            with pytest.raises(KeyError), uow.savepoint():
                edit(mine)
                if flushed:
                    uow.flush()
                raise KeyError
            assert look(ann) == look(mine)
        mine.name = "anna"
        uow.commit()
    assert look(mine) == look(read(storage, ann))


@pytest.mark.promise(2, 4)
@each_kind
def test_a_subclass_is_removed_and_added_again(storage: Storage, kind: str) -> None:
    """A subclass is removed and added again, in one unit and in another."""
    ann = stored(storage, kind)
    with storage.unit() as uow:
        mine = items_of(uow, ann).get(ann.id)
        items_of(uow, ann).remove(mine)
        assert not items_of(uow, ann).exists(ann.id)
        items_of(uow, ann).add(mine)
        uow.commit()
    with storage.unit() as uow:
        items_of(uow, ann).remove(items_of(uow, ann).get(ann.id))
        uow.commit()
    with storage.unit() as uow:
        items_of(uow, ann).add(mine)
        uow.commit()
    assert look(mine) == look(read(storage, ann))


@pytest.mark.promise(10)
@each_kind
def test_a_removal_of_a_subclass_is_undone(storage: Storage, kind: str) -> None:
    """A savepoint undoes a removal of a subclass. The object can be changed further."""
    ann = stored(storage, kind)
    with storage.unit() as uow:
        mine = items_of(uow, ann).get(ann.id)
        with pytest.raises(KeyError), uow.savepoint():
            items_of(uow, ann).remove(mine)
            raise KeyError
        assert look(ann) == look(mine)
        mine.name = "anna"
        uow.commit()
    assert look(mine) == look(read(storage, ann))


PAIRS = [("employee", "manager"), ("engineer", "manager"), ("manager", "director"), ("car", "truck")]

each_pair = pytest.mark.parametrize(("kind", "other"), PAIRS)


@pytest.mark.promise(5, 7)
@each_pair
@pytest.mark.parametrize("how", ["held", "added", "stored", "in bulk", "in one bulk"])
def test_one_id_is_one_object_of_any_class(storage: Storage, kind: str, other: str, how: str) -> None:
    """One id is one object, whatever its subclass."""
    ann = stored(storage, kind) if how in ("held", "stored", "in bulk") else MAKERS[kind]("ann")
    bob = with_id(other, "bob", ann.id)
    with storage.unit() as uow:
        items = items_of(uow, ann)
        if how == "held":
            items.get(ann.id)
        if how == "added":
            items.add(ann)
        with pytest.raises(DuplicateIdentity) as caught:
            if how == "in bulk":
                items.add_many([bob])
            elif how == "in one bulk":
                items.add_many([ann, bob])
            else:
                items.add(bob)
                uow.flush()
        uow.rollback()
    assert caught.value.id == (None if "bulk" in how else ann.id)


@pytest.mark.promise(7)
@each_pair
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
def test_a_unique_value_is_one_for_all_subclasses(storage: Storage, kind: str, other: str, bulk: bool) -> None:
    """A unique value of the base class is unique for all subclasses."""
    stored(storage, kind)
    bob = MAKERS[other]("ann")
    with storage.unit() as uow, pytest.raises(NameTaken) as caught:
        if bulk:
            items_of(uow, bob).add_many([bob])
        else:
            items_of(uow, bob).add(bob)
            uow.flush()
    assert caught.value.value == (None if bulk else "ann")


@pytest.mark.promise(7)
@pytest.mark.parametrize("kind", ["manager", "director"])
def test_a_unique_value_of_parts_of_a_subclass(storage: Storage, kind: str) -> None:
    """A taken value of a subclass's part raises the declared error with the value. Once given up, it can be taken."""
    ann, bob = stored(storage, "manager"), stored(storage, kind, "bob")
    with storage.unit() as uow:
        mine = items_of(uow, bob).get(bob.id)
        with pytest.raises(GoalTaken) as caught, uow.savepoint():
            mine.goals[0].text = "ann 1"
            uow.flush()
        assert "ann 1" == caught.value.value
        items_of(uow, ann).get(ann.id).goals.clear()
        uow.flush()
        mine.goals[0].text = "ann 1"
        uow.commit()
    assert look(mine) == look(read(storage, bob))


@pytest.mark.promise(8)
@each_kind
def test_one_of_two_changes_of_a_subclass_succeeds(storage: Storage, kind: str) -> None:
    """One of two changes of a subclass succeeds, whichever attributes they change, and also against a removal."""
    ann = stored(storage, kind)
    for late in (*edits_of(ann), None):
        with storage.unit() as uow:
            items = items_of(uow, ann)
            mine = items.get(ann.id)
            with storage.unit() as other:
                items_of(other, ann).get(ann.id).name += "a"
                other.commit()
            with pytest.raises(ConcurrentChange):
                if late is None:
                    items.remove(mine)
                else:
                    late(mine)
                    uow.flush()
            uow.rollback()


@pytest.mark.promise(8)
@each_kind
def test_a_locked_subclass_is_the_newest(storage: Storage, kind: str) -> None:
    """A locked read brings the newest values into the object of a subclass that the unit already holds."""
    ann = stored(storage, kind)
    with storage.unit() as uow:
        mine = items_of(uow, ann).get(ann.id)
        with storage.unit() as other:
            edits_of(ann)[-1](items_of(other, ann).get(ann.id))
            other.commit()
        assert mine is items_of(uow, ann).get(ann.id, lock=True)
    assert look(mine) == look(read(storage, ann))


@pytest.mark.promise(9)
@pytest.mark.parametrize(("giving", "taking"), sorted({*PAIRS, *((other, kind) for kind, other in PAIRS)}))
def test_subclasses_are_written_in_one_order(storage: Storage, giving: str, taking: str) -> None:
    """Subclasses are written by id, whatever their classes. So a name can be taken if a smaller id gave it up."""
    low, high = sorted((new_id(), new_id()))
    for first, second, is_taken in ((low, high, False), (high, low, True)):
        ann, bob = with_id(giving, f"ann {first.hex[-8:]}", first), with_id(taking, f"bob {second.hex[-8:]}", second)
        with storage.unit() as uow:
            items_of(uow, ann).add_many([ann, bob])
            mine, other = (items_of(uow, ann).get(one.id) for one in (ann, bob))
            mine.name, other.name = "free", mine.name
            if is_taken:
                with pytest.raises(NameTaken):
                    uow.flush()
            else:
                uow.flush()
            uow.rollback()


@pytest.mark.every_case
@pytest.mark.promise(3, 11)
@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
@pytest.mark.parametrize("way", COPYING)
@each_kind
def test_a_copy_is_of_the_same_subclass(storage: Storage, kind: str, way: str, bulk: bool) -> None:
    """A copy is of the same subclass when it is stored in place of the original."""
    ann = stored(storage, kind)
    with storage.unit() as uow:
        mine = items_of(uow, ann).get(ann.id)
        copied = COPYING[way](mine)
        items_of(uow, ann).remove(mine)
        uow.commit()
    copied.version = 0
    with storage.unit() as uow:
        if bulk:
            items_of(uow, ann).add_many([copied])
        else:
            items_of(uow, ann).add(copied)
        uow.commit()
    assert look(ann) == look(read(storage, ann))


@pytest.mark.promise(2, 4)
def test_a_part_moves_between_subclasses(storage: Storage) -> None:
    """A part moves between subclasses: from an employee to a manager, and from a manager to a director."""
    ann, bob, cid = stored(storage, "employee"), stored(storage, "manager", "bob"), stored(storage, "director", "cid")
    with storage.unit() as uow:
        mine, other, last = (items_of(uow, ann).get(one.id) for one in (ann, bob, cid))
        other.badges.append(mine.badges.pop())
        last.goals.append(other.goals.pop())
        uow.commit()
    last.goals.sort(key=lambda goal: goal.text)
    assert [look(one) for one in (mine, other, last)] == [look(read(storage, one)) for one in (ann, bob, cid)]
    assert ["c", "a"] == [badge.door for badge in other.badges]


@pytest.mark.promise(11)
def test_a_part_of_another_class_is_refused(storage: Storage) -> None:
    """A part of another class is refused, in a list of the base class too."""
    ann = stored(storage, "manager")
    with storage.unit() as uow:
        mine = items_of(uow, ann).get(ann.id)
        with pytest.raises(UnitOfWorkMisuse, match="a Goal stands where a part belongs"):
            mine.badges.append(mine.goals[0])


@define(slots=False, eq=False, kw_only=True)
class Intern(Employee):
    """A subclass that no port names."""


@pytest.mark.promise(11)
@pytest.mark.parametrize(
    "made", [lambda: object.__new__(Intern), lambda: Car(name="ann", seats=4)], ids=["subclass", "other"]
)
@pytest.mark.parametrize("call", ["add", "add_many", "remove"])
def test_an_unnamed_subclass_is_refused(storage: Storage, call: str, made: Callable[[], Any]) -> None:
    """A class that the port does not name is refused like any other object."""
    with storage.unit() as uow, pytest.raises(TypeError, match="this repository holds Employee objects, not"):
        items: Any = uow.staff
        getattr(items, call)([made()] if call == "add_many" else made())


@pytest.mark.promise(16)
def test_queries_find_all_subclasses(storage: Storage) -> None:
    """Queries find all subclasses by the attributes of the base class alone."""
    made = [stored(storage, kind, f"ann {number}") for number, kind in enumerate(("manager", "employee", "engineer"))]
    with storage.unit() as uow:
        items = items_of(uow, made[0])
        assert 3 == items.count(Where("name", ">=", "ann 0"))
        assert made[:2] == list(items.page(limit=2, order_by="name").items)
        assert made == list(items.stream())
        with pytest.raises(TypeError, match="Employee has no stored attribute 'language'"):
            items.count(Where("language", "==", "C"))


@pytest.mark.promise(2)
def test_an_unstored_attribute_of_a_subclass(storage: Storage) -> None:
    """An unstored attribute of a subclass gets its default when it is read."""
    ann = MAKERS["engineer"]("ann")
    ann.mood = "happy"
    with storage.unit() as uow:
        items_of(uow, ann).add(ann)
        uow.commit()
    assert "calm" == read(storage, ann).mood
