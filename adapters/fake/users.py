"""All that is fake about users: their own queries."""

from __future__ import annotations

from adapters.fake.repository import FakeRepository
from domain.user import User, UserRepository


class FakeUserRepository(FakeRepository[User], UserRepository):
    """The users of a fake unit of work."""
