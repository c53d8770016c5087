"""After a crash of a client or the server, acknowledged work is there, and nothing is torn: a short run."""

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
        pass  # its connections must not be taken for those of dead clients
    return kill_clients(url, kills, Random(SEED), store, clients=4)  # noqa: S311  # to be repeated


def rows(*usernames: str, last: int, count: int) -> ByName:
    """Return the stored rows of client 1: its account after some units, and the users that its units have added."""
    return {"account-1": (f"{last}@account-1.example.com", count + 1), **dict.fromkeys(usernames, ("", 1))}


WHOLE = ("unit-1-1-a", "unit-1-1-b")


@pytest.mark.parametrize("told", [INTENDED, ACKNOWLEDGED, UNKNOWN])
def test_a_unit_may_be_stored_unless_refused(told: bytes) -> None:
    """A unit may be stored wholly unless it was refused, since it was asked for."""
    assert [] == Ledger(1).violations({1: told}, {1: told}, rows(*WHOLE, last=1, count=1))


@pytest.mark.parametrize("told", [INTENDED, UNAVAILABLE, UNKNOWN])
def test_a_unit_may_be_absent_unless_acknowledged(told: bytes) -> None:
    """A unit may be absent unless it was acknowledged, since it was not promised."""
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
def test_a_single_unit_leaves_the_account_alone(told: bytes, stored: ByName, complaints: list[str]) -> None:
    """A unit that adds one user leaves the account unchanged. Otherwise the same law holds for it."""
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
    """Every other state is a violation that says what is wrong."""
    found = Ledger(1).violations({1: told}, {1: told}, stored)
    assert complaint in "\n".join(found)


def test_checked_and_removed_units_still_count() -> None:
    """Checked and removed units still count: the account stays at its last unit, and one that comes back is found."""
    ledger = Ledger(1)
    assert [*WHOLE] == ledger.settle({1: ACKNOWLEDGED, 2: UNAVAILABLE}, rows(*WHOLE, last=1, count=1))
    assert [] == ledger.violations({}, {3: INTENDED}, rows(last=1, count=1))
    assert "unit-1-2-a, and yet" in ledger.violations({}, {3: INTENDED}, rows("unit-1-2-a", last=1, count=1))[0]


@pytest.mark.promise(2)
def test_a_killed_client_on_sqlite(tmp_path: Path) -> None:
    """A killed client on SQLite leaves all acknowledged work and nothing torn, whatever it was doing."""
    found = kill(f"sqlite:///{tmp_path}/test.db", 4)
    assert ([], 4) == (found.violations, found.kills)


@pytest.mark.promise(2)
def test_a_killed_client_on_postgres(postgres_database: str) -> None:
    """A killed client on PostgreSQL leaves all acknowledged work and nothing torn, whatever it was doing."""
    found = kill(postgres_database, 4)
    assert ([], 4) == (found.violations, found.kills)


@pytest.mark.promise(2)
def test_a_killed_client_on_mariadb(mariadb_database: str) -> None:
    """A killed client on MariaDB leaves all acknowledged work and nothing torn, whatever it was doing."""
    found = kill(mariadb_database, 4)
    assert ([], 4) == (found.violations, found.kills)


@pytest.mark.promise(14, 15)
def test_an_immediate_stop_of_postgres() -> None:
    """After an immediate stop of PostgreSQL all errors were true, and clients go on with the same engine."""
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
def test_the_programs_print_their_seed(
    main: Callable[[list[str]], int], nothing: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The programs print their seed, so a run with a random seed can be repeated."""
    assert main([*nothing, "--seed=7"]) == 0
    assert capsys.readouterr().out == "seed 7\n"


def test_any_violation_is_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Any violation ends a program with an error and is shown."""
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
    """A client that lies is found by kills within ten seconds, on a machine that has time for it."""
    found = kill(postgres_database, 1_000, store)
    assert complaint in found.violations[0]


@pytest.mark.slow
def test_a_swallowed_error_is_found_by_stops() -> None:
    """A commit that swallows its error is found by stops within ten seconds, on a machine that has time for it."""
    found = stop_server(100, Random(SEED), liars.swallow_errors_of_the_commit)  # noqa: S311  # to be repeated
    assert "lost: " in found.violations[0]
