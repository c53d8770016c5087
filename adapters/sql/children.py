"""Child entities in a table of their own: how they are read with their root, and written after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field, fields
from sqlalchemy import bindparam, delete, insert
from sqlalchemy.orm import query_expression, relationship

from adapters.sql.identity_map import values_of
from adapters.sql.metadata import mapper_registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from sqlalchemy import Column, Connection, Table
    from sqlalchemy.orm import Session

    from domain.aggregate import Aggregate, Entity


@define(eq=False)
class Children:
    """The child entities of one kind, ``entity``, and their ``table``.

    Its columns are the entity's attributes, and a foreign key to the root's id. Both ids together are its primary key,
    and the foreign key cascades deletions, so that a root takes its children with it.
    """

    entity: type[Entity]
    table: Table
    _root_id: Column[Any] = field(init=False)
    _row: type = field(init=False)

    def __attrs_post_init__(self) -> None:
        keys = [one for one in self.table.foreign_keys if (one.ondelete or "").upper() == "CASCADE"]
        if len(keys) != 1 or [one.name for one in self.table.primary_key] != [keys[0].parent.name, "id"]:
            raise ValueError(
                f"{self.table.name} cannot hold child entities: its primary key must be a foreign key to the root's id,"
                ' with ondelete="CASCADE", and then the id of the child'
            )
        if missing := {one.name for one in fields(self.entity)} - set(self.table.columns.keys()):
            raise ValueError(
                f"{self.table.name} cannot hold {self.entity.__name__} objects: it has no column {sorted(missing)}"
            )
        self._root_id = keys[0].parent
        # SQLAlchemy reads the rows as objects of a class that only this one knows: it cannot make frozen ones.
        self._row = type(f"{self.entity.__name__}Row", (), {})
        mapper_registry.map_imperatively(self._row, self.table)

    def properties(self, name: str) -> dict[str, Any]:
        """Return what is mapped for the attribute ``name`` of the root.

        The attribute itself has no column; SQLAlchemy watches it nevertheless. The rows of its children come by a join
        with the root, so that both are read by one statement and can never be of different versions.
        """
        rows = relationship(self._row, viewonly=True, lazy="joined", order_by=self.table.c.id)
        return {name: query_expression(expire_on_flush=False), _rows(name): rows}

    def read(self, root: Aggregate, name: str, session: Session) -> tuple[Entity, ...]:
        """Return the children of a root that a query has found, and let go of their rows."""
        rows = getattr(root, _rows(name))
        for row in rows:
            session.expunge(row)
        return tuple(self._entity_of(row) for row in rows)

    def _entity_of(self, row: object) -> Entity:
        # Past its own __init__, which validates: what is stored was valid when it was stored.
        child = self.entity.__new__(self.entity)
        for one in fields(self.entity):
            object.__setattr__(child, one.name, getattr(row, one.name))
        return child

    def write(self, root_id: UUID, before: Iterable[Entity], after: Iterable[Entity], connection: Connection) -> None:
        """Store the children ``after`` instead of those ``before``; a changed one is a new row in place of the old."""
        old, new = ({child.id: child for child in children} for children in (before, after))
        gone = [{"root": root_id, "child": id} for id, child in old.items() if new.get(id) != child]
        come = [self.row_of(root_id, child) for id, child in new.items() if old.get(id) != child]
        if gone:
            one = (self._root_id == bindparam("root"), self.table.c.id == bindparam("child"))
            connection.execute(delete(self.table).where(*one), gone)
        self.insert(come, connection)

    def row_of(self, root_id: UUID, child: Entity) -> dict[str, Any]:
        """Return the row of a child."""
        return {
            self._root_id.name: root_id,
            **{one.name: getattr(child, one.name) for one in fields(self.entity)},
        }

    def insert(self, rows: list[dict[str, Any]], connection: Connection) -> None:
        """Insert rows by one statement."""
        if rows:
            connection.execute(insert(self.table), rows)


def read_with_children(root: Aggregate, children: Mapping[str, Children], session: Session) -> dict[str, Any]:
    """Return what is stored of a root that a session has just read, its children included, and let go of all that."""
    found = {name: one.read(root, name, session) for name, one in children.items()}
    session.expunge(root)
    return {**values_of(root), **found}


def _rows(name: str) -> str:
    return f"_{name}_rows"
