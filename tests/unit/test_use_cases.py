"""The use cases on the fake: what each stores, returns and refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from weakref import WeakSet

import pytest

from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.fake.users import FakeUserRepository
from domain.errors import DomainError, InvalidValue
from domain.user import EmailAddress, EmailTaken, InvalidEmail, User, Username, UsernameTaken, UserNotFound
from service_layer.unit_of_work import UnitOfWork
from service_layer.users import (
    ImportSummary,
    UserRow,
    change_email,
    change_username,
    create_user,
    deactivate_user,
    delete_user,
    export_users,
    get_user,
    import_users,
    list_users,
    reactivate_user,
)
from tests.unit.user_imports import BATCH, Refusals, rows


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let imports take few rows in a batch, so many batches take little time."""
    monkeypatch.setattr("service_layer.users.IMPORT_BATCH", BATCH)


@pytest.fixture
def uow() -> UnitOfWork:
    """A unit of work on an empty fake database."""
    return FakeUnitOfWork()


def test_a_created_user_can_be_fetched(uow: UnitOfWork) -> None:
    """A created user can be fetched in any spelling of the name, and read after the unit has ended."""
    created = create_user("Ann", "ann@example.com", uow)
    fetched = get_user("ANN", uow)
    assert created == fetched
    assert ("ann", "ann@example.com", 1) == (fetched.username, fetched.email, fetched.version)


def test_creating_a_user_refuses_bad_values(uow: UnitOfWork) -> None:
    """Creating a user refuses bad and taken values, and then stores nothing."""
    create_user("ann", "ann@example.com", uow)
    for username, email, error in [
        ("ANN", "other@example.com", UsernameTaken),
        ("bob", "ann@example.com", EmailTaken),
        ("bob", "nobody", InvalidEmail),
    ]:
        with pytest.raises(error):
            create_user(username, email, uow)
    assert ["ann"] == [user.username for user in export_users(uow)]


def test_users_are_listed_page_by_page(uow: UnitOfWork) -> None:
    """Users are listed page by page, oldest first. Each page says where the next one begins."""
    for name in ("ann", "bob", "cid"):
        create_user(name, f"{name}@example.com", uow)
    first = list_users(None, 2, uow)
    second = list_users(first.next, 2, uow)
    assert [["ann", "bob"], ["cid"]] == [[user.username for user in page.items] for page in (first, second)]
    assert second.next is None
    with pytest.raises(InvalidValue):
        list_users(None, 0, uow)


def test_a_change_returns_the_user_and_is_stored(uow: UnitOfWork) -> None:
    """A change of address, name or activity returns the user and is stored."""
    create_user("ann", "ann@example.com", uow)
    assert change_email("ann", "ann@example.org", uow).email == "ann@example.org"
    assert change_username("ann", "Anna", uow).username == "anna"
    assert deactivate_user("anna", uow).active is False
    assert get_user("anna", uow).active is False
    assert reactivate_user("anna", uow).active is True
    stored = get_user("anna", uow)
    assert ("ann@example.org", True, 5) == (stored.email, stored.active, stored.version)


def test_a_deleted_user_leaves_the_name_free(uow: UnitOfWork) -> None:
    """A deleted user is gone and leaves the name free for another user."""
    first = create_user("ann", "ann@example.com", uow)
    delete_user("ann", uow)
    with pytest.raises(UserNotFound):
        get_user("ann", uow)
    assert first != create_user("ann", "ann@example.com", uow)


USES: dict[str, Callable[[UnitOfWork], object]] = {
    "get_user": lambda uow: get_user("ann", uow),
    "change_email": lambda uow: change_email("ann", "ann@example.org", uow),
    "change_username": lambda uow: change_username("ann", "bob", uow),
    "deactivate_user": lambda uow: deactivate_user("ann", uow),
    "reactivate_user": lambda uow: reactivate_user("ann", uow),
    "delete_user": lambda uow: delete_user("ann", uow),
}


@pytest.mark.parametrize("use", USES)
def test_who_is_not_stored_cannot_be_used(uow: UnitOfWork, use: str) -> None:
    """A user who is not stored cannot be used: each use case says who was not found."""
    with pytest.raises(UserNotFound, match="'ann'"):
        USES[use](uow)


def test_an_import_stores_every_good_row(uow: UnitOfWork) -> None:
    """An import stores every good row and refuses the others in the order of lines, with line and reason.

    A value is taken by a stored user or by an earlier row.
    """
    create_user("ann", "ann@example.com", uow)
    refused = Refusals()
    source = rows(
        ("bob", "bob@example.com"),
        ("Bob", "bob2@example.com"),
        ("", "cid@example.com"),
        ("dan", "bob@example.com"),
        ("ann", "other@example.com"),
        ("eve", "nobody"),
        (None, 5),
        ("fay", "fay@example.com"),
    )
    summary = import_users(source, refused, uow)
    assert ImportSummary(stored=2, present=0, refused=6) == summary
    assert ["ann", "bob", "fay"] == [user.username for user in export_users(uow)]
    assert [
        (2, "UsernameTaken"),
        (3, "InvalidUsername"),
        (4, "EmailTaken"),
        (5, "UsernameTaken"),
        (6, "InvalidEmail"),
        (7, "InvalidUsername"),
    ] == refused


