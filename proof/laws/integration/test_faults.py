"""Promises 1, 2, 14 and 15: each storage call fails, one at a time, and the caller gets the truth."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pytest

from adapters.sql.session import new_session
from domain.errors import (
    CommitOutcomeUnknown,
    ConcurrentChange,
    StorageError,
    StorageUnavailable,
    UnitOfWorkMisuse,
)
from proof.laws.faults import ERROR, HOLD
from proof.laws.faulty_storages import (
    SECONDS,
    FaultyDatabase,
    FaultyServer,
    FaultyStorage,
)
from proof.laws.integration.fault_laws import (
    ANN,
    AT_FIRST,
    BOB,
    NEW,
    NEWER,
    NEWEST,
    OPTIONAL,
    Case,
    check_each_fault,
    check_faults,
)
from tests.contract import members
from tests.contract.members import Member, new_member
from tests.contract.shop import Shop, SqlShop
from tests.storages import InATransaction


def store_two(uow: Shop) -> None:
    """Store two members in one transaction, which one statement could not do."""
    with uow:
        uow.members.add(new_member("new"))
        uow.members.add(new_member("newer"))
        uow.commit()


def store_with_a_savepoint(uow: Shop) -> None:
    """Store one member, some in a savepoint, and some by a bulk. Change one and remove one."""
    with uow:
        uow.members.add(new_member("new"))
        with uow.savepoint():
            uow.members.get_by_name("ann").change_email("ann@example.org")
            uow.members.add_many([new_member("newer"), new_member("newest")])
        uow.members.remove(uow.members.get_by_name("bob"))
        uow.commit()


def store_what_can_be_stored(uow: Shop) -> bool:
    """Store some members, and go on without one that the storage refuses. Return whether it is stored."""
    with_optional = True
    with uow:
        uow.members.add(new_member("new"))
        try:
            with uow.savepoint():
                uow.members.add(new_member("optional"))
                uow.members.get_by_name("ann").deactivate()
        except (StorageError, ConcurrentChange):
            with_optional = False
        try:
            uow.members.add_many([new_member("newer")])
        except UnitOfWorkMisuse as refused:  # the unit has failed as a whole
            raise refused.__cause__ or refused from refused
        uow.commit()
    return with_optional


CASES = {
    "create_member": Case(lambda uow: members.create_member("new", "new@example.com", uow), [ANN, BOB, NEW]),
    "get_member": Case(lambda uow: members.get_member("ann", uow), AT_FIRST),
    "list_members": Case(lambda uow: members.list_members(None, 10, uow), AT_FIRST),
    "export_members": Case(lambda uow: list(members.export_members(uow)), AT_FIRST),
    "change_email": Case(
        lambda uow: members.change_email("ann", "new@example.org", uow), [("ann", "new@example.org", True, 2), BOB]
    ),
    "rename_member": Case(
        lambda uow: members.rename_member("ann", "anna", uow), [("anna", "ann@example.com", True, 2), BOB]
    ),
    "deactivate_member": Case(
        lambda uow: members.deactivate_member("ann", uow), [("ann", "ann@example.com", False, 2), BOB]
    ),
    "reactivate_member": Case(
        lambda uow: members.reactivate_member("bob", uow), [ANN, ("bob", "bob@example.com", True, 3)]
    ),
    "delete_member": Case(lambda uow: members.delete_member("ann", uow), [BOB]),
    "two additions": Case(store_two, [ANN, BOB, NEW, NEWER]),
    "a savepoint": Case(store_with_a_savepoint, [("ann", "ann@example.org", True, 2), NEW, NEWER, NEWEST]),
    "a savepoint that may be undone": Case(
        store_what_can_be_stored,
        [("ann", "ann@example.com", False, 2), BOB, NEW, NEWER, OPTIONAL],
        less=[ANN, BOB, NEW, NEWER],
    ),
    "create_member on a new connection": Case(
        lambda uow: members.create_member("new", "new@example.com", uow), [ANN, BOB, NEW], connects=True
    ),
}


UNITS = [SqlShop, InATransaction]
"""Units whose commit may be their only statement, and units whose commit is a COMMIT."""


@pytest.fixture
def storage(faulty: FaultyStorage) -> FaultyStorage:
    """Each storage in turn, behind a layer that fails, with two members."""
    uow = faulty.unit()
    members.create_member("ann", "ann@example.com", uow)
    members.create_member("bob", "bob@example.com", uow)
    members.deactivate_member("bob", uow)
    faulty.keep()
    return faulty


@pytest.mark.promise(1, 2, 14, 15)
@pytest.mark.parametrize("name", CASES)
def test_each_failing_call_tells_the_truth(storage: FaultyStorage, name: str) -> None:
    """Whichever call fails, all or nothing is stored, and the error says which. The next call works.

    The error is one of the domain, or the call raises none. The connection is free.
    """
    check_each_fault(CASES[name], storage)


@pytest.mark.promise(14)
@pytest.mark.parametrize("faulty", ["sqlite", "postgres", "mariadb"], indirect=True)
@pytest.mark.parametrize("unit", UNITS)
def test_a_failed_commit_blocks_no_other_unit(storage: FaultyDatabase, unit: type[SqlShop]) -> None:
    """A failed commit blocks no other unit while its block is open, whether or not the transaction ended."""
    storage.unit_of_work = unit
    storage.faults.plan(1, ERROR, only_commits=True)
    with storage.unit() as uow:
        uow.members.get_by_name("ann").deactivate()
        with pytest.raises(StorageError):
            uow.commit()
        members.change_email("ann", "ann@example.org", storage.unit())
    assert [("ann", "ann@example.org", True, 2), BOB] == storage.rows()


def begin_to_commit(storage: FaultyServer, pool: ThreadPoolExecutor) -> Future[Member]:
    """Let another thread create a member, and hold back the answer to its commit. Return the future outcome."""
    storage.faults.plan(1, HOLD, only_commits=True)
    outcome = pool.submit(members.create_member, "new", "new@example.com", storage.unit())
    assert storage.proxy.held.wait(SECONDS)
    assert [ANN, BOB, NEW] == storage.rows()
    assert not outcome.done()
    return outcome


@pytest.mark.promise(14)
@pytest.mark.parametrize("faulty", ["postgres", "mariadb"], indirect=True)
@pytest.mark.parametrize("unit", UNITS)
def test_a_commit_waits_for_its_answer(storage: FaultyServer, unit: type[SqlShop]) -> None:
    """A commit waits for its answer, however late that comes. Others see the work by then."""
    storage.unit_of_work = unit
    with ThreadPoolExecutor(1) as pool:
        outcome = begin_to_commit(storage, pool)
        storage.proxy.let_go()
    assert outcome.result().version == 1


@pytest.mark.promise(14)
@pytest.mark.parametrize("faulty", ["postgres", "mariadb"], indirect=True)
@pytest.mark.parametrize("unit", UNITS)
def test_a_commit_without_an_answer_is_unknown(storage: FaultyServer, unit: type[SqlShop]) -> None:
    """A commit that waits in vain is an unknown outcome. It ends with the connection, and the work stays stored."""
    storage.unit_of_work = unit
    with ThreadPoolExecutor(1) as pool:
        outcome = begin_to_commit(storage, pool)
        storage.proxy.cut_held()
    assert isinstance(outcome.exception(), CommitOutcomeUnknown)
    storage.check_tidy()
    assert [ANN, BOB, NEW] == storage.rows()


class SwallowsErrors(SqlShop):
    """A unit whose commit returns although it has failed."""

    def _commit(self) -> None:
        with suppress(StorageError):
            super()._commit()
        self._end()


class TakesUnknownForFailure(SqlShop):
    """A unit that claims to know that nothing was stored."""

    def _commit(self) -> None:
        try:
            super()._commit()
        except CommitOutcomeUnknown as error:
            raise StorageUnavailable(str(error)) from error


class TakesFailureForUnknown(SqlShop):
    """A unit that claims not to know what it can know."""

    def _failed(self, error: BaseException) -> BaseException:
        return CommitOutcomeUnknown(str(super()._failed(error)))


class StoresStepByStep(SqlShop):
    """A unit that commits each addition."""

    def _flush(self) -> None:
        super()._flush()
        self.session.commit()
        self.session.used = None  # otherwise its own commit would find that the transaction has ended


class KeepsItsConnection(SqlShop):
    """A unit that keeps its connection after a failure."""

    def _failed(self, error: BaseException) -> BaseException:
        self._kept, self.session = self.session, new_session(bind=self._engine, run=self._run)
        return super()._failed(error)


LIARS = [SwallowsErrors, TakesUnknownForFailure, TakesFailureForUnknown, StoresStepByStep, KeepsItsConnection]


@pytest.mark.parametrize("faulty", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("unit_of_work", "name"),
    # A unit that stores each step tells the truth if it has only one step.
    [(kind, "two additions") for kind in LIARS]
    + [(kind, "create_member") for kind in LIARS if kind != StoresStepByStep],
)
def test_a_unit_that_lies_is_caught(storage: FaultyDatabase, unit_of_work: type[SqlShop], name: str) -> None:
    """A unit that lies is caught: the law above can fail, for a transaction and for a single statement."""
    storage.unit_of_work = unit_of_work
    with pytest.raises(AssertionError):
        for kind in storage.kinds:
            check_faults(CASES[name], storage, kind)
