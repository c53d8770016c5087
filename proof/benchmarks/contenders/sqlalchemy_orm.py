"""SQLAlchemy's ORM by hand, as its documentation advises. All others are compared with it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import String, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from proof.benchmarks.contenders.contender import PAGE, READ_BATCH, Contender, batches
from proof.benchmarks.contenders.sqlalchemy_engine import TIME, engine_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from proof.benchmarks.people import Person


class Base(DeclarativeBase):
    """The base of the mapped class."""


class User(Base):
    """A user."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    created_at: Mapped[datetime] = mapped_column(TIME)
    active: Mapped[bool]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  # SQLAlchemy declares it


class HandWrittenOrm(Contender):
    """A ``sessionmaker``, and a session for each operation."""

    def __init__(self, url: str) -> None:
        self.session = sessionmaker(engine_for(url))

    def prepare(self, person: Person) -> User:
        """Return a mapped object."""
        return User(**person._asdict())

    def prepare_bulk(self, person: Person) -> dict[str, Any]:
        """Return a row, because a bulk needs no objects."""
        return person._asdict()

    def get(self, username: str) -> User:
        """Return a user by the name."""
        with self.session() as session:
            return session.scalars(select(User).where(User.username == username)).one()

    def create(self, user: User) -> None:
        """Store a new user."""
        with self.session.begin() as session:
            session.add(user)

    def change(self, username: str, email: str) -> None:
        """Load and change a user. ``version_id_col`` compares and raises the version."""
        with self.session.begin() as session:
            session.scalars(select(User).where(User.username == username)).one().email = email

    def page(self, after: UUID) -> Sequence[User]:
        """Return the users whose ids follow."""
        with self.session() as session:
            return session.scalars(select(User).where(User.id > after).order_by(User.id).limit(PAGE)).all()

    def bulk(self, users: Iterable[dict[str, Any]]) -> None:
        """Store many new users by ORM bulk inserts."""
        with self.session.begin() as session:
            for batch in batches(users):
                session.execute(insert(User), batch)

    def stream(self) -> Iterator[User]:
        """Yield all users."""
        with self.session() as session:
            yield from session.scalars(select(User).order_by(User.id), execution_options={"yield_per": READ_BATCH})
