"""When a commit is one statement and its own transaction, seen on the wire and from SQLite itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from attrs import frozen
from sqlalchemy import Engine, event, select, update
from sqlalchemy.engine.interfaces import DBAPIConnection

from adapters.sql.engine import make_engine
from domain.errors import ConcurrentChange
from proof.laws.contract.orders import new_order
from proof.laws.counting_proxy import Link, Proxy, proxy_to
from tests.contract.members import Member, members, new_member, stored_member, stored_names, written
from tests.contract.shop import SqlShop
from tests.storages import sql_storage

WORD = re.compile(rb"[A-Z]+")


class Listener(Proxy):
    """A proxy that notes the first word of each statement. In either protocol it comes after five bytes."""

    def __init__(self, host: str, port: int) -> None:
        self.heard: list[str] = []
        super().__init__(host, port)

    def request(self, link: Link, data: bytes) -> bytes:
        """Note a statement."""
        if word := WORD.match(data[5:]):
            self.heard.append(word[0].decode())
        return super().request(link, data)


@frozen
class Wire:
    """An engine on a database with the members ann and bob and the order "tea", and the statements it sends."""

    engine: Engine
    heard: list[str]

    def hear(self, work: Callable[[SqlShop], object]) -> list[str]:
        """Return the statements of a unit that does this work and commits it, without the reset of its connection."""
        with SqlShop(self.engine) as uow:
            uow.members.page()  # so a connection exists
        self.heard.clear()
        with SqlShop(self.engine) as uow:
            work(uow)
            uow.commit()
        return [word for word in self.heard if word != "ROLLBACK"]


@pytest.fixture(params=["sqlite", "postgres"])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    """Each database in turn. The parameter of a server may have options for its URL."""
    kind, _, options = request.param.partition("?")
    plain: Engine = request.getfixturevalue(f"{kind}_engine")
    url = plain.url.render_as_string(hide_password=False)
    with SqlShop(plain) as uow:
        uow.orders.add(new_order("tea"))
        uow.commit()
    for name in ("ann", "bob"):
        stored_member(sql_storage(plain), name)
    with ExitStack() as stack:
        heard: list[str] = []
        if kind != "sqlite":
            proxy, url = stack.enter_context(proxy_to(url, Listener))
            heard = proxy.heard
        engine = make_engine(f"{url}?{options}" if options else url)
        stack.callback(engine.dispose)
        if kind == "sqlite":

            @event.listens_for(engine, "connect")
            def listen(connection: DBAPIConnection, _record: object) -> None:
                connection.set_trace_callback(lambda statement: heard.append(statement.split()[0]))

        yield Wire(engine, heard)


def change_an_addition(uow: SqlShop) -> None:
    """Change what has been added in the same unit."""
    eve = new_member("eve")
    uow.members.add(eve)
    eve.deactivate()


def change_and_take_it_back(uow: SqlShop) -> None:
    """Change two members, and change one of them back."""
    ann, bob = uow.members.page().items
    ann.deactivate()
    bob.deactivate()
    bob.reactivate()


def ann_of(uow: SqlShop) -> Member:
    """Return the member ann."""
    return uow.members.get_by_name("ann")


def an_addition_after_a_query(uow: SqlShop) -> None:
    """Add a member after a query."""
    ann_of(uow)
    uow.members.add(new_member("eve"))


ALONE: dict[str, tuple[Callable[[SqlShop], object], list[str]]] = {
    "an addition": (lambda uow: uow.members.add(new_member("eve")), ["INSERT"]),
    "an addition that was changed": (change_an_addition, ["INSERT"]),
    "an addition after a query": (an_addition_after_a_query, ["SELECT", "INSERT"]),
    "a change": (lambda uow: ann_of(uow).deactivate(), ["SELECT", "UPDATE"]),
    "a change beside one taken back": (change_and_take_it_back, ["SELECT", "UPDATE"]),
}


@pytest.mark.parametrize("name", ALONE)
def test_an_only_statement_is_its_own_transaction(wire: Wire, name: str) -> None:
    """The only statement of a commit is its own transaction, without a BEGIN, a COMMIT or a ROLLBACK."""
    work, expected = ALONE[name]
    assert expected == wire.hear(work)
    assert "ROLLBACK" not in wire.heard


def two_additions(uow: SqlShop) -> None:
    """Add two members."""
    uow.members.add(new_member("eve"))
    uow.members.add(new_member("fay"))


def two_changes(uow: SqlShop) -> None:
    """Change two members."""
    for member in uow.members.page().items:
        member.deactivate()


def an_addition_and_a_change(uow: SqlShop) -> None:
    """Add a member, and change another one."""
    ann = ann_of(uow)
    uow.members.add(new_member("eve"))
    ann.deactivate()


def a_removal(uow: SqlShop) -> None:
    """Remove a member, which is written before the commit."""
    uow.members.remove(ann_of(uow))


def a_removal_and_a_change(uow: SqlShop) -> None:
    """Remove a member, and change another one."""
    ann, bob = uow.members.page().items
    uow.members.remove(ann)
    bob.deactivate()


def an_addition_that_is_read(uow: SqlShop) -> None:
    """Add a member, and ask for all."""
    uow.members.add(new_member("eve"))
    written(uow)


def an_addition_after_a_savepoint(uow: SqlShop) -> None:
    """Add a member after a savepoint that only read."""
    with uow.savepoint():
        ann_of(uow)
    uow.members.add(new_member("eve"))


def an_addition_after_a_statement(uow: SqlShop) -> None:
    """Add a member after a plain statement."""
    uow.connection.execute(update(members).values(active=False))
    uow.members.add(new_member("eve"))


def an_addition_after_a_bulk(uow: SqlShop) -> None:
    """Add a member after others."""
    uow.members.add_many([new_member("eve")])
    uow.members.add(new_member("fay"))


def a_change_of_a_child(uow: SqlShop) -> None:
    """Change an order that has lines."""
    uow.orders.get_by_reference("tea").set_quantity("cup", 5)


TOGETHER: dict[str, Callable[[SqlShop], object]] = {
    "two additions": two_additions,
    "two changes": two_changes,
    "an addition and a change": an_addition_and_a_change,
    "a removal": a_removal,
    "a removal and a change": a_removal_and_a_change,
    "an addition that is read": an_addition_that_is_read,
    "an addition after a savepoint": an_addition_after_a_savepoint,
    "an addition after a statement": an_addition_after_a_statement,
    "an addition after a bulk": an_addition_after_a_bulk,
    "a bulk": lambda uow: uow.members.add_many([new_member("eve")]),
    "an addition with children": lambda uow: uow.orders.add(new_order("coffee")),
    "a change of a child": a_change_of_a_child,
    "a change beside children": lambda uow: uow.orders.get_by_reference("tea").change_reference("coffee"),
    "a removal with children": lambda uow: uow.orders.remove(uow.orders.get_by_reference("tea")),
}


def check_transaction(heard: list[str]) -> None:
    """Check that writes stand between a BEGIN and a COMMIT."""
    writing = [place for place, word in enumerate(heard) if word in ("INSERT", "UPDATE", "DELETE", "COPY")]
    assert writing
    assert (1, 1) == (heard.count("BEGIN"), heard.count("COMMIT"))
    assert heard.index("BEGIN") < writing[0]
    assert heard[-1] == "COMMIT"


@pytest.mark.every_case
@pytest.mark.parametrize("name", TOGETHER)
def test_several_statements_need_a_transaction(wire: Wire, name: str) -> None:
    """Several statements need a transaction: so do an aggregate with children, and all after the first write."""
    check_transaction(wire.hear(TOGETHER[name]))


def ask_for_the_connection(uow: SqlShop) -> None:
    """Get the connection of a unit, for the caller's own statements."""
    _ = uow.connection


