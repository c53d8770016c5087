"""Compare the speed of a unit of work on the fake with one on SQLite in memory, which others use in unit tests.

Each runs in separate processes, as unit tests would: one that uses the fake alone never loads SQLAlchemy. The processes
take turns. Users are made beforehand, because validating them costs the same in both.

    python -m proof.benchmarks.fake [UNITS]
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

from domain.user import User, UsernameTaken

if TYPE_CHECKING:
    from collections.abc import Callable

    from service_layer.unit_of_work import UnitOfWork

ROUNDS = 5


def fake() -> UnitOfWork:
    """Return a unit of work on the fake."""
    from adapters.fake.unit_of_work import FakeUnitOfWork

    return FakeUnitOfWork()


def sqlite() -> UnitOfWork:
    """Return a unit of work on SQLite in memory."""
    from sqlalchemy import StaticPool, create_engine

    from adapters.sql.mapping import metadata
    from adapters.sql.sqlite import PARAMSTYLE, in_charge
    from adapters.sql.unit_of_work import SqlUnitOfWork

    engine = in_charge(create_engine("sqlite://", poolclass=StaticPool, paramstyle=PARAMSTYLE), timeout=1)
    metadata.create_all(engine)
    return SqlUnitOfWork(engine)


def add(uow: UnitOfWork, user: User) -> None:
    """Store a new user."""
    with uow:
        uow.users.add(user)
        uow.commit()


def get(uow: UnitOfWork, user: User) -> None:
    """Read a user by the name."""
    with uow:
        assert uow.users.get_by_username(user.username).id == user.id


def change(uow: UnitOfWork, user: User) -> None:
    """Read a user, change it and store it."""
    with uow:
        uow.users.get(user.id).deactivate()
        uow.commit()


def refuse(uow: UnitOfWork, user: User) -> None:
    """Try to take a name that is taken."""
    try:
        with uow:
            uow.users.add(User(username=user.username, email=user.email, created_at=user.created_at))
            uow.commit()
    except UsernameTaken:
        return
    raise AssertionError("stored twice")


def page(uow: UnitOfWork, user: User) -> None:
    """Read a page of 20 users."""
    with uow:
        assert uow.users.page(limit=20).items[0].id <= user.id


STEPS: dict[str, Callable[[UnitOfWork, User], None]] = {one.__name__: one for one in (add, get, change, refuse, page)}


def measure(count: int, uow: UnitOfWork) -> dict[str, float]:
    """Return the microseconds that a unit of each kind takes, on average, with ``count`` users."""
    users = [User.create(f"user{number}", f"user{number}@example.com") for number in range(count)]
    took = {}
    for name, step in STEPS.items():
        start = time.perf_counter()
        for user in users:
            step(uow, user)
        took[name] = (time.perf_counter() - start) / count * 1e6
    with uow:
        assert sum(not user.active for user in uow.users.stream()) == count
    return took


def main() -> None:
    """Measure in turns, and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    if len(sys.argv) > 2:
        print(json.dumps(measure(count, {"fake": fake, "sqlite": sqlite}[sys.argv[2]]())))
        return
    runs: dict[str, list[dict[str, float]]] = {"fake": [], "sqlite": []}
    for _ in range(ROUNDS):
        for name, found in runs.items():
            command = [sys.executable, "-m", "proof.benchmarks.fake", str(count), name]
            found.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    print(f"microseconds for a unit of work, medians of {ROUNDS} processes each in turn, {count} units in each")
    for step in STEPS:
        of_fake, of_sqlite = (median(run[step] for run in runs[name]) for name in ("fake", "sqlite"))
        print(f"  {step:8} fake {of_fake:8.1f}   SQLite in memory {of_sqlite:8.1f}   {of_sqlite / of_fake:6.1f} times")


if __name__ == "__main__":
    main()
