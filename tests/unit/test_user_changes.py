"""Changes of users on the fake: several values by one commit, and only of the version that the caller has seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.fake.unit_of_work import FakeUnitOfWork
from domain.errors import ConcurrentChange, InvalidValue
from domain.user import EmailTaken, UsernameTaken
from service_layer.unit_of_work import UnitOfWork
from service_layer.users import (
    change_email,
    change_username,
    create_user,
    deactivate_user,
    delete_user,
    export_users,
    get_user,
    reactivate_user,
    update_user,
)

CHANGES: dict[str, Callable[[UnitOfWork, int], object]] = {
    "update_user": lambda uow, version: update_user("ann", uow, email="ann@example.org", version=version),
    "change_email": lambda uow, version: change_email("ann", "ann@example.org", uow, version),
    "change_username": lambda uow, version: change_username("ann", "anna", uow, version),
    "deactivate_user": lambda uow, version: deactivate_user("ann", uow, version),
    "reactivate_user": lambda uow, version: reactivate_user("ann", uow, version),
    "delete_user": lambda uow, version: delete_user("ann", uow, version),
}


@pytest.fixture
def uow() -> UnitOfWork:
    """A unit of work on a fake database that holds ann and bob."""
    uow = FakeUnitOfWork()
    create_user("ann", "ann@example.com", uow)
    create_user("bob", "bob@example.com", uow)
    return uow


def test_an_update_stores_both_values_by_one_commit(uow: UnitOfWork) -> None:
    """An update stores both values by one commit, so the version rises by one."""
    updated = update_user("ANN", uow, new_username="Anna", email="anna@example.org", version=1)
    stored = get_user("anna", uow)
    assert updated == stored
    assert ("anna", "anna@example.org", 2) == (stored.username, stored.email, stored.version)


def test_an_update_leaves_out_what_is_not_given(uow: UnitOfWork) -> None:
    """An update without any value changes nothing, not even the version."""
    assert 1 == update_user("ann", uow).version
    assert ("ann", "ann@example.org", 2) == (
        update_user("ann", uow, email="ann@example.org").username,
        get_user("ann", uow).email,
        get_user("ann", uow).version,
    )


@pytest.mark.parametrize(
    ("changed", "error"), [({"new_username": "bob"}, UsernameTaken), ({"email": "bob@example.com"}, EmailTaken)]
)
def test_an_update_to_a_taken_value_changes_nothing(
    uow: UnitOfWork, changed: dict[str, str], error: type[Exception]
) -> None:
    """An update to a taken value changes neither of the two values."""
    with pytest.raises(error):
        update_user("ann", uow, **({"new_username": "anna", "email": "anna@example.com"} | changed))  # type: ignore[arg-type]  # mypy takes a str for the version
    assert ["ann@example.com", "bob@example.com"] == [user.email for user in export_users(uow)]


@pytest.mark.parametrize("changed", [{"new_username": "a b"}, {"email": "nobody"}])
def test_an_update_to_a_wrong_value_is_refused_first(uow: UnitOfWork, changed: dict[str, str]) -> None:
    """A wrong value is refused before anything is read, whatever the version."""
    with pytest.raises(InvalidValue):
        update_user("nobody", uow, **changed, version=7)


@pytest.mark.parametrize("use", CHANGES)
def test_a_change_of_another_version_is_refused(uow: UnitOfWork, use: str) -> None:
    """A change of another version is refused. The error names both versions, and is not retryable."""
    for other in (0, 2):
        with pytest.raises(ConcurrentChange, match=f"has version 1, and not {other}: read again") as refused:
            CHANGES[use](uow, other)
        assert not refused.value.retryable
    assert ("ann@example.com", True, 1) == (
        get_user("ann", uow).email,
        get_user("ann", uow).active,
        get_user("ann", uow).version,
    )


@pytest.mark.parametrize("use", CHANGES)
def test_a_change_of_the_stored_version_is_made(uow: UnitOfWork, use: str) -> None:
    """A change of the stored version is made, as it is without a version."""
    before = [(user.id, user.version) for user in export_users(uow)]
    CHANGES[use](uow, 1)
    after = [(user.id, user.version) for user in export_users(uow)]
    assert (before == after) == (use == "reactivate_user")  # ann was active already
