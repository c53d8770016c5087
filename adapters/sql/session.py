"""The session of a unit of work: SQLAlchemy's, whose objects stay as they are when it rolls back."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary, ref

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session, object_session, sessionmaker

from adapters.sql import mysql, postgres, sqlite
from adapters.sql.errors import TRANSACTION_LOST
from adapters.sql.parts import has_positions, is_crowded, renumber, root_of
from domain.aggregate import Aggregate, named
from domain.errors import StorageError, TransactionLost, UnitOfWorkMisuse
from service_layer.versions import write_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping

    from sqlalchemy import Connection, ExceptionContext
    from sqlalchemy.orm import ORMExecuteState

_HAS_ENDED = {"sqlite": sqlite.has_ended, "postgresql": postgres.has_ended, "mysql": mysql.has_ended}

# On MariaDB and MySQL the switch to such statements would be a round trip of its own.
_CAN_WRITE_ALONE = {"sqlite": sqlite.can_write_alone, "postgresql": postgres.can_write_alone}

_SESSION = "session"  # the key in a connection's ``info`` that holds a reference to the session that used it last
_ROLLBACK_TO = "ROLLBACK TO SAVEPOINT sa_savepoint_"  # SQLAlchemy's own


class UnitSession(Session):
    """A session that gives up its objects, as they are, when a transaction or a savepoint of it is rolled back."""

    def __init__(self, *, run: Callable[[ORMExecuteState], Any], **named: Any) -> None:
        super().__init__(**named)
        self.run = run
        """Runs each statement of a repository, in the way of the unit of work."""

        self.used: Connection | None = None
        """The connection, once there is one."""

        self.loaded: list[Any] = []
        """The objects that were read since this list was cleared."""

        self.removed: list[Any] = []
        """The objects that were deleted since this list was cleared."""

        self.given_up: list[Any] = []
        """The objects that were here when a savepoint was rolled back."""

        self._roots: dict[int, Aggregate] = {}  # by id()
        self._streamed: WeakValueDictionary[int, Aggregate] = WeakValueDictionary()

    def was_ended(self) -> bool:
        """Return whether there is a connection without an active transaction: it has ended, or was never begun."""
        return self.used is not None and not self.used.in_transaction()

    def is_lost(self) -> bool:
        """Return whether the transaction has gone with its connection, or was rolled back by the database."""
        used = self.used
        return used is not None and (used.invalidated or TRANSACTION_LOST in used.info or not used.in_transaction())

    def can_write_alone(self) -> bool:
        """Return whether a single statement needs no BEGIN and COMMIT: none has begun, and the database allows it."""
        connection = self.used or self.connection()
        can = _CAN_WRITE_ALONE.get(connection.dialect.name)
        return can is not None and not self.was_ended() and can(connection)

    def commit_or_raise(self) -> None:
        """Commit; when that fails, let the driver roll back: SQLAlchemy takes the transaction for ended by that."""
        used = self.used
        try:
            self.commit()
        except DBAPIError:
            if used is not None:
                driver: Any = used.dialect.loaded_dbapi
                with suppress(driver.Error, SQLAlchemyError):  # it has ended with its connection
                    used.connection.rollback()
            raise

    def refuse_if_ended(self) -> None:
        """Raise if the transaction was ended by an error that was swallowed, or beside the unit of work.

        PostgreSQL would answer a COMMIT with a rollback, and the others would commit what came after that alone; their
        drivers would not say so.
        """
        used = self.used
        if used is None:
            return
        dialect = used.dialect.name
        if not used.invalidated and (
            TRANSACTION_LOST in used.info or (dialect == "postgresql" and postgres.is_aborted(used))
        ):
            raise StorageError("nothing is stored: the transaction was given up for an error that was swallowed")
        if self.was_ended() or _HAS_ENDED[dialect](used):
            raise StorageError(
                "this commit has stored nothing: the transaction was ended beside the unit of work before, and any part"
                " of the work may be stored by that; look for it, and end units by their own methods"
            )

    def end(self) -> None:
        """Roll back what is not committed, and give up the connection and all objects, which stay as they are."""
        used, self.used = self.used, None
        try:
            self.expunge_all()
            self.close()
        except (SQLAlchemyError, StorageError, TransactionLost):
            pass  # the connection is gone, and its transaction with it
        finally:
            for held in (self.loaded, self.removed, self.given_up, self._roots, self._streamed):
                held.clear()
            if used is not None and not used.closed:  # SQLAlchemy 2.0 leaves it open when it cannot roll back
                with suppress(SQLAlchemyError, StorageError, TransactionLost):
                    used.close()

    def give_up(self) -> None:
        """Expunge all objects, as they are; an undone savepoint takes them back."""
        self.given_up += [*self, *self.new]
        self.expunge_all()

    def expunge_each(self, objects: Iterable[Any]) -> None:
        """Expunge objects, as they are."""
        for one in list(objects):
            if object_session(one) is self:  # and has not gone with its parent
                self.expunge(one)

    def keep(self, roots: Iterable[Aggregate], *, strongly: bool = True) -> None:
        """Keep aggregates to the end of the unit, so that no change to them is lost; or as long as the caller does."""
        held: MutableMapping[int, Aggregate] = self._roots if strongly else self._streamed
        held.update((id(root), root) for root in roots)

    def renumber(self) -> list[Aggregate]:
        """Set the positions in all lists that have them; return the aggregates in which some were others."""
        kept = [*self._roots.values(), *self._streamed.values()]
        return [root for root in kept if has_positions(type(root)) and root in self and renumber(root)]

    def is_changed(self, one: Any) -> bool:
        """Return whether there is anything to write of an object, or to refuse."""
        return self.is_modified(one) or is_crowded(one)

    def changed(self) -> list[Aggregate]:
        """Return the aggregates that a flush would write, in its order."""
        new, roots = self.new, {}
        for one in (*new, *filter(self.is_changed, self.dirty)):
            root = one if isinstance(one, Aggregate) else root_of(one)
            if root is not None:
                roots[id(root)] = root
            elif one not in new:
                raise UnitOfWorkMisuse(
                    f"{named(one)} was read without its aggregate: get that, and change the part in it"
                )
        return sorted(roots.values(), key=lambda root: write_order(root, is_new=root in new))


# Flushing is done by the unit of work, before each statement, so that an error is met where it can be translated.
new_session = sessionmaker(class_=UnitSession, autoflush=False, expire_on_commit=False)


@event.listens_for(UnitSession, "after_begin")
def _note_connection(session: UnitSession, _transaction: object, connection: Connection) -> None:
    session.used = connection
    connection.info[_SESSION] = ref(session)


@event.listens_for(UnitSession, "do_orm_execute")
def _run(state: ORMExecuteState) -> Any:
    if state.is_relationship_load or state.is_column_load:
        return None
    return cast("UnitSession", state.session).run(state)


@event.listens_for(UnitSession, "after_rollback")
def _keep_values(session: UnitSession) -> None:
    """Come before SQLAlchemy, which expires the objects of what it rolls back."""
    session.give_up()


def keep_values_when_rolling_back_fails(context: ExceptionContext) -> None:
    """Come before SQLAlchemy, which expires the objects without the event above when ROLLBACK itself has failed."""
    connection, statement = context.connection, context.statement
    if connection is None or not (statement is None or statement.startswith(_ROLLBACK_TO)):
        return
    session = connection.info.get(_SESSION, lambda: None)()
    if session is not None and session.used is connection:
        session.give_up()


@event.listens_for(UnitSession, "loaded_as_persistent")
def _note_loaded(session: UnitSession, one: object) -> None:
    session.loaded.append(one)


@event.listens_for(UnitSession, "persistent_to_deleted")
def _note_deleted(session: UnitSession, one: object) -> None:
    session.removed.append(one)