def lock_rows(uow: SqlShop) -> None:
    """Lock all members by a query."""
    uow.session.scalars(select(Member).with_for_update()).all()


@pytest.mark.parametrize("wire", ["postgres"], indirect=True)
@pytest.mark.parametrize("before", [ask_for_the_connection, lock_rows])
def test_possible_locks_last_until_the_commit(wire: Wire, before: Callable[[SqlShop], None]) -> None:
    """A statement that may hold locks keeps them for the commit. One alone would be beside its transaction."""

    def work(uow: SqlShop) -> None:
        before(uow)
        uow.members.add(new_member("eve"))

    check_transaction(wire.hear(work))


@pytest.mark.parametrize(
    "wire",
    [
        f"postgres?options=-c%20default_transaction_isolation%3D{level}"
        for level in ("repeatable%5C%20read", "serializable")
    ],
    indirect=True,
    ids=["REPEATABLE READ", "SERIALIZABLE"],
)
@pytest.mark.parametrize("name", ALONE)
def test_a_higher_level_needs_a_transaction(wire: Wire, name: str) -> None:
    """At a higher isolation level every statement is in a transaction: reads and writes must be of one moment."""
    check_transaction(wire.hear(ALONE[name][0]))


@pytest.mark.parametrize("wire", ["mariadb"], indirect=True)
@pytest.mark.parametrize("name", ALONE)
def test_mariadb_needs_a_transaction(wire: Wire, name: str) -> None:
    """On MariaDB every statement is in a transaction. Turning that off costs a round trip."""
    _, expected = ALONE[name]
    assert [*expected, "COMMIT"] == wire.hear(ALONE[name][0])


@pytest.mark.promise(1)
@pytest.mark.parametrize("name", ALONE)
def test_an_addition_given_up_writes_nothing(wire: Wire, name: str) -> None:
    """An addition that is given up before the commit sends neither a statement nor its undoing."""
    work, expected = ALONE[name]
    with SqlShop(wire.engine) as uow:
        uow.members.page()
    wire.heard.clear()
    with SqlShop(wire.engine) as uow:
        work(uow)
        uow.rollback()
    assert expected[:-1] == wire.heard


@pytest.mark.promise(8)
def test_a_conflict_of_a_statement_alone(wire: Wire) -> None:
    """A conflict of a statement alone stores nothing: it meets no row of the version read, without a database error."""
    with pytest.raises(ConcurrentChange), SqlShop(wire.engine) as uow:
        ann_of(uow).deactivate()
        with SqlShop(wire.engine) as other:
            ann_of(other).change_email("new@example.com")
            other.commit()
        wire.heard.clear()
        uow.commit()
    assert ["UPDATE"] == wire.heard
    with SqlShop(wire.engine) as uow:
        assert ("new@example.com", True, 2) == ((ann := ann_of(uow)).email, ann.active, ann.version)
    assert ["ann", "bob"] == stored_names(sql_storage(wire.engine))
