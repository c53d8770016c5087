"""Promises 11 and 13: the life cycle of a unit, and what a read-only one refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from domain.aggregate import Aggregate
from domain.errors import DuplicateIdentity, UnitOfWorkMisuse, shown
from tests.contract.members import written
from tests.contract.sample import Kit, Sample, store_needs
from tests.contract.samples import SAMPLES
from tests.contract.shop import Shop
from tests.storages import Storage

Use = Callable[[Shop], object]


def uses_of(sample: Sample[Any]) -> dict[str, Use]:
    """Return all calls of a sample's repository, including its special queries."""
    calls: dict[str, Callable[[Any], object]] = {
        "add": lambda repository: repository.add(sample.make("bob")),
        "add_many": lambda repository: repository.add_many([sample.make("bob")]),
        "remove": lambda repository: repository.remove(sample.make("bob")),
        "get": lambda repository: repository.get(sample.make("bob").id),
        "find": lambda repository: repository.find(sample.make("bob").id),
        "get_many": lambda repository: repository.get_many([sample.make("bob").id]),
        "exists": lambda repository: repository.exists(sample.make("bob").id),
        "count": lambda repository: repository.count(),
        "list_where": lambda repository: repository.list_where(),
        "page": lambda repository: repository.page(),
        "stream": lambda repository: list(repository.stream()),
    }
    finds = {
        unique.attribute: (unique.find, unique.value(sample.make("ann"))) for unique in sample.unique if unique.find
    }
    finds |= {f"query{number}": (query, "ann") for number, query in enumerate(sample.queries)}

    def call(name: str, uow: Shop) -> object:
        return calls[name](getattr(uow, sample.repository))

    def find(name: str, uow: Shop) -> object:
        query, value = finds[name]
        return query(getattr(uow, sample.repository), value)

    return {f"{sample.repository}.{name}": partial(call if name in calls else find, name) for name in (*calls, *finds)}


USES: dict[str, Use] = {
    "commit": lambda uow: uow.commit(),
    "rollback": lambda uow: uow.rollback(),
    "savepoint": lambda uow: uow.savepoint().__enter__(),
    **{name: use for sample in SAMPLES for name, use in uses_of(sample).items()},
}

WRITES = ["commit", *(f"{sample.repository}.{name}" for sample in SAMPLES for name in ("add", "add_many", "remove"))]


@pytest.mark.promise(11)
@pytest.mark.parametrize("use", USES)
def test_a_unit_is_unusable_outside_of_its_block(uow: Shop, use: str) -> None:
    """A unit cannot be used before or after its block. The message says what to write."""
    with pytest.raises(UnitOfWorkMisuse, match="write `with uow:`"):
        USES[use](uow)
    with uow:
        pass
    with pytest.raises(UnitOfWorkMisuse, match="write `with uow:`"):
        USES[use](uow)


@pytest.mark.promise(11)
@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("use", USES)
def test_after_its_end_a_unit_can_only_be_left(uow: Shop, use: str, end: str) -> None:
    """After its end a unit can only be left: one block is one transaction."""
    with uow:
        getattr(uow, end)()
        with pytest.raises(UnitOfWorkMisuse, match="leave the block"):
            USES[use](uow)


@pytest.mark.promise(11)
def test_a_kept_repository_is_refused_too(kit: Kit[Any]) -> None:
    """A repository kept beyond the block is refused like the unit. So is a stream that is read later."""
    with kit.unit() as uow:
        repository = kit.of(uow)
        stream = repository.stream()
    with pytest.raises(UnitOfWorkMisuse):
        repository.page()
    with pytest.raises(UnitOfWorkMisuse):
        next(stream)


@pytest.mark.promise(11)
def test_an_open_unit_cannot_be_entered_again(kit: Kit[Any]) -> None:
    """An open unit cannot be entered again. The outer block goes on undisturbed."""
    with kit.unit() as uow:
        kit.of(uow).add(kit.sample.make("ann"))
        with (
            pytest.raises(UnitOfWorkMisuse, match=r"^this unit of work is open already: .*, or use another unit$"),
            uow,
        ):
            pytest.fail("entered twice")
        uow.commit()
    assert kit.words() == ["ann"]


@pytest.mark.promise(11)
@pytest.mark.parametrize("use", USES)
def test_a_unit_cannot_be_used_by_another_thread(uow: Shop, use: str) -> None:
    """A unit cannot be used by another thread. It stays with the thread that opened it."""
    with uow, ThreadPoolExecutor(1) as pool:
        with pytest.raises(UnitOfWorkMisuse, match="another thread"):
            pool.submit(USES[use], uow).result()
        uow.members.page()


@pytest.mark.promise(11)
def test_another_thread_cannot_roll_a_unit_back(kit: Kit[Any]) -> None:
    """Another thread cannot roll back a failed unit. It stays with the thread that opened it."""
    ann = kit.stored()
    with kit.unit() as uow, ThreadPoolExecutor(1) as pool:
        kit.of(uow).add(ann)
        with pytest.raises(DuplicateIdentity):
            written(uow)
        with pytest.raises(UnitOfWorkMisuse, match="another thread"):
            pool.submit(uow.rollback).result()
        uow.rollback()


@pytest.mark.promise(11)
def test_a_unit_can_be_used_again(kit: Kit[Any]) -> None:
    """A unit can be used again after a commit, a rollback, an error and a block that only read, in any thread."""
    uow = kit.unit()

    def add(word: str) -> None:
        with uow:
            kit.of(uow).add(kit.sample.make(word))
            uow.commit()

    add("ann")
    with uow:
        uow.rollback()
    add("bob")
    with pytest.raises(ZeroDivisionError), uow:
        raise ZeroDivisionError
    with uow:
        kit.of(uow).page()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(add, "cid").result()
    assert kit.words() == ["ann", "bob", "cid"]