def test_a_second_import_stores_nothing_twice(uow: UnitOfWork) -> None:
    """A second import stores nothing twice and finishes the rest. Stored rows in any spelling count as present."""
    refused = Refusals()
    source = rows(("ann", "ann@example.com"), ("bob", "bob@example.com"), ("ANN", "ann@EXAMPLE.com"))
    first = import_users(source[:1], refused, uow)
    second = import_users(source, refused, uow)
    assert [ImportSummary(1, 0, 0), ImportSummary(1, 2, 0)] == [first, second]
    assert refused == []


def test_an_import_stores_batch_by_batch(uow: UnitOfWork) -> None:
    """An import stores batch by batch and reads no further. A failure in a later batch does not undo an earlier one."""

    def source() -> Iterator[UserRow]:
        for number in range(BATCH):
            yield UserRow(number, f"user{number}", f"user{number}@example.com")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        import_users(source(), Refusals(), uow)
    assert sum(1 for _ in export_users(uow)) == BATCH


def test_an_import_drops_what_it_has_stored(uow: UnitOfWork) -> None:
    """An import holds the current batch, and the one before only until the next has been read."""
    alive: WeakSet[UserRow] = WeakSet()
    held = 0

    def source() -> Iterator[UserRow]:
        nonlocal held
        for number in range(3 * BATCH):
            row = UserRow(number, f"user{number}", f"user{number}@example.com")
            alive.add(row)
            held = max(held, len(alive))
            yield row

    import_users(source(), Refusals(), uow)
    assert held <= 2 * BATCH


def test_an_import_counts_the_rows_of_all_batches(uow: UnitOfWork) -> None:
    """An import counts the rows of the whole source, not of the last thousand."""
    source = [UserRow(n, f"user{n}", f"user{n}@example.com") for n in range(BATCH)]
    summary = import_users([*source, UserRow(BATCH, "", ""), source[0]], Refusals(), uow)
    assert ImportSummary(stored=BATCH, present=1, refused=1) == summary


def test_an_unreadable_row_is_refused_for_that(uow: UnitOfWork) -> None:
    """A row that could not be read is refused for that reason, whatever its values. The rows after it are stored."""
    problem = InvalidValue("a,b", "it has too many fields")
    refused: list[tuple[UserRow, DomainError]] = []
    source = [UserRow(1, "ann", "ann@example.com", problem), UserRow(2, "bob", "bob@example.com")]
    summary = import_users(source, lambda row, reason: refused.append((row, reason)), uow)
    assert ImportSummary(stored=1, present=0, refused=1) == summary
    assert [(source[0], problem)] == refused


def test_a_refused_row_names_the_taken_value(uow: UnitOfWork) -> None:
    """A refused row of an import names the taken value, of a stored user and of an earlier row."""
    create_user("ann", "ann@example.com", uow)
    messages: list[str] = []
    source = rows(
        ("ann", "other@example.com"), ("bob", "ann@example.com"), ("cid", "cid@example.com"), ("dan", "cid@example.com")
    )
    import_users(source, lambda _, reason: messages.append(str(reason)), uow)
    assert [
        "the username 'ann' is taken already: choose another one",
        "the email 'ann@example.com' is taken already: choose another one",
        "the email 'cid@example.com' is taken already: choose another one",
    ] == messages


def test_a_repeated_row_is_present(uow: UnitOfWork) -> None:
    """A row that an import holds twice is stored once and then present. It is no conflict, even in one batch."""
    refused = Refusals()
    summary = import_users(rows(("ann", "ann@example.com"), ("ANN", "ann@example.com")), refused, uow)
    assert ImportSummary(stored=1, present=1, refused=0) == summary
    assert refused == []


class Raced(FakeUserRepository):
    """A repository in which another client stores a user just after this unit has looked, ``times`` times."""

    def __init__(self, unit: FakeUnitOfWork, database: FakeDatabase, times: int) -> None:
        super().__init__(unit, unit.session)
        self._database, self._times = database, times

    def list_holding(self, usernames: Iterable[Username], emails: Iterable[EmailAddress]) -> list[User]:
        """Look, and then let the other client be faster."""
        found = super().list_holding(usernames, emails)
        if self._times:
            self._times -= 1
            create_user(f"user{self._times}", f"other{self._times}@example.com", FakeUnitOfWork(self._database))
        return found


def raced_unit(database: FakeDatabase, times: int) -> FakeUnitOfWork:
    """Return a unit of work whose imports lose ``times`` races."""
    uow = FakeUnitOfWork(database)
    uow.users = Raced(uow, database, times)
    return uow


def test_an_import_that_loses_a_race_looks_again() -> None:
    """An import that loses a race looks again, refuses that row and stores the others."""
    database = FakeDatabase()
    refused = Refusals()
    source = rows(*((f"user{number}", f"user{number}@example.com") for number in range(3)))
    summary = import_users(source, refused, raced_unit(database, times=2))
    assert ImportSummary(stored=1, present=0, refused=2) == summary
    assert [(1, "UsernameTaken"), (2, "UsernameTaken")] == refused


def test_an_import_that_loses_every_race_gives_up() -> None:
    """An import that loses every race gives up with the conflict after five attempts, without a part of the batch."""
    database = FakeDatabase()
    source = rows(*((f"user{number}", f"user{number}@example.com") for number in range(6)))
    with pytest.raises(UsernameTaken):
        import_users(source, Refusals(), raced_unit(database, times=5))
    assert sum(1 for _ in export_users(FakeUnitOfWork(database))) == 5
