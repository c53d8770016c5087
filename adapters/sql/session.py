"""The session of a unit of work: SQLAlchemy's, but its objects keep their values when it rolls back."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary, ref

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session, object_session, sessionmaker

from adapters.sql import mysql, postgres, sqlite
from adapters.sql.constraints import FLUSHING
from adapters.sql.errors import TRANSACTION_LOST
from adapters.sql.flushing import has_positions, is_crowded, renumber
from adapters.sql.json_changes import note_json
from adapters.sql.parts import graph_of, known_parts, parts_of, root_of
from domain.aggregate import Aggregate, named
from domain.errors import StorageError, TransactionLost, UnitOfWorkMisuse
from domain.limits import json_names
from service_layer.versions import write_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, ExceptionContext
    from sqlalchemy.orm import InstanceState, ORMExecuteState

_HAS_ENDED = {"sqlite": sqlite.has_ended, "postgresql": postgres.has_ended, "mysql": mysql.has_ended}

# Not on MariaDB and MySQL, where switching autocommit on would cost one more round trip.
_CAN_WRITE_ALONE = {"sqlite": sqlite.can_write_alone, "postgresql": postgres.can_write_alone}

AS_IT_IS = "as_it_is"
"""The execution option of a statement that the session runs without a flush and without checking what it reads."""

_SESSION = "session"  # the key in a connection's ``info``: a weak reference to the session that used it last
_ROLLBACK_TO = "ROLLBACK TO SAVEPOINT sa_savepoint_"  # the beginning of what SQLAlchemy sends


class UnitSession(Session):
    """A session that expunges its objects when it or a savepoint rolls back. So they keep their values."""

    def __init__(self, *, run: Callable[[ORMExecuteState], Any], **named: Any) -> None:
        super().__init__(**named)
        self.run = run
        """The function of the unit of work that runs each statement of a repository."""

        self.used: Connection | None = None
        """The connection, once the session has one."""

        self.loaded: list[InstanceState[Any]] = []
        """SQLAlchemy's states of the objects that were read since this list was cleared."""

        self.removed: list[Any] = []
        """The objects that were deleted since this list was cleared."""

        self.given_up: list[Any] = []
        """The objects that were expunged for a rollback. Undoing a savepoint takes them back."""

        self.with_json: list[Any] = []
        """The objects that hold JSON, streamed ones too. SQLAlchemy would drop one whose change it has not seen."""

        self._roots: list[Aggregate[Any]] = []
        self._numbered: WeakValueDictionary[int, Aggregate[Any]] = WeakValueDictionary()  # by id(), streamed ones too

    def was_ended(self) -> bool:
        """Return whether the session has a connection whose transaction has ended or never begun."""
        return self.used is not None and not self.used.in_transaction()

    def is_lost(self) -> bool:
        """Return whether the transaction went with its connection or was rolled back by the database."""
        used = self.used
        return used is not None and (used.invalidated or TRANSACTION_LOST in used.info or not used.in_transaction())

    def can_write_alone(self) -> bool:
        """Return whether a single statement needs no BEGIN and COMMIT: none has begun, and the database allows it."""
        connection = self.used or self.connection()
        can = _CAN_WRITE_ALONE.get(connection.dialect.name)
        return can is not None and not self.was_ended() and can(connection)

    @contextmanager
    def flushing(self, objects: Sequence[Any]) -> Iterator[None]:
        """Note the objects that are written in the block, so an error can name their values."""
        info = self.connection().info
        info[FLUSHING] = objects
        try:
            yield
        finally:
            info.pop(FLUSHING, None)

    def commit_or_raise(self) -> None:
        """Commit. If that fails, roll back by the driver: SQLAlchemy thinks that the transaction has ended."""
        used = self.used
        if used is None:
            return  # nothing was read or written
        try:
            self.commit()
        except DBAPIError:
            driver: Any = used.dialect.loaded_dbapi
            with suppress(driver.Error, SQLAlchemyError):  # the connection is gone, and the transaction with it
                used.connection.rollback()
            raise

    def refuse_if_ended(self) -> None:
        """Raise if the transaction was ended by a swallowed error or from outside the unit of work.

        PostgreSQL would answer COMMIT with a rollback. The others would commit only what came after the end. No driver
        reports either.
        """
        used = self.used
        if used is None:
            return
        dialect = used.dialect.name
        if not used.invalidated and (
            TRANSACTION_LOST in used.info or (dialect == "postgresql" and postgres.is_aborted(used))
        ):
            raise StorageError("nothing is stored: an error that was swallowed has ended the transaction")
        if self.was_ended() or _HAS_ENDED[dialect](used):
            raise StorageError(
                "this commit has stored nothing: the transaction was ended beside the unit of work, and a part"
                " of it may be stored; look for it, and end units by commit() or rollback()"
            )

    def end(self) -> None:
        """Roll back what is not committed. Release the connection and all objects, which keep their values."""
        used, self.used = self.used, None
        try:
            self.close()  # which expunges all objects before it rolls back
        except (SQLAlchemyError, StorageError, TransactionLost):
            pass  # the connection is gone, and its transaction with it
        finally:
            for held in (self.loaded, self.removed, self.given_up, self.with_json, self._roots, self._numbered):
                held.clear()
            if used is not None and not used.closed:  # SQLAlchemy 2.0 leaves it open when it cannot roll back
                with suppress(SQLAlchemyError, StorageError, TransactionLost):
                    used.close()

    def give_up(self) -> None:
        """Expunge all objects unchanged. An undone savepoint takes them back."""
        self.given_up += list(self)  # new ones included
        self.expunge_all()

    def expunge_each(self, objects: Iterable[Any]) -> None:
        """Expunge objects unchanged."""
        for one in list(objects):
            if object_session(one) is self:  # otherwise it was expunged with its parent
                self.expunge(one)

    @contextmanager
    def without(self, roots: Iterable[Aggregate[Any]], *, but: Iterable[Aggregate[Any]]) -> Iterator[None]:
        """Expunge aggregates for a block, except some of them and the parts that were moved there."""
        stay = {id(one) for root in but for one in graph_of(root)}
        graphs = {id(one): one for root in roots for one in (root, *known_parts(root), *parts_of(root))}
        others = [one for key, one in graphs.items() if key not in stay and object_session(one) is self]
        self.expunge_each(others)
        try:
            yield
        except BaseException:
            self.given_up += others  # so an undone savepoint takes them back
            raise
        for one in others:
            self.add(one)

    def keep(self, roots: Sequence[Aggregate[Any]], *, strongly: bool = True) -> None:
        """Keep aggregates until the unit ends, so no change to them is lost, or as long as the caller does."""
        if strongly:
            self._roots += roots
        self._numbered.update((id(root), root) for root in roots if has_positions(type(root)))

    def renumber(self) -> list[Aggregate[Any]]:
        """Set the positions in all lists that have them. Return the aggregates in which any has changed."""
        if not self._numbered:
            return []
        return [root for root in list(self._numbered.values()) if root in self and renumber(root)]

    def is_changed(self, one: Any) -> bool:
        """Return whether a flush would write something of an object, or refuse it."""
        return self.is_modified(one) or is_crowded(one)

    def changed(self) -> list[Aggregate[Any]]:
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


