"""The column types: what goes into a column comes out of it, of the same type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, insert, select

from adapters.sql.types import Text, UtcDateTime
from domain.user import Username

BERLIN = timezone(timedelta(hours=1))
VALUES = Table(
    "some_values", MetaData(), Column("n", Integer), Column("name", Text(Username, 64)), Column("at", UtcDateTime)
)


@pytest.mark.parametrize(
    ("name", "at"),
    [
        (Username("ann"), datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)),
        (Username("𠀀é"), datetime(1, 1, 1, tzinfo=UTC)),
        (Username("зоя"), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        (None, None),
    ],
    ids=["usual", "earliest", "latest", "nothing"],
)
def test_a_value_comes_back_as_it_was_stored(engine: Engine, name: Username | None, at: datetime | None) -> None:
    """Text to the character and the type, time to the microsecond and in UTC; nothing stays nothing."""
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


def test_what_is_stored_is_read_even_if_it_would_not_be_accepted_today(engine: Engine) -> None:
    """Rules can become stricter; old data must stay readable."""
    with engine.connect() as connection:
        VALUES.create(connection)
        connection.execute(insert(VALUES), {"name": "not a name"})
        stored = connection.execute(select(VALUES.c.name)).scalar()
        VALUES.drop(connection)
        connection.commit()
    assert ("not a name", Username) == (stored, type(stored))
