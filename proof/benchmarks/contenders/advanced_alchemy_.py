"""Advanced Alchemy: its repository, its service and its session configuration.

Nothing is read back after a write (``auto_refresh=False``), because the database makes none of the values.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from advanced_alchemy.base import DefaultBase
from advanced_alchemy.config import SQLAlchemySyncConfig, SyncSessionConfig
from advanced_alchemy.filters import LimitOffset, OrderBy
from advanced_alchemy.repository import SQLAlchemySyncRepository
from advanced_alchemy.service import SQLAlchemySyncRepositoryService
from sqlalchemy import String, Uuid, select
from sqlalchemy.orm import Mapped, mapped_column

from proof.benchmarks.contenders.contender import PAGE, READ_BATCH, Contender, batches
from proof.benchmarks.contenders.sqlalchemy_engine import TIME, engine_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from proof.benchmarks.people import Person


class User(DefaultBase):
    """A user. The library's own base for UUIDs would store them as bytes on SQLite, which is another table."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    created_at: Mapped[datetime] = mapped_column(TIME)
    active: Mapped[bool]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  # SQLAlchemy declares it


class UserRepository(SQLAlchemySyncRepository[User]):
    """The repository of users."""

    model_type = User


class UserService(SQLAlchemySyncRepositoryService[User, UserRepository]):
    """The service over the repository."""

    repository_type = UserRepository


class AdvancedAlchemy(Contender):
    """A session and a service for each operation."""

    def __init__(self, url: str) -> None:
        settings = SyncSessionConfig(expire_on_commit=False)
        self.config = SQLAlchemySyncConfig(engine_instance=engine_for(url), session_config=settings)

    def prepare(self, person: Person) -> User:
        """Return a mapped object."""
        return User(**person._asdict())

    def get(self, username: str) -> User:
        """Return a user by the name."""
        with self.config.get_session() as session:
            return UserService(session=session).get_one(username=username)

    def create(self, user: User) -> None:
        """Store a new user."""
        with self.config.get_session() as session:
            UserService(session=session).create(user, auto_commit=True, auto_refresh=False)

    def change(self, username: str, email: str) -> None:
        """Load and change a user. ``version_id_col`` compares and raises the version."""
        with self.config.get_session() as session:
            service = UserService(session=session)
            user = service.get_one(username=username)
            user.email = email
            service.update(user, auto_commit=True, auto_refresh=False)

    def page(self, after: UUID) -> Sequence[User]:
        """Return the users whose ids follow."""
        with self.config.get_session() as session:
            service = UserService(session=session)
            return service.list(User.id > after, OrderBy("id", "asc"), LimitOffset(limit=PAGE, offset=0))

    def bulk(self, users: Iterable[User]) -> None:
        """Store many new users."""
        with self.config.get_session() as session:
            service = UserService(session=session)
            for batch in batches(users):
                service.create_many(batch)
            session.commit()

    def stream(self) -> Iterator[User]:
        """Yield all users by the session, since a repository returns lists."""
        with self.config.get_session() as session:
            yield from session.scalars(select(User).order_by(User.id), execution_options={"yield_per": READ_BATCH})
