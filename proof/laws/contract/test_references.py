"""Promise 7: a reference to a missing aggregate, and the removal of one that others refer to."""

from __future__ import annotations

from typing import Any

import pytest

from domain.aggregate import new_id
from domain.errors import DuplicateIdentity, ReferenceMissing, StillReferenced
from proof.laws.contract import invoices
from proof.laws.contract.families import Family, store, stored_ids
from proof.laws.contract.invoices import Article, Employee, Extra, Invoice, Line
from tests.contract.shop import of
from tests.storages import Storage

pytestmark = pytest.mark.promise(7, 9)


@pytest.mark.parametrize("flushed", [True, False])
def test_an_addition_needs_what_it_refers_to(family: Family, flushed: bool) -> None:
    """An addition needs the aggregate that it refers to. Otherwise the next call or the commit names the missing id."""
    lost = new_id()
    with pytest.raises(family.missing, match=str(lost)) as caught, family.storage.unit() as uow:
        family.of_children(uow).add(family.child(lost))
        uow.flush() if flushed else uow.commit()
    assert lost == caught.value.value
    assert [] == stored_ids(family.storage, family.children)


@pytest.mark.every_case
@pytest.mark.parametrize("flushed", [True, False])
def test_a_change_needs_what_it_refers_to(family: Family, flushed: bool) -> None:
    """A change needs the aggregate that it refers to. It is refused with the missing id, and changes nothing stored."""
    lost, parent = new_id(), family.stored_parent()
    child = family.stored_child(parent.id)
    with pytest.raises(family.missing) as caught, family.storage.unit() as uow:
        family.refer(family.of_children(uow).get(child.id), lost)
        uow.flush() if flushed else uow.commit()
    assert lost == caught.value.value
    with pytest.raises(family.in_use), family.storage.unit() as uow:
        family.of_parents(uow).remove(family.of_parents(uow).get(parent.id))


def test_a_bulk_needs_what_it_refers_to(family: Family) -> None:
    """A bulk needs the aggregates that it refers to. The error does not say which id is missing."""
    parent = family.stored_parent()
    before = stored_ids(family.storage, family.children)
    good, bad = family.child(parent.id), family.child(new_id())
    with pytest.raises(family.missing, match="one by one") as caught, family.storage.unit() as uow:
        family.of_children(uow).add_many([good, bad])
    assert None is caught.value.value
    assert before == stored_ids(family.storage, family.children)


@pytest.mark.every_case
@pytest.mark.parametrize("turned", [False, True])
def test_a_bulk_has_parents_first(storage: Storage, turned: bool) -> None:
    """A bulk has parents first: an aggregate may refer to an earlier one of the list, not to a later one."""
    boss = Employee(badge="boss")
    team = [boss, Employee(badge="ann", manager_id=boss.id), Employee(badge="bob", mentor_id=boss.id)]
    with storage.unit() as uow:
        if turned:
            with pytest.raises(invoices.MentorMissing) as caught:
                of(uow, "employees").add_many([team[2], *team[:2]])
            assert None is caught.value.value
            return
        of(uow, "employees").add_many(team)
        uow.commit()
    assert 3 == len(stored_ids(storage, "employees"))


def test_a_missing_reference_in_a_savepoint(family: Family) -> None:
    """A missing reference is undone with its savepoint, and the unit goes on."""
    parent, lost = family.stored_parent(), new_id()
    child = family.child(lost)
    with family.storage.unit() as uow:
        with pytest.raises(family.missing), uow.savepoint():
            family.of_children(uow).add(child)
        family.refer(child, parent.id)
        family.of_children(uow).add(child)
        uow.flush()
        with pytest.raises(family.missing), uow.savepoint():
            family.refer(child, lost)
        with pytest.raises(family.in_use), uow.savepoint():
            family.of_parents(uow).remove(family.of_parents(uow).get(parent.id))
        uow.commit()
    assert child.id in stored_ids(family.storage, family.children)
    assert parent.id in stored_ids(family.storage, family.parents)


