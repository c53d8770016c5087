"""The metadata of all tables, and the two ways to map a class: as an aggregate, or as a part of one."""

from __future__ import annotations

import copyreg
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import attrs
from sqlalchemy import MetaData, Table, UniqueConstraint, event, inspect
from sqlalchemy.orm import RelationshipProperty, object_session, registry

from adapters.sql.flat import flat_classes
from adapters.sql.inheritance import whole_options
from adapters.sql.json_changes import classes_with_json
from adapters.sql.refused import FLAT, PARTS, ROOTS, Rows, refuse, refuse_declared, refuse_mapped
from adapters.sql.refused_composites import refuse_value_objects
from adapters.sql.refused_inheritance import refuse_inheritance
from adapters.sql.refused_parts import refuse_relationships
from adapters.sql.refused_values import refuse_values
from adapters.sql.value_objects import set_up_value_objects
from domain.aggregate import makers, named, reduced
from domain.attributes import set_unstored, stored_names
from domain.errors import DuplicateIdentity, UnitOfWorkMisuse
from domain.limits import json_names

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

    from domain.aggregate import Aggregate

# Every constraint is named after its columns. So a migration can name it, and an error can be traced back to it.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

VERSION_TABLE = "alembic_version"
"""The table that holds the revision of this program's tables. Programs that share a database need one name each."""

RETIRED = "retired"
"""The key in the ``info`` of a column that no statement of this program names, so that it can be dropped."""

_registries: list[registry] = []
_classes: WeakValueDictionary[str, Any] = WeakValueDictionary()  # by name, for relationship("Line")


def map_aggregate(
    aggregate: type[Aggregate[Any]], table: Table | None = None, *, flat: bool = False, **options: Any
) -> None:
    """Map an aggregate to its table. A second call changes nothing. Map its parts first.

    ``options`` are those of SQLAlchemy's ``map_imperatively``, such as ``properties`` with a ``relationship()`` for
    each collection of parts, and a ``value_object()`` for each value in several columns. The version is SQLAlchemy's
    ``version_id_col``. SQLAlchemy compares it at every write. The unit of work raises it once for each unit that
    writes. Raises ``ValueError``, and maps nothing, for what could not be kept alike on every storage. The tables in
    adapters/sql/refused.py list it.

    ``flat`` is for an aggregate that is one row. Its INSERT and UPDATE are built once and run without a flush of
    SQLAlchemy, which takes three times as long. They do not call listeners to the mapper's events.

    A class with subclasses has ``polymorphic_on`` and ``polymorphic_identity``. Each subclass has ``inherits`` and
    ``polymorphic_identity``, with or without its own table. The port names them in ``subclasses``.
    """
    # batch=False sends one row after another, so the error is that of the first refused row.
    version = None if "inherits" in options or table is None else table.c.get("version")
    ours = {"version_id_col": version, "version_id_generator": False, "batch": False}
    _map(aggregate, table, options, ours, (ROOTS, FLAT if flat else ()))
    if flat:
        flat_classes.add(aggregate)


def map_part(part: type, table: Table, **options: Any) -> None:
    """Map a part of an aggregate, such as a line of an order. A second call changes nothing.

    The table has a foreign key to the parent's table. Its primary key is one column. It is either the attribute ``id``
    of the part, or a number that the database makes and the domain does not know. ``options`` and errors are those of
    :func:`map_aggregate`.
    """
    has_id = attrs.has(part) and "id" in stored_names(part)
    one_by_one = (
        has_id
        or len(table.foreign_key_constraints) > 1
        or any(isinstance(one, UniqueConstraint) for one in table.constraints)
    )
    # Do not warn about a deleted row that was already gone: the version of the root is checked first.
    ours = {"confirm_deleted_rows": False, "batch": not one_by_one}
    _map(part, table, options, ours, (PARTS, ()))
    copyreg.pickle(part, reduced)
    event.listen(part, "before_insert", _refuse_taken_id)


