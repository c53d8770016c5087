"""The claim itself: random histories do, return, raise and leave the same on the fake and on a database.

A Hypothesis state machine makes each step in two worlds at once, and compares what every step returns or raises, what
every object of either world looks like, and what is stored.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from attrs import define, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from domain.user import EmailAddress, User, Username
from tests.contract.users import values
from tests.storages import Storage, empty, fake_storage, sql_storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy import Engine

    from service_layer.unit_of_work import UnitOfWork

NAMES = st.sampled_from(["ann", "bob", "cid", "dan"])
EMAILS = st.sampled_from(["a@example.com", "b@example.com", "c@example.com", "d@example.com"])
NUMBERS = st.integers(min_value=0, max_value=1000)
QUERIES = ["get", "get_by_username", "get_by_email", "list_holding", "page", "stream"]


class Oops(Exception):
    """What blocks are left with when they are left by an error."""


@define(eq=False)
class World:
    """One storage, the unit of work on it, and all objects that were ever seen in it, in the order of their arrival."""

    storage: Storage
    writer: UnitOfWork = field(init=False)
    uow: UnitOfWork = field(init=False)
    savepoints: list[AbstractContextManager[None]] = field(factory=list)
    objects: list[User] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.writer = self.uow = self.storage.unit()

    def numbers_of(self, found: Any) -> Any:
        """Return a result with each user replaced by its number, so that the identity of objects is compared too."""
        if isinstance(found, User):
            for number, known in enumerate(self.objects):
                if known is found:
                    return number
            self.objects.append(found)
            return len(self.objects) - 1
        if isinstance(found, list):
            return [self.numbers_of(one) for one in found]
        return found

    def outcome(self, step: Callable[[World], Any]) -> Any:
        """Return what a step returns, or which error it raises, with its words."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return self.numbers_of(step(self))
        except Exception as error:  # noqa: BLE001  # whatever it is, the other world must raise it too
            return type(error).__name__, str(error)


