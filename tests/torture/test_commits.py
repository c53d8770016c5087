"""After a COMMIT that was cut off, the client is told so, and may ask again with the same id: in short."""

from __future__ import annotations

import pytest

from service_layer.users import create_user
from tests.storages import migrated_engine
from tests.torture import faults
from tests.torture.commits import Create, Cuts, cut_commits
from tests.torture.cutting_proxy import MysqlMessages, PostgresMessages

START = b"\x00\x00\x00\x08\x04\xd2\x16\x2f" + b"\x00\x00\x00\x11\x00\x03\x00\x00user\x00me\x00\x00"
"""A request for encryption, and a start-up message."""


def query(text: bytes) -> bytes:
    """Return a simple query as PostgreSQL's clients send it."""
    return b"Q" + (len(text) + 5).to_bytes(4) + text + b"\0"


def command(text: bytes) -> bytes:
    """Return a query as MariaDB's clients send it."""
    return (len(text) + 1).to_bytes(3, "little") + b"\0\x03" + text


POSTGRES = [START[:8], START[8:], query(b"SELECT 'COMMIT'"), query(b"COMMIT"), query(b"commit;"), query(b"ROLLBACK")]
MYSQL = [b"\x02\0\0\1me", command(b"SELECT 'COMMIT'"), command(b"COMMIT"), command(b"commit;"), command(b"ROLLBACK")]


@pytest.mark.parametrize(("kind", "messages"), [(PostgresMessages, POSTGRES), (MysqlMessages, MYSQL)])
def test_a_commit_is_recognised_however_it_comes_in(
    kind: type[PostgresMessages | MysqlMessages], messages: list[bytes]
) -> None:
    """In pieces of any size; and nothing else is taken for one."""
    stream = b"".join(messages)
    for size in range(1, len(stream) + 1):
        divider = kind()
        found = [one for start in range(0, len(stream), size) for one in divider.divide(stream[start : start + size])]
        assert messages == [message for message, _ in found]
        assert [b"COMMIT", b"commit;"] == [message[5:].rstrip(b"\0") for message, is_commit in found if is_commit]


def cut(url: str, cuts: int, create: Create = create_user) -> Cuts:
    """Cut the COMMITs of one client on an empty database."""
    with migrated_engine(url):
        return cut_commits(url, cuts, "1", create, workers=1)


@pytest.mark.promise(14)
def test_a_commit_that_is_cut_off_on_postgres_is_told_and_can_be_repeated(postgres_database: str) -> None:
    """All that was intended is there once."""
    found = cut(postgres_database, 8)
    assert ([], 4, 4, {"CommitOutcomeUnknown": 8}) == (found.violations, found.before, found.after, found.errors)


@pytest.mark.promise(14)
def test_a_commit_that_is_cut_off_on_mariadb_is_told_and_can_be_repeated(mariadb_database: str) -> None:
    """All that was intended is there once."""
    found = cut(mariadb_database, 8)
    assert ([], 4, 4, {"CommitOutcomeUnknown": 8}) == (found.violations, found.before, found.after, found.errors)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("create", "complaint"),
    [
        (faults.create_without_the_id, "its COMMIT was not cut, and the client was told UsernameTaken"),
        (faults.create_another_one_where_it_is_taken, "stored, and not asked for, or twice: "),
        (faults.create_and_swallow_errors_of_the_commit, "missing: "),
    ],
)
def test_a_create_that_cannot_be_repeated_is_found(create: Create, complaint: str, postgres_database: str) -> None:
    """With the first few cuts."""
    found = cut(postgres_database, 20, create)
    assert complaint in "\n".join(found.violations)
