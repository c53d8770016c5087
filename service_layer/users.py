"""The use cases of users: plain functions that take the unit of work last and open it themselves.

They return users that stay readable after the unit has ended. Each raises the domain's errors, and those of storage
that :mod:`domain.errors` lists.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from attrs import frozen

from domain.errors import DomainError, ValueTaken
from domain.user import EmailTaken, User, UsernameTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from uuid import UUID

    from domain.repository import Page
    from service_layer.unit_of_work import UnitOfWork

IMPORT_BATCH = 1000
"""How many rows of an import are stored in one transaction."""

# A taken value means that somebody else has stored it meanwhile. The next attempt sees that, and refuses the row.
_IMPORT_ATTEMPTS = 5


def create_user(username: str, email: str, uow: UnitOfWork) -> User:
    """Store a new user and return it.

    Raises :class:`~domain.user.InvalidUsername`, :class:`~domain.user.InvalidEmail`,
    :class:`~domain.user.UsernameTaken` or :class:`~domain.user.EmailTaken`.
    """
    user = User.create(username, email)
    with uow:
        uow.users.add(user)
        uow.commit()
    return user


def get_user(username: str, uow: UnitOfWork) -> User:
    """Return the user of this name in any spelling.

    Raises :class:`~domain.user.UserNotFound` or :class:`~domain.user.InvalidUsername`.
    """
    with uow:
        return uow.users.get_by_username(username)


def list_users(after: UUID | None, limit: int, uow: UnitOfWork) -> Page[User]:
    """Return at most ``limit`` (1 to 1000) users, oldest first.

    ``after`` is the ``next`` of the page before, or ``None`` for the first one. Raises
    :class:`~domain.errors.InvalidValue` for a limit out of range.
    """
    with uow:
        return uow.users.page(after, limit)


def export_users(uow: UnitOfWork) -> Generator[User, None, None]:
    """Yield all users, oldest first, holding only one batch at a time.

    The unit stays open until the last one, or until the generator is closed.
    """
    with uow:
        yield from uow.users.stream()


def change_email(username: str, email: str, uow: UnitOfWork) -> User:
    """Give a user another email address and return the user.

    Raises :class:`~domain.user.UserNotFound`, :class:`~domain.user.InvalidEmail`, :class:`~domain.user.EmailTaken` or
    :class:`~domain.errors.ConcurrentChange`.
    """
    return _change(username, lambda user: user.change_email(email), uow)


def change_username(username: str, new_username: str, uow: UnitOfWork) -> User:
    """Give a user another name and return the user.

    Raises :class:`~domain.user.UserNotFound`, :class:`~domain.user.InvalidUsername`,
    :class:`~domain.user.UsernameTaken` or :class:`~domain.errors.ConcurrentChange`.
    """
    return _change(username, lambda user: user.change_username(new_username), uow)


def deactivate_user(username: str, uow: UnitOfWork) -> User:
    """Switch a user off and return the user. Raises :class:`~domain.user.UserNotFound` or ``ConcurrentChange``."""
    return _change(username, User.deactivate, uow)


def reactivate_user(username: str, uow: UnitOfWork) -> User:
    """Switch a user on again and return the user. Raises :class:`~domain.user.UserNotFound` or ``ConcurrentChange``."""
    return _change(username, User.reactivate, uow)


def delete_user(username: str, uow: UnitOfWork) -> None:
    """Remove a user for good. Raises :class:`~domain.user.UserNotFound` or ``ConcurrentChange``."""
    with uow:
        uow.users.remove(uow.users.get_by_username(username))
        uow.commit()


def _change(username: str, change: Callable[[User], None], uow: UnitOfWork) -> User:
    with uow:
        user = uow.users.get_by_username(username)
        change(user)
        uow.commit()
    return user


@frozen
class UserRow:
    """One row of an import: the number of its first line in the source, and the values as they stand there.

    ``problem`` is why its values could not even be read, if that is so.
    """

    line: int
    username: Any  # of any type that a file can hold; the domain refuses what is not text
    email: Any  # likewise
    problem: DomainError | None = None


@frozen
class ImportSummary:
    """How many rows of an import were stored now, were stored before (``present``), and were refused."""

    stored: int = 0
    present: int = 0
    refused: int = 0

    def __add__(self, other: ImportSummary) -> ImportSummary:
        return ImportSummary(self.stored + other.stored, self.present + other.present, self.refused + other.refused)


def import_users(
    rows: Iterable[UserRow], refuse: Callable[[UserRow, DomainError], None], uow: UnitOfWork
) -> ImportSummary:
    """Store a user for each row that can be one, and call ``refuse`` with each other row and the reason.

    Rows are stored a thousand to a transaction, and only so many are held in memory. A row whose user is stored
    already, with the same name and address, is counted as present: so an import that was cut short is finished by
    running it again. A row with the name or the address of somebody else is refused.

    Raises the last :class:`~domain.errors.ValueTaken` when others store the same values at the same time, again and
    again; other conflicts and errors of storage at once. What was stored before stays stored.
    """
    summary = ImportSummary()
    remaining = iter(rows)
    while batch := list(islice(remaining, IMPORT_BATCH)):
        users, refused = _users_of(batch)
        stored, taken = _store(users, uow)
        refused += taken
        for row, reason in sorted(refused, key=lambda pair: pair[0].line):
            refuse(row, reason)
        present = len(batch) - stored - len(refused)
        summary += ImportSummary(stored, present, len(refused))
    return summary


_Candidates = list[tuple[UserRow, User]]
_Refusals = list[tuple[UserRow, DomainError]]


def _users_of(rows: Sequence[UserRow]) -> tuple[_Candidates, _Refusals]:
    users: _Candidates = []
    refused: _Refusals = []
    for row in rows:
        if row.problem is not None:
            refused.append((row, row.problem))
            continue
        try:
            users.append((row, User.create(row.username, row.email)))
        except DomainError as reason:
            refused.append((row, reason))
    return users, refused


def _store(candidates: _Candidates, uow: UnitOfWork) -> tuple[int, _Refusals]:
    attempts = 0
    while True:
        attempts += 1
        try:
            with uow:
                new, taken = _divide(candidates, uow)
                uow.users.add_many(new)
                uow.commit()
            return len(new), taken
        except ValueTaken:
            if attempts == _IMPORT_ATTEMPTS:
                raise


def _divide(candidates: _Candidates, uow: UnitOfWork) -> tuple[list[User], _Refusals]:
    """Return the users that can be stored, and the rows whose name or address somebody else has."""
    holders = uow.users.list_holding({user.username for _, user in candidates}, {user.email for _, user in candidates})
    emails = {holder.username: holder.email for holder in holders}
    known = {holder.email for holder in holders}
    new: list[User] = []
    taken: _Refusals = []
    for row, user in candidates:
        if emails.get(user.username) == user.email:
            continue
        if user.username in emails:
            taken.append((row, UsernameTaken(user.username)))
        elif user.email in known:
            taken.append((row, EmailTaken(user.email)))
        else:
            new.append(user)
            emails[user.username] = user.email
            known.add(user.email)
    return new, taken
