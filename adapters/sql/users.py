"""All that is SQL about users: their table, their mapping, and their own queries."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, Table, UniqueConstraint, Uuid

from adapters.sql.mapping import map_aggregate, metadata
from adapters.sql.repository import SqlRepository
from adapters.sql.types import Text, UtcDateTime
from domain.user import EmailAddress, User, Username, UserRepository

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

map_aggregate(User, users, flat=True)


class SqlUserRepository(SqlRepository[User], UserRepository):
    """The users of a SQL unit of work."""
