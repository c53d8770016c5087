"""Bulks that stop before all rows are stored: by an error in the rows or of the database, or by an interrupt."""

from __future__ import annotations

import signal
from threading import Timer
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from adapters.sql.errors import translated
from domain.errors import StorageError
from proof.laws.integration.plain_values import PLAIN, connected_with, insert_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


NOT_SENT = (ValueError, StatementError)
"""What COPY and SQLAlchemy raise for a value that cannot be sent."""


@pytest.fixture
def plain(engine: Engine) -> Iterator[Connection]:
    """A connection to a database with the table of plain values."""
    with connected_with(PLAIN, engine) as connection:
        yield connection


@pytest.mark.parametrize("wrong", [{"name": 5}, {"at": "today"}])
def test_an_impossible_value_of_a_bulk_is_refused(plain: Connection, wrong: dict[str, Any]) -> None:
    """A value that a column cannot hold is refused by one error, whatever its type and however the rows are sent."""
    with pytest.raises(NOT_SENT, match=r"str|int") as caught:
        insert_all(plain, PLAIN, [dict.fromkeys(PLAIN.columns.keys()) | {"order": 1, **wrong}])
    assert StorageError is type(translated(caught.value, plain.engine))


MANY = 3000
"""The rows of a bulk that does not end before the server is at work."""


def rows_until(end: Callable[[], object]) -> Iterator[dict[str, Any]]:
    """Yield many rows, and call a function before the last of them."""
    nothing = dict.fromkeys(PLAIN.columns.keys())
    for number in range(MANY):
        yield {**nothing, "order": number, "text": "some text"}
    end()
    yield {**nothing, "order": MANY}


def stop(error: BaseException) -> None:
    """Raise an error."""
    raise error


@pytest.mark.parametrize("error", [ZeroDivisionError("in the rows"), KeyboardInterrupt()], ids=type)
def test_an_error_in_the_rows_stops_the_bulk(plain: Connection, error: BaseException) -> None:
    """An error in the rows of a bulk stops it as it was raised, however many are sent. None of them is stored."""
    with pytest.raises(type(error)) as caught:
        insert_all(plain, PLAIN, rows_until(lambda: stop(error)))
    assert error is caught.value
    plain.rollback()
    assert [] == plain.execute(select(PLAIN.c.order)).all()


class Alarm(BaseException):
    """The error of a signal handler, like an interrupt."""


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Return a function that raises an alarm after a number of seconds. With zero, it never does."""

    def ring(*_: object) -> None:
        raise Alarm

    def wind(seconds: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)

    before = signal.signal(signal.SIGALRM, ring)
    yield wind
    wind(0)
    signal.signal(signal.SIGALRM, before)


LONG = Table(
    "long_texts",
    MetaData(),
    Column("order", Integer, primary_key=True, autoincrement=False),
    Column("text", String),
)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_an_interrupt_stops_a_bulk(own_engine: Engine, alarm: Callable[[float], None]) -> None:
    """An interrupt stops a bulk while the driver waits for a blocked server. It is raised itself."""
    rows = [{"order": number, "text": "x" * 100_000} for number in range(300)]  # more than any socket holds
    with own_engine.connect() as holder, own_engine.connect() as connection:
        LONG.create(holder)
        holder.commit()
        holder.execute(LONG.insert(), rows[0])
        release = Timer(1, holder.rollback)
        release.start()
        alarm(0.5)
        with pytest.raises(Alarm):
            insert_all(connection, LONG, rows)
        release.join()
    with own_engine.connect() as connection:
        assert [] == connection.execute(select(LONG.c.order)).all()


def test_a_late_value_of_a_bulk_is_refused(plain: Connection) -> None:
    """A late value of a bulk is refused like any other, with its cause, not as a bulk that ends too early."""
    wrong = {**dict.fromkeys(PLAIN.columns.keys()), "order": MANY + 1, "at": "today"}
    with pytest.raises(NOT_SENT, match="str") as caught:
        insert_all(plain, PLAIN, [*rows_until(lambda: None), wrong])
    assert isinstance(caught.value.__cause__, AttributeError)


def test_a_broken_constraint_of_a_bulk_is_named(plain: Connection) -> None:
    """A broken constraint of a long bulk is named, though the database finds it while more rows are sent."""
    again = {**dict.fromkeys(PLAIN.columns.keys()), "order": 0}
    with pytest.raises(IntegrityError):
        insert_all(plain, PLAIN, [again, *rows_until(lambda: None)])


def test_a_bulk_whose_connection_ends_fails(postgres_engine: Engine) -> None:
    """A bulk whose connection ends in the middle fails, and what was sent before is not stored."""
    with connected_with(PLAIN, postgres_engine) as other, postgres_engine.connect() as connection:
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        end = text("SELECT pg_terminate_backend(:own, 5000)")
        with pytest.raises(OperationalError):
            insert_all(connection, PLAIN, rows_until(lambda: other.execute(end, {"own": own})))
        assert connection.invalidated
        assert [] == other.execute(select(PLAIN.c.order)).all()


def test_a_bulk_holds_few_of_its_rows_at_a_time(plain: Connection) -> None:
    """A bulk holds few of its rows at a time: they are made as they are sent."""
    alive = [0]
    most = [0]

    class Row(dict[str, Any]):
        """A row that counts the living rows."""

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            alive[0] += 1
            most[0] = max(alive[0], most[0])

        def __del__(self) -> None:
            alive[0] -= 1

    insert_all(plain, PLAIN, map(Row, rows_until(lambda: None)))
    plain.rollback()
    assert most[0] <= MANY // 2
