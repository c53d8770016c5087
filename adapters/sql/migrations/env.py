"""What Alembic runs for each of its commands.

The application passes its connection. The plain ``alembic`` command (to write a new revision with ``alembic revision
--autogenerate``) passes none, and connects to ``DATABASE_URL``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from alembic import context
from alembic.util import CommandError

import adapters.sql.unit_of_work  # noqa: F401  # loads every aggregate's table, which --autogenerate compares with
from adapters.sql.engine import make_engine
from adapters.sql.metadata import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection


def migrate(connection: Connection) -> None:
    """Run the migrations that the command asks for; SQLite alters tables by copying them, hence the batches."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
elif database_url := os.environ.get("DATABASE_URL"):
    with make_engine(database_url).begin() as own:
        migrate(own)
else:
    raise CommandError("set DATABASE_URL to the database to work on")
