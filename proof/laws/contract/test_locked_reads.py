"""A use case can lock what it reads: others wait, and its values are the newest."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from domain.errors import ConcurrentChange, NotFound, UnitOfWorkMisuse
from tests.contract.graphs import twin, values
from tests.contract.members import MemberNotFound, new_member, stored_member
from tests.contract.sample import Kit
from tests.contract.shop import Shop
from tests.storages import Storage

THREADS, CHANGES = 20, int(os.environ.get("CHANGES", "5"))


def promote(storage: Storage, id: Any) -> None:
    """Change the last digit of a name, CHANGES times, each time under a lock."""
    for _ in range(CHANGES):
        with storage.unit() as uow:
            member = uow.members.get(id, lock=True)
            member.change_email(f"n{int(member.email[1:].partition('@')[0]) + 1}@example.com")
            uow.commit()


@pytest.mark.promise(8)
def test_no_locked_change_is_refused(patient_storage: Storage) -> None:
    """No locked change of one row is refused, in several threads."""
    ann = new_member("ann")
    ann.change_email("n0@example.com")
    with patient_storage.unit() as uow:
        uow.members.add(ann)
        uow.commit()
    with ThreadPoolExecutor(THREADS) as pool:
        for one in [pool.submit(promote, patient_storage, ann.id) for _ in range(THREADS)]:
            one.result()
    with patient_storage.unit() as uow:
        assert f"n{THREADS * CHANGES}@example.com" == uow.members.get(ann.id).email


@pytest.mark.promise(5, 8)
def test_a_locked_read_is_the_newest(kit: Kit[Any]) -> None:
    """A locked read is the newest, parts included. It fills the same object that the unit already holds."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        held = kit.of(uow).get(ann.id)
        kit.change_elsewhere(ann)
        locked = kit.of(uow).get(ann.id, lock=True)
        assert held is locked
        kit.sample.change(locked, 2)
        expected = kit.change(locked, 2)
        uow.commit()
    assert [{**expected, "version": 3}] == kit.all_values()


@pytest.mark.promise(5, 8)
def test_a_locked_read_finds_a_successor(kit: Kit[Any]) -> None:
    """A locked read finds the successor of what another unit removed, though its version is the same."""
    ann = kit.stored("ann")
    successor = twin(ann)
    successor.version = 0
    kit.sample.change(successor, 1)
    with kit.unit() as uow:
        held = kit.of(uow).get(ann.id)
        with kit.unit() as other:
            kit.of(other).remove(kit.of(other).get(ann.id))
            kit.of(other).add(successor)
            other.commit()
        assert kit.of(uow).get(ann.id, lock=True) is held
        assert values(successor) == values(held)


@pytest.mark.promise(8)
def test_an_outdated_change_is_no_lock(kit: Kit[Any]) -> None:
    """A lock on an object that this unit and another one changed raises ConcurrentChange."""
    ann = kit.stored("ann")
    with kit.unit() as uow:
        held = kit.of(uow).get(ann.id)
        kit.change_elsewhere(ann)
        kit.sample.change(held, 1)
        with pytest.raises(ConcurrentChange):
            kit.of(uow).get(ann.id, lock=True)


@pytest.mark.slow
@pytest.mark.promise(8)
def test_a_writer_waits_for_a_lock(storage: Storage) -> None:
    """A writer waits for a lock up to its limit, then it is refused. A reader does not wait."""
    ann = stored_member(storage, "ann")

    def change() -> None:
        with storage.unit() as uow:
            uow.members.get(ann.id).deactivate()
            uow.commit()

    with storage.unit() as uow, ThreadPoolExecutor(1) as pool:
        uow.members.get_by_name("ann", lock=True)
        with pytest.raises(ConcurrentChange):
            pool.submit(change).result()
        uow.rollback()
    change()


@pytest.mark.promise(8)
def test_a_lock_waits_for_a_writer(patient_storage: Storage) -> None:
    """A lock waits for a writer, and finds what it has written, or nothing after a removal."""
    ann, bob = stored_member(patient_storage, "ann"), stored_member(patient_storage, "bob")
    written, locking = Event(), Event()

    def write() -> None:
        with patient_storage.unit() as uow:
            uow.members.get(ann.id, lock=True).deactivate()
            uow.members.remove(uow.members.get(bob.id))
            uow.members.count()
            written.set()
            locking.wait()
            uow.commit()

    def lock(uow: Shop) -> None:
        locking.set()
        assert not uow.members.get(ann.id, lock=True).active
        with pytest.raises(MemberNotFound):
            uow.members.get_by_name("bob", lock=True)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        written.wait()
        with patient_storage.unit() as uow:
            lock(uow)
        writing.result()


def test_what_is_not_stored_cannot_be_locked(kit: Kit[Any]) -> None:
    """An aggregate that is not stored is not found by a locked read."""
    with kit.unit() as uow, pytest.raises(NotFound):
        kit.of(uow).get(kit.sample.make("ann").id, lock=True)


@pytest.mark.promise(13)
def test_a_read_only_unit_locks_nothing(kit: Kit[Any]) -> None:
    """A read-only unit refuses a lock and says so."""
    ann = kit.stored("ann")
    with kit.unit(read_only=True) as uow, pytest.raises(UnitOfWorkMisuse, match="read-only"):
        kit.of(uow).get(ann.id, lock=True)
