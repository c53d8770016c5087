"""How SQLAlchemy comes to watch an object."""

from __future__ import annotations

from inspect import getmembers

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Uuid, inspect

from adapters.sql.mapping import map_aggregate
from domain.aggregate import Aggregate
from domain.user import User


def test_an_object_is_watched_from_the_first_change_on() -> None:
    """So one that was only read, or that was made before its class was mapped, costs nothing until then."""
    user = User.create("ann", "ann@example.org")
    state = inspect(User).class_manager.STATE_ATTR
    vars(user).pop(state)
    assert "ann@example.org" == user.email
    assert state not in vars(user)
    user.change_email("ann@example.com")
    assert state in vars(user)
    watched = inspect(user)
    user.change_email("ann@example.net")
    assert watched is inspect(user)


def test_the_members_of_a_mapped_class_can_be_listed() -> None:
    """As help() and many tools do."""
    assert {"change_email", "email"} < dict(getmembers(User)).keys()


@pytest.mark.parametrize(
    "column", [Column("n", Integer, key="number"), Column("number", Integer, onupdate=1)], ids=["named", "onupdate"]
)
def test_a_column_that_a_unit_of_work_would_misunderstand_is_refused(column: Column[int]) -> None:
    """It knows a column by the name of its attribute, and writes what the object holds."""

    class Counter(Aggregate):
        number: int

    table = Table("counters", MetaData(), Column("id", Uuid, primary_key=True), column)
    with pytest.raises(ValueError, match=r"counters.*cannot be mapped"):
        map_aggregate(Counter, table)
