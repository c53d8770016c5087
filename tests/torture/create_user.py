"""STAND-IN, to be deleted: an idempotent ``create_user`` until the one of service_layer.users takes an id.

Then commits.py and test_commits.py say ``from service_layer.users import create_user``, and nothing else changes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from domain.errors import DuplicateIdentity
from domain.user import User, UserNotFound
from service_layer.unit_of_work import UnitOfWork


def create_user(username: str, email: str, uow: UnitOfWork, *, id: UUID) -> User:
    """Store a new user and return it; one that is stored by this id already is returned if its values are the same."""
    user = User(id=id, username=username, email=email, created_at=datetime.now(UTC))
    with uow:
        try:
            stored = uow.users.get(id)
        except UserNotFound:
            uow.users.add(user)
            uow.commit()
            return user
    if (stored.username, stored.email) != (user.username, user.email):
        raise DuplicateIdentity(id)
    return stored