def _map(
    kind: type, table: Table | None, options: dict[str, Any], ours: dict[str, Any], rows: tuple[Rows, Rows]
) -> None:
    if inspect(kind, raiseerr=False) is not None:
        return
    refuse_inheritance(kind, table, options, is_part=rows[0] is PARTS)
    ours |= whole_options(options)
    written: Any = inspect(options["inherits"]).local_table if table is None and "inherits" in options else table
    refuse_declared(kind, written, options)
    refuse(kind.__name__, rows[0], kind, written)
    refuse_value_objects(kind, written, options.get("properties", {}))
    # Databases refuse a value for a generated column. An object that was read and is added again would bring one. A
    # column that a later migration drops is not used either: see docs/migrations.md.
    unused = [column.name for column in written.columns if column.computed is not None or RETIRED in column.info]
    ours["exclude_properties"] = unused
    # Each class has its own registry, so nothing is left of a refused class.
    own = registry(metadata=metadata, class_registry=_classes)
    try:
        mapper: Mapper[Any] = own.map_imperatively(kind, table, **ours, **options)
        for name, option in options.get("properties", {}).items():
            if isinstance(option, RelationshipProperty):  # before configure(), so that these come before SQLAlchemy's
                event.listen(getattr(kind, name), "append", _refuse_foreign, propagate=True)
                event.listen(getattr(kind, name), "set", _refuse_foreign, propagate=True)
        own.configure(cascade=True)
        refuse_mapped(mapper)
        refuse_values(mapper)
        refuse_relationships(mapper)
        refuse(kind.__name__, rows[1], mapper)
    except BaseException:
        own.dispose()
        raise
    _registries.append(own)
    set_up_value_objects(mapper)
    makers[kind] = mapper.class_manager.new_instance  # for the fake: each object needs SQLAlchemy's state
    if json_names(kind):
        classes_with_json.add(kind)
    if len(stored_names(kind)) < len(attrs.fields(kind)):
        event.listen(kind, "load", _set_unstored)
        event.listen(kind, "refresh", _set_unstored)


def mapped_tables() -> list[Table]:
    """Return the tables of all mapped classes, sorted by name."""
    tables = {mapper.local_table for one in _registries for mapper in one.mappers}
    return sorted((one for one in tables if isinstance(one, Table)), key=lambda table: table.name)


def _refuse_foreign(parent: Any, part: Any, *rest: Any) -> None:
    """Refuse a wrong type, or a part of another unit of work, before SQLAlchemy raises its own error."""
    mapped: Any = next(kind for kind in type(parent).__mro__ if kind in makers)  # the parent may be of a subclass
    relation = inspect(mapped).relationships[rest[-1].key]
    if part is None and not relation.uselist:
        return
    found, wanted = type(part), relation.mapper.class_
    if found is not wanted:
        raise UnitOfWorkMisuse(
            f"a {found.__name__} stands where a part belongs: put one of class {wanted.__name__} there"
        )
    ours, state = object_session(parent), inspect(part, raiseerr=False)
    if state is None:
        raise UnitOfWorkMisuse(f"{named(part)} was made before its class was mapped: import its SQL adapter first")
    # SQLAlchemy fails to take a stored part out of its place if another parent has held it since, and is gone.
    vars(part)["_held_by"] = parent
    if ours is None:
        return
    if state.session is not ours and (state.detached or state.session is not None):
        raise UnitOfWorkMisuse(f"{named(part)} is of another unit of work: make a new part with its values")


def _refuse_taken_id(mapper: Mapper[Any], _connection: object, part: Any) -> None:
    """Refuse a part with the id of another part of the unit. SQLAlchemy would only warn."""
    session: Any = object_session(part)
    key = mapper.identity_key_from_instance(part)
    if key in session.identity_map and session.identity_map[key] not in session.deleted:
        raise DuplicateIdentity(key[1][0])


def _set_unstored(one: Any, _context: object, read: object = None) -> None:
    if read is None:  # otherwise only some attributes were read
        set_unstored(one)
