"""The registry and the metadata of all tables, and the one way to map a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, Table, event, inspect
from sqlalchemy.orm import registry

from adapters.sql.identity_map import before_change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import ClassManager

    from adapters.sql.children import Children
    from domain.aggregate import Aggregate

# Every constraint has a name that follows from its columns, so that a migration can name it and an error can be traced
# back to it.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# A registry of our own, so that another library's mappings in the same process cannot meet ours.
mapper_registry = registry(metadata=metadata)

_tables: dict[type[Aggregate], Table] = {}
_children: dict[type[Aggregate], Mapping[str, Children]] = {}


def map_aggregate(aggregate: type[Aggregate], table: Table, **children: Children) -> None:
    """Map a plain class to its table, and attributes that hold child entities to theirs; again, it changes nothing.

    SQLAlchemy then reads its rows, and tells the unit of work of every attribute that is set. Raises ``ValueError`` for
    a column with another name than its attribute, or with an ``onupdate``, whose values no object would get to know.
    """
    if inspect(aggregate, raiseerr=False) is None:
        for column in table.columns:
            if column.name != column.key or column.onupdate is not None:
                raise ValueError(f"{column!r} cannot be mapped: give it the name of its attribute, and no onupdate")
        mapper_registry.map_imperatively(
            aggregate,
            table,
            properties={key: value for name, one in children.items() for key, value in one.properties(name).items()},
        )
        mapper_registry.configure()
        _tables[aggregate] = table
        _children[aggregate] = children
        for name in (*table.columns.keys(), *children):
            event.listen(getattr(aggregate, name), "set", before_change)
        manager = inspect(aggregate).class_manager
        setattr(aggregate, manager.STATE_ATTR, _StateOnDemand(manager))


def table_of(aggregate: type[Aggregate]) -> Table:
    """Return the table that an aggregate class is mapped to."""
    return _tables[aggregate]


def children_of(aggregate: type[Aggregate]) -> Mapping[str, Children]:
    """Return what is mapped of an aggregate's child entities, by the names of the attributes."""
    return _children[aggregate]


def mapped_tables() -> list[Table]:
    """Return the tables of all mapped classes, by their names."""
    tables = [mapper.local_table for mapper in mapper_registry.mappers]
    return sorted((one for one in tables if isinstance(one, Table)), key=lambda table: table.name)


class _StateOnDemand:
    """Gives an object SQLAlchemy's state when somebody first asks for it, as the first change does.

    SQLAlchemy itself makes the state with the object, which costs more than all the rest of reading it. And an object
    that was made before its class was mapped has none: it gets one in the same way.
    """

    def __init__(self, manager: ClassManager[Any]) -> None:
        self._manager = manager

    def __get__(self, instance: object, owner: type) -> object:
        if instance is None:
            return self
        self._manager.setup_instance(instance)  # as an attribute of the object's own, so nobody asks here again
        return vars(instance)[self._manager.STATE_ATTR]
