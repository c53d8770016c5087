"""SQLAlchemy Core by hand: statements and rows, no objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, Integer, MetaData, Row, String, Table, Uuid, insert, select, update

from proof.benchmarks.contenders.contender import PAGE, READ_BATCH, Contender, Stale, batches
from proof.benchmarks.contenders.sqlalchemy_engine import TIME, engine_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

users_table = Table(
    "users",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("username", String(64), nullable=False, unique=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("created_at", TIME, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)
columns = users_table.c


class HandWrittenCore(Contender):
    """An engine, and a connection from its pool for each operation."""

    def __init__(self, url: str) -> None:
        self.engine = engine_for(url)

    def get(self, username: str) -> Row[Any]:
        """Return a user by the name."""
        with self.engine.connect() as connection:
            return connection.execute(select(users_table).where(columns.username == username)).one()

    def create(self, user: dict[str, Any]) -> None:
        """Store a new user."""
        with self.engine.begin() as connection:
            connection.execute(insert(users_table), user)

    def change(self, username: str, email: str) -> None:
        """Load and change a user, with the version in the condition."""
        with self.engine.begin() as connection:
            user = connection.execute(select(users_table).where(columns.username == username)).one()
            unchanged = (columns.id == user.id, columns.version == user.version)
            values = {"email": email, "version": user.version + 1}
            if connection.execute(update(users_table).where(*unchanged).values(values)).rowcount != 1:
                raise Stale(username)

    def page(self, after: UUID) -> Sequence[Row[Any]]:
        """Return the users whose ids follow."""
        with self.engine.connect() as connection:
            following = select(users_table).where(columns.id > after).order_by(columns.id).limit(PAGE)
            return connection.execute(following).all()

    def bulk(self, users: Iterable[dict[str, Any]]) -> None:
        """Store many new users."""
        with self.engine.begin() as connection:
            for batch in batches(users):
                connection.execute(insert(users_table), batch)

    def stream(self) -> Iterator[Row[Any]]:
        """Yield all users."""
        with self.engine.connect() as connection:
            options = {"yield_per": READ_BATCH}
            yield from connection.execute(select(users_table).order_by(columns.id), execution_options=options)
