"""The caller's own statements on the connection of a unit of work belong to its transaction."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, text, update

from domain.aggregate import new_id
from domain.errors import ConfigurationError, InvalidValue, StorageError, UnitOfWorkMisuse
from proof.laws.contract.orders import Order, OrderLine, new_order
from tests.contract.members import NameTaken, get_member, members, new_member, stored_member, stored_names
from tests.contract.shop import SqlShop
from tests.storages import impatient, sql_storage


@pytest.mark.promise(1)
def test_a_statement_belongs_to_its_unit(engine: Engine) -> None:
    """A statement sees what the unit has written and is undone with it. It changes no object of the unit."""
    with SqlShop(engine) as uow:
        uow.members.add(new_member("ann"))
        assert ["ann"] == uow.connection.execute(select(members.c.name)).scalars().all()
        uow.connection.execute(update(members).values(name="bob"))
        assert uow.members.page().items[0].name == "ann"
        uow.rollback()
    assert [] == stored_names(sql_storage(engine))


@pytest.mark.promise(6)
def test_a_statement_sees_every_kind_of_write(engine: Engine) -> None:
    """A statement sees pending additions, removals and changes, though none had to be written yet."""
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
def test_a_statement_shares_the_units_commit(engine: Engine, name: str) -> None:
    """A statement is stored with the only addition of its unit or not at all. Here the name is taken."""
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
def test_a_text_that_writes_is_undone(engine: Engine, before: str) -> None:
    """A text that writes is undone however it begins. Tools begin statements with a comment about their origin."""
    stored_member(sql_storage(engine), "ann")
    with SqlShop(engine) as uow:
        uow.connection.execute(
            text(before + "DELETE FROM members")  # noqa: S608  # our own words
        )
        uow.rollback()
    assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(1)
def test_a_text_that_begins_with_with_is_undone(sqlite_engine: Engine) -> None:
    """A text that begins with WITH may write, so it is undone on SQLite too, where a query begins no transaction."""
    stored_member(sql_storage(sqlite_engine), "ann")
    with SqlShop(sqlite_engine) as uow:
        uow.connection.execute(
            text("WITH few AS (SELECT 'ann' AS name) DELETE FROM members WHERE name IN (SELECT name FROM few)")
        )
        uow.rollback()
    assert ["ann"] == stored_names(sql_storage(sqlite_engine))


@pytest.mark.every_case
@pytest.mark.promise(1)
def test_a_statement_without_parameters_is_undone(engine: Engine) -> None:
    """A statement without parameters, which SQLAlchemy treats differently, is undone with the unit."""
    stored_member(sql_storage(engine), "ann")
    with SqlShop(engine) as uow:
        uow.connection.execution_options(no_parameters=True).exec_driver_sql("DELETE FROM members")
        uow.rollback()
    assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(2, 14)
@pytest.mark.parametrize("before_the_end", [True, False])
def test_a_commit_of_an_ended_transaction(engine: Engine, before_the_end: bool) -> None:
    """A commit is refused when the caller has ended the transaction: it could store only a part of the work."""
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
def test_a_commit_of_a_transaction_ended_early(engine: Engine, end: str) -> None:
    """A commit is refused even if the transaction was ended before it was needed, for a single statement too."""
    with SqlShop(engine) as uow:
        getattr(uow.connection, end)()
        uow.members.add(new_member("ann"))
        with pytest.raises(StorageError, match="has stored nothing: the transaction was ended beside the unit"):
            uow.commit()
    assert [] == stored_names(sql_storage(engine))


@pytest.mark.promise(14)
@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("end", ["ROLLBACK", "COMMIT", "commit; "])
def test_a_commit_after_an_ending_statement(engine: Engine, end: str, goes_on: bool) -> None:
    """A commit is refused when a statement has ended the transaction. Only later work would be stored.

    SQLAlchemy and its transaction do not notice such a statement.
    """
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


def test_a_table_changed_on_mariadb(mariadb_engine: Engine) -> None:
    """Changing a table in a unit on MariaDB makes its commit fail: the database stores earlier work immediately."""
    with SqlShop(mariadb_engine) as uow:
        uow.members.add(new_member("ann"))
        uow.connection.exec_driver_sql("ALTER TABLE members COMMENT = 'people'")
        with pytest.raises(StorageError, match="a part of it may be stored"):
            uow.commit()
    assert ["ann"] == stored_names(sql_storage(mariadb_engine))


@pytest.mark.promise(10, 11)
def test_a_failed_unit_lends_no_connection(engine: Engine) -> None:
    """A failed unit lends its connection to no caller. In a savepoint, the statement would be outside of it."""
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
def test_no_connection_outside_of_a_block(engine: Engine) -> None:
    """Outside of a block a unit gives no connection: nothing would return it."""
    with pytest.raises(UnitOfWorkMisuse, match="is not open"):
        _ = SqlShop(engine).connection


def test_a_long_result_can_be_read_in_batches(engine: Engine) -> None:
    """A long result can be read in batches by SQLAlchemy's own means."""
    stored_member(sql_storage(engine), "ann")
    statement = select(members.c.name)
    with SqlShop(engine) as uow:
        for options in ({"yield_per": 10}, {"stream_results": True}):
            found = uow.connection.execute(statement, execution_options=options)
            assert ["ann"] == found.scalars().all()


