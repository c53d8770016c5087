"""The unit of work over a SQL database: it wraps the life of a SQLAlchemy session."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any

from sqlalchemy import TextClause, inspect
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import FromStatement
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.orm.util import identity_key

from adapters.sql import postgres
from adapters.sql.answered_requests import SqlAnsweredRequestRepository
from adapters.sql.errors import ALONE, translated, translated_alone, translated_at_commit
from adapters.sql.flat import are_flat, write_flat
from adapters.sql.flushing import hold_back, keep_equal, mark_removed, put_back, settle
from adapters.sql.json_changes import find_json_changes, note_json
from adapters.sql.parts import check_parts, graph_of, make_new, make_parts_new, note_root, relations_of
from adapters.sql.reading import result_of
from adapters.sql.savepoint import SqlSavepoint
from adapters.sql.session import new_session
from adapters.sql.users import SqlUserRepository
from domain.aggregate import Aggregate, named
from domain.errors import (
    ConcurrentChange,
    ConfigurationError,
    DuplicateIdentity,
    StorageError,
    StorageUnavailable,
    TransactionLost,
    UnitOfWorkMisuse,
)
from domain.limits import check_values
from service_layer.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import ORMExecuteState


# Texts of SQL that only read.
_READING = re.compile(
    r"\s*(SELECT|VALUES|TABLE|SHOW|PRAGMA|(WITH|EXPLAIN)\b(?!.*\b(INSERT|UPDATE|DELETE|MERGE)))\b",
    re.IGNORECASE | re.DOTALL,
)

_REMOVED_BY = "removed_by"  # the key in the ``info`` of SQLAlchemy's state: the session that removed the object


class SqlUnitOfWork(UnitOfWork):
    """A unit of work over the database of ``engine``: a session that is opened and closed with each block.

    Repositories query ``session``, an ordinary session of SQLAlchemy. Raises :class:`~domain.errors.ConfigurationError`
    for an engine that would read and write in different schemas.
    """

    def __init__(self, engine: Engine, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        if "schema_translate_map" in engine.get_execution_options():
            raise ConfigurationError(
                "a unit of work cannot use schema_translate_map: let the URL say where the tables are, as in"
                " ?options=-csearch_path=tenant"
            )
        self._engine = engine
        self.session = new_session(bind=engine, run=self._run, info={"read_only": read_only})
        self._removed: list[Any] = []
        self._savepoints: list[SqlSavepoint] = []
        self.answered_requests = SqlAnsweredRequestRepository(self, self.session)
        self.users = SqlUserRepository(self, self.session)

    def _translated(self, error: BaseException) -> BaseException:
        # An error of SQLAlchemy comes from a statement that bypassed the session, as on uow.connection.
        return translated(error, self._engine) if isinstance(error, SQLAlchemyError) else error

    @property
    def connection(self) -> Connection:
        """The connection of this block, in its transaction, for statements that bypass the session.

        Reading this property flushes. Statements on the connection are committed or rolled back with the rest of the
        block. They change none of its objects. Only the unit may end the transaction. If anything else has ended it,
        the unit's commit fails.
        """
        with self.reading:
            connection = self.session.connection()
        if connection.dialect.name == "postgresql":
            postgres.begin_with_next(connection)
        return connection

    # Reading.

    def _run(self, state: ORMExecuteState) -> Any:
        """Run a statement of a repository after a flush. Translate its errors, and read its aggregates whole."""
        is_text = isinstance(state.statement, TextClause | FromStatement)
        if state.is_select or (is_text and _READING.match(str(state.statement))):
            with self.reading:
                return state.invoke_statement() if isinstance(state.statement, TextClause) else result_of(state)
        with self.writing:
            self.register_bulk()
            return state.invoke_statement()

    # Writing.

    def _has_unwritten(self) -> bool:
        session = self.session
        session.renumber()
        find_json_changes(session)
        if not (session.new or session.dirty):
            return False
        keep_equal(session.dirty)
        settle(session)
        return bool(session.new) or any(map(session.is_changed, session.dirty))

    def _flush(self) -> None:
        changed = self.session.changed()
        stale = ConcurrentChange.of([one for one in changed if one not in self.session.new])
        check_parts(changed)
        written = [*chain.from_iterable(map(graph_of, changed))]
        for one in written:
            check_values(one)
        try:
            with self._versions.raised(changed), self.session.flushing(written):
                if are_flat(changed) and not self._savepoints:
                    write_flat(changed, self.session)
                else:
                    self._add_before_change(changed)
                    self._delete_before_insert(changed)
                    mark_removed(changed, self.session)
                    self.session.flush()
        except StaleDataError as error:
            raise stale from error
        self._forget_removed()
        for root in changed:
            note_root(root)
        note_json(written)

    def _add_before_change(self, changed: list[Aggregate]) -> None:
        """Flush the addition before the changes, which may refer to it. SQLAlchemy would sort by class name."""
        new = [root for root in changed if root in self.session.new]
        if new and len(new) < len(changed):
            with self.session.without(changed, but=new):
                self.session.flush()

    def _delete_before_insert(self, changed: list[Aggregate[Any]]) -> None:
        held = hold_back(changed, self.session)
        if held:
            try:
                mark_removed(changed, self.session)
                self.session.flush()
                self._forget_removed()
            finally:
                put_back(held)
            self.session.renumber()

    def holds(self, aggregate: Aggregate[Any]) -> bool:
        state = inspect(aggregate, raiseerr=False)
        return state is not None and state.session is self.session

    def _insert(self, aggregate: Aggregate[Any]) -> None:
        state = inspect(aggregate, raiseerr=False)
        if state is None:
            raise UnitOfWorkMisuse(
                f"{named(aggregate)} was made before its class was mapped:"
                " import adapters.sql.unit_of_work before you make objects"
            )
        if (state.session or state.info.get(_REMOVED_BY)) not in (None, self.session):
            raise UnitOfWorkMisuse(
                f"{named(aggregate)} belongs to another unit of work that is still open: end that one first"
            )
        if identity_key(type(aggregate), aggregate.id) in self.session.identity_map:
            raise DuplicateIdentity(aggregate.id)
        make_new(aggregate, self.session)
        self.session.add(aggregate)
        self.session.keep([aggregate])

    def _delete(self, aggregate: Aggregate[Any]) -> None:
        version, stale = aggregate.version, ConcurrentChange.of([aggregate])
        try:
            if not self._is_one_row(aggregate):  # lock and check the root before its other rows are deleted
                aggregate.version += 1
                self.session.flush()
            self.session.delete(aggregate)
            with self.session.flushing(graph_of(aggregate)):
                self.session.flush()
        except StaleDataError as error:
            raise stale from error
        finally:
            set_committed_value(aggregate, "version", version)  # not as a change, which an undone savepoint would undo
        self._forget_removed()

    def _forget_removed(self) -> None:
        """Expunge what was deleted. While SQLAlchemy remembers it, it cannot be added again."""
        for one in self.session.removed:
            if self._savepoints:
                self._savepoints[-1].note_removed(one)
        self.session.expunge_each(self.session.removed)
        for one in self.session.removed:
            if isinstance(one, Aggregate):
                inspect(one).info[_REMOVED_BY] = self.session
                self._removed.append(one)
        make_parts_new(one for one in self.session.removed if not isinstance(one, Aggregate))
        self.session.removed.clear()

    def _commit(self) -> None:
        if self.session.was_ended():
            self.session.refuse_if_ended()
        has_unwritten = self._has_unwritten()
        if has_unwritten and self._is_one_statement() and self.session.can_write_alone():
            info = self.session.connection().info
            info[ALONE] = True
            try:
                self._flush()
            except DBAPIError as error:
                raise translated_alone(error, self._engine) from error
            finally:
                info.pop(ALONE, None)  # it may be gone: a lost connection empties its info
        else:
            if has_unwritten:
                self._flush()
            self.session.refuse_if_ended()
            try:
                self.session.commit_or_raise()
            except DBAPIError as error:
                raise translated_at_commit(error, self._engine) from error
        self._end()

    def _is_one_statement(self) -> bool:
        """Return whether the pending writes are one statement."""
        changed = self.session.changed()
        return len(changed) == 1 and self._is_one_row(changed[0])

    @staticmethod
    def _is_one_row(root: Aggregate) -> bool:
        return not relations_of(type(root)) and len(inspect(type(root)).tables) == 1

    def _roll_back(self) -> None:
        self._end()

    def _end(self) -> None:
        self.session.end()
        for one in self._removed:
            inspect(one).info.pop(_REMOVED_BY, None)
        self._removed.clear()
        self._savepoints.clear()

    def _begin_savepoint(self) -> SqlSavepoint:
        savepoint = SqlSavepoint(self.session, self._savepoints)
        self._savepoints.append(savepoint)
        return savepoint

    def _failed(self, error: BaseException) -> BaseException:
        # Roll back now, not when the block is left: others may wait for its locks.
        failure = translated(error, self._engine)
        if self._savepoints:
            self._loss = self._roll_back_savepoint(failure)
        if not self._savepoints or self._loss is not None:
            self.session.end()
        return failure

    def _roll_back_savepoint(self, failure: BaseException) -> BaseException | None:
        """Roll back the innermost savepoint. If that fails, return the error that ended the whole transaction."""
        try:
            if self._savepoints[-1].can_be_undone and not self.session.is_lost():
                self._savepoints[-1].roll_back()
                return None
        except (SQLAlchemyError, StorageError, TransactionLost) as error:
            is_why = isinstance(failure, StorageUnavailable | TransactionLost)
            return failure if is_why else translated(error, self._engine)
        return failure
