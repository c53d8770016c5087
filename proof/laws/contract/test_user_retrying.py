"""Use cases of users that are run again, on every storage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from domain.aggregate import new_id
from domain.errors import DuplicateIdentity
from domain.user import User
from service_layer.retrying import Retrying
from service_layer.unit_of_work import UnitOfWork
from service_layer.users import create_user
from tests.contract.sample import Kit
from tests.contract.users import USERS
from tests.storages import Storage

retrying = Retrying(attempts=10)


@pytest.mark.promise(14)
def test_racing_creations_store_one_user(storage: Storage) -> None:
    """Two racing creations with one id store one user and both return it, whichever constraint is broken."""
    id, together = new_id(), Barrier(2)

    def create(uow: UnitOfWork) -> User:
        together.wait(10)
        return retrying(create_user, "ann", "ann@example.com", uow, id)

    with ThreadPoolExecutor(2) as pool:
        created = [pool.submit(create, storage.unit()) for _ in range(2)]
    assert [(id, "ann", 1)] * 2 == [(one.result().id, one.result().username, one.result().version) for one in created]
    assert ["ann"] == Kit(storage, USERS).words()


@pytest.mark.promise(14)
def test_a_user_can_be_created_again_by_its_id(storage: Storage) -> None:
    """Creating a user again by its id returns the stored one unchanged. With other values it is refused."""
    id = new_id()
    first = create_user("ann", "ann@example.com", storage.unit(), id)
    again = create_user("ANN", "ann@example.com", storage.unit(), id)
    assert (first.id, first.created_at, 1) == (again.id, again.created_at, again.version)
    for username, email in [("ann", "other@example.com"), ("bob", "ann@example.com"), ("bob", "bob@example.com")]:
        with pytest.raises(DuplicateIdentity, match=str(id)):
            create_user(username, email, storage.unit(), id)
    assert ["ann"] == Kit(storage, USERS).words()
