"""The work of every contender of the comparison, each in the way of its library."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from proof.benchmarks.people import Person

THREADS = 8
PAGE = 100
TIMEOUT = 10.0
"""How many seconds a writer waits for another one on SQLite, as in the skeleton."""

READ_BATCH = 500
"""How many rows a stream reads at a time. All do what the skeleton does."""

WRITE_BATCH = 1000
"""How many rows a bulk gives to a library that takes lists, so memory need not hold all of them."""


class Contender(ABC):
    """A way to keep users in the table of the skeleton's migrations.

    Each operation is a separate transaction. The ``prepare`` methods make new users and addresses before the clock
    starts, because making and validating them is no work of the database's library. ``url`` names the database as
    ``DATABASE_URL`` does.
    """

    @abstractmethod
    def __init__(self, url: str) -> None: ...

    def for_thread(self) -> Self:
        """Return a contender for another thread while this one is in use. A library made for threads returns itself."""
        return self

    def end_thread(self) -> None:  # noqa: B027  # most have nothing to close
        """Close what a thread has opened."""

    def prepare(self, person: Person) -> Any:
        """Return what :meth:`create` takes for a new user."""
        return person._asdict()

    def prepare_bulk(self, person: Person) -> Any:
        """Return what :meth:`bulk` takes for a new user."""
        return self.prepare(person)

    def prepare_email(self, email: str) -> str:
        """Return what :meth:`change` takes for an address."""
        return email

    def facts(self, found: Any) -> tuple[UUID, str]:
        """Return the id and the address of the result of :meth:`get`, :meth:`page` or :meth:`stream`."""
        return found.id, found.email

    @abstractmethod
    def get(self, username: str) -> Any:
        """Return a user by the name."""

    @abstractmethod
    def create(self, user: Any) -> None:
        """Store a new user."""

    @abstractmethod
    def change(self, username: str, email: str) -> None:
        """Load a user by the name and store another address, if the user has not been changed in between."""

    @abstractmethod
    def page(self, after: UUID) -> Sequence[Any]:
        """Return the PAGE users whose ids follow."""

    @abstractmethod
    def bulk(self, users: Iterable[Any]) -> None:
        """Store many new users in one transaction."""

    @abstractmethod
    def stream(self) -> Iterator[Any]:
        """Yield all users in the order of their ids."""


def batches(users: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield lists of WRITE_BATCH users."""
    remaining = iter(users)
    while batch := list(islice(remaining, WRITE_BATCH)):
        yield batch


class Stale(Exception):
    """The user has been changed since it was read."""
