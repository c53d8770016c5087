"""Promises 1, 2, 14 and 15 for what only users can do: an import whose calls fail one at a time."""

from __future__ import annotations

import pytest

from proof.laws.faulty_storages import FaultyStorage
from proof.laws.integration.fault_laws import ANN, BOB, NEW, NEWER, Case, check_each_fault
from service_layer import users
from service_layer.unit_of_work import UnitOfWork


def import_some(uow: UnitOfWork) -> None:
    """Import two new users, a stored one, and a row that is refused."""
    names = ["new", "newer", "ann", "not a name"]
    rows = [users.UserRow(line, name, f"{name}@example.com") for line, name in enumerate(names)]
    summary = users.import_users(rows, lambda _row, _reason: None, uow)
    assert users.ImportSummary(2, 1, 1) == summary


CASES = {
    "create_user": Case(lambda uow: users.create_user("new", "new@example.com", uow), [ANN, BOB, NEW]),
    "import_users": Case(import_some, [ANN, BOB, NEW, NEWER]),
}


@pytest.fixture
def storage(faulty: FaultyStorage) -> FaultyStorage:
    """Each storage in turn, behind a layer that fails, with two users."""
    faulty.table, faulty.name = "users", "username"
    uow = faulty.unit()
    users.create_user("ann", "ann@example.com", uow)
    users.create_user("bob", "bob@example.com", uow)
    users.deactivate_user("bob", uow)
    faulty.keep()
    return faulty


@pytest.mark.slow
@pytest.mark.promise(1, 2, 14, 15)
@pytest.mark.parametrize("name", CASES)
def test_each_failing_call_of_an_import(storage: FaultyStorage, name: str) -> None:
    """Whichever call of an import fails, all or nothing is stored, and the error says which. The next call works.

    The error is one of the domain, or the call raises none. The connection is free.
    """
    check_each_fault(CASES[name], storage)
