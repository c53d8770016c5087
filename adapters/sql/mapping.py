"""The metadata of all tables, and the two ways to map a class: as an aggregate, or as a part of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ARRAY, JSON, MetaData, PickleType, Table, UniqueConstraint, event, inspect
from sqlalchemy.ext.orderinglist import OrderingList
from sqlalchemy.orm import MANYTOONE, Mapper, RelationshipProperty, object_session, registry

from domain.aggregate import Aggregate, empty, makers, named
from domain.errors import UnitOfWorkMisuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Column

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


def map_aggregate(aggregate: type[Aggregate], table: Table, **options: Any) -> None:
    """Map an aggregate to its table; a second call changes nothing. Map its parts first.

    ``options`` are those of SQLAlchemy's ``map_imperatively``, such as ``properties`` with a ``relationship()`` for
    each collection of parts. The unit of work raises the version, once for each unit that writes; SQLAlchemy compares
    it at every write. Raises ``ValueError`` for what could not be kept alike on every storage, as the tables below
    list it.
    """
    # batch=False: a row is checked before the next is sent, so the error names the first that is refused.
    versioned = {"version_id_col": table.c.version, "version_id_generator": False, "batch": False}
    _map(aggregate, table, {**versioned, **options})


def map_part(part: type, table: Table, **options: Any) -> None:
    """Map a part of an aggregate, such as a line of an order; a second call changes nothing.

    The table has a foreign key to that of the parent. Its primary key is one column: either the attribute ``id`` of
    the part, or a number that the database makes and the domain does not know. ``options`` and errors are those of
    :func:`map_aggregate`.
    """
    one_by_one = "id" in _names(part) or any(isinstance(one, UniqueConstraint) for one in table.constraints)
    # A row that is gone is no news: the version of the root says so first.
    _map(part, table, {"confirm_deleted_rows": False, "batch": not one_by_one, **options})


def _map(kind: type, table: Table, options: dict[str, Any]) -> None:
    if inspect(kind, raiseerr=False) is not None:
        return
    _refuse(kind.__name__, _CLASSES, kind, options)
    for column in table.columns:
        _refuse(f"{table.name}.{column.name}", _COLUMNS, column)
    mapper = mapper_registry.map_imperatively(kind, table, **options)
    for name, option in options.get("properties", {}).items():
        if isinstance(option, RelationshipProperty):  # not configured yet, so this comes before SQLAlchemy's own
            event.listen(getattr(kind, name), "append", _refuse_foreign)
    mapper_registry.configure()
    for field in attrs.fields(kind):
        _refuse(f"{kind.__name__}.{field.name}", _ATTRIBUTES, field, mapper)
    if not issubclass(kind, Aggregate):
        _refuse(kind.__name__, _PARTS, mapper)
    for relation in mapper.relationships:
        _refuse(f"{kind.__name__}.{relation.key}", _RELATIONSHIPS, relation)
    defaults = [one for one in attrs.fields(kind) if not _is_stored(one)]
    if defaults:
        event.listen(kind, "load", lambda one, _context: _set_defaults(one, defaults))


def mapped_tables() -> list[Table]:
    """Return the tables of all mapped classes, by their names."""
    tables = {mapper.local_table for mapper in mapper_registry.mappers}
    return sorted((one for one in tables if isinstance(one, Table)), key=lambda table: table.name)


@event.listens_for(Mapper, "after_mapper_constructed")
def _note_maker(mapper: Mapper[Any], kind: type) -> None:
    """Let the fake make empty objects of a mapped class: each needs SQLAlchemy's state."""
    if mapper.registry is mapper_registry:
        makers[kind] = mapper.class_manager.new_instance


def _refuse_foreign(parent: object, part: object, _initiator: object) -> None:
    """Refuse a part of another unit of work: SQLAlchemy, which comes next, would say it in its own words."""
    ours, state = object_session(parent), inspect(part)
    if ours is not None and state.session is not ours and (state.detached or state.session is not None):
        raise UnitOfWorkMisuse(f"{named(part)} is of another unit of work: make a new part with its values")


def _set_defaults(one: object, fields: list[attrs.Attribute[Any]]) -> None:
    for field in fields:
        default = field.default
        object.__setattr__(one, field.name, default.factory() if isinstance(default, attrs.Factory) else default)  # type: ignore[arg-type]  # attrs types Factory as a function


# What is refused when it is mapped, because the fake and the databases could not keep it alike: each row is a question
# about what is mapped, and what to write instead.

_Rows = tuple[tuple["Callable[..., object]", str], ...]


def _refuse(name: str, rows: _Rows, *about: object) -> None:
    for applies, advice in rows:
        if applies(*about):
            raise ValueError(f"{name} cannot be mapped: {advice}")


def _names(kind: type) -> list[str]:
    return [field.name for field in attrs.fields(kind)]


def _is_stored(field: attrs.Attribute[Any]) -> bool:
    return bool(field.metadata.get("stored", True))


def _has_slots(kind: type) -> bool:
    return not hasattr(kind.__new__(kind), "__dict__")


def _is_frozen(kind: type) -> bool:
    try:
        kind.__new__(kind).frozen = None  # type: ignore[attr-defined]  # it is what we ask
    except attrs.exceptions.FrozenInstanceError:
        return True
    return False


