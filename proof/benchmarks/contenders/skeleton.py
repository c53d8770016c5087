"""The skeleton: one unit of work for each thread, used again block after block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from adapters.sql.engine import make_engine
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.user import EmailAddress, User, Username
from proof.benchmarks.contenders.contender import PAGE, TIMEOUT, Contender

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from sqlalchemy import Engine

    from proof.benchmarks.people import Person


class Skeleton(Contender):
    """``SqlUnitOfWork`` over ``make_engine``, with their defaults."""

    def __init__(self, url: str) -> None:
        self.use(make_engine(url, TIMEOUT))

    def use(self, engine: Engine) -> None:
        """Take an engine, which threads share, and make a unit of work, which they do not."""
        self.engine = engine
        self.uow = SqlUnitOfWork(engine)

    def for_thread(self) -> Self:
        """Return a contender with a new unit of work."""
        other = type(self).__new__(type(self))
        other.use(self.engine)
        return other

    def prepare(self, person: Person) -> User:
        """Return the aggregate."""
        return User(
            id=person.id, username=Username(person.username), email=EmailAddress(person.email),
            created_at=person.created_at,
        )  # fmt: skip

    def prepare_email(self, email: str) -> str:
        """Return the value object."""
        return EmailAddress(email)

    def get(self, username: str) -> User:
        """Return a user by the name."""
        with self.uow:
            return self.uow.users.get_by_username(username)

    def create(self, user: User) -> None:
        """Store a new user."""
        with self.uow:
            self.uow.users.add(user)
            self.uow.commit()

    def change(self, username: str, email: str) -> None:
        """Load and change a user. The unit compares and raises the version."""
        with self.uow:
            self.uow.users.get_by_username(username).change_email(email)
            self.uow.commit()

    def page(self, after: UUID) -> Sequence[User]:
        """Return the users whose ids follow."""
        with self.uow:
            return self.uow.users.page(after, PAGE).items

    def bulk(self, users: Iterable[User]) -> None:
        """Store many new users."""
        with self.uow:
            self.uow.users.add_many(users)
            self.uow.commit()

    def stream(self) -> Iterator[User]:
        """Yield all users."""
        with self.uow:
            yield from self.uow.users.stream()
