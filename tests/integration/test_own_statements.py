"""Statements of one's own, on the connection of a unit of work: they belong to its transaction."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, text, update

from domain.aggregate import new_id
from domain.errors import ConfigurationError, InvalidValue, StorageError, UnitOfWorkMisuse
from tests.contract.members import NameTaken, get_member, members, new_member, stored_member, stored_names
from tests.contract.orders import Order, OrderLine, new_order
from tests.contract.shop import SqlShop
from tests.storages import impatient, sql_storage


@pytest.mark.promise(1)
def test_a_statement_sees_what_the_unit_has_written_and_is_undone_with_it(engine: Engine) -> None:
    """It changes no object of the unit, of which there is one for each identity."""
    with SqlShop(engine) as uow:
        uow.members.add(new_member("ann"))
        assert ["ann"] == uow.connection.execute(select(members.c.name)).scalars().all()
        uow.connection.execute(update(members).values(name="bob"))
        assert uow.members.page().items[0].name == "ann"
        uow.rollback()
    assert [] == stored_names(sql_storage(engine))


@pytest.mark.promise(6)
def test_a_statement_sees_every_kind_of_write_that_the_unit_has_been_told(engine: Engine) -> None:
    """An addition, a removal and a change, though none of them had to be written yet."""
    storage = sql_storage(engine)
    ann, bob = stored_member(storage, "ann"), stored_member(storage, "bob")
    with SqlShop(engine) as uow:
        uow.members.remove(uow.members.get(ann.id))
        uow.members.add(new_member("cid"))
        uow.members.get(bob.id).deactivate()
        found = uow.connection.execute(select(members.c.name, members.c.active).order_by(members.c.name)).all()
        uow.rollback()
    assert [("bob", False), ("cid", True)] == [tuple(row) for row in found]
    assert ["ann", "bob"] == stored_names(storage)


@pytest.mark.promise(1, 2)
@pytest.mark.parametrize("name", ["ann", "bob"])
def test_a_statement_is_stored_with_the_only_addition_of_its_unit_or_not_at_all(engine: Engine, name: str) -> None:
    """Here neither is if the name is taken."""
    stored_member(sql_storage(engine), "ann")
    with SqlShop(engine) as uow:
        uow.connection.execute(update(members).values(active=False))
        uow.members.add(new_member(name))
        with pytest.raises(NameTaken) if name == "ann" else nullcontext():
            uow.commit()
    assert (name == "ann") is get_member("ann", SqlShop(engine)).active
    assert sorted({"ann", name}) == stored_names(sql_storage(engine))


@pytest.mark.promise(1)
@pytest.mark.parametrize("before", ["", "/* a comment */ ", "-- a comment\n", "\n  "])
def test_a_text_that_writes_is_undone_whatever_it_begins_with(engine: Engine, before: str) -> None:
    """As tools begin statements with a comment that says where they come from."""
    stored_member(sql_storage(engine), "ann")
    with SqlShop(engine) as uow:
        uow.connection.execute(
            text(before + "DELETE FROM members")  # noqa: S608  # our own words
        )
        uow.rollback()
    assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(1)
def test_a_statement_that_goes_to_the_driver_without_parameters_is_undone_with_the_unit(engine: Engine) -> None:
    """SQLAlchemy has a way of its own for these."""
    stored_member(sql_storage(engine), "ann")
    with SqlShop(engine) as uow:
        uow.connection.execution_options(no_parameters=True).exec_driver_sql("DELETE FROM members")
        uow.rollback()
    assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(2, 14)
@pytest.mark.parametrize("before_the_end", [True, False])
def test_a_commit_is_refused_when_somebody_has_ended_the_transaction(engine: Engine, before_the_end: bool) -> None:
    """It could store but a part of what the unit has done."""
    with SqlShop(engine) as uow:
        uow.members.add(new_member("ann"))
        uow.connection.rollback()
        if before_the_end:
            uow.members.add(new_member("bob"))
        with pytest.raises(StorageError, match="has stored nothing: the transaction was ended beside the unit"):
            uow.commit()
    assert [] == stored_names(sql_storage(engine))


@pytest.mark.promise(14)
@pytest.mark.parametrize("end", ["rollback", "commit"])
def test_a_commit_is_refused_when_somebody_has_ended_the_transaction_before_it_was_needed(
    engine: Engine, end: str
) -> None:
    """Also where it would be one statement, which needs none."""
    with SqlShop(engine) as uow:
        getattr(uow.connection, end)()
        uow.members.add(new_member("ann"))
        with pytest.raises(StorageError, match="has stored nothing: the transaction was ended beside the unit"):
            uow.commit()
    assert [] == stored_names(sql_storage(engine))


@pytest.mark.promise(14)
@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("end", ["ROLLBACK", "COMMIT", "commit; "])
def test_a_commit_is_refused_when_a_statement_has_ended_the_transaction(
    engine: Engine, end: str, goes_on: bool
) -> None:
    """What comes after it would be stored alone; SQLAlchemy and its transaction know nothing of it."""
    with SqlShop(engine) as uow:
        uow.members.add(new_member("ann"))
        uow.connection.exec_driver_sql(end)
        if goes_on:
            uow.members.add(new_member("bob"))
        with pytest.raises(StorageError, match="a part of it may be stored; look for it"):
            uow.commit()
    with SqlShop(engine) as uow:
        uow.members.add(new_member("cid"))
        uow.commit()
    assert "cid" in stored_names(sql_storage(engine))


def test_a_table_that_is_changed_in_a_unit_on_mariadb_makes_its_commit_fail(mariadb_engine: Engine) -> None:
    """The database stores what was done before, at once."""
    with SqlShop(mariadb_engine) as uow:
        uow.members.add(new_member("ann"))
        uow.connection.exec_driver_sql("ALTER TABLE members COMMENT = 'people'")
        with pytest.raises(StorageError, match="a part of it may be stored"):
            uow.commit()
    assert ["ann"] == stored_names(sql_storage(mariadb_engine))


@pytest.mark.promise(10, 11)
def test_a_unit_that_has_failed_lends_its_connection_to_nobody(engine: Engine) -> None:
    """In a savepoint, its statement would be outside of it."""
    stored_member(sql_storage(engine), "ann")
    with SqlShop(engine) as uow:
        with pytest.raises(UnitOfWorkMisuse, match="has failed"), uow.savepoint():
            uow.members.add(new_member("ann"))
            with pytest.raises(NameTaken):
                _ = uow.connection
            uow.connection.execute(delete(members))
        uow.commit()
    assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(11)
def test_outside_of_a_block_there_is_no_connection(engine: Engine) -> None:
    """Nothing would give it back."""
    with pytest.raises(UnitOfWorkMisuse, match="is not open"):
        _ = SqlShop(engine).connection


def test_a_long_result_can_be_read_little_by_little(engine: Engine) -> None:
    """By SQLAlchemy's own means."""
    stored_member(sql_storage(engine), "ann")
    statement = select(members.c.name)
    with SqlShop(engine) as uow:
        for options in ({"yield_per": 10}, {"stream_results": True}):
            found = uow.connection.execute(statement, execution_options=options)
            assert ["ann"] == found.scalars().all()