class SameBehaviour(RuleBasedStateMachine):
    """One unit of work in each of two worlds, one block after another, and other units that come between."""

    real: ClassVar[Callable[[], Storage]]

    def __init__(self) -> None:
        super().__init__()
        self.worlds = [World(fake_storage()), World(type(self).real())]
        self.is_open = False
        self.has_written = False

    def both(self, step: Callable[[World], Any]) -> Any:
        """Make a step in both worlds and compare."""
        fake, real = (world.outcome(step) for world in self.worlds)
        assert fake == real
        return fake

    def pick(self, number: int) -> int | None:
        """Return the number of one of the objects seen so far."""
        return number % len(self.worlds[0].objects) if self.worlds[0].objects else None

    @invariant()
    def objects_look_alike(self) -> None:
        """Every object can be read, and has the same values in both worlds."""
        fake, real = ([values(user) for user in world.objects] for world in self.worlds)
        assert fake == real

    @precondition(lambda self: not self.is_open)
    @rule(read_only=st.sampled_from([False, False, False, True]), again=st.booleans())
    def enter(self, read_only: bool, again: bool) -> None:
        """Open a block, of the unit used before or of a new one."""

        def step(world: World) -> None:
            if read_only:
                world.uow = world.storage.unit(read_only=True)
            elif again:
                world.uow = world.writer
            else:
                world.uow = world.writer = world.storage.unit()
            world.uow.__enter__()

        self.both(step)
        self.is_open = True
        self.has_written = False

    @precondition(lambda self: self.is_open)
    @rule(error=st.booleans())
    def leave(self, error: bool) -> None:
        """Leave all savepoints and the block, normally or by an error; then compare what is stored."""

        def step(world: World) -> None:
            oops = Oops() if error else None
            try:
                while world.savepoints:
                    leave(world.savepoints.pop(), oops)
            finally:
                while world.savepoints:
                    leave(world.savepoints.pop(), Oops())
                world.uow.__exit__(None if oops is None else Oops, oops, None)

        self.both(step)
        self.is_open = False
        self.both(stored)

    @precondition(lambda self: self.is_open)
    @rule(name=NAMES, email=EMAILS)
    def add(self, name: str, email: str) -> None:
        """Add a new user."""
        self.has_written = True
        made = User.create(name, email)

        def step(world: World) -> None:
            user = User(**values(made))
            world.numbers_of(user)
            world.uow.users.add(user)

        self.both(step)

    @precondition(lambda self: self.is_open)
    @rule(number=NUMBERS)
    def add_again(self, number: int) -> None:
        """Add an object that was seen before: held, removed, or of an earlier unit."""
        self.has_written = True
        if (picked := self.pick(number)) is not None:
            self.both(lambda world: world.uow.users.add(world.objects[picked]))

    @precondition(lambda self: self.is_open)
    @rule(rows=st.lists(st.tuples(NAMES, EMAILS), max_size=3), number=st.none() | NUMBERS)
    def add_many(self, rows: list[tuple[str, str]], number: int | None) -> None:
        """Add several in bulk, perhaps with an object that was seen before."""
        self.has_written = True
        made = [User.create(name, email) for name, email in rows]
        picked = None if number is None else self.pick(number)

        def step(world: World) -> int:
            users = [User(**values(user)) for user in made]
            return world.uow.users.add_many(users if picked is None else [*users, world.objects[picked]])

        self.both(step)

    @precondition(lambda self: self.is_open)
    @rule(number=NUMBERS)
    def remove(self, number: int) -> None:
        """Remove an object that was seen before."""
        self.has_written = True
        if (picked := self.pick(number)) is not None:
            self.both(lambda world: world.uow.users.remove(world.objects[picked]))

    @rule(number=NUMBERS, change=st.sampled_from(["name", "email", "active"]), name=NAMES, email=EMAILS)
    def change(self, number: int, change: str, name: str, email: str) -> None:
        """Change an object that was seen before, of this unit or of an earlier one."""
        picked = self.pick(number)
        if picked is None:
            return

        def step(world: World) -> None:
            user = world.objects[picked]
            if change == "name":
                user.change_username(name)
            elif change == "email":
                user.change_email(email)
            elif user.active:
                user.deactivate()
            else:
                user.reactivate()

        self.both(step)

    @precondition(lambda self: self.is_open)
    @rule(number=NUMBERS, name=NAMES, email=EMAILS, query=st.sampled_from(QUERIES))
    def read(self, number: int, name: str, email: str, query: str) -> None:
        """Ask one of the queries."""
        self.has_written = True  # it writes the changes first
        picked = self.pick(number)

        def step(world: World) -> Any:
            users = world.uow.users
            key = None if picked is None else world.objects[picked].id
            if query == "get" and key is not None:
                return users.get(key)
            if query == "get_by_username":
                return users.get_by_username(name)
            if query == "get_by_email":
                return users.get_by_email(email)
            if query == "list_holding":
                return users.list_holding([Username(name)], [EmailAddress(email)])
            if query == "page":
                page = users.page(key, limit=2)
                return [*page.items, page.next]
            return list(users.stream())

        self.both(step)

    @precondition(lambda self: self.is_open)
    @rule()
    def begin_savepoint(self) -> None:
        """Begin a savepoint, in another one perhaps."""
        self.has_written = True

        def step(world: World) -> None:
            savepoint = world.uow.savepoint()
            savepoint.__enter__()
            world.savepoints.append(savepoint)

        self.both(step)

    @precondition(lambda self: self.worlds[0].savepoints)
    @rule(error=st.booleans())
    def end_savepoint(self, error: bool) -> None:
        """Leave the innermost savepoint, normally or by an error."""
        self.both(lambda world: leave(world.savepoints.pop(), Oops() if error else None))

    @precondition(lambda self: self.is_open)
    @rule(commit=st.booleans())
    def end(self, commit: bool) -> None:
        """Commit or roll back."""
        self.has_written = True
        self.both(lambda world: world.uow.commit() if commit else world.uow.rollback())

    @precondition(lambda self: not self.has_written)
    @rule(number=NUMBERS, name=NAMES, email=EMAILS, remove=st.booleans())
    def another_unit_comes_between(self, number: int, name: str, email: str, remove: bool) -> None:
        """Let another unit change or remove what this one has read; only while this one holds no lock to wait for."""
        picked = self.pick(number)

        def step(world: World) -> None:
            with world.storage.unit() as other:
                if picked is None:
                    other.users.add(User.create(name, email))
                    other.rollback()
                    return
                user = other.users.get(world.objects[picked].id)
                if remove:
                    other.users.remove(user)
                else:
                    user.change_username(name)
                    user.change_email(email)
                other.commit()

        self.both(step)

    def teardown(self) -> None:
        """Leave what is open."""
        if self.is_open:
            self.leave(error=True)


def leave(savepoint: AbstractContextManager[None], error: Oops | None) -> None:
    """Leave a savepoint as a ``with`` statement would."""
    try:
        savepoint.__exit__(None if error is None else Oops, error, None)
    except Oops:
        return


def stored(world: World) -> list[dict[str, Any]]:
    """Return all that is stored."""
    with world.storage.unit(read_only=True) as uow:
        return [values(user) for user in uow.users.stream()]


@pytest.mark.promise(1, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 16)
def test_random_histories_are_the_same_on_the_fake_and_on_a_database(engine: Engine) -> None:
    """Whatever a unit of work offers, in any order, objects of earlier units and other writers included."""

    class Machine(SameBehaviour):
        @staticmethod
        def real() -> Storage:
            empty(engine)
            return sql_storage(engine)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=50,
            deadline=None,  # a history takes as long as its database
            suppress_health_check=list(HealthCheck),  # likewise
            database=None,  # each run looks for itself, and leaves no folder behind
        ),
    )
