"""Promises 1, 2, 14 and 15: each call to a storage is made to fail, one at a time, and the caller is told the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from sqlalchemy import Engine

from adapters.sql.session import new_session
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import (
    CommitOutcomeUnknown,
    ConcurrentChange,
    StorageError,
    StorageUnavailable,
    UnitOfWorkMisuse,
)
from domain.user import User
from service_layer import users
from service_layer.unit_of_work import UnitOfWork
from tests.contract.users import new_user
from tests.faults import CONFLICT, ERROR, HOLD
from tests.faulty_storages import (
    SECONDS,
    FaultyDatabase,
    FaultyFake,
    FaultyServer,
    FaultyStorage,
    Rows,
    faulty_server,
    faulty_sqlite,
)
from tests.storages import BACKENDS, InATransaction, migrated_engine


def import_some(uow: UnitOfWork) -> None:
    """Import two users who are new, one who is stored, and a row that is refused."""
    names = ["new", "newer", "ann", "not a name"]
    rows = [users.UserRow(line, name, f"{name}@example.com") for line, name in enumerate(names)]
    summary = users.import_users(rows, lambda _row, _reason: None, uow)
    assert users.ImportSummary(2, 1, 1) == summary


def store_two(uow: UnitOfWork) -> None:
    """Store two users in one transaction, which their only statement could not be."""
    with uow:
        uow.users.add(new_user("new"))
        uow.users.add(new_user("newer"))
        uow.commit()


def store_with_a_savepoint(uow: UnitOfWork) -> None:
    """Store one user, some in a savepoint, some by a bulk; change one, and remove one."""
    with uow:
        uow.users.add(new_user("new"))
        with uow.savepoint():
            uow.users.get_by_username("ann").change_email("ann@example.org")
            uow.users.add_many([new_user("newer"), new_user("newest")])
        uow.users.remove(uow.users.get_by_username("bob"))
        uow.commit()


def store_what_can_be_stored(uow: UnitOfWork) -> bool:
    """Store some users, and go on without another one if the storage refuses that one; tell whether it is stored."""
    with_optional = True
    with uow:
        uow.users.add(new_user("new"))
        try:
            with uow.savepoint():
                uow.users.add(new_user("optional"))
                uow.users.get_by_username("ann").deactivate()
        except (StorageError, ConcurrentChange):
            with_optional = False
        try:
            uow.users.add_many([new_user("newer")])
        except UnitOfWorkMisuse as refused:  # the unit has failed as a whole
            raise refused.__cause__ or refused from refused
        uow.commit()
    return with_optional


ANN, BOB = ("ann", "ann@example.com", True, 1), ("bob", "bob@example.com", False, 2)
NEW = ("new", "new@example.com", True, 1)
NEWER = ("newer", "newer@example.com", True, 1)
NEWEST = ("newest", "newest@example.com", True, 1)
OPTIONAL = ("optional", "optional@example.com", True, 1)
AT_FIRST: Rows = [ANN, BOB]


@frozen
class Case:
    """A use case, and all that is stored after it; after one that returns ``False``, less."""

    run: Callable[[UnitOfWork], Any]
    after: Rows
    less: Rows | None = None
    connects: bool = False

    def after_returning(self, result: object) -> Rows | None:
        """Return what must be stored when the use case returns this."""
        return self.less if result is False else self.after


CASES = {
    "create_user": Case(lambda uow: users.create_user("new", "new@example.com", uow), [ANN, BOB, NEW]),
    "get_user": Case(lambda uow: users.get_user("ann", uow), AT_FIRST),
    "list_users": Case(lambda uow: users.list_users(None, 10, uow), AT_FIRST),
    "export_users": Case(lambda uow: list(users.export_users(uow)), AT_FIRST),
    "change_email": Case(
        lambda uow: users.change_email("ann", "new@example.org", uow), [("ann", "new@example.org", True, 2), BOB]
    ),
    "change_username": Case(
        lambda uow: users.change_username("ann", "anna", uow), [("anna", "ann@example.com", True, 2), BOB]
    ),
    "deactivate_user": Case(lambda uow: users.deactivate_user("ann", uow), [("ann", "ann@example.com", False, 2), BOB]),
    "reactivate_user": Case(lambda uow: users.reactivate_user("bob", uow), [ANN, ("bob", "bob@example.com", True, 3)]),
    "delete_user": Case(lambda uow: users.delete_user("ann", uow), [BOB]),
    "import_users": Case(import_some, [ANN, BOB, NEW, NEWER]),
    "two additions": Case(store_two, [ANN, BOB, NEW, NEWER]),
    "a savepoint": Case(store_with_a_savepoint, [("ann", "ann@example.org", True, 2), NEW, NEWER, NEWEST]),
    "a savepoint that may be undone": Case(
        store_what_can_be_stored,
        [("ann", "ann@example.com", False, 2), BOB, NEW, NEWER, OPTIONAL],
        less=[ANN, BOB, NEW, NEWER],
    ),
    "create_user on a new connection": Case(
        lambda uow: users.create_user("new", "new@example.com", uow), [ANN, BOB, NEW], connects=True
    ),
}


UNITS = [SqlUnitOfWork, InATransaction]
"""Units whose commit may be their only statement, and those whose commit is a COMMIT."""


@pytest.fixture(params=BACKENDS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FaultyStorage]:
    """Each storage in turn, behind something that fails, with two users."""
    with ExitStack() as stack:
        found: FaultyStorage
        if request.param == "fake":
            found = FaultyFake()
        elif request.param == "sqlite":
            with migrated_engine(f"sqlite:///{tmp_path}/test.db"):
                found = stack.enter_context(faulty_sqlite(f"{tmp_path}/test.db"))
        else:
            engine: Engine = request.getfixturevalue(f"{request.param}_engine")
            found = stack.enter_context(faulty_server(engine.url.render_as_string(hide_password=False)))
        uow = found.unit()
        users.create_user("ann", "ann@example.com", uow)
        users.create_user("bob", "bob@example.com", uow)
        users.deactivate_user("bob", uow)
        found.keep()
        yield found


def run(case: Case, uow: UnitOfWork) -> tuple[object, BaseException | None]:
    """Return what the use case returns, or raises."""
    try:
        return case.run(uow), None
    except Exception as error:  # noqa: BLE001  # which it may be is what the law says
        return None, error


def check_truth(case: Case, storage: FaultyStorage, kind: str, result: object, error: BaseException | None) -> None:
    """What is stored must be what the caller was told."""
    stored = storage.rows()
    assert not any(secret in str(error) for secret in storage.secrets)
    if error is None:
        assert case.after_returning(result) == stored
    elif isinstance(error, CommitOutcomeUnknown):
        assert storage.at_commit
        assert kind not in storage.refusals
        assert not error.retryable
        assert stored in (AT_FIRST, case.after, case.less)
    else:
        assert isinstance(error, StorageError | ConcurrentChange), repr(error)
        assert AT_FIRST == stored, repr(error)


def check_faults(case: Case, storage: FaultyStorage, kind: str) -> int:
    """Let each call of a use case fail in one way, until it makes no more; return how many it made."""
    call = 0
    while True:
        call += 1
        storage.restore()
        if case.connects:
            storage.forget_connections()
        uow = storage.unit()
        storage.plan(call, kind)
        result, error = run(case, uow)
        met = storage.met
        storage.check_tidy()
        check_truth(case, storage, kind, result, error)
        storage.restore()
        storage.plan(0, "")
        result, error = run(case, uow)
        assert error is None, f"after a fault at call {call}: {error!r}"
        assert case.after == storage.rows()
        storage.check_tidy()
        if not met:
            return call - 1


@pytest.mark.promise(1, 2, 14, 15)
@pytest.mark.parametrize("name", CASES)
def test_whichever_call_fails_the_caller_is_told_what_is_stored(storage: FaultyStorage, name: str) -> None:
    """All or nothing; in one error of the domain, or none; and the next call works, on a connection that is free."""
    case = CASES[name]
    for kind in storage.kinds:
        if not (case.connects and kind == CONFLICT):  # nobody else is there while one connects
            calls = check_faults(case, storage, kind)
            # A use case makes one call at least; the fake counts by kind, and reading alone never writes or commits.
            assert calls or isinstance(storage, FaultyFake)


@pytest.mark.promise(14)
@pytest.mark.parametrize("storage", ["sqlite", "postgres", "mariadb"], indirect=True)
@pytest.mark.parametrize("unit", UNITS)
def test_a_commit_that_fails_keeps_nobody_waiting_while_its_block_is_open(
    storage: FaultyDatabase, unit: type[SqlUnitOfWork]
) -> None:
    """Whether or not the database has ended the transaction by itself."""
    storage.unit_of_work = unit
    storage.faults.plan(1, ERROR, only_commits=True)
    with storage.unit() as uow:
        uow.users.get_by_username("ann").deactivate()
        with pytest.raises(StorageError):
            uow.commit()
        users.change_email("ann", "ann@example.org", storage.unit())
    assert [("ann", "ann@example.org", True, 2), BOB] == storage.rows()


def begin_to_commit(storage: FaultyServer, pool: ThreadPoolExecutor) -> Future[User]:
    """Let another thread create a user, and hold the answer to its commit back; return what will come of it."""
    storage.faults.plan(1, HOLD, only_commits=True)
    outcome = pool.submit(users.create_user, "new", "new@example.com", storage.unit())
    assert storage.proxy.held.wait(SECONDS)
    assert [ANN, BOB, NEW] == storage.rows()
    assert not outcome.done()
    return outcome


@pytest.mark.promise(14)
@pytest.mark.parametrize("storage", ["postgres", "mariadb"], indirect=True)
@pytest.mark.parametrize("unit", UNITS)
def test_a_commit_waits_for_the_answer_that_it_has_happened(storage: FaultyServer, unit: type[SqlUnitOfWork]) -> None:
    """However late that comes: meanwhile others see the work already."""
    storage.unit_of_work = unit
    with ThreadPoolExecutor(1) as pool:
        outcome = begin_to_commit(storage, pool)
        storage.proxy.let_go()
    assert outcome.result().version == 1


@pytest.mark.promise(14)
@pytest.mark.parametrize("storage", ["postgres", "mariadb"], indirect=True)
@pytest.mark.parametrize("unit", UNITS)
def test_a_commit_that_waits_for_its_answer_in_vain_is_an_unknown_outcome(
    storage: FaultyServer, unit: type[SqlUnitOfWork]
) -> None:
    """It ends when the connection does, and the work stays stored."""
    storage.unit_of_work = unit
    with ThreadPoolExecutor(1) as pool:
        outcome = begin_to_commit(storage, pool)
        storage.proxy.cut_held()
    assert isinstance(outcome.exception(), CommitOutcomeUnknown)
    storage.check_tidy()
    assert [ANN, BOB, NEW] == storage.rows()


class SwallowsErrors(SqlUnitOfWork):
    """A unit whose commit returns although it has failed."""

    def _commit(self) -> None:
        with suppress(StorageError):
            super()._commit()
        self._end()


class TakesUnknownForFailure(SqlUnitOfWork):
    """A unit that claims to know that nothing was stored."""

    def _commit(self) -> None:
        try:
            super()._commit()
        except CommitOutcomeUnknown as error:
            raise StorageUnavailable(str(error)) from error


class TakesFailureForUnknown(SqlUnitOfWork):
    """A unit that claims not to know what it can know."""

    def _failed(self, error: BaseException) -> BaseException:
        return CommitOutcomeUnknown(str(super()._failed(error)))


class StoresStepByStep(SqlUnitOfWork):
    """A unit that commits each addition."""

    def _flush(self) -> None:
        super()._flush()
        self.session.commit()
        self.session.used = None  # or its own commit would find that the transaction has ended


class KeepsItsConnection(SqlUnitOfWork):
    """A unit that does not give its connection back when it has failed."""

    def _failed(self, error: BaseException) -> BaseException:
        self._kept, self.session = self.session, new_session(bind=self._engine, run=self._run)
        return super()._failed(error)


LIARS = [SwallowsErrors, TakesUnknownForFailure, TakesFailureForUnknown, StoresStepByStep, KeepsItsConnection]


@pytest.mark.parametrize("storage", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("unit_of_work", "name"),
    # What stores each step is no liar where there is one step alone.
    [(kind, "two additions") for kind in LIARS] + [(kind, "create_user") for kind in LIARS if kind != StoresStepByStep],
)
def test_a_unit_that_lies_is_caught(storage: FaultyDatabase, unit_of_work: type[SqlUnitOfWork], name: str) -> None:
    """The law above can fail, for a transaction and for a statement that is one by itself."""
    storage.unit_of_work = unit_of_work
    with pytest.raises(AssertionError):
        for kind in storage.kinds:
            check_faults(CASES[name], storage, kind)
