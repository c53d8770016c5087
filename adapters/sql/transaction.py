"""The connection and the transaction of one block of a SQL unit of work."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from adapters.sql import mysql, postgres, sqlite
from adapters.sql.errors import ALONE, TRANSACTION_LOST, translated_alone, translated_at_commit
from domain.errors import StorageError, TransactionLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import NestedTransaction, RootTransaction

_HAS_ENDED = {"sqlite": sqlite.has_ended, "postgresql": postgres.has_ended, "mysql": mysql.has_ended}

# On MariaDB and MySQL the switch to such statements would be a round trip of its own.
_CAN_WRITE_ALONE = {"sqlite": sqlite.can_write_alone, "postgresql": postgres.can_write_alone}


class Transaction:
    """A connection of ``engine``, taken from its pool when it is first asked for, with the transaction on it.

    When it is closed, the next block can begin with it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._root: RootTransaction | None = None
        self._nested: list[NestedTransaction] = []
        self._session: Session | None = None

    def connection(self) -> Connection:
        """Return the connection."""
        if self._connection is None:
            self._connection = self._engine.connect()
            self._root = self._connection.begin()
        return self._connection

    def session(self) -> Session:
        """Return a session on the connection, to read by; it writes nothing."""
        if self._session is None:
            self._session = Session(self.connection(), autoflush=False, join_transaction_mode="rollback_only")
        return self._session

    def was_ended(self) -> bool:
        """Tell whether there is a connection without an active transaction: it has ended, or was never begun."""
        return self._connection is not None and (self._root is None or not self._root.is_active)

    def can_write_alone(self) -> bool:
        """Tell whether :meth:`write_alone` will do: nothing has begun yet, and the database can do it."""
        connection = self.connection()
        can = _CAN_WRITE_ALONE.get(connection.dialect.name)
        return can is not None and not self.was_ended() and can(connection)

    def write_alone(self, write: Callable[[], None]) -> None:
        """Write by a statement that is a transaction by itself: it needs no round trips for a BEGIN and a COMMIT."""
        info = self.connection().info
        info[ALONE] = True
        try:
            write()
        except DBAPIError as error:
            raise translated_alone(error, self._engine) from error
        finally:
            info.pop(ALONE, None)  # a connection that is lost has an empty one

    def commit(self) -> None:
        """Commit, if there is a connection. Raises what :meth:`UnitOfWork.commit` raises, in words of domain.errors."""
        if self._connection is None:
            return
        self._refuse_if_ended(self._connection)
        try:
            self._connection.commit()
        except DBAPIError as error:
            self._roll_back_driver(self._connection)
            raise translated_at_commit(error, self._engine) from error

    def _refuse_if_ended(self, connection: Connection) -> None:
        """Raise if the transaction was ended by an error that somebody swallowed, or by somebody's own call.

        PostgreSQL would answer a COMMIT with a rollback, and the others would commit what came after that alone; their
        drivers would not say so.
        """
        dialect = connection.dialect.name
        if TRANSACTION_LOST in connection.info or (dialect == "postgresql" and postgres.is_aborted(connection)):
            raise StorageError("nothing is stored: the transaction was given up for an error that was swallowed")
        if self.was_ended() or _HAS_ENDED[dialect](connection):
            raise StorageError(
                "this commit has stored nothing: the transaction was ended beside the unit of work before, and any part"
                " of the work may be stored by that; look for it, and end units by their own methods"
            )

    def _roll_back_driver(self, connection: Connection) -> None:
        """Let the driver roll back after a COMMIT that failed: SQLAlchemy takes the transaction for ended by that."""
        driver: Any = self._engine.dialect.loaded_dbapi
        with suppress(driver.Error, SQLAlchemyError):  # it has ended with its connection
            connection.connection.rollback()

    def begin_savepoint(self) -> None:
        """Begin a savepoint inside of those that are open."""
        self._nested.append(self.connection().begin_nested())

    def release_savepoint(self) -> None:
        """Keep what was done since the last savepoint."""
        self._nested[-1].commit()
        self._nested.pop()

    def undo_savepoint(self) -> None:
        """Take back what was done since the last savepoint."""
        nested = self._nested.pop()
        if nested.is_active:  # and not rolled back when it failed
            nested.rollback()

    def give_up(self) -> None:
        """Roll back at once after an error, and not when the block is left: others may wait for its locks.

        A savepoint that can be neither kept nor undone takes the whole transaction with it.
        """
        savepoint = [one for one in self._nested[-1:] if one.is_active]
        for transaction in (*savepoint, self._connection):
            with suppress(SQLAlchemyError, TransactionLost):  # a connection that is gone has no transaction any more
                if transaction is not None:
                    transaction.rollback()
                    break
        connection = self._connection
        if connection is not None and not (connection.closed or connection.invalidated or connection.in_transaction()):
            sqlite.end_turn(connection.info)  # elsewhere there are none

    def close(self) -> None:
        """Let go of the connection, which rolls back what is not committed."""
        self._nested.clear()
        connection, self._connection, self._root = self._connection, None, None
        session, self._session = self._session, None
        if session is not None:
            session.close()
        if connection is not None:
            try:
                connection.close()
            except BaseException as error:
                connection.close()  # again, since SQLAlchemy 2.0 leaves it open when it cannot roll back
                if not isinstance(error, SQLAlchemyError | TransactionLost):  # the transaction has ended with those
                    raise
