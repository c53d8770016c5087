"""Promises 1 and 8, and what lies beyond them: what overlapping units of work can see and do to each other.

Each function below runs one of the known anomalies of isolation. docs/promises.md has a table of the outcomes. (Their
list is that of Hermitage, https://github.com/ept/hermitage; the names come from Adya, *Weak Consistency*, 1999, and
Berenson et al., *A Critique of ANSI SQL Isolation Levels*, 1995.) An outcome is what a caller of the units can see, and
what is stored in the end. All run in one thread, so a unit that would wait for another one is refused.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path

import pytest
from attrs import define, field
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

from adapters.fake.copies import Copy
from adapters.fake.database import FakeDatabase
from adapters.fake.rows import Rows
from adapters.fake.writing import Writer
from adapters.sql.engine import make_engine
from domain.errors import ConcurrentChange
from tests.contract.members import Member, MemberEmail, NameTaken, written
from tests.contract.shop import FakeShop, Shop
from tests.storages import Storage, empty, fake_storage, sql_storage

PAGE = Path(__file__).parents[2] / "docs" / "promises.md"
HEADING = "## What each database allows"

# The columns of the table: a storage, and the level that its URL asks for unless it is the default.
LEVELS = {
    "fake": ("fake", ""),
    "SQLite": ("sqlite", ""),
    "PostgreSQL": ("postgres", ""),
    "PostgreSQL RR": ("postgres", "REPEATABLE READ"),
    "PostgreSQL SER": ("postgres", "SERIALIZABLE"),
    "MariaDB": ("mariadb", ""),
    "MariaDB RR": ("mariadb", "REPEATABLE READ"),
    "MariaDB SER": ("mariadb", "SERIALIZABLE"),
}

# How a URL asks for another level.
OPTIONS = {"postgresql": "?options=", "mysql": "?init_command="}

# Below the levels that this project uses: it allows dirty reads.
UNCOMMITTED = {"MariaDB": ("mariadb", "READ UNCOMMITTED")}

# A connection's word for the default level of its server. SQLite knows no other word for its transactions. But units
# read outside of a transaction until they write.
DEFAULT_LEVELS = {"postgresql": "READ COMMITTED", "mysql": "READ COMMITTED", "sqlite": "SERIALIZABLE"}

WAIT = 0.05
"""Seconds that a writer waits: no other unit can end during that time."""


class Oops(Exception):
    """The error with which a savepoint is left."""


class Outcome(Enum):
    """The outcome of an anomaly, in the words of the table."""

    HAPPENS = "yes"
    PREVENTED = "no"
    REFUSED = "error"
    HIDDEN = "hidden"


@define(eq=False)
class Caller:
    """A user of a unit, who keeps all read objects and gives up when refused: the steps after that do nothing.

    A member's address holds its state: ``old@...`` at first.
    """

    uow: Shop
    refused: bool = False
    kept: list[Member] = field(factory=list)

    def read(self, *members: Member) -> list[str]:
        """Return the states of members as this unit sees them."""
        return [
            state_of(member) for member in self._do(lambda: [self.uow.members.get(member.id) for member in members])
        ]

    def names(self) -> list[str]:
        """Return the names of all members."""
        return [member.name for member in self._do(lambda: list(self.uow.members.page().items))]

    def find(self, *addresses: MemberEmail) -> list[Member]:
        """Return the members who hold one of some addresses."""
        return self._do(lambda: self.uow.members.list_holding([], addresses))

    def change(self, member: Member, state: str) -> None:
        """Bring a member into another state, and write that immediately."""
        self.take(member, address(member, state))

    def take(self, member: Member, address: MemberEmail) -> None:
        """Give a member an address, and write that immediately."""

        def write() -> list[Member]:
            mine = self.uow.members.get(member.id)
            mine.change_email(address)
            return [self.uow.members.get(mine.id)]  # a query writes first

        self._do(write)

    def add(self, member: Member) -> None:
        """Add a member, and write that immediately."""

        def write() -> None:
            self.uow.members.add(member)
            written(self.uow)

        self._do(write)

    def remove(self, member: Member) -> None:
        """Remove a member that this unit has read, and write that immediately."""

        def write() -> None:
            self.uow.members.remove(member)
            written(self.uow)

        self._do(write)

    def commit(self) -> None:
        """Commit."""
        self._do(self.uow.commit)

    def _do(self, step: Callable[[], list[Member] | None]) -> list[Member]:
        if self.refused:
            return []
        try:
            found = step() or []
        except ConcurrentChange:
            self.refused = True
            self.uow.rollback()
            return []
        self.kept += found
        return found


@contextmanager
def callers(storage: Storage, number: int = 2) -> Iterator[list[Caller]]:
    """Yield some callers whose units are open at the same time."""
    with ExitStack() as stack:
        yield [Caller(stack.enter_context(storage.unit())) for _ in range(number)]


def new_member(name: str) -> Member:
    """Return a member in the first state.

    Neither name nor address has been used before. For one that was given up, even by a unit long gone, MariaDB may also
    lock the values beside it.
    """
    name = f"{name}-{secrets.token_hex(4)}"
    return Member.create(name, f"old@{name}.example.com")


def stored_members(storage: Storage) -> tuple[Member, Member]:
    """Store two members and return them. Their units have ended."""
    ann, bob = new_member("ann"), new_member("bob")
    with storage.unit() as uow:
        uow.members.add_many([ann, bob])
        uow.commit()
    return ann, bob


def address(member: Member, state: str) -> MemberEmail:
    """Return the address of a member in a state."""
    return MemberEmail(f"{state}@{member.name}.example.com")


def state_of(member: Member) -> str:
    """Return the state of a member."""
    return member.email.partition("@")[0]


def stored_states(storage: Storage) -> list[str]:
    """Return what is stored in the end: the states of all members, in the order of creation."""
    with storage.unit(read_only=True) as uow:
        return [state_of(member) for member in uow.members.stream()]


def outcome(happened: bool, *callers: Caller) -> Outcome:
    """Return the outcome of an anomaly that was seen or not."""
    if happened:
        return Outcome.HAPPENS
    return Outcome.REFUSED if any(one.refused for one in callers) else Outcome.PREVENTED


def dirty_write(storage: Storage) -> Outcome:
    """Two units both write two members. In the end, one has the first's state and the other the second's."""
    ann, bob = stored_members(storage)
    with callers(storage) as (one, two):
        one.change(ann, "one")
        two.change(ann, "two")
        two.change(bob, "two")
        two.commit()
        one.change(bob, "one")
        one.commit()
    return outcome(len(set(stored_states(storage))) > 1, one, two)


def aborted_read(storage: Storage) -> Outcome:
    """One unit reads what the other writes and then takes back."""
    ann, _ = stored_members(storage)
    with callers(storage) as (one, two):
        one.change(ann, "new")
        seen = two.read(ann)
        one.uow.rollback()
        two.commit()
    return outcome(seen == ["new"], one, two)


def intermediate_read(storage: Storage) -> Outcome:
    """One unit reads what the other writes and then overwrites."""
    ann, _ = stored_members(storage)
    with callers(storage) as (one, two):
        one.change(ann, "half")
        seen = two.read(ann)
        one.change(ann, "new")
        one.commit()
        two.commit()
    return outcome(seen == ["half"], one, two)


def circular_flow(storage: Storage) -> Outcome:
    """Each of two units reads what the other writes, so neither can have been first."""
    ann, bob = stored_members(storage)
    with callers(storage) as (one, two):
        one.change(ann, "new")
        two.change(bob, "new")
        seen = one.read(bob) + two.read(ann)
        one.commit()
        two.commit()
    return outcome(seen == ["new", "new"], one, two)


def vanishing_transaction(storage: Storage) -> Outcome:
    """Two units write both members, one after the other. A third one sees the second's write, and then the first's."""
    ann, bob = stored_members(storage)
    with callers(storage, 3) as (one, two, three):
        one.change(ann, "one")
        one.change(bob, "one")
        one.commit()
        two.change(ann, "two")
        seen = three.read(ann, bob)
        two.change(bob, "two")
        two.commit()
        three.commit()
    return outcome(seen == ["two", "one"], one, two, three)


def phantom(storage: Storage) -> Outcome:
    """The same query finds a member the second time who was not there the first time."""
    stored_members(storage)
    with callers(storage) as (one, two):
        before = one.names()
        two.add(new_member("cid"))
        two.commit()
        after = one.names()
        one.commit()
    return outcome(set(before) < set(after), one, two)


def phantom_in_a_write(storage: Storage) -> Outcome:
    """A unit removes the holder of an address. The address has moved on to another member, who stays."""
    ann, bob = stored_members(storage)
    with callers(storage) as (one, two):
        found = one.find(bob.email)
        two.change(bob, "new")
        two.take(ann, bob.email)
        two.commit()
        for member in found:
            one.remove(member)
        one.commit()
    with storage.unit(read_only=True) as uow:
        left = uow.members.list_holding([], [bob.email])
    return outcome(bool(left) and not one.refused, one, two)


def lost_update(storage: Storage) -> Outcome:
    """Two units read a member, and each adds to the state that it has read."""
    ann, _ = stored_members(storage)
    with callers(storage) as (one, two):
        seen = one.read(ann) + two.read(ann)
        one.change(ann, f"{seen[0]}-one")
        one.commit()
        two.change(ann, f"{seen[1]}-two")
        two.commit()
    return outcome(not (one.refused or two.refused), one, two)


def fuzzy_read(storage: Storage) -> Outcome:
    """A unit reads a member twice, and another one has changed it in between. Hidden if queries go by the new state."""
    ann, _ = stored_members(storage)
    with callers(storage) as (one, two):
        before = one.read(ann)
        two.change(ann, "new")
        two.commit()
        after, found = one.read(ann), one.find(address(ann, "new"))
        one.commit()
    if found and before == after:
        return Outcome.HIDDEN
    return outcome(after == ["new"], one, two)


def read_skew(storage: Storage) -> Outcome:
    """A unit reads one member before another unit changes both, and the other member after that."""
    ann, bob = stored_members(storage)
    with callers(storage) as (one, two):
        seen = one.read(ann)
        two.change(ann, "new")
        two.change(bob, "new")
        two.commit()
        seen += one.read(bob)
        one.commit()
    return outcome(seen == ["old", "new"], one, two)


def read_skew_in_queries(storage: Storage) -> Outcome:
    """A unit asks for two addresses and finds the same member by either."""
    ann, _ = stored_members(storage)
    with callers(storage) as (one, two):
        first = one.find(ann.email)
        two.change(ann, "new")
        two.commit()
        second = one.find(address(ann, "new"))
        one.commit()
    return outcome(bool(first) and first == second, one, two)


def read_skew_in_a_write(storage: Storage) -> Outcome:
    """A unit reads one member before another unit changes both, and writes the other member after that."""
    ann, bob = stored_members(storage)
    with callers(storage) as (one, two):
        [seen] = one.read(ann)
        two.change(ann, "new")
        two.change(bob, "new")
        two.commit()
        one.change(bob, f"{seen}-too")
        one.commit()
    return outcome(stored_states(storage) == ["new", "old-too"], one, two)


def write_skew(storage: Storage) -> Outcome:
    """Each of two units changes one member because the other one is unchanged. In the end, both are changed."""
    ann, bob = stored_members(storage)
    with callers(storage) as (one, two):
        seen = one.read(ann, bob) + two.read(ann, bob)
        one.change(ann, "new")
        one.commit()
        two.change(bob, "new")
        two.commit()
    return outcome(set(seen) == {"old"} and set(stored_states(storage)) == {"new"}, one, two)


def write_skew_by_a_query(storage: Storage) -> Outcome:
    """Each of two units adds a member because a query for both found none. In the end, both are there."""
    cid, dan = new_member("cid"), new_member("dan")
    with callers(storage) as (one, two):
        seen = one.find(cid.email, dan.email) + two.find(cid.email, dan.email)
        one.add(cid)
        one.commit()
        two.add(dan)
        two.commit()
    return outcome(not seen and len(stored_states(storage)) == 2, one, two)


# The beginnings of the rows of the table.
ANOMALIES: dict[str, Callable[[Storage], Outcome]] = {
    "dirty write (G0)": dirty_write,
    "aborted read (G1a)": aborted_read,
    "intermediate read (G1b)": intermediate_read,
    "circular flow (G1c)": circular_flow,
    "observed transaction vanishes (OTV)": vanishing_transaction,
    "phantom (PMP)": phantom,
    "phantom in a write (PMP)": phantom_in_a_write,
    "lost update (P4)": lost_update,
    "fuzzy read (P2)": fuzzy_read,
    "read skew (G-single)": read_skew,
    "read skew in queries (G-single)": read_skew_in_queries,
    "read skew in a write (G-single)": read_skew_in_a_write,
    "write skew (G2-item)": write_skew,
    "write skew by a query (G2)": write_skew_by_a_query,
}


def section() -> str:
    """Return the section of the page that holds the table."""
    return PAGE.read_text(encoding="utf-8").partition(f"\n{HEADING}\n")[2].partition("\n## ")[0]


def table() -> dict[str, dict[str, str]]:
    """Return the table of the page: for each anomaly the word in each column."""
    lines = re.findall(r"^\| (.+) \|$", section(), re.MULTILINE)
    header, *rows = [re.split(r" +\| +", line) for line in lines]
    return {label.partition(":")[0]: dict(zip(header[1:], cells, strict=True)) for label, *cells in rows}


def outcomes(new_storage: Callable[[], Storage]) -> dict[str, str]:
    """Run each anomaly on an empty storage."""
    return {name: run(new_storage()).value for name, run in ANOMALIES.items()}


@pytest.fixture
def new_storage(request: pytest.FixtureRequest, backend: str, level: str) -> Iterator[Callable[[], Storage]]:
    """A function that returns an empty storage of a backend, whose units have an isolation level."""
    if backend == "fake":
        yield fake_storage
        return
    engine = request.getfixturevalue(f"{backend}_engine")
    with engine_at(engine, level) as own:

        def emptied() -> Storage:
            empty(engine)
            return sql_storage(own)

        yield emptied


@contextmanager
def engine_at(engine: Engine, level: str) -> Iterator[Engine]:
    """Yield another engine on the same database. Its URL sets the level of its transactions, and it never waits."""
    url = engine.url
    if level and url.get_backend_name() == "mysql":
        url = url.update_query_dict({"init_command": f"SET SESSION TRANSACTION ISOLATION LEVEL {level}"})
    elif level:
        option = level.lower().replace(" ", r"\ ")
        options = f"-c default_transaction_isolation={option} -c lock_timeout={WAIT * 1000:.0f}"
        url = url.update_query_dict({"options": options})
    own = make_engine(url.render_as_string(hide_password=False), WAIT)
    if url.get_backend_name() == "mysql":
        event.listen(own, "connect", _without_waiting)
    try:
        with own.connect() as connection:
            assert (level or DEFAULT_LEVELS[url.get_backend_name()]) == connection.get_isolation_level()
        yield own
    finally:
        own.dispose()


def _without_waiting(connection: DBAPIConnection, _: object) -> None:
    # The engine takes only whole seconds, and leaves this setting alone when the URL has an init_command.
    cursor = connection.cursor()
    cursor.execute("SET SESSION innodb_lock_wait_timeout = 0")
    cursor.close()


@pytest.mark.promise(1, 8)
@pytest.mark.parametrize(("name", "backend", "level"), [(name, *LEVELS[name]) for name in LEVELS], ids=list(LEVELS))
def test_each_anomaly_happens_as_the_page_says(name: str, new_storage: Callable[[], Storage]) -> None:
    """Each anomaly happens where the page says so and nowhere else: one column of the table."""
    written = {anomaly: row[name] for anomaly, row in table().items()}
    assert written == outcomes(new_storage)


def test_the_table_has_every_anomaly_and_level() -> None:
    """The table has a row for each anomaly and a column for each level, and no others."""
    assert list(ANOMALIES) == list(table())
    assert [list(LEVELS)] * len(ANOMALIES) == [list(row) for row in table().values()]


def test_the_fake_allows_what_servers_allow() -> None:
    """The fake allows what PostgreSQL and MariaDB allow by default, as the page says below its table."""
    fake, *servers = ([row[name] for row in table().values()] for name in ("fake", "PostgreSQL", "MariaDB"))
    assert [fake, fake] == servers


@pytest.mark.parametrize(
    ("backend", "limit"),
    [("postgres", "SELECT current_setting('lock_timeout')"), ("mariadb", "SELECT @@innodb_lock_wait_timeout")],
    ids=["postgres", "mariadb"],
)
def test_the_options_ask_for_serializable(request: pytest.FixtureRequest, backend: str, limit: str) -> None:
    """The options on the page, behind a URL, ask for serializable and limit the waiting to ten seconds."""
    server: Engine = request.getfixturevalue(f"{backend}_engine")
    kind = server.url.get_backend_name()
    [options] = [one for one in re.findall(r"`(\?.+?)`", section()) if one.startswith(OPTIONS[kind])]
    url = server.url.update_query_string(options.removeprefix("?"))
    engine = make_engine(url.render_as_string(hide_password=False))
    try:
        with engine.connect() as connection:
            found = connection.get_isolation_level(), str(connection.exec_driver_sql(limit).scalar())
    finally:
        engine.dispose()
    assert ("SERIALIZABLE", "10") == (found[0], found[1].removesuffix("s"))


@pytest.mark.promise(1)
@pytest.mark.parametrize(("backend", "level"), UNCOMMITTED.values(), ids=list(UNCOMMITTED))
def test_dirty_reads_are_seen(new_storage: Callable[[], Storage]) -> None:
    """Dirty reads are seen where the level allows them. So the checks are not blind where the table says no.

    READ UNCOMMITTED is below the level of any unit.
    """
    dirty = [
        "aborted read (G1a)",
        "intermediate read (G1b)",
        "circular flow (G1c)",
        "observed transaction vanishes (OTV)",
    ]
    found = outcomes(new_storage)
    assert dict.fromkeys(dirty, "yes") == {name: found[name] for name in dirty}


class CarelessWriter(Writer):
    """A writer that does all that it must not: its writes are visible to all, without locks, versions or undo."""

    def __init__(self, database: FakeDatabase) -> None:
        super().__init__(Rows(database))
        self._all = database

    def insert(self, new: Copy) -> None:
        """Write."""
        self._all.store({(new.row[0], new.row.id): new.row}, {})

    def update(self, old: Copy, new: Copy) -> None:
        """Write."""
        self._all.store({(old.row[0], old.row.id): new.row}, {})

    def delete(self, old: Copy) -> None:
        """Write."""
        self._all.store({(old.row[0], old.row.id): None}, {})


class CarelessUnit(FakeShop):
    """A unit with a careless writer."""

    def __init__(self, database: FakeDatabase, *, read_only: bool = False) -> None:
        super().__init__(database, read_only=read_only)
        self.session.writer = CarelessWriter(database)


@pytest.mark.promise(1, 8)
def test_a_careless_unit_has_each_anomaly() -> None:
    """The checks can fail: a careless unit has each anomaly, except one that its kept objects hide."""

    def careless() -> Storage:
        database = FakeDatabase()
        return Storage("fake", lambda **options: CarelessUnit(database, **options))

    assert dict.fromkeys(ANOMALIES, "yes") | {"fuzzy read (P2)": "hidden"} == outcomes(careless)


def meets_another_row(one: Caller, two: Caller, ann: Member, bob: Member) -> None:
    """One unit has written a member, and the other one writes another member."""
    one.change(ann, "new")
    two.change(bob, "new")


def meets_the_holder_of_a_lost_value(one: Caller, two: Caller, ann: Member, bob: Member) -> None:
    """One unit has lost a name in a savepoint, and the other one removes its holder."""
    one.read(bob)
    with pytest.raises(NameTaken), one.uow.savepoint():
        one.uow.members.add(Member.create(ann.name, "other@example.com"))
    two.read(ann)
    two.remove(two.kept[0])


def meets_what_a_savepoint_took_back(one: Caller, two: Caller, ann: Member, bob: Member) -> None:
    """One unit has changed a member in a savepoint that was undone, and the other one changes the same member."""
    one.read(bob)
    with pytest.raises(Oops), one.uow.savepoint():
        one.change(ann, "new")
        raise Oops
    two.change(ann, "new")


MEETINGS = (meets_another_row, meets_the_holder_of_a_lost_value, meets_what_a_savepoint_took_back)


@pytest.mark.parametrize(
    ("backend", "level", "waiting"),
    [
        ("fake", "", ()),
        ("sqlite", "", MEETINGS),
        ("postgres", "", ()),
        ("mariadb", "", (meets_the_holder_of_a_lost_value, meets_what_a_savepoint_took_back)),
    ],
    ids=["fake", "sqlite", "postgres", "mariadb"],
)
def test_some_databases_make_a_writer_wait_for_more(
    new_storage: Callable[[], Storage], waiting: tuple[object, ...]
) -> None:
    """Some databases make a writer wait for more than an open unit has written.

    On PostgreSQL and the fake, writers meet only at what each of them writes and keeps.
    """
    met = []
    for meeting in MEETINGS:
        storage = new_storage()
        members = stored_members(storage)
        with callers(storage) as (one, two):
            meeting(one, two, *members)
            one.uow.rollback()
            two.commit()
        if two.refused:
            met.append(meeting)
    assert list(waiting) == met
