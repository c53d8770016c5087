"""Running a use case again: after which errors, how often, and what is logged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import pytest
import stamina
from stamina.instrumentation import LoggingOnRetryHook, RetryDetails, RetryHookFactory, set_on_retry_hooks
from stamina.typing import RetryHook

from adapters.fake.database import FakeDatabase
from domain.errors import (
    CommitOutcomeUnknown,
    ConcurrentChange,
    ConfigurationError,
    DomainError,
    DuplicateIdentity,
    IntegrityViolation,
    StorageError,
    StorageUnavailable,
    TransactionLost,
    UnitOfWorkMisuse,
    VersionMismatch,
)
from service_layer.retrying import Retrying, retrying
from tests.contract.members import (
    InvalidEmail,
    MemberNotFound,
    NameTaken,
    change_email,
    create_member,
    export_members,
    get_member,
    new_member,
)
from tests.contract.shop import FakeShop

AWAY = StorageUnavailable("the server is away")
RETRYABLE = [AWAY, ConcurrentChange("somebody was faster"), TransactionLost("a deadlock")]
OTHERS: list[BaseException] = [
    CommitOutcomeUnknown("lost while committing"),
    NameTaken("ann"),
    DuplicateIdentity(None),
    InvalidEmail("ann", "it has no @"),
    MemberNotFound("name", "ann"),
    IntegrityViolation("ck", "check"),
    StorageError("the disk is full"),
    DomainError("no"),
    ConfigurationError("no"),
    UnitOfWorkMisuse("no"),
    VersionMismatch("another version is stored"),
    ZeroDivisionError(),
    KeyboardInterrupt(),
    SystemExit(1),
]
PATIENCE = 20
"""After this many runs, a test takes a use case for one that would run forever."""


class Failing:
    """A use case that raises an error in its first ``times`` runs, and counts them."""

    def __init__(self, error: BaseException, times: int) -> None:
        self.error, self.times, self.runs = error, times, 0

    def __call__(self, word: str, *, loudly: bool = False) -> str:
        """Return the word if this run is late enough."""
        self.runs += 1
        assert self.runs < PATIENCE
        if self.runs <= self.times:
            raise self.error
        return word.upper() if loudly else word


Hooks = Callable[[list[RetryHook | RetryHookFactory]], None]


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    """Choose what stamina calls before each pause, until the end of the test."""
    yield set_on_retry_hooks
    set_on_retry_hooks(None)


@pytest.mark.parametrize("error", RETRYABLE, ids=lambda error: type(error).__name__)
def test_a_retryable_error_is_run_again(error: Exception) -> None:
    """A use case whose work did not happen is run again with the same arguments until it succeeds once."""
    use_case = Failing(error, times=3)
    assert "ANN" == retrying(use_case, "ann", loudly=True)
    assert 4 == use_case.runs


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_any_other_error_goes_on_immediately(error: BaseException) -> None:
    """Any other error goes on immediately: an unknown outcome, one that would repeat, and none of the storage."""
    use_case = Failing(error, times=1)
    with pytest.raises(type(error)) as caught:
        retrying(use_case, "ann")
    assert error is caught.value
    assert 1 == use_case.runs


@pytest.mark.parametrize("attempts", [1, 2, 6])
def test_a_failing_use_case_raises_its_last_error(attempts: int) -> None:
    """A use case that keeps failing ends in its very last error after the given number of runs."""
    use_case = Failing(AWAY, times=PATIENCE)
    with pytest.raises(StorageUnavailable) as caught:
        Retrying(attempts=attempts)(use_case, "ann")
    assert AWAY is caught.value
    assert attempts == use_case.runs


def test_a_use_case_is_run_six_times_by_default() -> None:
    """By default a use case is run six times, neither more nor fewer."""
    use_case = Failing(AWAY, times=PATIENCE)
    with pytest.raises(StorageUnavailable):
        retrying(use_case, "ann")
    assert 6 == use_case.runs


def test_the_first_pause_is_short_and_random(hooks: Hooks) -> None:
    """The first pause is short and partly random, so two that have met do not meet again.

    No test waits: an error takes the place of each pause.
    """
    pauses: list[float] = []

    def note(details: RetryDetails) -> None:
        pauses.append(details.wait_for)
        raise ZeroDivisionError

    hooks([note])
    for _ in range(20):
        with stamina.set_testing(False), pytest.raises(ZeroDivisionError):
            retrying(Failing(AWAY, times=1), "ann")
    assert 0.05 <= min(pauses) < max(pauses) <= 0.15


def test_no_more_runs_begin_when_the_time_is_up() -> None:
    """No more runs begin when the time is up. Here the first run has used it all."""
    use_case = Failing(AWAY, times=PATIENCE)
    with stamina.set_testing(False), pytest.raises(StorageUnavailable):
        Retrying(timeout=1e-9)(use_case, "ann")
    assert 1 == use_case.runs


@pytest.mark.parametrize(("at", "call"), [("read", 1), ("write", 1), ("commit", 1), ("commit", 2)])
def test_each_run_is_a_new_transaction(at: Literal["read", "write", "commit"], call: int) -> None:
    """Each run is a new transaction of the unit: a failed run leaves nothing, and its version does not count."""
    database = FakeDatabase()
    uow = FakeShop(database)
    create_member("ann", "ann@example.com", uow)
    for number in range(call):
        database.fail(at, ConcurrentChange("somebody was faster"), call=number + 1)
    changed = retrying(change_email, "ann", "ann@example.org", uow)
    stored = get_member("ann", FakeShop(database))
    assert [("ann@example.org", 2)] * 2 == [(member.email, member.version) for member in (changed, stored)]


@pytest.mark.parametrize("stored", [True, False])
def test_an_unknown_commit_is_not_repeated(stored: bool) -> None:
    """A commit of unknown outcome is not repeated: the caller must look first."""
    database = FakeDatabase()
    uow = FakeShop(database)
    create_member("ann", "ann@example.com", uow)
    database.fail("commit", CommitOutcomeUnknown("lost while committing"), stored=stored)
    with pytest.raises(CommitOutcomeUnknown):
        retrying(change_email, "ann", "ann@example.org", uow)
    assert (2 if stored else 1) == get_member("ann", uow).version


def test_an_interrupt_during_a_pause_ends_it(hooks: Hooks) -> None:
    """An interrupt ends a pause: Ctrl-C need not wait for the next run. Here stamina's hook stands for the signal."""

    def interrupt(details: RetryDetails) -> None:
        raise KeyboardInterrupt(details.retry_num)

    use_case = Failing(AWAY, times=1)
    hooks([interrupt])
    with pytest.raises(KeyboardInterrupt):
        retrying(use_case, "ann")
    assert 1 == use_case.runs


