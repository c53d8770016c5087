"""The SQLAlchemy session of a unit of work: for what no repository does, in the same transaction."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select, update

from adapters.sql.unit_of_work import SqlUnitOfWork
from adapters.sql.users import users
from domain.errors import ConcurrentChange, UnitOfWorkMisuse
from domain.user import EmailAddress, User, UsernameTaken
from tests.contract.users import new_user, stored_names, stored_user
from tests.storages import sql_storage


@pytest.mark.promise(1)
def test_what_a_session_is_given_is_stored_by_the_commit_and_by_nothing_else(engine: Engine) -> None:
    """New, changed and removed objects; with the version that they then have."""
    storage = sql_storage(engine)
    for name in ("ann", "bob"):
        stored_user(storage, name)
    for committed in (False, True):
        with SqlUnitOfWork(engine) as uow:
            ann, bob = uow.session.scalars(select(User).order_by(users.c.username)).all()
            ann.email = EmailAddress("new@example.com")
            uow.session.delete(bob)
            uow.session.add(new_user("cid"))
            uow.commit() if committed else uow.rollback()
        assert (["ann", "cid"] if committed else ["ann", "bob"]) == stored_names(storage)
    with storage.unit() as unit:
        found = unit.users.get_by_email("new@example.com")
    assert ("ann", 2) == (found.username, found.version)


@pytest.mark.promise(1)
def test_a_session_sees_what_the_unit_has_written(engine: Engine) -> None:
    """And the unit sees what its session has written."""
    with SqlUnitOfWork(engine) as uow:
        uow.users.add(new_user("ann"))
        assert ["ann"] == uow.session.scalars(select(users.c.username)).all()
        uow.session.execute(update(users).values(username="bob"))
        assert uow.users.page().items[0].username == "ann"  # one identity is one object
        uow.rollback()
    assert [] == stored_names(sql_storage(engine))


@pytest.mark.promise(8)
def test_what_a_session_changes_is_refused_when_somebody_else_has_changed_it(engine: Engine) -> None:
    """As it is for the objects of a repository."""
    storage = sql_storage(engine)
    stored_user(storage, "ann")
    with SqlUnitOfWork(engine) as uow, pytest.raises(ConcurrentChange):
        ann = uow.session.scalars(select(User)).one()
        with storage.unit() as other:
            other.users.get_by_username("ann").deactivate()
            other.commit()
        ann.email = EmailAddress("new@example.com")
        uow.commit()
    with storage.unit() as unit:
        assert unit.users.get_by_username("ann").email == "ann@example.com"


@pytest.mark.promise(7)
def test_a_value_that_a_session_finds_taken_is_told_by_the_domains_error(engine: Engine) -> None:
    """By the commit, which writes it."""
    stored_user(sql_storage(engine), "ann")
    with SqlUnitOfWork(engine) as uow, pytest.raises(UsernameTaken):
        uow.session.add(new_user("ann"))
        uow.commit()


@pytest.mark.promise(11)
def test_outside_of_a_block_there_is_no_session(engine: Engine) -> None:
    """Nor a connection."""
    uow = SqlUnitOfWork(engine)
    for name in ("session", "connection"):
        with pytest.raises(UnitOfWorkMisuse, match="is not open"):
            getattr(uow, name)
