"""The column types: a stored value comes back as it was, of the same type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, localcontext

import pytest
from sqlalchemy import Column, DateTime, Engine, Integer, MetaData, Table, func, insert, select
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.engine.default import DefaultDialect

from adapters.sql.types import Duration, Exact, Text, UtcDateTime
from proof.laws.integration.plain_values import connected_with
from tests.contract.members import MemberName

BERLIN = timezone(timedelta(hours=1))
VALUES = Table(
    "some_values", MetaData(), Column("n", Integer), Column("name", Text(MemberName, 64)), Column("at", UtcDateTime)
)


@pytest.mark.parametrize(
    ("name", "at"),
    [
        (MemberName("ann"), datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)),
        (MemberName("𠀀é"), datetime(1, 1, 1, tzinfo=UTC)),
        (MemberName("зоя"), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        (None, None),
    ],
    ids=["usual", "earliest", "latest", "nothing"],
)
def test_a_value_comes_back_as_it_was_stored(engine: Engine, name: MemberName | None, at: datetime | None) -> None:
    """A value comes back as stored: text to the character, time to the microsecond in UTC, None as None."""
    with engine.connect() as connection:
        VALUES.create(connection)
        connection.execute(
            insert(VALUES), {"name": name, "at": at.astimezone(BERLIN) if at and at.year == 2026 else at}
        )
        stored = connection.execute(select(VALUES.c.name, VALUES.c.at)).one()
        VALUES.drop(connection)
        connection.commit()
    assert (name, at) == tuple(stored)
    assert (type(name), at and UTC) == (type(stored.name), at and stored.at.tzinfo)


def test_an_outdated_value_stays_readable(engine: Engine) -> None:
    """A stored value is read even if it would be refused today: rules can become stricter."""
    with engine.connect() as connection:
        VALUES.create(connection)
        connection.execute(insert(VALUES), {"name": "not a name"})
        stored = connection.execute(select(VALUES.c.name)).scalar()
        VALUES.drop(connection)
        connection.commit()
    assert ("not a name", MemberName) == (stored, type(stored))


def test_a_text_column_fits_its_value_object() -> None:
    """A text column is as long as its value object may be, and knows the class of its values."""
    text = Text(MemberName, 64)
    assert (64, MemberName) == (text.length, type(text.result_processor(DefaultDialect(), None)("ann")))


def test_a_time_is_given_to_the_driver_in_utc() -> None:
    """A time is given to the driver in UTC, whatever its zone and that of the machine."""
    given = datetime(2026, 1, 2, 12, tzinfo=BERLIN)
    sent = UtcDateTime().bind_processor(DefaultDialect())(given)
    assert given == sent
    assert isinstance(sent, datetime)
    assert sent.tzinfo is UTC


@pytest.mark.parametrize("given", [datetime(2026, 1, 2, 12, tzinfo=BERLIN), datetime(1, 1, 1, 1, 1, 1, 1, tzinfo=UTC)])
def test_sqlite_stores_times_as_sqlalchemy_does(given: datetime) -> None:
    """SQLite stores a time as SQLAlchemy would in UTC, so other programs with SQLAlchemy can read it."""
    dialect = SQLiteDialect()
    ours, theirs = (one.dialect_impl(dialect).bind_processor(dialect) for one in (UtcDateTime(), DateTime()))
    assert theirs is not None
    assert ours is not None
    assert theirs(given.astimezone(UTC)) == ours(given)


def test_a_time_of_another_zone_becomes_utc() -> None:
    """A time that a driver gives in another zone becomes the same time in UTC. One without a zone was UTC."""
    read_by, noon = UtcDateTime().result_processor(DefaultDialect(), None), datetime(2026, 1, 2, 12)  # noqa: DTZ001  # that is the point
    for given in (noon, noon.replace(tzinfo=UTC).astimezone(BERLIN)):
        read = read_by(given)
        assert read == noon.replace(tzinfo=UTC)
        assert read.tzinfo is UTC  # not the machine's own zone, which may happen to be equal


AMOUNTS = Table("some_amounts", MetaData(), Column("amount", Exact(18, 2)), Column("lasts", Duration))


def test_exact_numbers_are_compared_exactly(engine: Engine) -> None:
    """Exact numbers and intervals are sorted, compared and summed without rounding, at any precision of the caller."""
    amounts = [Decimal("9999999999999999.99"), Decimal("-0.10"), None, Decimal("0.20"), Decimal("10.00")]
    amount, lasts = AMOUNTS.c.amount, AMOUNTS.c.lasts
    with connected_with(AMOUNTS, engine) as connection, localcontext(prec=3):
        rows = [{"amount": one, "lasts": one and timedelta(hours=int(one) // 10**9)} for one in amounts]
        connection.execute(insert(AMOUNTS), rows)
        known = select(amount).where(amount < 11, amount >= Decimal("-0.1")).order_by(amount)
        assert ["-0.10", "0.20", "10.00"] == list(map(str, connection.scalars(known)))
        assert "10.10" == str(connection.scalar(select(func.sum(amount)).where(amount < 11)))
        assert "9999999999999999.99" == str(connection.scalar(select(func.max(amount))))
        assert timedelta(hours=10**16 // 10**9 - 1) == connection.scalar(select(func.sum(lasts)))


@pytest.mark.parametrize(("digits", "places"), [(19, 2), (2, 3), (2, -1)])
def test_exact_numbers_have_at_most_18_digits(digits: int, places: int) -> None:
    """Exact numbers have at most 18 digits, as every whole number of SQLite can."""
    with pytest.raises(ValueError, match="at most 18 digits"):
        Exact(digits, places)
