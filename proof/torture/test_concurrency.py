"""Many concurrent units lose nothing on any storage. If they do, the check finds it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect

from domain.user import User
from proof.laws.pgbouncer_server import PgbouncerMissing, pgbouncer
from proof.planted_bugs.failures import (
    a_write_begins_no_transaction,
    several_statements_go_alone,
    statements_are_stored_immediately,
    what_goes_alone_is_never_committed,
)
from proof.planted_bugs.registry import instead
from proof.planted_bugs.writes import an_undone_savepoint_leaks_in_the_database
from proof.torture.concurrency import Run, line, torture
from tests.fixtures import required
from tests.storages import migrated_engine

if TYPE_CHECKING:
    from pathlib import Path

    from proof.planted_bugs.registry import Plant

DATABASES = ("sqlite", "postgres", "mariadb")


@pytest.fixture(params=["memory", *DATABASES])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a separate, empty database on each storage in turn."""
    return database_of(request.param, request, tmp_path)


def database_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """Return the URL of an empty database with its tables."""
    if kind == "memory":
        return "memory://"
    url = f"sqlite:///{folder}/torture.db" if kind == "sqlite" else str(request.getfixturevalue(f"{kind}_database"))
    with migrated_engine(url):
        return url


def test_no_acknowledged_write_is_lost(url: str) -> None:
    """No acknowledged write is lost or done twice, and refused or undone work is never seen.

    Two processes run four threads each.
    """
    run = Run(random.randrange(2**32), 400, 60, processes=2, threads=4)  # noqa: S311  # no secrets
    result = torture(url, run)
    assert [] == result.findings.violations, f"{line(url, run, result)}\n{result.example}"
    assert 401 == result.findings.transactions, line(url, run, result)  # the first one makes the users


def test_no_part_is_lost_or_read_apart(url: str) -> None:
    """No part is lost or read apart from the others, in aggregates with parts at two levels."""
    run = Run(random.randrange(2**32), 200, 60, processes=2, threads=4, parts=True)  # noqa: S311  # no secrets
    result = torture(url, run)
    assert [] == result.findings.violations, f"{line(url, run, result)}\n{result.example}"
    assert 201 == result.findings.transactions, line(url, run, result)


@pytest.mark.slow
def test_no_write_is_lost_behind_a_pooler(postgres_database: str) -> None:
    """No acknowledged write is lost behind a pooler, which gives each transaction another connection."""
    with required(pgbouncer(postgres_database), PgbouncerMissing) as url, migrated_engine(url):
        run = Run(random.randrange(2**32), 5000, 120, processes=2, threads=4)  # noqa: S311  # no secrets
        result = torture(url, run)
    assert [] == result.findings.violations, f"{line(url, run, result)}\n{result.example}"
    assert 5001 == result.findings.transactions, line(url, run, result)


def no_version_is_compared() -> None:
    """A change overwrites whatever is stored."""
    instead(inspect(User), "version_id_col", None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "plant", "found"),
    [
        *[(kind, no_version_is_compared, {"lost", "doubled"}) for kind in DATABASES],
        *[(kind, an_undone_savepoint_leaks_in_the_database, {"traces"}) for kind in DATABASES],
        *[(kind, what_goes_alone_is_never_committed, {"lost"}) for kind in ("sqlite", "postgres")],
        *[(kind, several_statements_go_alone, {"traces"}) for kind in ("sqlite", "postgres")],
        ("sqlite", statements_are_stored_immediately, {"traces"}),
        ("postgres", a_write_begins_no_transaction, {"traces"}),
    ],
)
def test_a_planted_bug_is_found(
    kind: str, plant: Plant, found: set[str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A planted bug is found by the traces of some thousand transactions, however long they take."""
    run = Run(random.randrange(2**32), 4000, 30, plant=plant)  # noqa: S311  # no secrets
    result = torture(database_of(kind, request, tmp_path), run)
    print(f"{kind}: {plant.__doc__} Found after {result.running + result.checking:.1f} s.")  # shown by -rA
    print(f"{line(kind, run, result)}\n{result.example}")
    assert found <= {one.kind for one in result.findings.violations}
