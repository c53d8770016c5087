"""How SQLAlchemy comes to watch an object."""

from __future__ import annotations

from inspect import getmembers

from sqlalchemy import inspect

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
