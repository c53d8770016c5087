"""All that is fake about users: their own queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.fake.repository import FakeRepository
from domain.user import User, UserRepository

if TYPE_CHECKING:
    from collections.abc import Collection

    from domain.user import EmailAddress, Username


class FakeUserRepository(FakeRepository[User], UserRepository):
    """The users of a fake unit of work."""

    def list_holding(self, usernames: Collection[Username], emails: Collection[EmailAddress]) -> list[User]:
        return self._list_where(lambda user: user.username in usernames or user.email in emails)
