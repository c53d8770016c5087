"""Promises 7 and 14 for a commit of one refused statement: its error is the same as in a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest
from attrs import evolve
from sqlalchemy import Engine, event, text

from adapters.sql.engine import make_engine
from domain.errors import CommitOutcomeUnknown, ConcurrentChange, Conflict, StorageError
from proof.laws.integration.lost_connections import check_back
from tests.contract.members import (
    Member,
    MemberEmail,
    change_email,
    create_member,
    delete_member,
    get_member,
    new_member,
    stored_member,
    stored_names,
    written,
)
from tests.contract.shop import Shop, SqlShop
from tests.storages import InATransaction, impatient, sql_storage

UNITS = [SqlShop, InATransaction]

# Databases that refuse to store a member. Each yields the engine to be tried.


@contextmanager
def altered(engine: Engine, before: Sequence[str], after: Sequence[str]) -> Iterator[Engine]:
    """Run some statements before, and others after, which undo them."""
    try:
        with engine.begin() as connection:
            for statement in before:
                connection.execute(text(statement))
        yield engine
    finally:
        with engine.begin() as connection:
            for statement in after:
                connection.execute(text(statement))


def without_the_table(engine: Engine) -> AbstractContextManager[Engine]:
    """Give the table another name during the block."""
    return altered(engine, ["ALTER TABLE members RENAME TO people"], ["ALTER TABLE people RENAME TO members"])


@contextmanager
def without_writing(engine: Engine) -> Iterator[Engine]:
    """Refuse every write."""
    if engine.dialect.name == "sqlite":
        other = make_engine(str(engine.url))
        event.listen(other, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON"))
        yield other
        other.dispose()
    else:
        with with_options(engine, "default_transaction_read_only=on") as other:
            yield other


@contextmanager
def with_options(engine: Engine, option: str) -> Iterator[Engine]:
    """Yield an engine on the same PostgreSQL with another setting."""
    url = engine.url.update_query_dict({"options": f"-c {option}"})
    other = make_engine(url.render_as_string(hide_password=False))
    yield other
    other.dispose()


@contextmanager
def behind_another_writer(engine: Engine) -> Iterator[Engine]:
    """Let another unit have written the same name, so all wait for it in vain."""
    with impatient(engine) as other, SqlShop(engine) as uow:
        uow.members.add(new_member("bob"))
        written(uow)
        yield other
        uow.rollback()


@contextmanager
def cancelled(engine: Engine) -> Iterator[Engine]:
    """Let the server cancel a statement that waits for long."""
    with with_options(engine, "statement_timeout=50") as other, behind_another_writer(engine):
        yield other


def checked(engine: Engine) -> AbstractContextManager[Engine]:
    """Let a check constraint be broken."""
    return altered(
        engine,
        ["ALTER TABLE members ADD CONSTRAINT ck_members_bob CHECK (name <> 'bob')"],
        ["ALTER TABLE members DROP CONSTRAINT ck_members_bob"],
    )


WRITES = ("INSERT", "UPDATE", "DELETE")


def triggered(engine: Engine, code: str = "P0001") -> AbstractContextManager[Engine]:
    """Let a trigger refuse all writes, on PostgreSQL with this SQLSTATE."""
    if engine.dialect.name == "sqlite":
        refuse = "BEGIN SELECT RAISE(ABORT, 'not today'); END"
        return altered(
            engine,
            [f"CREATE TRIGGER no_{what} BEFORE {what} ON members {refuse}" for what in WRITES],
            [f"DROP TRIGGER no_{what}" for what in WRITES],
        )
    raising = f"BEGIN RAISE EXCEPTION 'not today' USING ERRCODE = '{code}'; END"
    return altered(
        engine,
        [
            f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ {raising} $$",
            f"CREATE TRIGGER no BEFORE {' OR '.join(WRITES)} ON members FOR EACH ROW EXECUTE FUNCTION refuse()",
        ],
        ["DROP FUNCTION refuse() CASCADE"],
    )


@contextmanager
def as_it_is(engine: Engine) -> Iterator[Engine]:
    """Refuse nothing but the value itself."""
    yield engine


def holding(attribute: str, value: object) -> Member:
    """Return a member with a value that the domain would refuse."""
    member = new_member("bob")
    vars(member)[attribute] = value
    return member


# How a database refuses a member, the member, and on which databases: SQLite takes more values.
REFUSALS: dict[str, tuple[Callable[[Engine], AbstractContextManager[Engine]], Callable[[], Member], str]] = {
    "no table": (without_the_table, lambda: new_member("bob"), "both"),
    "read-only": (without_writing, lambda: new_member("bob"), "both"),
    "a lock": (behind_another_writer, lambda: new_member("bob"), "both"),
    "a cancelled statement": (cancelled, lambda: new_member("bob"), "postgresql"),
    "a check": (checked, lambda: new_member("bob"), "postgresql"),
    "a trigger": (triggered, lambda: new_member("bob"), "both"),
    "a full disk": (partial(triggered, code="53100"), lambda: new_member("bob"), "postgresql"),
    "a taken name": (as_it_is, lambda: new_member("ann"), "both"),
    "a number that is too large": (as_it_is, lambda: holding("version", 1 << 40), "postgresql"),
}


def told(work: Callable[[], object]) -> tuple[type[Exception], str, object]:
    """Return the error of some work: its type, its words, and whether it may be tried again."""
    with pytest.raises((StorageError, Conflict)) as caught:
        work()
    return caught.type, str(caught.value), getattr(caught.value, "retryable", None)


def check_refused(alone: tuple[type[Exception], str, object], within: tuple[type[Exception], str, object]) -> None:
    """Check that the error is the one within a transaction, with a known outcome."""
    assert within == alone
    assert not issubclass(alone[0], CommitOutcomeUnknown)


@pytest.mark.promise(7, 14)
@pytest.mark.parametrize(
    ("engine", "name"),
    [
        (short, name)
        for name, (_, _, where) in REFUSALS.items()
        for short, long in (("sqlite", "sqlite"), ("postgres", "postgresql"))
        if where in ("both", long)
    ],
    indirect=["engine"],
)
def test_a_refused_addition_alone(engine: Engine, name: str) -> None:
    """A refused addition alone says what it says within a transaction: it has certainly stored nothing."""
    refusing, member, _ = REFUSALS[name]
    stored_member(sql_storage(engine), "ann")

    def add(uow: Shop) -> None:
        with uow:
            uow.members.add(member())
            uow.commit()

    with refusing(engine) as tried:
        check_refused(*(told(partial(add, unit(tried))) for unit in UNITS))
        check_back(tried)
    assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(7, 14)
@pytest.mark.parametrize("engine", ["sqlite", "postgres"], indirect=True)
@pytest.mark.parametrize(
    "use_case",
    [partial(change_email, "ann", "new@example.com"), partial(delete_member, "ann")],
    ids=["change", "removal"],
)
def test_a_refused_change_alone(engine: Engine, use_case: Callable[[Shop], object]) -> None:
    """A refused change or removal alone says what it says within a transaction."""
    stored_member(sql_storage(engine), "ann")
    with triggered(engine):
        check_refused(*(told(partial(use_case, unit(engine))) for unit in UNITS))
    check_back(engine)
    assert "ann@example.com" == get_member("ann", SqlShop(engine)).email


@pytest.mark.slow
@pytest.mark.promise(7, 14)
def test_a_statement_ended_by_a_deadlock(postgres_engine: Engine) -> None:
    """A statement that a deadlock has ended has stored nothing and may be tried again.

    It holds a name and waits for an address. The holder of that waits for the name, and looks for a deadlock later.
    """
    with (
        with_options(postgres_engine, "deadlock_timeout=1s") as soon,
        with_options(postgres_engine, "deadlock_timeout=1min") as late,
        ThreadPoolExecutor(1) as pool,
        SqlShop(late) as other,
    ):
        other.members.add(evolve(new_member("bob"), email=MemberEmail("ann@example.com")))
        written(other)
        outcome = pool.submit(create_member, "ann", "ann@example.com", SqlShop(soon))
        with postgres_engine.connect() as connection:
            while not connection.execute(text("SELECT 1 FROM pg_locks WHERE NOT granted")).all():
                assert not outcome.done()
        other.members.add(evolve(new_member("ann"), email=MemberEmail("bob@example.com")))
        other.commit()
        error = outcome.exception()
        check_back(soon)
    assert (ConcurrentChange, True) == (type(error), getattr(error, "retryable", None))
    assert "deadlock detected" in str(error)
    assert ["ann", "bob"] == stored_names(sql_storage(postgres_engine))
