"""Running a use case again: after which errors, how often, and what is told of it."""

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
    ZeroDivisionError(),
    KeyboardInterrupt(),
    SystemExit(1),
]
PATIENCE = 20
"""After so many runs a test takes a use case for one that would be run for ever."""


class Failing:
    """A use case that raises an error in its first ``times`` runs, and counts them."""

    def __init__(self, error: BaseException, times: int) -> None:
        self.error, self.times, self.runs = error, times, 0

    def __call__(self, word: str, *, loudly: bool = False) -> str:
        """Return the word, if this is late enough."""
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
def test_what_surely_did_not_happen_is_run_again_until_it_succeeds(error: Exception) -> None:
    """With the same arguments, and once only when it has succeeded."""
    use_case = Failing(error, times=3)
    assert "ANN" == retrying(use_case, "ann", loudly=True)
    assert 4 == use_case.runs


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_any_other_error_goes_on_at_once(error: BaseException) -> None:
    """What may have happened, what would fail again, and what is no error of the storage's at all."""
    use_case = Failing(error, times=1)
    with pytest.raises(type(error)) as caught:
        retrying(use_case, "ann")
    assert error is caught.value
    assert 1 == use_case.runs


@pytest.mark.parametrize("attempts", [1, 2, 6])
def test_a_use_case_that_keeps_failing_ends_in_its_own_last_error(attempts: int) -> None:
    """The very object, after the number of runs that was asked for."""
    use_case = Failing(AWAY, times=PATIENCE)
    with pytest.raises(StorageUnavailable) as caught:
        Retrying(attempts=attempts)(use_case, "ann")
    assert AWAY is caught.value
    assert attempts == use_case.runs


def test_a_use_case_is_run_six_times_unless_told_otherwise() -> None:
    """Neither more, nor fewer."""
    use_case = Failing(AWAY, times=PATIENCE)
    with pytest.raises(StorageUnavailable):
        retrying(use_case, "ann")
    assert 6 == use_case.runs


def test_the_first_pause_is_short_and_partly_random(hooks: Hooks) -> None:
    """So that two that have met do not meet again. Nobody waits here: an error takes the place of each pause."""
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
    """The first one has used it all."""
    use_case = Failing(AWAY, times=PATIENCE)
    with stamina.set_testing(False), pytest.raises(StorageUnavailable):
        Retrying(timeout=1e-9)(use_case, "ann")
    assert 1 == use_case.runs


@pytest.mark.parametrize(("at", "call"), [("read", 1), ("write", 1), ("commit", 1), ("commit", 2)])
def test_each_run_is_a_new_transaction_of_the_unit(at: Literal["read", "write", "commit"], call: int) -> None:
    """Wherever the one before has failed, nothing of it is left, and its version is not counted."""
    database = FakeDatabase()
    uow = FakeShop(database)
    create_member("ann", "ann@example.com", uow)
    for number in range(call):
        database.fail(at, ConcurrentChange("somebody was faster"), call=number + 1)
    changed = retrying(change_email, "ann", "ann@example.org", uow)
    stored = get_member("ann", FakeShop(database))
    assert [("ann@example.org", 2)] * 2 == [(member.email, member.version) for member in (changed, stored)]


@pytest.mark.parametrize("stored", [True, False])
def test_a_commit_of_unknown_outcome_is_not_repeated(stored: bool) -> None:
    """It is up to the caller to look first."""
    database = FakeDatabase()
    uow = FakeShop(database)
    create_member("ann", "ann@example.com", uow)
    database.fail("commit", CommitOutcomeUnknown("lost while committing"), stored=stored)
    with pytest.raises(CommitOutcomeUnknown):
        retrying(change_email, "ann", "ann@example.org", uow)
    assert (2 if stored else 1) == get_member("ann", uow).version


def test_an_interrupt_during_a_pause_ends_it(hooks: Hooks) -> None:
    """Ctrl-C need not wait for the next run. The hook that stamina calls before the pause stands for the signal."""

    def interrupt(details: RetryDetails) -> None:
        raise KeyboardInterrupt(details.retry_num)

    use_case = Failing(AWAY, times=1)
    hooks([interrupt])
    with pytest.raises(KeyboardInterrupt):
        retrying(use_case, "ann")
    assert 1 == use_case.runs


def secretive(password: str, *, token: str) -> str:
    """Fail, while holding what nobody else shall read."""
    raise ConcurrentChange("somebody was faster") if password + token else AssertionError


def test_each_further_run_is_logged_without_the_arguments(hooks: Hooks, caplog: pytest.LogCaptureFixture) -> None:
    """By the standard logging, as warnings of stamina; they tell the use case and the error."""
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
    """Return the iterator in another way than as a generator function."""
    return export_members(uow)


@pytest.mark.parametrize("use_case", [export_members, exporting], ids=lambda one: one.__name__)
def test_a_use_case_that_returns_an_iterator_is_refused(use_case: Callable[[FakeShop], object]) -> None:
    """What fails in the middle of it could not be run again; nothing has been opened then."""
    uow = FakeShop()
    with pytest.raises(TypeError, match=r"returns an iterator, .*: call it without retrying"):
        retrying(use_case, uow)
    create_member("ann", "ann@example.com", uow)


def importing(names: Iterable[str], uow: FakeShop) -> int:
    """Store a member of each name, and return how many."""
    with uow:
        stored = uow.members.add_many(new_member(name) for name in names)
        uow.commit()
    return stored


def test_a_use_case_that_is_given_an_iterator_is_refused() -> None:
    """What the first run has read from it would be missing in the next one. A list can be read again."""
    uow = FakeShop()
    with pytest.raises(TypeError, match=r"importing .* is given an iterator, .* or give it a list"):
        retrying(importing, names=iter(["ann"]), uow=uow)
    assert 1 == retrying(importing, ["ann"], uow)


def test_a_coroutine_function_is_refused() -> None:
    """What it returns has not even begun, so nothing would ever be run again."""

    async def later() -> None: ...

    with pytest.raises(TypeError, match="is a coroutine function"):
        _ = retrying(later)
