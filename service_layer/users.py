"""The use cases of users: plain functions whose last required argument is the unit of work, which they open themselves.

They return users that stay readable after the unit has ended. Each raises the domain's errors, and those of storage
that :mod:`domain.errors` lists. Those that change a stored user take the ``version`` that the caller has seen, and
raise :class:`~domain.errors.ConcurrentChange` if another one is stored; ``None`` stands for any.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, get_args

from attrs import frozen

from domain.errors import CommitOutcomeUnknown, DomainError, DuplicateIdentity, InvalidValue, StorageError, ValueTaken
from domain.user import EmailAddress, EmailTaken, User, Username, UsernameTaken, UserNotFound
from service_layer.retrying import Retrying
from service_layer.user_filter import UserFilter, UserSort

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from uuid import UUID

    from domain.repository import Page
    from service_layer.unit_of_work import UnitOfWork

IMPORT_BATCH = 1000
"""How many rows of an import are stored in one transaction."""

# An import is not watched to its end, so it may outlast the restart of a server.
_patiently = Retrying(attempts=10, timeout=60.0)

# What another look at the stored users explains. Another program may have stored the same value since the first look,
# so the row is refused now. Or a commit of this import, whose outcome was unknown, has stored the batch.
_LOOK_AGAIN = (ValueTaken, DuplicateIdentity, CommitOutcomeUnknown)
_LOOKS = 5


def create_user(username: str, email: str, uow: UnitOfWork, id: UUID | None = None) -> User:
    """Store a new user and return it.

    With an ``id`` (of :func:`~domain.aggregate.new_id`, so that users stay in the order of their making) the call can
    be made again, after :class:`~domain.errors.CommitOutcomeUnknown` above all: if a user of this id, name and address
    is stored already, it is returned, and nothing changes. Raises :class:`~domain.errors.DuplicateIdentity` when the
    one of this id has other values, :class:`~domain.user.InvalidUsername`, :class:`~domain.user.InvalidEmail`,
    :class:`~domain.user.UsernameTaken` or :class:`~domain.user.EmailTaken`.
    """
    user = User.create(username, email, id)
    try:
        with uow:
            uow.users.add(user)
            uow.commit()
    except (DuplicateIdentity, ValueTaken):
        stored = None if id is None else _find(id, uow)
        if stored is None:
            raise
        if (stored.username, stored.email) != (user.username, user.email):
            raise DuplicateIdentity(stored.id) from None
        return stored
    return user


def _find(id: UUID, uow: UnitOfWork) -> User | None:
    try:
        with uow:
            return uow.users.get(id)
    except UserNotFound:
        return None


def get_user(username: str, uow: UnitOfWork) -> User:
    """Return the user of this name in any spelling.

    Raises :class:`~domain.user.UserNotFound` or :class:`~domain.user.InvalidUsername`.
    """
    with uow:
        return uow.users.get_by_username(username)


def list_users(after: Any, limit: int, uow: UnitOfWork, chosen: UserFilter | None = None) -> Page[User]:
    """Return at most ``limit`` (1 to 1000) of the chosen users, by default of all.

    ``after`` is the ``next`` of the page before, or ``None`` for the first one. Raises
    :class:`~domain.errors.InvalidValue` for a limit out of range, another sort key, or an ``after`` of another one.
    """
    chosen = chosen or UserFilter()
    if chosen.sort not in get_args(UserSort):
        raise InvalidValue(chosen.sort, f"users are sorted by {', '.join(get_args(UserSort))}")
    with uow:
        return uow.users.page(after, limit, where=chosen.where(), order_by=chosen.sort)


def export_users(uow: UnitOfWork) -> Generator[User, None, None]:
    """Yield all users, oldest first, holding only one batch at a time.

    The unit stays open until the last one, or until the generator is closed.
    """
    with uow:
        yield from uow.users.stream()


def update_user(
    username: str,
    uow: UnitOfWork,
    *,
    new_username: str | None = None,
    email: str | None = None,
    version: int | None = None,
) -> User:
    """Give a user another name, another email address, or both, by one commit, and return the user.

    Raises :class:`~domain.user.UserNotFound`, :class:`~domain.user.InvalidUsername`,
    :class:`~domain.user.InvalidEmail`, :class:`~domain.user.UsernameTaken`, :class:`~domain.user.EmailTaken` or
    :class:`~domain.errors.ConcurrentChange`.
    """
    # Checked before the user is read: what cannot be stored is refused whoever it is for.
    name = None if new_username is None else Username(new_username)
    address = None if email is None else EmailAddress(email)

    def change(user: User) -> None:
        if name is not None:
            user.change_username(name)
        if address is not None:
            user.change_email(address)

    return _change(username, change, uow, version)


def change_email(username: str, email: str, uow: UnitOfWork, version: int | None = None) -> User:
    """Give a user another email address and return the user.

    Raises :class:`~domain.user.UserNotFound`, :class:`~domain.user.InvalidEmail`, :class:`~domain.user.EmailTaken` or
    :class:`~domain.errors.ConcurrentChange`.
    """
    return update_user(username, uow, email=email, version=version)


def change_username(username: str, new_username: str, uow: UnitOfWork, version: int | None = None) -> User:
    """Give a user another name and return the user.

    Raises :class:`~domain.user.UserNotFound`, :class:`~domain.user.InvalidUsername`,
    :class:`~domain.user.UsernameTaken` or :class:`~domain.errors.ConcurrentChange`.
    """
    return update_user(username, uow, new_username=new_username, version=version)


def deactivate_user(username: str, uow: UnitOfWork, version: int | None = None) -> User:
    """Switch a user off and return the user. Raises :class:`~domain.user.UserNotFound` or ``ConcurrentChange``."""
    return _change(username, User.deactivate, uow, version)


def reactivate_user(username: str, uow: UnitOfWork, version: int | None = None) -> User:
    """Switch a user on again and return the user. Raises :class:`~domain.user.UserNotFound` or ``ConcurrentChange``."""
    return _change(username, User.reactivate, uow, version)


def delete_user(username: str, uow: UnitOfWork, version: int | None = None) -> None:
    """Remove a user for good. Raises :class:`~domain.user.UserNotFound` or ``ConcurrentChange``."""
    with uow:
        user = uow.users.get_by_username(username)
        user.check_version(version)
        uow.users.remove(user)
        uow.commit()


def _change(username: str, change: Callable[[User], None], uow: UnitOfWork, version: int | None) -> User:
    with uow:
        user = uow.users.get_by_username(username)
        user.check_version(version)
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
    running it again. A row with the name or the address of another user is refused.

    A transaction that surely did not happen is run up to ten times within a minute; after one whose outcome is
    unknown, the import looks whether it has happened. Where that does not help, either, it raises the last error, or
    :class:`~domain.errors.CommitOutcomeUnknown` when the thousand rows at hand may be stored, or not. What was stored
    before stays stored. Not to be retried as a whole when ``rows`` can be read only once.
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
    """Return how many users were stored, and the rows whose name or address another user has."""
    unknown: CommitOutcomeUnknown | None = None
    looks = 0
    while True:
        looks += 1
        try:
            return _patiently(_store_once, candidates, uow)
        except (DomainError, StorageError) as error:
            if unknown is None and isinstance(error, CommitOutcomeUnknown):
                unknown = error
            if looks < _LOOKS and isinstance(error, _LOOK_AGAIN):
                continue
            if unknown is None:
                raise
            raise unknown from unknown.__cause__  # whatever came after it: the batch may be stored


def _store_once(candidates: _Candidates, uow: UnitOfWork) -> tuple[int, _Refusals]:
    with uow:
        new, stored, taken = _divide(candidates, uow)
        uow.users.add_many(new)
        uow.commit()
    return len(new) + stored, taken


def _divide(candidates: _Candidates, uow: UnitOfWork) -> tuple[list[User], int, _Refusals]:
    """Return the users to store, how many are stored as such, and the rows whose name or address another user has."""
    holders = uow.users.list_holding({user.username for _, user in candidates}, {user.email for _, user in candidates})
    ids = {holder.id for holder in holders}
    emails = {holder.username: holder.email for holder in holders}
    known = {holder.email for holder in holders}
    new: list[User] = []
    stored = 0
    taken: _Refusals = []
    for row, user in candidates:
        if user.id in ids:  # the id was made for this row: a commit of unknown outcome has stored it
            stored += 1
        elif emails.get(user.username) == user.email:
            continue
        elif user.username in emails:
            taken.append((row, UsernameTaken(user.username)))
        elif user.email in known:
            taken.append((row, EmailTaken(user.email)))
        else:
            new.append(user)
            emails[user.username] = user.email
            known.add(user.email)
    return new, stored, taken
