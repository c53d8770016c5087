"""COMMITs that are cut off: the client gets an unknown outcome, asks again with the same id, and all is there once.

On PostgreSQL every second user is stored by a single statement that is its own transaction. It is cut in the same way.
Half of them are cut before they reach the server, and half of them before its reply reaches the client. Both look alike
to the client. It goes on creating the same user, by the same id, until it is acknowledged.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from random import Random
from uuid import UUID

from attrs import define, field

from adapters.sql.engine import make_engine
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import CommitOutcomeUnknown, DomainError, StorageError
from domain.user import User
from proof.laws.counting_proxy import proxy_to
from proof.laws.faults import AFTER, ALONE, BEFORE, Faults, FaultyProxy
from proof.torture import report
from proof.torture.clients import PROCESSES
from proof.torture.databases import NAMES, database
from proof.torture.look import Look
from service_layer.unit_of_work import UnitOfWork
from service_layer.users import create_user
from tests.storages import InATransaction

WORKERS = 4
"""How many clients create users at the same time, each in a separate process and behind a separate proxy."""

CUT_AGAIN = 0.1
"""In how many cases the second COMMIT for a user is cut too. The third never is."""

_WHERE = {BEFORE: "cut before the server", AFTER: "cut after the server", "": "not cut"}

Create = Callable[..., User]


@define
class Cuts:
    """The results: how many COMMITs were cut where, the errors by type, and what is wrong in a sentence each.

    ``alone`` counts those that were not COMMITs but single statements that are transactions.
    """

    before: int = 0
    after: int = 0
    alone: int = 0
    users: int = 0
    errors: Counter[str] = field(factory=Counter)
    seconds: float = 0.0
    violations: list[str] = field(factory=list)

    def add(self, other: Cuts) -> None:
        """Add the counts of another worker."""
        self.before += other.before
        self.after += other.after
        self.alone += other.alone
        self.users += other.users
        self.errors += other.errors
        self.violations += other.violations


Intended = tuple[UUID, str, str, int]
"""A user as it should be stored: id, name, address, version."""


def intended(seed: str, worker: int, place: int) -> Intended:
    """Return the user that a worker creates at this place, from 1 on."""
    id = UUID(int=Random(f"{seed} {worker} {place}").getrandbits(128), version=4)  # noqa: S311  # to be repeated
    return id, f"user-{worker}-{place}", f"{place}@worker-{worker}.example.com", 1


@define
class _Worker:
    """A client behind a separate proxy, which cuts its COMMITs where the ``plan`` says, from its end on."""

    url: str
    number: int
    seed: str
    create: Create
    plan: list[str]
    found: Cuts = field(factory=Cuts)

    def run(self) -> Cuts:
        """Create users until the planned number of COMMITs has been cut, or up to the first violation."""
        look = Look(self.url)
        with proxy_to(self.url, FaultyProxy) as (proxy, url):
            engine = make_engine(url)
            while self.plan and not self.found.violations:
                self.found.users += 1
                unit = InATransaction if self.found.users % 2 else SqlUnitOfWork
                self.create_one(self.found.users, unit(engine), proxy.faults, look)
            engine.dispose()
        look.close()
        return self.found

    def create_one(self, place: int, uow: UnitOfWork, faults: Faults, look: Look) -> None:
        """Ask for a user until it is acknowledged."""
        id, name, email, _ = intended(self.seed, self.number, place)
        again = Random(f"{self.seed} {id}").random() < CUT_AGAIN  # noqa: S311  # to be repeated
        is_stored = False
        for turn, is_to_cut in enumerate((True, again, False)):
            planned = self.plan[-1] if is_to_cut and self.plan else ""
            faults.plan(1 if planned else 0, planned, only_commits=True)
            told = self.ask(name, email, uow, id)
            cut = self.plan.pop() if faults.met else ""
            self.found.before += cut == BEFORE
            self.found.after += cut == AFTER
            self.found.alone += faults.lasting == ALONE
            if not cut and told is None:
                if turn == 0:
                    self.found.violations.append(f"{name}: acknowledged, and no COMMIT has come by")
                return
            if not cut or told != CommitOutcomeUnknown.__name__:
                self.found.violations.append(f"{name}: its COMMIT was {_WHERE[cut]}, and the client was told {told}")
                return
            is_stored |= cut == AFTER
            count = look.all("SELECT count(*) FROM users WHERE username = {}", name)[0][0]
            if count != is_stored:
                self.found.violations.append(f"{name}: {_WHERE[cut]}, and stored {count} times")
        self.found.violations.append(f"{name}: not acknowledged, however often it was asked for")

    def ask(self, name: str, email: str, uow: UnitOfWork, id: UUID) -> str | None:
        """Ask for a user once. Return the error, if any."""
        try:
            user = self.create(name, email, uow, id=id)
        except (DomainError, StorageError) as error:
            self.found.errors[type(error).__name__] += 1
            return type(error).__name__
        if (user.id, user.username, user.email) != (id, name, email):
            return f"of another user: {user}"
        return None


def cut_commits(url: str, cuts: int, seed: str, create: Create = create_user, workers: int = WORKERS) -> Cuts:
    """Cut this many COMMITs, or up to the first violation, on an empty database at the newest revision."""
    total = Cuts()
    began = time.monotonic()
    shares = [cuts // workers + (number < cuts % workers) for number in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=PROCESSES) as pool:
        found = list(pool.map(_work, repeat(url), range(workers), repeat(seed), repeat(create), shares))
    for one in found:
        total.add(one)
    look = Look(url)
    rows = look.all("SELECT id, username, email, version FROM users")
    look.close()
    stored = Counter((UUID(str(id)), name, email, version) for id, name, email, version in rows)
    wanted = Counter(
        intended(seed, number, place) for number, share in enumerate(found) for place in range(1, share.users + 1)
    )
    total.violations += [f"missing: {name}" for _, name, _, _ in (wanted - stored).elements()]
    total.violations += [
        f"stored, and not asked for, or twice: {name}" for _, name, _, _ in (stored - wanted).elements()
    ]
    total.seconds = time.monotonic() - began
    return total


def _work(url: str, number: int, seed: str, create: Create, cuts: int) -> Cuts:
    # The halves of all workers together also differ by at most one if their number is even.
    plan = [BEFORE if (place + number) % 2 else AFTER for place in range(cuts)]
    Random(f"{seed} {number}").shuffle(plan)  # noqa: S311  # to be repeated
    return _Worker(url, number, seed, create, plan).run()


def main(arguments: Sequence[str]) -> int:
    """Cut COMMITs on PostgreSQL and MariaDB, and return 1 if any of them broke a promise."""
    parser = report.parser("commits", __doc__)
    parser.add_argument("--cuts", type=int, default=10_000, help="on PostgreSQL; and a fifth as many on MariaDB")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    found = {}
    for kind, cuts in (("postgresql", options.cuts), ("mariadb", options.cuts // 5)):
        if not cuts:
            continue
        with database(kind) as url:
            if url is None:
                continue
            one = found[kind] = cut_commits(url, cuts, f"{options.seed} {kind}")
        print(
            f"{NAMES[kind]}: {one.before + one.after:,} COMMITs cut in {one.seconds:.0f} s, {one.before:,} before the"
            f" server and {one.after:,} after it, {one.alone:,} of them single statements; errors {dict(one.errors)};"
            f" {one.users:,} users intended; {len(one.violations):,} violations",
            flush=True,
        )
    report.write(
        "commits",
        options,
        f"commits --cuts {options.cuts}",
        [
            "",
            "cut before",
            "cut after",
            "of these single statements",
            "users intended",
            "errors",
            "seconds",
            "violations",
        ],
        [
            (
                NAMES[kind],
                one.before,
                one.after,
                one.alone,
                one.users,
                ", ".join(f"{count:,} `{name}`" for name, count in one.errors.items()),
                f"{one.seconds:.0f}",
                len(one.violations),
            )
            for kind, one in found.items()
        ],
    )
    return report.complain([violation for one in found.values() for violation in one.violations])