@pytest.mark.every_case
def test_what_is_referred_to_cannot_be_removed(family: Family) -> None:
    """An aggregate that others refer to cannot be removed. The removal itself is refused with its id."""
    parent = family.stored_parent()
    family.stored_child(parent.id)
    with family.storage.unit() as uow:
        mine = family.of_parents(uow).get(parent.id)
        with pytest.raises(family.in_use, match=str(parent.id)) as caught:
            family.of_parents(uow).remove(mine)
    assert parent.id == caught.value.value


def test_the_last_reference_frees_what_it_held(family: Family) -> None:
    """A parent can go once its child was removed or refers to another parent, in the same unit too."""
    parents = [family.stored_parent() for _ in range(3)]
    children = [family.stored_child(parents[0].id)]
    with family.storage.unit() as uow:
        mine = family.of_children(uow).get(children[0].id)
        family.refer(mine, parents[1].id)
        family.of_parents(uow).remove(family.of_parents(uow).get(parents[0].id))
        family.of_children(uow).remove(mine)
        family.of_parents(uow).remove(family.of_parents(uow).get(parents[1].id))
        uow.commit()
    assert [parents[2].id] == stored_ids(family.storage, family.parents)


def test_a_parent_is_added_before_its_child(family: Family) -> None:
    """A parent is added before its child without a query in between, whatever the names of their classes."""
    parent = family.parent()
    child = family.child(parent.id)
    with family.storage.unit() as uow:
        family.of_parents(uow).add(parent)
        family.of_children(uow).add(child)
        uow.commit()
    assert child.id in stored_ids(family.storage, family.children)


def test_a_child_before_its_parent_is_refused(family: Family) -> None:
    """A child before its parent is refused: the order of the calls is the order of the writes."""
    parent = family.parent()
    with pytest.raises(family.missing), family.storage.unit() as uow:
        family.of_children(uow).add(family.child(parent.id))
        family.of_parents(uow).add(parent)
        uow.commit()


@pytest.mark.every_case
def test_a_stored_child_takes_a_new_parent(family: Family) -> None:
    """A stored child takes a new parent: the pending addition is written before all changes, in one flush."""
    before, parent = family.stored_parent(), family.parent()
    child = family.stored_child(before.id)
    with family.storage.unit() as uow:
        mine = family.of_children(uow).get(child.id)
        family.of_parents(uow).add(parent)
        family.refer(mine, parent.id)
        uow.commit()
    with family.storage.unit() as uow:
        family.of_parents(uow).remove(family.of_parents(uow).get(before.id))
        with pytest.raises(family.in_use):
            family.of_parents(uow).remove(family.of_parents(uow).get(parent.id))
    assert (2, 1) == (mine.version, parent.version)


def test_a_new_parent_is_undone_with_the_change(family: Family) -> None:
    """A savepoint undoes a new parent and its child's change. The child can take that parent once more."""
    before, parent = family.stored_parent(), family.parent()
    child = family.stored_child(before.id)
    with family.storage.unit() as uow:
        mine = family.of_children(uow).get(child.id)
        for id, error in ((parent.id, ZeroDivisionError), (new_id(), family.missing)):
            with pytest.raises(error), uow.savepoint():
                family.of_parents(uow).add(parent)
                family.refer(mine, id)
                uow.flush()
                raise ZeroDivisionError
            assert (1, 0) == (mine.version, parent.version)
        family.of_parents(uow).add(parent)
        family.refer(mine, parent.id)
        uow.commit()
    with pytest.raises(family.in_use), family.storage.unit() as uow:
        family.of_parents(uow).remove(family.of_parents(uow).get(parent.id))


def test_a_refused_addition_leaves_the_changes(family: Family) -> None:
    """A refused addition in a savepoint leaves the changed parent in the unit, read again."""
    before, parent = family.stored_parent(), family.stored_parent()
    child = family.stored_child(before.id)
    again = family.child(before.id)
    object.__setattr__(again, "id", child.id)
    with family.storage.unit() as uow:
        mine = family.of_parents(uow).get(parent.id)
        version = mine.version
        with pytest.raises(DuplicateIdentity), uow.savepoint():
            family.of_children(uow).add(again)
            mine.name = "renamed"
        mine.name = "renamed"
        uow.commit()
    assert version + 1 == mine.version