@pytest.mark.promise(11)
@pytest.mark.parametrize(("end", "says"), [("commit", "cannot commit"), ("rollback", "cannot roll back")])
def test_a_savepoint_must_be_left_first(kit: Kit[Any], end: str, says: str) -> None:
    """A unit cannot be ended inside a savepoint: its block must be left first. The attempt loses nothing."""
    with kit.unit() as uow:
        with uow.savepoint():
            kit.of(uow).add(kit.sample.make("ann"))
            with pytest.raises(UnitOfWorkMisuse, match=f"^{says} inside a savepoint: leave its block first$"):
                getattr(uow, end)()
        uow.commit()
    assert kit.words() == ["ann"]


@pytest.mark.promise(11)
def test_only_a_held_object_can_be_removed(kit: Kit[Any]) -> None:
    """An object can be removed only by the unit that holds it.

    Refused are objects of an ended unit, of another open unit, never stored, or already removed.
    """
    ann = kit.stored()
    with kit.unit() as uow, kit.unit() as other:
        removed = kit.of(uow).get(ann.id)
        kit.of(uow).remove(removed)
        for one in (ann, kit.of(other).get(ann.id), kit.sample.make("ann"), removed):
            with pytest.raises(UnitOfWorkMisuse, match="get it from this unit"):
                kit.of(uow).remove(one)
        uow.commit()
    assert kit.words() == []


@pytest.mark.promise(11)
@pytest.mark.parametrize("flushed", [False, True])
def test_an_object_has_one_unit_at_a_time(kit: Kit[Any], flushed: bool) -> None:
    """An object of another open unit cannot be added. It belongs to that unit from its addition on, written or not."""
    with kit.unit() as uow, kit.unit() as other:
        ann = kit.sample.make("ann")
        kit.of(uow).add(ann)
        if flushed:
            written(uow)
        with pytest.raises(UnitOfWorkMisuse, match="belongs to another unit"):
            kit.of(other).add(ann)
        uow.commit()
    assert kit.words() == ["ann"]


@pytest.mark.promise(11)
@pytest.mark.parametrize("flushed", [False, True])
def test_an_object_removed_elsewhere_is_refused(kit: Kit[Any], flushed: bool) -> None:
    """An object that another open unit removed cannot be added until that unit ends.

    The other unit may get it back by undoing a savepoint. Two units would then write it.
    """
    ann = kit.stored()
    with kit.unit() as other:
        with kit.unit() as uow:
            mine = kit.of(uow).get(ann.id)
            kit.of(uow).remove(mine)
            if flushed:
                written(uow)
            with pytest.raises(UnitOfWorkMisuse, match="belongs to another unit"):
                kit.of(other).add(mine)
            uow.commit()
        kit.of(other).add(mine)
        other.commit()
    assert [2] == kit.versions()


@pytest.mark.promise(11)
def test_a_misuse_does_not_end_the_unit(kit: Kit[Any]) -> None:
    """A misuse does not end the unit: it is refused before anything happens, so the work can go on."""
    with kit.unit() as uow:
        kit.of(uow).add(kit.sample.make("ann"))
        with pytest.raises(UnitOfWorkMisuse):
            kit.of(uow).remove(kit.sample.make("bob"))
        uow.commit()
    assert kit.words() == ["ann"]


@pytest.mark.promise(13)
@pytest.mark.parametrize("use", WRITES)
def test_a_read_only_unit_refuses_to_write(storage: Storage, use: str) -> None:
    """A read-only unit refuses to write. The message says how to open one that writes. Reading goes on."""
    store_needs(storage, SAMPLES)
    kits = [Kit(storage, sample) for sample in SAMPLES]
    for kit in kits:
        kit.stored("ann")
    before = [kit.words() for kit in kits]
    with storage.unit(read_only=True) as uow:
        with pytest.raises(UnitOfWorkMisuse, match=r"^cannot (write|commit) in a read-only unit of work: "):
            USES[use](uow)
        assert uow.members.page().items
    assert before == [kit.words() for kit in kits]


@pytest.mark.promise(13)
def test_a_read_only_unit_refuses_changed_objects(kit: Kit[Any]) -> None:
    """A read-only unit refuses a changed object at the next query, which would have to see the change."""
    ann = kit.stored()
    before = kit.all_values()
    with kit.unit(read_only=True) as uow:
        kit.sample.change(kit.of(uow).get(ann.id), 1)
        with pytest.raises(UnitOfWorkMisuse, match=r"^cannot write in a read-only unit of work: "):
            kit.of(uow).page()
        uow.rollback()
    assert before == kit.all_values()


@pytest.mark.promise(11)
@pytest.mark.parametrize("wrong", ["ann", None, 5, Aggregate()], ids=lambda wrong: type(wrong).__name__)
def test_only_its_own_aggregates_are_taken(kit: Kit[Any], wrong: object) -> None:
    """A repository adds and removes only its own aggregates. Any other object is a mistake, named on every backend."""
    with kit.unit() as uow:
        repository: Any = kit.of(uow)
        name = repository.aggregate.__name__
        for call in (repository.add, repository.remove, lambda one: repository.add_many([one])):
            with pytest.raises(TypeError, match=rf"holds {name} objects, not {re.escape(shown(wrong))}"):
                call(wrong)
        uow.rollback()
