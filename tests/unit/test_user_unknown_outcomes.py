"""After a commit of unknown outcome: a user is created again by its id, and an import looks by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pytest

from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.fake.users import FakeUserRepository
from domain.aggregate import new_id
from domain.errors import (
    CommitOutcomeUnknown,
    ConcurrentChange,
    DuplicateIdentity,
    StorageError,
    StorageUnavailable,
)
from domain.user import EmailTaken, User, UsernameTaken
from service_layer.users import (
    ImportSummary,
    UserRow,
    change_email,
    create_user,
    export_users,
    import_users,
)
from tests.unit.user_imports import BATCH, Refusals, rows

UNKNOWN = CommitOutcomeUnknown("lost while committing")
AWAY = StorageUnavailable("the server is away")
FASTER = ConcurrentChange("somebody was faster")
ID = new_id()

At = Literal["read", "write", "commit"]


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let imports take few rows in a batch, so many batches take little time."""
    monkeypatch.setattr("service_layer.users.IMPORT_BATCH", BATCH)


@pytest.fixture
def database() -> FakeDatabase:
    """An empty fake database."""
    return FakeDatabase()


@pytest.fixture
def uow(database: FakeDatabase) -> FakeUnitOfWork:
    """A unit of work on the database."""
    return FakeUnitOfWork(database)


def stored(database: FakeDatabase) -> list[str]:
    """Return the names of all stored users, oldest first."""
    return [user.username for user in export_users(FakeUnitOfWork(database))]


# One user


@pytest.mark.parametrize("happened", [True, False])
def test_creating_a_user_again_settles_the_outcome(database: FakeDatabase, uow: FakeUnitOfWork, happened: bool) -> None:
    """Creating a user again by its id settles an unknown outcome: the user is stored once in any case."""
    database.fail("commit", UNKNOWN, stored=happened)
    with pytest.raises(CommitOutcomeUnknown):
        create_user("ann", "ann@example.com", uow, ID)
    ann = create_user("ANN", "ann@EXAMPLE.com", uow, ID)
    assert (ID, "ann", "ann@example.com", 1) == (ann.id, ann.username, ann.email, ann.version)
    assert ["ann"] == stored(database)


@pytest.mark.parametrize(("username", "email"), [("ann", "other@example.com"), ("anna", "ann@example.com")])
def test_an_id_with_other_values_is_refused(
    database: FakeDatabase, uow: FakeUnitOfWork, username: str, email: str
) -> None:
    """An id that is stored with other values is refused: another user, or the same one changed since."""
    create_user("ann", "ann@example.com", uow, ID)
    with pytest.raises(DuplicateIdentity, match=str(ID)):
        create_user(username, email, uow, ID)
    assert ["ann"] == stored(database)


def test_another_users_value_is_refused_with_an_id(database: FakeDatabase, uow: FakeUnitOfWork) -> None:
    """A value of another user is refused with an id too, even if both values are the same."""
    create_user("ann", "ann@example.com", uow)
    with pytest.raises(UsernameTaken):
        create_user("ann", "ann@example.com", uow, ID)
    with pytest.raises(EmailTaken):
        create_user("bob", "ann@example.com", uow, ID)
    assert ["ann"] == stored(database)


@pytest.mark.parametrize("error", [DuplicateIdentity(ID), UsernameTaken("ann"), EmailTaken("ann@example.com")])
def test_a_lost_race_returns_the_stored_user(database: FakeDatabase, uow: FakeUnitOfWork, error: Exception) -> None:
    """A lost race returns the stored user, whatever the error: the storage may find any of the equal values first."""
    first = create_user("ann", "ann@example.com", uow, ID)
    database.fail("write", error)
    assert first == create_user("ann", "ann@example.com", uow, ID)
    database.fail("write", error)
    with pytest.raises(DuplicateIdentity, match=str(ID)):
        create_user("ann", "other@example.com", uow, ID)


def test_a_removed_user_is_no_success(database: FakeDatabase, uow: FakeUnitOfWork) -> None:
    """A user that is gone when it is looked for is no success: it was removed after it was in the way."""
    database.fail("write", DuplicateIdentity(ID))
    with pytest.raises(DuplicateIdentity):
        create_user("ann", "ann@example.com", uow, ID)
    assert [] == stored(database)


# An import


def many(count: int) -> list[UserRow]:
    """Return a number of valid rows."""
    return [UserRow(number, f"user{number}", f"user{number}@example.com") for number in range(count)]


@pytest.mark.parametrize("happened", [True, False])
def test_an_import_finds_out_about_a_batch(database: FakeDatabase, uow: FakeUnitOfWork, happened: bool) -> None:
    """An import finds out whether a batch is stored. It counts each row once, and stores the rows that follow.

    Users stored earlier count as present.
    """
    create_user("old", "old@example.com", uow)
    refused = Refusals()
    source = rows(
        ("old", "old@example.com"),
        ("ann", "ann@example.com"),
        ("bob", "bob@example.com"),
        ("ann", "ann@example.com"),
        ("BOB", "other@example.com"),
        ("cid", "old@example.com"),
        ("", ""),
    )
    database.fail("commit", UNKNOWN, stored=happened)
    summary = import_users(source, refused, uow)
    assert ImportSummary(stored=2, present=2, refused=3) == summary
    assert [(5, "UsernameTaken"), (6, "EmailTaken"), (7, "InvalidUsername")] == refused
    assert ["old", "ann", "bob"] == stored(database)


