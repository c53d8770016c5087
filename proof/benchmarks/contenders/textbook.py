"""The unit of work as textbooks show it, written anew: a session for each block, and no trick.

A block makes its session and its repository. The repository remembers all that it has handed out, and queries in the
older style. Leaving the block rolls back and closes the session. So a user's values are read inside of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sqlalchemy.orm import Session, sessionmaker

from proof.benchmarks.contenders.contender import PAGE, READ_BATCH, Contender
from proof.benchmarks.contenders.sqlalchemy_engine import engine_for
from proof.benchmarks.contenders.sqlalchemy_orm import User

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from proof.benchmarks.people import Person

Facts = tuple["UUID", str]


class Repository:
    """The users of a session, and the set of those that were added or loaded."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.seen: set[User] = set()

    def add(self, user: User) -> None:
        """Add a user to the session."""
        self.session.add(user)
        self.seen.add(user)

    def get(self, username: str) -> User:
        """Return a user by the name."""
        user = self.session.query(User).filter_by(username=username).one()
        self.seen.add(user)
        return user

    def page(self, after: UUID) -> list[User]:
        """Return the users whose ids follow."""
        users = self.session.query(User).filter(User.id > after).order_by(User.id).limit(PAGE).all()
        self.seen.update(users)
        return users

    def stream(self) -> Iterator[User]:
        """Yield all users."""
        for user in self.session.query(User).order_by(User.id).yield_per(READ_BATCH):
            self.seen.add(user)
            yield user


class UnitOfWork:
    """A transaction as a context manager."""

    def __init__(self, make_session: sessionmaker[Session]) -> None:
        self.make_session = make_session

    def __enter__(self) -> Self:
        """Begin with a new session."""
        self.session = self.make_session()
        self.users = Repository(self.session)
        return self

    def __exit__(self, *_: object) -> None:
        """Undo what was not committed."""
        self.session.rollback()
        self.session.close()

    def commit(self) -> None:
        """Store what the block has done."""
        self.session.commit()


class Textbook(Contender):
    """A unit of work for each operation."""

    def __init__(self, url: str) -> None:
        self.make_session = sessionmaker(engine_for(url))

    def prepare(self, person: Person) -> User:
        """Return a mapped object."""
        return User(**person._asdict())

    def facts(self, found: Any) -> Facts:
        """Return the values read inside of the block."""
        id, email = found
        return id, email

    def get(self, username: str) -> Facts:
        """Return the facts of a user by the name."""
        with UnitOfWork(self.make_session) as uow:
            user = uow.users.get(username)
            return user.id, user.email

    def create(self, user: User) -> None:
        """Store a new user."""
        with UnitOfWork(self.make_session) as uow:
            uow.users.add(user)
            uow.commit()

    def change(self, username: str, email: str) -> None:
        """Load and change a user. ``version_id_col`` compares and raises the version."""
        with UnitOfWork(self.make_session) as uow:
            uow.users.get(username).email = email
            uow.commit()

    def page(self, after: UUID) -> Sequence[Facts]:
        """Return the facts of the users whose ids follow."""
        with UnitOfWork(self.make_session) as uow:
            return [(user.id, user.email) for user in uow.users.page(after)]

    def bulk(self, users: Iterable[User]) -> None:
        """Store many new users, one by one."""
        with UnitOfWork(self.make_session) as uow:
            for user in users:
                uow.users.add(user)
            uow.commit()

    def stream(self) -> Iterator[Facts]:
        """Yield the facts of all users."""
        with UnitOfWork(self.make_session) as uow:
            for user in uow.users.stream():
                yield user.id, user.email