def secretive(password: str, *, token: str) -> str:
    """Fail while holding a secret."""
    raise ConcurrentChange("somebody was faster") if password + token else AssertionError


def test_each_run_is_logged_without_arguments(hooks: Hooks, caplog: pytest.LogCaptureFixture) -> None:
    """Each further run is logged without the arguments, as a warning of stamina with the use case and the error."""
    hooks([LoggingOnRetryHook])
    with pytest.raises(ConcurrentChange):
        Retrying(attempts=3)(secretive, "hunter2", token="hunter3")  # noqa: S106  # what must not be logged
    told = [vars(record) for record in caplog.records]
    assert [("stamina", logging.WARNING)] * 2 == [(one["name"], one["levelno"]) for one in told]
    assert [1, 2] == [one["stamina.retry_num"] for one in told]
    assert {f"{__name__}.secretive"} == {one["stamina.callable"] for one in told}
    assert all("somebody was faster" in one["stamina.caused_by"] for one in told)
    assert "hunter" not in str(told)


def exporting(uow: FakeShop) -> object:
    """Return the iterator without being a generator function."""
    return export_members(uow)


@pytest.mark.parametrize("use_case", [export_members, exporting], ids=lambda one: one.__name__)
def test_returning_an_iterator_is_refused(use_case: Callable[[FakeShop], object]) -> None:
    """A use case that returns an iterator is refused before anything opens: its middle could not be run again."""
    uow = FakeShop()
    with pytest.raises(TypeError, match=r"returns an iterator, .*: call it without retrying"):
        retrying(use_case, uow)
    create_member("ann", "ann@example.com", uow)


def importing(names: Iterable[str], uow: FakeShop) -> int:
    """Store a member for each name and return how many."""
    with uow:
        stored = uow.members.add_many(new_member(name) for name in names)
        uow.commit()
    return stored


def test_taking_an_iterator_is_refused() -> None:
    """A use case that takes an iterator is refused: the next run would miss what was read. A list can be read again."""
    uow = FakeShop()
    with pytest.raises(TypeError, match=r"importing .* is given an iterator, .* or give it a list"):
        retrying(importing, names=iter(["ann"]), uow=uow)
    assert 1 == retrying(importing, ["ann"], uow)


def test_a_coroutine_function_is_refused() -> None:
    """A coroutine function is refused: its result has not even begun, so nothing would ever run again."""

    async def later() -> None: ...

    with pytest.raises(TypeError, match="is a coroutine function"):
        _ = retrying(later)