def _can_change(kind: type) -> bool:
    """Tell whether an attribute of an object of this class can be set."""
    for name in _names(kind):
        try:
            setattr(empty(kind), name, None)
        except attrs.exceptions.FrozenAttributeError:
            continue
        except Exception:  # noqa: BLE001  # a validator or a converter that does not take it, so it would take others
            return True
        return True
    return False


def _collection(relation: RelationshipProperty[Any]) -> Any:
    if not relation.uselist:
        return None
    made: Any = relation.collection_class or list
    return made()


def _is_shown_as_tuple(relation: RelationshipProperty[Any]) -> bool:
    field = getattr(attrs.fields(relation.parent.class_), relation.key, None)
    return field is not None and (str(field.type).lower().startswith(("tuple", "typing.tuple")) or field.default == ())


def _has_order(relation: RelationshipProperty[Any]) -> bool:
    collection = _collection(relation)
    if not isinstance(collection, list):
        return True
    order = [getattr(one, "key", None) for one in relation.order_by or ()]
    said = list(attrs.fields_dict(relation.parent.class_)[relation.key].metadata.get("order_by", ()))
    return order == [collection.ordering_attr] if isinstance(collection, OrderingList) else bool(said) and order == said


def _has_unique_position(relation: RelationshipProperty[Any]) -> bool:
    collection, table = _collection(relation), relation.entity.local_table
    return isinstance(collection, OrderingList) and any(
        collection.ordering_attr in one.columns for one in table.constraints if isinstance(one, UniqueConstraint)
    )


def _is_wrong_key(mapper: Mapper[Any]) -> bool:
    keys = [column.key for column in mapper.primary_key]
    known = [key for key in keys if key in _names(mapper.class_)]
    return len(keys) != 1 or known not in ([], ["id"])


_CLASSES: _Rows = (
    (lambda kind, _: not attrs.has(kind), "decorate the class with attrs' @define(slots=False, eq=False)"),
    (lambda kind, _: _is_frozen(kind), "SQLAlchemy fills an object after it is made: write @define(slots=False,"
     " on_setattr=setters.frozen, unsafe_hash=True) instead of @frozen"),
    (lambda kind, _: _has_slots(kind), "SQLAlchemy keeps its state in the object's __dict__: write @define(slots=False)"),
    (lambda kind, _: kind.__hash__ is None, "it compares by its values, which can change: write @define(slots=False,"
     " eq=False)"),
    (lambda _, options: {"inherits", "polymorphic_on"} & options.keys(), "inheritance is not kept by the fake: map one"
     " class to one table"),
)

_COLUMNS: _Rows = (
    (lambda column: column.name != column.key, "give the column the name of its attribute, without a key of its own"),
    (lambda column: column.onupdate is not None, "the objects would not get to know what onupdate writes: set the"
     " attribute in the domain"),
    (lambda column: isinstance(column.type, JSON | PickleType | ARRAY), "a change inside of such a value would be lost:"
     " store a text, or make it parts of their own"),
)

_ATTRIBUTES: _Rows = (
    (lambda field, mapper: _is_stored(field) and field.name not in mapper.attrs, "it has no column: add one to the"
     ' table, or declare field(default=..., metadata={"stored": False})'),
    (lambda field, mapper: not _is_stored(field) and field.name in mapper.attrs, 'it is declared as {"stored": False},'
     " but has a column: remove one of both"),
    (lambda field, _: not _is_stored(field) and field.default is attrs.NOTHING, "an attribute that is not stored gets"
     " its default when the object is read: declare field(default=...)"),
)

_PARTS: _Rows = (
    (_is_wrong_key, "the primary key of a part is one column: the attribute id, or a number that the database makes and"
     " the class does not have"),
)

_RELATIONSHIPS: _Rows = (
    (lambda relation: relation.secondary is not None, "many-to-many would share a part: hold the other aggregate's id,"
     " or give the part's table a foreign key to its parent"),
    (lambda relation: issubclass(relation.mapper.class_, Aggregate), "it leads to an aggregate, which is read and"
     " changed by itself: hold its id instead"),
    (lambda relation: relation.direction is MANYTOONE, "a part does not lead to its parent: remove this relationship,"
     " and any backref or back_populates"),
    (lambda relation: relation.viewonly, "it would not be written: remove viewonly, or read it by a query"),
    (lambda relation: not {"save-update", "delete", "delete-orphan"} <= relation.cascade, "parts live and die with"
     ' their parent: write cascade="all, delete-orphan"'),
    (lambda relation: relation.lazy != "selectin", "it would be read after the unit of work has ended, or many times"
     ' over: write lazy="selectin"'),
    (_is_shown_as_tuple, "a tuple cannot hold parts: declare a list, or a set of frozen parts"),
    (lambda relation: not isinstance(_collection(relation), list | set | None), "parts are held by a list or a set:"
     " leave out collection_class, or write set or ordering_list(...)"),
    (lambda relation: not _has_order(relation), "a list needs its order: say it in the domain by field(factory=list,"
     ' metadata={"order_by": ("reference",)}) and here by order_by=, with the columns of the same names; or number the'
     ' parts by order_by=table.c.position, collection_class=ordering_list("position")'),
    (_has_unique_position, "the numbers of an ordering_list change one row after another: leave them out of the unique"
     " constraint"),
    (lambda relation: isinstance(_collection(relation), set) and _can_change(relation.mapper.class_), "a set holds parts"
     " that cannot change: write @define(slots=False, on_setattr=setters.frozen, unsafe_hash=True), or use a list"),
)
