"""Migrations beside rows, other programs and failures."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, String, inspect, text

from adapters.sql.constraints import constraints_of
from adapters.sql.mapping import metadata
from adapters.sql.migrating import migrating
from domain.constraints import Reference
from entrypoints.bootstrap import open_schema
from tests.contract.products import PRODUCTS
from tests.contract.sample import Kit
from tests.storages import sql_storage


@pytest.mark.slow
def test_programs_that_upgrade_wait_for_each_other(empty_url: str) -> None:
    """Programs that upgrade at the same time wait for each other. One does the work, and none fails."""
    # Alembic keeps its context in a global variable, so processes stand for programs, not threads.
    program = (
        "import sys; from adapters.sql.engine import make_engine; from adapters.sql.schema import Schema;"
        " Schema(make_engine(sys.argv[1], 10)).upgrade()"
    )
    started = [subprocess.Popen([sys.executable, "-c", program, empty_url]) for _ in range(3)]
    assert [0, 0, 0] == [process.wait(60) for process in started]
    with open_schema(empty_url) as schema:
        assert schema.current == schema.head


@pytest.mark.every_case
def test_a_migration_keeps_the_children_of_rows(engine: Engine) -> None:
    """Altering a table on SQLite keeps the children of its rows: removing the old table must not cascade."""
    kit = Kit(sql_storage(engine), PRODUCTS)
    kit.stored("ann")
    before = kit.all_values()
    for length in (80, 40):
        with (
            migrating(engine) as connection,
            Operations(MigrationContext.configure(connection)).batch_alter_table("products") as batch,
        ):
            batch.alter_column("sku", type_=String(length), existing_type=String(40), existing_nullable=False)
        assert before == kit.all_values()


def test_a_failed_migration_takes_its_notes_back(engine: Engine) -> None:
    """The notes of a migration last as its steps do. A failed one takes all back, on MariaDB none."""
    with pytest.raises(ZeroDivisionError), migrating(engine) as connection:
        connection.execute(text("CREATE TABLE noted (step INTEGER)"))
        connection.execute(text("INSERT INTO noted VALUES (1)"))
        raise ZeroDivisionError
    with engine.begin() as connection:
        if inspect(connection).has_table("noted"):
            assert engine.dialect.name == "mysql"
            assert [1] == list(connection.execute(text("SELECT step FROM noted")).scalars())
            connection.execute(text("DROP TABLE noted"))
        else:
            assert engine.dialect.name != "mysql"


def test_postgres_checks_values_in_port_order(postgres_engine: Engine) -> None:
    """PostgreSQL checks unique values in the order of their creation, so migrations make them in port order.

    The fake and SQLite do the same.
    """
    query = (
        "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid"
        " WHERE indrelid = to_regclass(:name) AND indisunique ORDER BY indexrelid"
    )
    for table in metadata.sorted_tables:
        with postgres_engine.connect() as connection:
            found = connection.execute(text(query), {"name": table.name}).scalars().all()
        declared = [one.name for one in constraints_of(table.name) if not isinstance(one.declared, Reference)]
        assert not declared or declared == found  # a table of a subclass has nothing but its key