@pytest.mark.parametrize("happened", [True, False])
@pytest.mark.parametrize("batch", [1, 2])
def test_an_unknown_outcome_keeps_the_summary_exact(
    database: FakeDatabase, uow: FakeUnitOfWork, batch: int, happened: bool
) -> None:
    """An unknown outcome of any batch keeps the summary of an import exact."""
    count = BATCH + 5
    database.fail("commit", UNKNOWN, call=batch, stored=happened)
    assert ImportSummary(stored=count) == import_users(many(count), Refusals(), uow)
    assert count == len(stored(database))


def test_a_changed_user_is_the_imported_one(database: FakeDatabase) -> None:
    """A user who was changed in between is the imported one: it is found by id, and is no other user with the name."""
    changing = FakeUnitOfWork(database)

    class Meddled(FakeUnitOfWork):
        def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
            super().__exit__(kind, *rest)  # type: ignore[arg-type]  # handed through
            if kind is CommitOutcomeUnknown:
                change_email("ann", "new@example.com", changing)

    database.fail("commit", UNKNOWN, stored=True)
    refused = Refusals()
    summary = import_users(rows(("ann", "ann@example.com"), ("bob", "bob@example.com")), refused, Meddled(database))
    assert (ImportSummary(stored=2), []) == (summary, refused)
    assert ["ann", "bob"] == stored(database)


class Late(FakeUserRepository):
    """A repository in which, at the second bulk, the commit of the first one arrives just before it."""

    def __init__(self, unit: FakeUnitOfWork, database: FakeDatabase) -> None:
        super().__init__(unit, unit.session)
        self._database, self._bulks = database, 0

    def add_many(self, aggregates: Iterable[User]) -> int:
        """Store the same users, and then try to."""
        users = list(aggregates)
        self._bulks += 1
        if self._bulks == 2:
            with FakeUnitOfWork(self._database) as other:
                other.users.add_many(users)
                other.commit()
        return super().add_many(users)


def test_a_late_commit_of_a_batch_is_found(database: FakeDatabase, uow: FakeUnitOfWork) -> None:
    """A batch that a late commit stores after all is found: the import looks again."""
    uow.users = Late(uow, database)
    database.fail("commit", UNKNOWN)
    assert ImportSummary(stored=3) == import_users(many(3), Refusals(), uow)
    assert 3 == len(stored(database))


@pytest.mark.parametrize(("at", "error"), [("read", AWAY), ("write", FASTER), ("commit", AWAY), ("commit", FASTER)])
def test_an_import_tries_again_what_did_not_happen(
    database: FakeDatabase, uow: FakeUnitOfWork, at: At, error: Exception
) -> None:
    """An import tries again what did not happen, batch by batch. No row is read twice or left out."""
    for call in (1, 2, 3):
        database.fail(at, error, call=call)
    count = BATCH + 5
    assert ImportSummary(stored=count) == import_users(iter(many(count)), Refusals(), uow)
    assert count == len(stored(database))


def test_a_lost_database_ends_an_import(database: FakeDatabase, uow: FakeUnitOfWork) -> None:
    """A database that stays away ends an import with its own error. Earlier rows stay stored.

    Running the import again stores the rest.
    """
    count = BATCH + 5
    for call in range(3, 100):
        database.fail("read", AWAY, call=call)
    with pytest.raises(StorageUnavailable) as caught:
        import_users(many(count), Refusals(), uow)
    assert AWAY is caught.value
    database = revived(database)
    assert BATCH == len(stored(database))
    expected = ImportSummary(stored=count - BATCH, present=BATCH)
    assert expected == import_users(many(count), Refusals(), FakeUnitOfWork(database))


def revived(database: FakeDatabase) -> FakeDatabase:
    """Return a database with the same rows that no longer fails."""
    other = FakeDatabase()
    other.rows, other.index = database.rows, database.index
    return other


@pytest.mark.parametrize("happened", [True, False])
@pytest.mark.parametrize("later", [("read", AWAY), ("read", StorageError("broken")), ("commit", UNKNOWN)])
def test_an_import_that_cannot_find_out_says_so(
    database: FakeDatabase, uow: FakeUnitOfWork, later: tuple[At, Exception], happened: bool
) -> None:
    """An import that cannot find out says so: no error of a later look may claim that nothing was stored."""
    first = CommitOutcomeUnknown("the first one")
    database.fail("commit", first, stored=happened)
    at, error = later
    for call in range(3 if at == "read" else 2, 100):  # the first look makes two queries
        database.fail(at, error, call=call)
    if (at, happened) == ("commit", True):
        database.fail("read", AWAY, call=3)  # it would find the batch, and need no other commit
    with pytest.raises(CommitOutcomeUnknown) as caught:
        import_users(many(3), Refusals(), uow)
    assert first is caught.value
    assert (3 if happened else 0) == len(stored(revived(database)))


def test_ids_of_users_are_new_by_default() -> None:
    """Ids of users are new unless they are given: each user has a different one."""
    assert ID == User.create("ann", "ann@example.com", ID).id
    assert User.create("ann", "ann@example.com").id != User.create("ann", "ann@example.com").id
