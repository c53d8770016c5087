"""The unit of work over a SQL database: a SQLAlchemy session whose life and objects obey the promises."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, inspect
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, make_transient, make_transient_to_detached, object_session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.orm.util import identity_key

from adapters.sql.errors import BULK, integrity_error, translated, translated_at_commit
from adapters.sql.metadata import children_of, mapper_registry
from adapters.sql.mysql import TRANSACTION_LOST
from adapters.sql.users import SqlUserRepository
from domain.errors import ConcurrentChange, DuplicateIdentity, StorageError, TransactionLost
from service_layer.unit_of_work import UnitOfWork, write_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Engine, Table
    from sqlalchemy.orm import SessionTransaction

    from domain.aggregate import Aggregate

mapper_registry.configure()  # every aggregate is mapped by now, because its repository is imported above

_ABORTED = 3  # libpq's PQTRANS_INERROR, as psycopg2 passes it on


class SqlUnitOfWork(UnitOfWork):
    """A unit of work over the database of ``engine``. One session is kept for all of its blocks."""

    def __init__(self, engine: Engine, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self._engine = engine
        # Flushing is done by the unit itself, before every query, so that an error is met where it can be translated.
        self.session = Session(engine, autoflush=False, expire_on_commit=False)
        self._nested: list[SessionTransaction] = []
        self.users = SqlUserRepository(self)

    def insert_batch(self, table: Table, aggregates: Iterable[Aggregate]) -> None:
        """Insert new rows by one statement, without tracking the objects."""
        self._log.note_bulk()
        new = list(aggregates)
        rows = [{**_row(aggregate, table), "version": aggregate.version + 1} for aggregate in new]
        try:
            self.session.execute(insert(table), rows, execution_options=BULK)
            for name, children in children_of(type(new[0])).items():
                children.insert(
                    [children.row_of(root.id, child) for root in new for child in getattr(root, name)], self.session
                )
        except IntegrityError as error:
            raise integrity_error(error, bulk=True) from error

    def _failed(self, error: BaseException) -> BaseException:
        return translated(error, self._engine)

    def holds(self, aggregate: Aggregate) -> bool:
        return inspect(aggregate).persistent and aggregate in self.session

    def _is_held_elsewhere(self, aggregate: Aggregate) -> bool:
        return object_session(aggregate) not in (None, self.session)

    def _changed(self) -> list[Aggregate]:
        changed = []
        for aggregate in self.session.dirty:
            if self.session.is_modified(aggregate):
                changed.append(aggregate)
            else:
                # Set to what it was: to the session a change, which a savepoint's rollback would expire.
                values = _values(aggregate)
                self.session.expire(aggregate)
                _set_values(aggregate, values)
        return sorted(changed, key=write_order)  # which is the order of a flush, too

    def _write_changes(self) -> None:
        changed = self._changed()
        if changed:
            self._check_writable("write")
            stored = {aggregate: _stored_values(aggregate) for aggregate in changed}
            with self._flushing(stored):
                for aggregate, values in stored.items():
                    self._log.note(aggregate, values, stored=True)
                    aggregate.version = self._log.next_version(aggregate)

    def _note(self, changed: list[Aggregate]) -> None:
        for aggregate in changed:
            self._log.note(aggregate, _stored_values(aggregate), stored=True)

    def _insert(self, aggregate: Aggregate) -> None:
        if identity_key(type(aggregate), aggregate.id) in self.session.identity_map:
            raise DuplicateIdentity(aggregate.id)
        make_transient(aggregate)  # new, even if it was stored once, by an earlier unit or before its removal
        with self._flushing({aggregate: {}}):
            self._log.note(aggregate, _values(aggregate), stored=False)
            aggregate.version = self._log.next_version(aggregate)
            self.session.add(aggregate)

    def _delete(self, aggregate: Aggregate) -> None:
        # Not by session.delete(): the session's memory of it would come in the way of adding the object once more.
        self._log.note(aggregate, _values(aggregate), stored=True)
        table = inspect(type(aggregate)).local_table
        statement = delete(table).where(table.c.id == aggregate.id, table.c.version == aggregate.version)
        if self.session.connection().execute(statement).rowcount != 1:
            raise ConcurrentChange.of([aggregate])
        self.session.expunge(aggregate)

    @contextmanager
    def _flushing(self, written: Mapping[Aggregate, Mapping[str, Any]]) -> Iterator[None]:
        """Flush what the block prepares for aggregates, given with their stored values, then store their children.

        When that fails, every object keeps the values it had before. A failed flush expires all objects of the session,
        and those could not be read any more after the unit.
        """
        before = [(one, vars(one).copy()) for one in {id(one): one for one in (*self.session, *written)}.values()]
        try:
            yield
            self.session.flush()
            for aggregate, stored in written.items():
                for name, children in children_of(type(aggregate)).items():
                    children.write(aggregate.id, stored.get(name, ()), getattr(aggregate, name), self.session)
        except BaseException as error:
            for aggregate, values in before:
                _set_values(aggregate, values)
            if isinstance(error, StaleDataError):
                raise ConcurrentChange.of(written) from error
            raise

    def _commit(self) -> None:
        self._refuse_if_aborted()
        try:
            self.session.commit()
        except DBAPIError as error:
            raise translated_at_commit(error, self._engine) from error
        self.session.close()

    def _refuse_if_aborted(self) -> None:
        """Raise if the database has given the transaction up for an error that somebody swallowed.

        PostgreSQL would answer a COMMIT with a rollback, and MariaDB would commit what came after the error alone;
        their drivers would not say so.
        """
        if self.session.in_transaction():
            connection = self.session.connection()
            driver: Any = connection.connection.driver_connection
            status = getattr(getattr(driver, "info", None), "transaction_status", None)
            if status == _ABORTED or TRANSACTION_LOST in connection.info:
                raise StorageError("nothing is stored: the transaction was given up for an error that was swallowed")

    def _roll_back(self) -> None:
        self._note(self._changed())
        self._nested.clear()
        self.session.expunge_all()  # before the rollback, which would expire them
        try:
            self.session.rollback()
        except (SQLAlchemyError, TransactionLost):
            self.session.invalidate()  # the connection is of no use any more, and its transaction ends with it
        finally:
            self.session.close()
            for original in self._log.clear():
                _set_values(original.aggregate, original.values)

    def _begin_savepoint(self) -> None:
        self._nested.append(self.session.begin_nested())

    def _release_savepoint(self) -> None:
        self._nested[-1].commit()
        self._nested.pop()

    def _undo_savepoint(self) -> None:
        changed = self._changed()
        self._note(changed)
        for aggregate in changed:
            self.session.expire(aggregate)  # as the rollback does; but after a failed flush, that one warns of changes
        self._nested.pop().rollback()
        for original in self._log.drop_level():
            if original.stored and not inspect(original.aggregate).persistent:
                make_transient(original.aggregate)
                make_transient_to_detached(original.aggregate)
                self.session.add(original.aggregate)
            _set_values(original.aggregate, original.values)


def _values(aggregate: Aggregate) -> dict[str, Any]:
    """Return the attributes that are stored, as they are now."""
    return {one.key: getattr(aggregate, one.key) for one in inspect(type(aggregate)).column_attrs}


def _row(aggregate: Aggregate, table: Table) -> dict[str, Any]:
    """Return the attributes that have columns."""
    return {column.key: getattr(aggregate, column.key) for column in table.columns}


def _stored_values(aggregate: Aggregate) -> dict[str, Any]:
    """Return the attributes as they were when they were last read or written."""
    state, values = inspect(aggregate), {}
    for one in state.mapper.column_attrs:
        history = state.attrs[one.key].history
        values[one.key] = (history.deleted or history.unchanged)[0]
    return values


def _set_values(aggregate: Aggregate, values: dict[str, Any]) -> None:
    """Set the stored attributes as if they had just been read; ``values`` may hold others beside them."""
    for one in inspect(type(aggregate)).column_attrs:
        set_committed_value(aggregate, one.key, values[one.key])
