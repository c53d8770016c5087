"""The unit of work over a SQL database: a connection, a transaction and an identity map for each block."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from adapters.sql import postgres
from adapters.sql.children import read_with_children
from adapters.sql.errors import translated
from adapters.sql.identity_map import SLICE, IdentityMap, is_owned_elsewhere, values_of
from adapters.sql.metadata import children_of, table_of
from adapters.sql.statements import insert_many, statements_on
from adapters.sql.transaction import Transaction
from adapters.sql.users import SqlUserRepository
from domain.errors import ConcurrentChange, ConfigurationError, DuplicateIdentity
from service_layer.unit_of_work import UnitOfWork, write_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Engine, Select

    from adapters.sql.identity_map import Row
    from domain.aggregate import Aggregate

# Whose drivers hold all rows of a query when it has run, unless they are told to stream them. SQLite would keep the
# query open, and go on to see what was stored when it began.
_READ_AT_ONCE = {"postgresql", "mysql"}


class SqlUnitOfWork(UnitOfWork):
    """A unit of work over the database of ``engine``: one connection and one transaction for each block.

    The objects are the unit's own, too: it keeps one for each row, and writes each that was changed by itself,
    so that an error is met where it can be translated, and leaves every object as it is. Raises
    :class:`~domain.errors.ConfigurationError` for an engine that would read and write in different schemas.
    """

    def __init__(self, engine: Engine, *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        if "schema_translate_map" in engine.get_execution_options():
            raise ConfigurationError(
                "schema_translate_map is not for a unit of work: let the URL say where its tables are, as in"
                " ?options=-csearch_path=tenant"
            )
        self._engine = engine
        self._transaction = Transaction(engine)
        self._objects = IdentityMap()
        self._statements = statements_on(engine)
        self.users = SqlUserRepository(self)

    @property
    def connection(self) -> Connection:
        """The connection of this block, in its transaction: for statements of one's own.

        Asking for it writes what the unit has left to write, so that they see it. They are done and undone with the
        rest of the block, and change none of its objects. The transaction is the unit's: who ends it here makes its
        commit fail.
        """
        with self.reading:
            connection = self._transaction.connection()
        if connection.dialect.name == "postgresql":
            postgres.begin_with_next(connection)
        return connection

    def load(self, kind: type[Aggregate], statement: Select[Any], parameters: Mapping[str, Any]) -> list[Any]:
        """Return the aggregates of one class that a query finds."""
        children = children_of(kind)
        if children:
            session = self._transaction.session()
            roots = session.scalars(statement, parameters).unique()  # one comes once for each of its children
            rows = [read_with_children(root, children, session) for root in roots]
            return self._objects.made(kind, list(rows[0]), [list(row.values()) for row in rows]) if rows else []
        found = self._transaction.connection().execute(statement, parameters)
        return self._objects.made(kind, list(found.keys()), found.all())

    def load_slices(
        self, kind: type[Aggregate], statement: Select[Any], parameters: Mapping[str, Any]
    ) -> Iterator[list[Any]]:
        """Run such a query at once, and return an iterator over lists of what it finds, of which none is empty.

        Each list is made when it is asked for, but before anything else is done with the unit: nobody can tell.
        """
        if children_of(kind):
            aggregates = self.load(kind, statement, parameters)
            return iter([aggregates] if aggregates else [])
        connection = self._transaction.connection()
        found = connection.execute(statement, parameters)
        names = list(found.keys())
        is_streamed = not postgres.STREAMED.isdisjoint(connection.get_execution_options())
        if connection.dialect.name in _READ_AT_ONCE and not is_streamed:
            return self._objects.making(kind, names, found.partitions(SLICE))
        rows = found.all()
        return self._objects.making(kind, names, (rows[at : at + SLICE] for at in range(0, len(rows), SLICE)))

    def insert_batch(self, kind: type[Aggregate], aggregates: Sequence[Aggregate]) -> None:
        """Insert the rows of new aggregates together, without tracking the objects."""
        self._log.note_bulk()
        insert_many(self._transaction.connection(), table_of(kind), map(_new_row, aggregates))
        for name, children in children_of(kind).items():
            rows = (children.row_of(root.id, child) for root in aggregates for child in getattr(root, name))
            insert_many(self._transaction.connection(), children.table, rows)

    def _failed(self, error: BaseException) -> BaseException:
        self._transaction.give_up()
        return translated(error, self._engine)

    def _has_lost_transaction(self) -> bool:
        return self._transaction.was_ended() or super()._has_lost_transaction()

    def holds(self, aggregate: Aggregate) -> bool:
        return self._objects.holds(aggregate)

    def _is_held_elsewhere(self, aggregate: Aggregate) -> bool:
        return is_owned_elsewhere(aggregate, self._objects)

    def _may_have_changed(self) -> bool:
        return self._objects.may_have_changed()

    def _changed(self) -> list[Aggregate]:
        return sorted(self._objects.changed(), key=write_order)

    def _write_changes(self) -> None:
        if not self._may_have_changed():
            return
        self._objects.finish_making()
        changed = self._changed()
        if not changed:
            return
        self._check_writable("write")
        self._note(changed)
        written = []
        for aggregate in changed:
            old = self._objects.row_of(aggregate)
            row = {**values_of(aggregate), "version": self._log.next_version(aggregate)}
            if not self._statements[table_of(type(aggregate))].run_update(self._transaction.connection(), old, row):
                raise ConcurrentChange.of(changed)
            self._write_children(aggregate, old, row)
            written.append((aggregate, row))
        for aggregate, row in written:
            self._stored(aggregate, row)

    def _write_children(self, aggregate: Aggregate, old: Row, row: Row) -> None:
        for name, children in children_of(type(aggregate)).items():
            children.write(aggregate.id, old.get(name, ()), row[name], self._transaction.connection())

    def _stored(self, aggregate: Aggregate, row: Row) -> None:
        vars(aggregate)["version"] = row["version"]
        self._objects.track(aggregate)

    def _note(self, changed: list[Aggregate]) -> None:
        for aggregate in changed:
            self._log.note(aggregate, self._objects.row_of(aggregate), stored=True)

    def _insertion(self, aggregate: Aggregate) -> Callable[[], None]:
        if self._objects.get(type(aggregate), aggregate.id) is not None:
            raise DuplicateIdentity(aggregate.id)
        self._log.note(aggregate, values_of(aggregate), stored=False)
        self._objects.track(aggregate)
        return partial(self._insert, aggregate)

    def _insert(self, aggregate: Aggregate) -> None:
        row = {**values_of(aggregate), "version": self._log.next_version(aggregate)}
        self._statements[table_of(type(aggregate))].run_insert(self._transaction.connection(), row)
        self._write_children(aggregate, {}, row)
        self._stored(aggregate, row)

    def _deletion(self, aggregate: Aggregate) -> Callable[[], None]:
        row = self._objects.row_of(aggregate)
        self._log.note(aggregate, row, stored=True)
        self._objects.remove(aggregate)
        return partial(self._delete, aggregate, row)

    def _delete(self, aggregate: Aggregate, row: Row) -> None:
        if not self._statements[table_of(type(aggregate))].run_delete(self._transaction.connection(), row):
            raise ConcurrentChange.of([aggregate])

    def _commit(self) -> None:
        if self._has_one_statement() and self._transaction.can_write_alone():
            self._transaction.write_alone(self._write)
        else:
            self._write()
            self._transaction.commit()
        self._let_go()

    def _has_one_statement(self) -> bool:
        """Tell whether all that there is to write takes one statement."""
        left = self._objects.changed()
        if self._waiting is not None and self._waiting[0] not in left:
            left.append(self._waiting[0])
        return len(left) == 1 and not children_of(type(left[0]))

    def _roll_back(self) -> None:
        self._note(self._objects.changed())
        try:
            self._let_go()
        finally:
            for original in self._log.clear():
                vars(original.aggregate).update(original.values)

    def _let_go(self) -> None:
        self._objects.clear()
        self._transaction.close()

    def _begin_savepoint(self) -> None:
        self._transaction.begin_savepoint()

    def _release_savepoint(self) -> None:
        self._transaction.release_savepoint()

    def _undo_savepoint(self) -> None:
        self._objects.finish_making()
        self._note(self._changed())
        self._transaction.undo_savepoint()
        for original in self._log.drop_level():
            self._objects.forget(original.aggregate)
            # Past the class, some of whose attributes are frozen, and past SQLAlchemy, which would report a change.
            vars(original.aggregate).update(original.values)
            if original.stored:
                self._objects.track(original.aggregate)


def _new_row(aggregate: Aggregate) -> Row:
    row = values_of(aggregate)
    row["version"] += 1
    return row
