"""SQLModel: a table model, and a session for each operation."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Column, Integer, insert
from sqlmodel import Field, Session, SQLModel, col, select

from proof.benchmarks.contenders.contender import PAGE, READ_BATCH, Contender, batches
from proof.benchmarks.contenders.sqlalchemy_engine import TIME, engine_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from proof.benchmarks.people import Person

version_column = Column("version", Integer, nullable=False)


class User(SQLModel, table=True):  # type: ignore[call-arg]  # unknown where SQLModel is not installed
    """A user."""

    __tablename__ = "users"

    id: UUID = Field(primary_key=True)
    username: str = Field(max_length=64, unique=True)
    email: str = Field(max_length=254, unique=True)
    created_at: datetime = Field(sa_type=TIME)
    active: bool
    version: int = Field(sa_column=version_column)

    __mapper_args__ = {"version_id_col": version_column}


class SqlModel(Contender):
    """``Session`` as a context manager."""

    def __init__(self, url: str) -> None:
        self.engine = engine_for(url)

    def prepare(self, person: Person) -> User:
        """Return a mapped object."""
        return User(**person._asdict())

    def prepare_bulk(self, person: Person) -> dict[str, Any]:
        """Return a row, because a bulk needs no objects."""
        return person._asdict()

    def get(self, username: str) -> User:
        """Return a user by the name."""
        with Session(self.engine) as session:
            return session.exec(select(User).where(User.username == username)).one()

    def create(self, user: User) -> None:
        """Store a new user."""
        with Session(self.engine) as session:
            session.add(user)
            session.commit()

    def change(self, username: str, email: str) -> None:
        """Load and change a user. ``version_id_col`` compares and raises the version."""
        with Session(self.engine) as session:
            user = session.exec(select(User).where(User.username == username)).one()
            user.email = email
            session.add(user)
            session.commit()

    def page(self, after: UUID) -> Sequence[User]:
        """Return the users whose ids follow."""
        with Session(self.engine) as session:
            return session.exec(select(User).where(col(User.id) > after).order_by(col(User.id)).limit(PAGE)).all()

    def bulk(self, users: Iterable[dict[str, Any]]) -> None:
        """Store many new users by the bulk inserts of SQLAlchemy, which are quicker than ``add_all``."""
        with Session(self.engine) as session:
            for batch in batches(users):
                session.exec(insert(User), params=batch)
            session.commit()

    def stream(self) -> Iterator[User]:
        """Yield all users."""
        with Session(self.engine) as session:
            options = {"yield_per": READ_BATCH}
            yield from session.exec(select(User).order_by(col(User.id)), execution_options=options)
