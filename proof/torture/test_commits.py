"""After a COMMIT that was cut off, the client knows it and may ask again with the same id: a short run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proof.laws.faults import ALONE, COMMIT, is_commit, lasting
from proof.torture import liars
from proof.torture.commits import Create, Cuts, cut_commits
from service_layer.users import create_user
from tests.storages import migrated_engine


def query(text: bytes) -> bytes:
    """Return a simple query as PostgreSQL's clients send it."""
    return b"Q" + (len(text) + 5).to_bytes(4) + text + b"\0"


def command(text: bytes) -> bytes:
    """Return a query as MariaDB's clients send it."""
    return (len(text) + 1).to_bytes(3, "little") + b"\0\x03" + text


@pytest.mark.parametrize("message", [query, command])
def test_only_a_commit_is_recognised_as_one(message: Callable[[bytes], bytes]) -> None:
    """A commit is recognised by its whole message, and nothing else counts as one."""
    others = [b"SELECT 'COMMIT'", b"SELECT 1 AS COMMIT", b"COMMIT AND CHAIN", b"ROLLBACK"]
    assert [True, False, False, False, False] == [is_commit(message(text)) for text in [b"COMMIT", *others]]


@pytest.mark.parametrize(
    ("message", "said", "expected"),
    [
        (query(b"INSERT INTO users VALUES (1)"), b"Z\0\0\0\5I", ALONE),
        (query(b"UPDATE users SET active = true"), b"INSERT 0 1\0Z\0\0\0\5I", ALONE),
        (query(b"DELETE FROM users"), b"Z\0\0\0\5I", ALONE),
        (query(b"INSERT INTO users VALUES (1)"), b"Z\0\0\0\5T", ""),
        (query(b"SELECT 'INSERT '"), b"Z\0\0\0\5I", ""),
        (query(b"COMMIT"), b"Z\0\0\0\5T", COMMIT),
        (command(b"INSERT INTO users VALUES (1)"), b"\7\0\0\1\0\0\0\2\0\0\0", ""),
    ],
)
def test_a_statement_alone_is_recognised(message: bytes, said: bytes, expected: str) -> None:
    """A statement that is its own transaction is recognised by PostgreSQL's last message: is a transaction open?"""
    assert expected == lasting(message, said)


def cut(url: str, cuts: int, create: Create = create_user) -> Cuts:
    """Cut the COMMITs of one client on an empty database."""
    with migrated_engine(url):
        return cut_commits(url, cuts, "1", create, workers=1)


@pytest.mark.promise(14)
def test_a_cut_commit_on_postgres_is_repeated(postgres_database: str) -> None:
    """A commit that is cut off on PostgreSQL is reported and can be repeated: all intended users are there once.

    It was a COMMIT, or a statement that needed none.
    """
    found = cut(postgres_database, 8)
    assert ([], 4, 4, {"CommitOutcomeUnknown": 8}) == (found.violations, found.before, found.after, found.errors)
    assert 0 < found.alone < 8


@pytest.mark.promise(14)
def test_a_cut_commit_on_mariadb_is_repeated(mariadb_database: str) -> None:
    """A commit that is cut off on MariaDB is reported and can be repeated: all intended users are there once."""
    found = cut(mariadb_database, 8)
    assert ([], 4, 4, {"CommitOutcomeUnknown": 8}) == (found.violations, found.before, found.after, found.errors)
    assert 0 == found.alone


@pytest.mark.slow
@pytest.mark.parametrize(
    ("create", "complaint"),
    [
        (liars.create_without_the_id, "its COMMIT was not cut, and the client was told UsernameTaken"),
        (liars.create_another_one_where_it_is_taken, "stored, and not asked for, or twice: "),
        (liars.create_and_swallow_errors_of_the_commit, "missing: "),
        (liars.create_nothing, "acknowledged, and no COMMIT has come by"),
    ],
)
def test_a_lying_create_is_found(create: Create, complaint: str, postgres_database: str) -> None:
    """A create that lies or cannot be repeated is found with the first few cuts, or before any."""
    found = cut(postgres_database, 20, create)
    assert complaint in "\n".join(found.violations)
