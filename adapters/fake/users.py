"""All that is fake about users: what is unique, and their own queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from adapters.fake.repository import FakeRepository, Unique
from domain.user import EmailAddress, EmailTaken, User, Username, UsernameTaken, UserRepository

if TYPE_CHECKING:
    from collections.abc import Collection


class FakeUserRepository(FakeRepository[User], UserRepository):
    """The users of a fake unit of work."""

    unique: ClassVar[Unique] = {"username": UsernameTaken, "email": EmailTaken}

    def list_holding(self, usernames: Collection[Username], emails: Collection[EmailAddress]) -> list[User]:
        return self._list_where(lambda user: user.username in usernames or user.email in emails)