# No autoflush: the unit of work flushes before each statement, so an error is raised where it can be translated.
new_session = sessionmaker(class_=UnitSession, autoflush=False, expire_on_commit=False)


@event.listens_for(UnitSession, "after_begin")
def _note_connection(session: UnitSession, _transaction: object, connection: Connection) -> None:
    session.used = connection
    connection.info[_SESSION] = ref(session)


@event.listens_for(UnitSession, "do_orm_execute")
def _run(state: ORMExecuteState) -> Any:
    if AS_IT_IS in state.execution_options:
        return None
    if state.is_select and state.lazy_loaded_from is not None:
        raise UnitOfWorkMisuse("an attribute is read that was deleted: clear it, or set it to None")
    if state.is_relationship_load or state.is_column_load:
        return None
    return cast("UnitSession", state.session).run(state)


@event.listens_for(UnitSession, "after_rollback")
def _keep_values(session: UnitSession) -> None:
    """Expunge the objects before SQLAlchemy expires them, as it does when it rolls back."""
    session.give_up()


def keep_values_when_rolling_back_fails(context: ExceptionContext) -> None:
    """Do the same when ROLLBACK itself fails. SQLAlchemy then expires the objects without the event above."""
    connection, statement = context.connection, context.statement
    if connection is None or not (statement is None or statement.startswith(_ROLLBACK_TO)):
        return
    session = connection.info.get(_SESSION, lambda: None)()
    if session is not None and session.used is connection:
        session.give_up()


@event.listens_for(UnitSession, "loaded_as_persistent", raw=True)  # without the object it takes half the time
def _note_loaded(session: UnitSession, state: InstanceState[Any]) -> None:
    session.loaded.append(state)
    if json_names(state.class_):
        one = state.obj()
        note_json((one,))
        if not session.info.get("read_only"):
            session.with_json.append(one)


@event.listens_for(UnitSession, "persistent_to_deleted")
def _note_deleted(session: UnitSession, one: object) -> None:
    session.removed.append(one)
