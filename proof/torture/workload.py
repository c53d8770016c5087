"""The work of each thread: random units of work on few users, so many of them meet."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from attrs import define, field

from domain.errors import Conflict, DomainError, StorageError, TransactionLost
from proof.torture.history import ACKNOWLEDGED, READ_ONLY, ROLLED_BACK, Step, Transaction, as_line
from proof.torture.subjects import USERS, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from service_layer.unit_of_work import UnitOfWork

HOT = [f"hot{number}" for number in range(200)]
"""The names of the users who are changed and always there."""

HOTTEST = HOT[:16]
"""The names of those among them who get a quarter of the changes."""

CONTESTED = [f"contested{number}" for number in range(24)]
"""The names of the users who are created and removed all the time."""


class Undone(Exception):
    """The error that undoes a savepoint."""


@define
class Worker:
    """One thread. Each transaction has a new unit of work, from ``new_unit``, and is written to ``output``.

    All randomness comes from ``seed`` and ``number`` (of the process, and of the thread in it). Each written value, an
    email address, is a new one: it holds the number of its transaction.
    """

    new_unit: Callable[..., UnitOfWork]
    number: str
    seed: int
    output: TextIO
    subject: Subject = USERS
    _random: random.Random = field(init=False)
    _transactions: int = field(default=0, init=False)
    _values: int = field(default=0, init=False)
    _steps: list[Step] = field(factory=list, init=False)
    _read: dict[Any, tuple[int, str]] = field(factory=dict, init=False)
    _written: dict[Any, tuple[str, str]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._random = random.Random(f"{self.seed} {self.number}")  # noqa: S311  # no secrets

    def transact(self) -> str:
        """Run one unit of work of a random kind, and return its outcome."""
        (action,) = self._random.choices(_ACTIONS, _WEIGHTS)
        return self.run(action)

    def run(self, action: Callable[[Worker, UnitOfWork], str]) -> str:
        """Run a unit of work, end it as the action says, write down the result, and return the outcome."""
        self._transactions += 1
        self._values = 0
        self._steps, self._read, self._written = [], {}, {}
        uow = self.new_unit(read_only=action is Worker.look)
        reason = ""
        began = ending = time.monotonic_ns()
        try:
            with uow:
                outcome = action(self, uow)
                ending = time.monotonic_ns()
                if outcome == ACKNOWLEDGED:
                    uow.commit()
                elif outcome == ROLLED_BACK:
                    uow.rollback()
        except (DomainError, StorageError) as error:
            outcome, reason = type(error).__name__, str(error)
        ended = time.monotonic_ns()
        self._steps += [self._write(user, told=outcome == ACKNOWLEDGED) for user in self._written]
        self._steps += [self._reading(user, *self._read[user]) for user in self._read.keys() - self._written.keys()]
        done = Transaction(f"{self.number}.{self._transactions}", began, ending, ended, outcome, reason, self._steps)
        self.output.write(as_line(done))
        return outcome

    # The kinds of transactions. Each returns how the unit is to end.

    def seed_users(self, uow: UnitOfWork) -> str:
        """Create the users who are always there."""
        for name in HOT:
            self._create(uow, name)
        return ACKNOWLEDGED

    def change(self, uow: UnitOfWork) -> str:
        """Read a user and change it."""
        (name,) = self._hot(1)
        self._change(self._get(uow, name))
        return ACKNOWLEDGED

    def change_two(self, uow: UnitOfWork) -> str:
        """Change two users. A query after a change writes it immediately, so two such units can end in a deadlock."""
        one, other = self._hot(2)
        if self._random.random() < 0.5:
            self._change(self._get(uow, one))
            self._change(self._get(uow, other))
        else:
            for user in [self._get(uow, one), self._get(uow, other)]:
                self._change(user)
        return ACKNOWLEDGED

    def create_or_remove(self, uow: UnitOfWork) -> str:
        """Create a user whose name is free, or else remove or change its holder."""
        name = self._contested()
        try:
            user = self._get(uow, name)
        except self.subject.not_found:
            self._steps.append(Step("absent", name, "", 0, "", 0, "", undone=False))
            self._create(uow, name)
        else:
            if self._random.random() < 0.7:
                self._remove(uow, user)
            else:
                self._change(user)
        return ACKNOWLEDGED

    def undo_a_savepoint(self, uow: UnitOfWork) -> str:
        """Do something in a savepoint that is undone, then change another user."""
        with suppress(Undone), self._savepoint(uow):
            if self._random.random() < 0.5:
                self.create_or_remove(uow)
            else:
                self.change_two(uow)
            raise Undone
        return self.change(uow)

    def try_in_a_savepoint(self, uow: UnitOfWork) -> str:
        """Create a user in a savepoint, whether the name is free or not. Go on with another user in either case."""
        with suppress(self.subject.taken), self._savepoint(uow):
            self._create(uow, self._contested())
        return self.change(uow)

    def keep_a_savepoint(self, uow: UnitOfWork) -> str:
        """Change one user in a savepoint that is kept, and another one after it."""
        one, other = self._hot(2)
        with self._savepoint(uow):
            self._change(self._get(uow, one))
        self._change(self._get(uow, other))
        return ACKNOWLEDGED

    def roll_back(self, uow: UnitOfWork) -> str:
        """Write changes and roll them back."""
        self.change_two(uow)
        self.create_or_remove(uow)
        return ROLLED_BACK

    def look(self, uow: UnitOfWork) -> str:
        """Read only."""
        for name in [*self._hot(2), self._contested()]:
            with suppress(self.subject.not_found):
                self._get(uow, name)
        return READ_ONLY

    # Their building blocks.

    def _hot(self, count: int) -> list[str]:
        return self._random.sample(HOTTEST if self._random.random() < 0.25 else HOT, count)

    def _contested(self) -> str:
        return self._random.choice(CONTESTED)

    def _value(self) -> str:
        self._values += 1
        return f"{self.number}.{self._transactions}.{self._values}@example.com"

    def _get(self, uow: UnitOfWork, name: str) -> Any:
        user = self.subject.find(uow, name)
        if user not in self._written:
            self._read.setdefault(user, (user.version, self.subject.value(user)))
        return user

    def _create(self, uow: UnitOfWork, name: str) -> None:
        user = self.subject.create(name, self._value())
        self._written[user] = "create", self.subject.value(user)
        self.subject.repository(uow).add(user)

    def _change(self, user: Any) -> None:
        self.subject.change(user, self._value())
        self._written[user] = "change", self.subject.value(user)

    def _remove(self, uow: UnitOfWork, user: Any) -> None:
        self._written[user] = "remove", ""
        self.subject.repository(uow).remove(user)

    @contextmanager
    def _savepoint(self, uow: UnitOfWork) -> Iterator[None]:
        try:
            with uow.savepoint():
                yield
        except (Undone, Conflict) as error:
            if isinstance(error, TransactionLost):
                raise
            # Of a unit that begins with it, so all writes so far are its own.
            self._steps += [self._write(user, told=False, undone=True) for user in self._written]
            # The objects must have the values that were read, except those that another unit has removed.
            kept = [user for user in self._written.keys() & self._read.keys() if uow.holds(user)]
            self._read |= {user: (user.version, self.subject.value(user)) for user in kept}
            self._written = {}
            raise

    def _write(self, user: Any, *, told: bool, undone: bool = False) -> Step:
        kind, value = self._written[user]
        before, old = self._read.get(user, (0, ""))
        # What an object says of itself after the commit. A removed object says nothing any more.
        after = user.version if told and kind != "remove" else before + 1
        return Step(kind, self.subject.name(user), user.id.hex, before, old, after, value, undone)

    def _reading(self, user: Any, version: int, value: str) -> Step:
        return Step("read", self.subject.name(user), user.id.hex, version, value, 0, "", undone=False)


_MIX: dict[Callable[[Worker, UnitOfWork], str], int] = {
    Worker.change: 48,
    Worker.change_two: 8,
    Worker.create_or_remove: 20,
    Worker.undo_a_savepoint: 6,
    Worker.try_in_a_savepoint: 6,
    Worker.keep_a_savepoint: 3,
    Worker.roll_back: 4,
    Worker.look: 5,
}
_ACTIONS, _WEIGHTS = list(_MIX), list(_MIX.values())

NOT_COUNTED = {ROLLED_BACK, READ_ONLY}
"""The outcomes that are not counted as transactions."""
