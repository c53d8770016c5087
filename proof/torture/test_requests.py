"""Requests whose COMMIT is cut, and whose server or database is stopped, have one effect: in short."""

from __future__ import annotations

import sys
from random import Random

import pytest

from proof.torture.requests import cut_requests, kill_servers, stop_databases
from tests.storages import migrated_engine

RANDOM = Random(1)  # noqa: S311  # to be repeated


@pytest.mark.promise(14)
def test_a_request_whose_commit_is_cut_is_done_once(postgres_database: str) -> None:
    """Every answer of success is stored, and nothing else."""
    with migrated_engine(postgres_database):
        found = cut_requests(postgres_database, 12, RANDOM)
    assert ([], 12) == (found.violations, found.disturbances)
    assert found.answers["/problems/outcome-unknown"] >= 6


@pytest.mark.promise(14)
def test_a_request_whose_server_is_killed_is_done_once(postgres_database: str) -> None:
    """By the server that comes after it."""
    with migrated_engine(postgres_database):
        found = kill_servers(postgres_database, 3, RANDOM)
    assert ([], 3) == (found.violations, found.disturbances)


@pytest.mark.promise(14)
def test_a_request_whose_database_is_stopped_is_done_once() -> None:
    """When the database is there again."""
    assert [] == stop_databases(3, RANDOM).violations


def test_a_server_that_commits_after_its_answer_is_found_out(postgres_database: str) -> None:
    """It answers with success, and nothing is stored."""
    yielding = (sys.executable, "-m", "proof.torture.yielding")
    with migrated_engine(postgres_database):
        found = cut_requests(postgres_database, 12, RANDOM, yielding)
    assert found.violations
