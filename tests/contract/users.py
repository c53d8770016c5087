"""The sample of users, and short ways to store and look at them, each in a unit of work of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import asdict

from domain.user import EmailAddress, EmailTaken, User, Username, UsernameTaken
from tests.contract.sample import Kit, Sample, UniqueValue

if TYPE_CHECKING:
    from typing import Any

    from service_layer.unit_of_work import UnitOfWork
    from tests.storages import Storage

USERS: Sample[User] = Sample(
    repository="users",
    make=lambda word: User.create(word, f"{word}@example.com"),
    word=lambda user: user.username,
    rename=User.change_username,
    change=lambda user, state: user.deactivate() if state % 2 else user.reactivate(),
    unique=[
        UniqueValue("username", User.change_username, lambda users, name: users.get_by_username(name), UsernameTaken),
        UniqueValue("email", User.change_email, lambda users, email: users.get_by_email(email), EmailTaken),
    ],
    queries=[
        lambda users, word: users.list_holding([Username("ann")], [EmailAddress(f"{word}@example.com")]),
    ],
)


def new_user(name: str = "ann") -> User:
    """Return a user who is not stored yet."""
    return USERS.make(name)


def stored_user(storage: Storage, name: str = "ann") -> User:
    """Store a user and return the object, whose unit has ended."""
    return Kit(storage, USERS).stored(name)


def stored_values(storage: Storage) -> list[dict[str, Any]]:
    """Return the values of all users that are stored, in the order of ids."""
    return Kit(storage, USERS).all_values()


def stored_names(storage: Storage) -> list[str]:
    """Return the names of all users that are stored, sorted."""
    return Kit(storage, USERS).words()


def written(uow: UnitOfWork) -> None:
    """Let a unit of work write what waits in it, by a query that finds nobody. Raises what writing raises."""
    uow.users.list_holding([], [])


def values(user: User) -> dict[str, Any]:
    """Return all attributes of a user; fails when one of them cannot be read any more."""
    return asdict(user)
