"""All that is SQL about users: their table, their mapping, and their own queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Boolean, Column, Integer, Table, UniqueConstraint, Uuid, bindparam, or_, select

from adapters.sql.mapping import map_aggregate, metadata
from adapters.sql.repository import SqlRepository
from adapters.sql.types import Text, UtcDateTime
from domain.user import EmailAddress, User, Username, UserRepository

if TYPE_CHECKING:
    from collections.abc import Collection

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("username", Text(Username, Username.MAX_LENGTH), nullable=False),
    Column("email", Text(EmailAddress, EmailAddress.MAX_LENGTH), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("username"),
    UniqueConstraint("email"),
)

map_aggregate(User, users)


class SqlUserRepository(SqlRepository[User], UserRepository):
    """The users of a SQL unit of work."""

    def list_holding(self, usernames: Collection[Username], emails: Collection[EmailAddress]) -> list[User]:
        return list(self.session.scalars(_HOLDING, {"usernames": list(usernames), "emails": list(emails)}))


_HOLDING = (
    select(User)
    .where(
        or_(
            users.c.username.in_(bindparam("usernames", expanding=True)),
            users.c.email.in_(bindparam("emails", expanding=True)),
        )
    )
    .order_by(users.c.id)
)