def test_a_connection_without_transactions_can_be_had(engine: Engine) -> None:
    """Some statements run on no other one; what is written is stored at once."""
    stored_member(sql_storage(engine), "ann")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("VACUUM members"))
        connection.execute(update(members).values(name="bob"))
    assert ["bob"] == stored_names(sql_storage(engine))


each_level = pytest.mark.parametrize("level", ["AUTOCOMMIT", "SERIALIZABLE"])


@pytest.mark.promise(14)
@each_level
def test_what_a_unit_commits_on_a_connection_whose_level_was_set_before_is_stored(engine: Engine, level: str) -> None:
    """There is no other one in the pool, and SQLAlchemy has set its level back in its own way."""
    with impatient(engine) as own:
        own.connect().execution_options(isolation_level=level).close()
        stored_member(sql_storage(own), "ann")
    assert ["ann"] == stored_names(sql_storage(engine))


@each_level
def test_a_connection_to_sqlite_whose_level_was_set_before_is_like_any_other_one(
    sqlite_engine: Engine, level: str
) -> None:
    """Its driver begins no transaction by itself."""
    levels = []
    with impatient(sqlite_engine) as own:
        for options in ({}, {"isolation_level": level}, {}):
            with own.connect().execution_options(**options) as connection:
                driver: Any = connection.connection.driver_connection
                levels.append(driver.isolation_level)
    assert (None, None) == (levels[0], levels[2])