def test_none_refers_to_nothing(storage: Storage) -> None:
    """None refers to nothing, on add, on change and in bulk, also when a reference is given up."""
    article, boss = store(storage, "articles", Article()), store(storage, "employees", Employee(badge="boss"))
    invoice = store(storage, "invoices", Invoice(lines=[Line(1, article.id), Line(2, None)]))
    worker = store(storage, "employees", Employee(badge="worker", manager_id=boss.id))
    with storage.unit() as uow:
        of(uow, "invoices").get(invoice.id).lines[0].article_id = None
        of(uow, "employees").get(worker.id).manager_id = None
        of(uow, "articles").remove(of(uow, "articles").get(article.id))
        of(uow, "employees").remove(of(uow, "employees").get(boss.id))
        of(uow, "employees").add_many([Employee(badge="temp"), Employee(badge="intern")])
        uow.commit()
    assert 3 == len(stored_ids(storage, "employees"))


def test_who_refers_to_itself(storage: Storage) -> None:
    """An aggregate that refers to itself can be added, changed and removed.

    MariaDB removes no row that refers to itself: it must first refer to nothing.
    """
    own = Employee(badge="own")
    own.manager_id = own.id
    with storage.unit() as uow:
        of(uow, "employees").add(own)
        uow.flush()
        own.mentor_id = own.id
        uow.flush()
        if storage.kind == "mysql":
            with pytest.raises(invoices.EmployeeManages), uow.savepoint():
                of(uow, "employees").remove(own)
            own.manager_id = own.mentor_id = None
        of(uow, "employees").remove(own)
        own.manager_id = own.id
        of(uow, "employees").add_many([own])
        uow.commit()
    assert [own.id] == stored_ids(storage, "employees")


@pytest.mark.parametrize("in_bulk", [False, True])
def test_the_key_comes_first_then_values(storage: Storage, in_bulk: bool) -> None:
    """If a row breaks several constraints, the key counts first, then unique values, then references."""
    stored = store(storage, "employees", Employee(badge="ann"))
    lost = new_id()
    cases: list[tuple[type, dict[str, Any]]] = [
        (DuplicateIdentity, {"id": stored.id, "badge": "ann", "manager_id": lost, "mentor_id": lost}),
        (invoices.BadgeTaken, {"badge": "ann", "manager_id": lost}),
        (invoices.ManagerMissing, {"badge": "bob", "manager_id": lost, "mentor_id": lost}),
        (invoices.MentorMissing, {"badge": "bob", "manager_id": stored.id, "mentor_id": lost}),
    ]
    for error, values in cases:
        with pytest.raises((DuplicateIdentity, invoices.BadgeTaken, ReferenceMissing)) as caught, storage.unit() as uow:
            if in_bulk:
                of(uow, "employees").add_many([Employee(**values)])
            else:
                of(uow, "employees").add(Employee(**values))
                uow.commit()
        assert error is caught.type


def test_the_first_reference_in_use_counts(storage: Storage) -> None:
    """If several references to a removed aggregate are in use, the first in the order of the ports counts."""
    both = store(storage, "employees", Employee(badge="both"))
    store(storage, "employees", Employee(badge="ann", manager_id=both.id, mentor_id=both.id))
    article = store(storage, "articles", Article())
    store(storage, "invoices", Invoice(lines=[Line(1, article.id, {Extra(article.id)})]))
    for repository, one, error in (
        ("employees", both, invoices.EmployeeManages),
        ("articles", article, invoices.ArticleHasLines),
    ):
        with pytest.raises(StillReferenced) as caught, storage.unit() as uow:
            of(uow, repository).remove(of(uow, repository).get(one.id))
        assert error is caught.type