def test_a_connection_without_transactions(engine: Engine) -> None:
    """A connection without transactions can be had: some statements need it. Its writes are stored immediately."""
    stored_member(sql_storage(engine), "ann")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("VACUUM members"))
        connection.execute(update(members).values(name="bob"))
    assert ["bob"] == stored_names(sql_storage(engine))


each_level = pytest.mark.parametrize("level", ["AUTOCOMMIT", "SERIALIZABLE"])


@pytest.mark.promise(14)
@each_level
def test_a_commit_after_an_isolation_level_was_set(engine: Engine, level: str) -> None:
    """A unit's commit on a connection whose level was set earlier is stored: SQLAlchemy has reset it in its own way."""
    with impatient(engine) as own:
        own.connect().execution_options(isolation_level=level).close()
        stored_member(sql_storage(own), "ann")
    assert ["ann"] == stored_names(sql_storage(engine))


@each_level
def test_an_sqlite_connection_with_a_reset_level(sqlite_engine: Engine, level: str) -> None:
    """An SQLite connection whose level was set earlier is like any other: its driver begins no transaction."""
    levels = []
    with impatient(sqlite_engine) as own:
        for options in ({}, {"isolation_level": level}, {}):
            with own.connect().execution_options(**options) as connection:
                driver: Any = connection.connection.driver_connection
                levels.append(driver.isolation_level)
    assert (None, None) == (levels[0], levels[2])


@pytest.mark.promise(14)
def test_a_commit_at_a_chosen_level_is_stored(engine: Engine) -> None:
    """A unit's commit is stored at a level that SQLAlchemy sets for all connections of the unit."""
    stored_member(sql_storage(engine.execution_options(isolation_level="SERIALIZABLE")), "ann")
    assert ["ann"] == stored_names(sql_storage(engine))


@pytest.mark.promise(7)
@pytest.mark.parametrize("bulk", [False, True])
def test_an_unsendable_text_is_a_clear_error(engine: Engine, bulk: bool) -> None:
    """The domain refuses a text that cannot be sent with a clear error before it is sent."""
    with SqlShop(engine) as uow, pytest.raises(InvalidValue, match=r"Order\.reference must not have a lone surrogate"):
        order = new_order("\ud800")
        uow.orders.add_many([order]) if bulk else uow.orders.add(order)
        uow.commit()


@pytest.mark.promise(7)
@pytest.mark.parametrize("bulk", [False, True])
def test_a_number_too_large_is_a_clear_error(engine: Engine, bulk: bool) -> None:
    """The domain refuses a number that is too large with a clear error before it is sent."""
    order = Order(reference="first", lines={OrderLine(sku="tea", quantity=2**64)})
    with SqlShop(engine) as uow, pytest.raises(InvalidValue, match=r"OrderLine\.quantity must fit into 64 bits"):
        uow.orders.add_many([order]) if bulk else uow.orders.add(order)
        uow.commit()


@pytest.mark.promise(14)
@pytest.mark.parametrize("goes_on", [(), ("BEGIN",)])
def test_a_callers_transaction_on_sqlite(sqlite_engine: Engine, goes_on: tuple[str, ...]) -> None:
    """The caller's own transaction on SQLite makes the commit fail: its COMMIT has stored a part of the work."""
    with SqlShop(sqlite_engine) as uow:
        for statement in ("begin", "DELETE FROM members", "COMMIT", *goes_on):
            uow.connection.exec_driver_sql(statement)
        uow.members.add(new_member("ann"))
        with pytest.raises(StorageError, match="ended beside the unit of work"):
            uow.commit()
    assert [] == stored_names(sql_storage(sqlite_engine))


@pytest.mark.parametrize("many", [False, True])
def test_a_taken_value_by_position_on_sqlite(sqlite_engine: Engine, many: bool) -> None:
    """A taken value of a statement by position on SQLite gets its error without the value.

    Only the text says which column a parameter is for.
    """
    stored_member(sql_storage(sqlite_engine), "ann")
    statement = "INSERT INTO members (id, name, email, created_at, active, version) VALUES (?, 'ann', ?, '', 1, 1)"
    row = (new_id().hex, "bob@example.com")
    with SqlShop(sqlite_engine) as uow, pytest.raises(NameTaken) as caught:
        uow.connection.exec_driver_sql(statement, [row, row] if many else row)
    assert caught.value.value is None


@pytest.mark.promise(11)
def test_a_closed_connection_says_so(engine: Engine) -> None:
    """A unit whose connection was closed says so, by the error itself and by every later call."""
    with SqlShop(engine) as uow:
        uow.connection.close()
        with pytest.raises(StorageError, match="This Connection is closed"):
            uow.members.page()
        with pytest.raises(UnitOfWorkMisuse, match=r"has failed .*This Connection is closed"):
            uow.members.page()


def test_a_schema_translating_engine_is_refused(engine: Engine) -> None:
    """An engine that translates schemas is refused: some statements would go elsewhere than the queries."""
    with pytest.raises(ConfigurationError, match="search_path"):
        SqlShop(engine.execution_options(schema_translate_map={None: "tenant"}))