@pytest.mark.promise(14)
def test_what_a_unit_commits_at_a_level_of_its_own_is_stored(engine: Engine) -> None:
    """As SQLAlchemy sets it for all connections of a unit."""
    stored_member(sql_storage(engine.execution_options(isolation_level="SERIALIZABLE")), "ann")
    assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(7)
@pytest.mark.parametrize("bulk", [False, True])
def test_a_text_that_cannot_be_sent_is_a_clear_error(engine: Engine, bulk: bool) -> None:
    """The domain refuses it before it is sent."""
    with SqlShop(engine) as uow, pytest.raises(InvalidValue, match=r"Order\.reference must not have a lone surrogate"):
        order = new_order("\ud800")
        uow.orders.add_many([order]) if bulk else uow.orders.add(order)
        uow.commit()


@pytest.mark.promise(7)
@pytest.mark.parametrize("bulk", [False, True])
def test_a_number_that_is_too_large_is_a_clear_error(engine: Engine, bulk: bool) -> None:
    """Likewise."""
    order = Order(reference="first", lines={OrderLine(sku="tea", quantity=2**64)})
    with SqlShop(engine) as uow, pytest.raises(InvalidValue, match=r"OrderLine\.quantity must fit into 64 bits"):
        uow.orders.add_many([order]) if bulk else uow.orders.add(order)
        uow.commit()


@pytest.mark.promise(14)
@pytest.mark.parametrize("goes_on", [(), ("BEGIN",)])
def test_a_transaction_of_ones_own_on_sqlite_makes_the_commit_fail(
    sqlite_engine: Engine, goes_on: tuple[str, ...]
) -> None:
    """Its COMMIT has stored a part of the unit's work, and nobody can take that back."""
    with SqlShop(sqlite_engine) as uow:
        for statement in ("begin", "DELETE FROM members", "COMMIT", *goes_on):
            uow.connection.exec_driver_sql(statement)
        uow.members.add(new_member("ann"))
        with pytest.raises(StorageError, match="ended beside the unit of work"):
            uow.commit()
    assert [] == stored_names(sql_storage(sqlite_engine))


@pytest.mark.parametrize("many", [False, True])
def test_a_taken_value_of_a_statement_by_position_on_sqlite_is_told(sqlite_engine: Engine, many: bool) -> None:
    """Without the value: which column a parameter is for, its text alone says."""
    stored_member(sql_storage(sqlite_engine), "ann")
    statement = "INSERT INTO members (id, name, email, created_at, active, version) VALUES (?, 'ann', ?, '', 1, 1)"
    row = (new_id().hex, "bob@example.com")
    with SqlShop(sqlite_engine) as uow, pytest.raises(NameTaken) as caught:
        uow.connection.exec_driver_sql(statement, [row, row] if many else row)
    assert caught.value.value is None


@pytest.mark.promise(11)
def test_a_unit_whose_connection_somebody_has_closed_says_so(engine: Engine) -> None:
    """By the error itself, and by every later call."""
    with SqlShop(engine) as uow:
        uow.connection.close()
        with pytest.raises(StorageError, match="This Connection is closed"):
            uow.members.page()
        with pytest.raises(UnitOfWorkMisuse, match=r"has failed .*This Connection is closed"):
            uow.members.page()


def test_an_engine_that_translates_schemas_is_refused(engine: Engine) -> None:
    """Not all of a unit's statements would go where its queries look."""
    with pytest.raises(ConfigurationError, match="search_path"):
        SqlShop(engine.execution_options(schema_translate_map={None: "tenant"}))
