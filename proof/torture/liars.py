"""Clients that break the law on purpose, to prove that they are found."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from unittest.mock import patch
from uuid import UUID

from domain.errors import Conflict, StorageError
from domain.user import User
from proof.torture.clients import Unit, account_email, account_name, store_unit
from service_layer import users
from service_layer.unit_of_work import UnitOfWork


def acknowledge_before_the_commit(unit: Unit, uow: UnitOfWork, acknowledge: Callable[[], None]) -> None:
    """Acknowledge before the commit, so acknowledged work may be lost."""
    acknowledge()
    store_unit(unit, uow, lambda: None)


def store_in_two_transactions(unit: Unit, uow: UnitOfWork, acknowledge: Callable[[], None]) -> None:
    """Store a unit in two transactions, so it may be there in part."""
    if unit.is_single:
        return store_unit(unit, uow, acknowledge)
    one, other = unit.usernames
    with uow:
        uow.users.add(User.create(one, f"{one}@example.com"))
        uow.users.get_by_username(account_name(unit.client)).change_email(account_email(unit.client, unit.number))
        uow.commit()
    users.create_user(other, f"{other}@example.com", uow)
    return acknowledge()


def swallow_errors_of_the_commit(unit: Unit, uow: UnitOfWork, acknowledge: Callable[[], None]) -> None:
    """Swallow errors of the commit, so acknowledged work may never have been stored."""
    with patch.object(type(uow), "commit", _careless(type(uow).commit)):
        store_unit(unit, uow, acknowledge)


def fail_after_the_commit(unit: Unit, uow: UnitOfWork, acknowledge: Callable[[], None]) -> None:
    """Fail after the commit: a client that ends by itself was not killed at its work."""
    store_unit(unit, uow, acknowledge)
    raise ZeroDivisionError


def create_without_the_id(username: str, email: str, uow: UnitOfWork, *, id: UUID) -> User:
    """Create without the id: the second call is refused, because this very user has the name."""
    del id
    return users.create_user(username, email, uow)


def create_another_one_where_it_is_taken(username: str, email: str, uow: UnitOfWork, *, id: UUID) -> User:
    """Create another user if the name is taken: the second call makes a second user."""
    user = User(id=id, username=username, email=email, created_at=datetime.now(UTC))
    try:
        with uow:
            uow.users.add(user)
            uow.commit()
    except Conflict:
        users.create_user(f"{username}-2", f"2-{email}", uow)
    return user


def create_and_swallow_errors_of_the_commit(username: str, email: str, uow: UnitOfWork, *, id: UUID) -> User:
    """Create and swallow errors of the commit: the caller believes that the user is stored."""
    with patch.object(type(uow), "commit", _careless(type(uow).commit)):
        return users.create_user(username, email, uow, id=id)


def create_nothing(username: str, email: str, uow: UnitOfWork, *, id: UUID) -> User:
    """Create nothing: the caller believes that the user is stored, and it never is."""
    del uow
    return User.create(username, email, id)


def _careless(commit: Callable[[UnitOfWork], None]) -> Callable[[UnitOfWork], None]:
    def careless(uow: UnitOfWork) -> None:
        with suppress(StorageError):
            commit(uow)

    return careless
