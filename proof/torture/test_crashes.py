"""After a crash of a client or of the server, what was acknowledged is there, and nothing is torn: in short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from proof.torture import commits, concurrency, crashes, liars, report
from proof.torture.clients import ACKNOWLEDGED, INTENDED, UNAVAILABLE, UNKNOWN, Store, store_unit
from proof.torture.kills import Kills, kill_clients
from proof.torture.ledger import Ledger
from proof.torture.look import ByName
from proof.torture.stops import stop_server
from tests.storages import migrated_engine

SEED = 1


def kill(url: str, kills: int, store: Store = store_unit) -> Kills:
    """Kill clients on an empty database, four at a time."""
    with migrated_engine(url):
        return kill_clients(url, kills, Random(SEED), store, clients=4)  # noqa: S311  # to be repeated


def rows(*usernames: str, last: int, count: int) -> ByName:
    """Return what is stored of client 1: its account after so many units, and users that its units have added."""
    return {"account-1": (f"{last}@account-1.example.com", count + 1), **dict.fromkeys(usernames, ("", 1))}


WHOLE = ("unit-1-1-a", "unit-1-1-b")


@pytest.mark.parametrize("told", [INTENDED, ACKNOWLEDGED, UNKNOWN])
def test_a_unit_may_be_stored_wholly_unless_it_was_refused(told: bytes) -> None:
    """It was asked for."""
    assert [] == Ledger(1).violations({1: told}, {1: told}, rows(*WHOLE, last=1, count=1))


@pytest.mark.parametrize("told", [INTENDED, UNAVAILABLE, UNKNOWN])
def test_a_unit_may_be_absent_unless_it_was_acknowledged(told: bytes) -> None:
    """It was not promised."""
    assert [] == Ledger(1).violations({1: told}, {1: told}, rows(last=0, count=0))


@pytest.mark.parametrize(
    ("told", "stored", "complaints"),
    [
        (INTENDED, rows("unit-1-3-a", last=0, count=0), []),
        (UNKNOWN, rows(last=0, count=0), []),
        (ACKNOWLEDGED, rows(last=0, count=0), ["lost: unit 3 of client 1 was acknowledged, and is absent"]),
        (
            UNAVAILABLE,
            rows("unit-1-3-a", last=0, count=0),
            ["stored: ['unit-1-3-a'], and yet the client was told StorageUnavailable"],
        ),
    ],
)
def test_a_unit_that_adds_one_user_leaves_the_account_as_it_was(
    told: bytes, stored: ByName, complaints: list[str]
) -> None:
    """Otherwise the same is asked of it."""
    ledger = Ledger(1)
    assert complaints == ledger.violations({3: told}, {3: told}, stored)
    assert list(stored)[1:] == ledger.settle({3: told}, stored)
    assert (0, 0) == (ledger.last, ledger.count)


@pytest.mark.parametrize(
    ("told", "stored", "complaint"),
    [
        (ACKNOWLEDGED, rows(last=0, count=0), "lost: unit 1 of client 1 was acknowledged"),
        (UNAVAILABLE, rows(*WHOLE, last=1, count=1), "and yet the client was told StorageUnavailable"),
        (INTENDED, rows("unit-1-1-a", last=1, count=1), "torn: of unit 1 of client 1, only unit-1-1-a"),
        (INTENDED, rows("unit-1-1-b", last=1, count=1), "torn: of unit 1 of client 1, only unit-1-1-b"),
        (INTENDED, rows(last=1, count=1), "torn: the account of client 1 is"),
        (INTENDED, rows(*WHOLE, last=0, count=0), "torn: the account of client 1 is"),
        (INTENDED, rows(*WHOLE, last=1, count=2), "torn: the account of client 1 is"),
        (INTENDED, rows("unit-1-2-a", last=0, count=0), "unit-1-2-a, and yet nobody asks for it"),
    ],
)
def test_every_other_state_is_a_violation(told: bytes, stored: ByName, complaint: str) -> None:
    """Which says what is wrong."""
    found = Ledger(1).violations({1: told}, {1: told}, stored)
    assert complaint in "\n".join(found)


def test_what_was_checked_and_removed_still_counts() -> None:
    """The account of a client stays at its last unit, and what comes back later is found."""
    ledger = Ledger(1)
    assert [*WHOLE] == ledger.settle({1: ACKNOWLEDGED, 2: UNAVAILABLE}, rows(*WHOLE, last=1, count=1))
    assert [] == ledger.violations({}, {3: INTENDED}, rows(last=1, count=1))
    assert "unit-1-2-a, and yet" in ledger.violations({}, {3: INTENDED}, rows("unit-1-2-a", last=1, count=1))[0]


@pytest.mark.promise(2)
def test_a_killed_client_on_sqlite_leaves_all_that_was_acknowledged_and_nothing_torn(tmp_path: Path) -> None:
    """Whatever it was doing."""
    found = kill(f"sqlite:///{tmp_path}/test.db", 4)
    assert ([], 4) == (found.violations, found.kills)


@pytest.mark.promise(2)
def test_a_killed_client_on_postgres_leaves_all_that_was_acknowledged_and_nothing_torn(postgres_database: str) -> None:
    """Whatever it was doing."""
    found = kill(postgres_database, 4)
    assert ([], 4) == (found.violations, found.kills)


@pytest.mark.promise(2)
def test_a_killed_client_on_mariadb_leaves_all_that_was_acknowledged_and_nothing_torn(mariadb_database: str) -> None:
    """Whatever it was doing."""
    found = kill(mariadb_database, 4)
    assert ([], 4) == (found.violations, found.kills)


@pytest.mark.promise(14, 15)
def test_after_an_immediate_stop_of_postgres_all_errors_were_true_and_clients_go_on() -> None:
    """With the engine that they have."""
    found = stop_server(1, Random(SEED))  # noqa: S311  # to be repeated
    assert ([], 1) == (found.violations, found.stops)


@pytest.mark.parametrize(
    ("main", "nothing"),
    [
        (concurrency.main, ["--transactions=0"]),
        (crashes.main, ["--kills=0", "--stops=0"]),
        (commits.main, ["--cuts=0"]),
    ],
    ids=["concurrency", "crashes", "commits"],
)
def test_the_programs_tell_their_seed(
    main: Callable[[list[str]], int], nothing: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """So that a run can be repeated, whose seed nobody has chosen."""
    assert main([*nothing, "--seed=7"]) == 0
    assert capsys.readouterr().out == "seed 7\n"


def test_any_violation_ends_a_program_with_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """And is shown."""
    assert [0, 1] == [report.complain([]), report.complain(["lost: ann"])]
    assert capsys.readouterr().out == "VIOLATION: lost: ann\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("store", "complaint"),
    [
        (liars.acknowledge_before_the_commit, "lost: "),
        (liars.store_in_two_transactions, "torn: "),
        (liars.fail_after_the_commit, "ended by itself, with 1"),
    ],
)
def test_a_client_that_lies_is_found_by_kills(store: Store, complaint: str, postgres_database: str) -> None:
    """Within ten seconds, on a machine that has time for it."""
    found = kill(postgres_database, 1_000, store)
    assert complaint in found.violations[0]


@pytest.mark.slow
def test_a_commit_that_swallows_its_error_is_found_by_stops() -> None:
    """Within ten seconds, likewise."""
    found = stop_server(100, Random(SEED), liars.swallow_errors_of_the_commit)  # noqa: S311  # to be repeated
    assert "lost: " in found.violations[0]
