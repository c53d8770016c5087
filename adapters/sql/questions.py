"""Questions about a class, a column or a relationship that is mapped, most of them for adapters/sql/refused.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ARRAY, JSON, Column, PickleType, PrimaryKeyConstraint, Table, UniqueConstraint, and_, inspect
from sqlalchemy.ext.orderinglist import OrderingList
from sqlalchemy.types import TypeDecorator

from domain.aggregate import empty, makers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ForeignKey
    from sqlalchemy.orm import RelationshipProperty
    from sqlalchemy.types import TypeEngine


def is_stored(field: attrs.Attribute[Any]) -> bool:
    """Return whether an attribute is stored."""
    return bool(field.metadata.get("stored", True))


def default_of(field: attrs.Attribute[Any]) -> Any:
    """Return the default of an attribute, or a new value of its factory; ``attrs.NOTHING`` if that needs the object."""
    default: Any = field.default
    if not isinstance(getattr(default, "takes_self", None), bool):
        return default
    return attrs.NOTHING if default.takes_self else default.factory()


def names(kind: Any) -> list[str]:
    """Return the names of the attributes."""
    return [field.name for field in attrs.fields(kind)]


def has_slots(kind: Any) -> bool:
    """Return whether its objects have no ``__dict__``."""
    return not hasattr(kind.__new__(kind), "__dict__")


def is_frozen(kind: Any) -> bool:
    """Return whether no attribute can be set at all, not even by SQLAlchemy."""
    try:
        kind.__new__(kind).frozen = None
    except AttributeError as error:  # or it has slots
        return isinstance(error, attrs.exceptions.FrozenInstanceError)
    return False


def can_change(kind: Any) -> bool:
    """Return whether an attribute of an object of this class can be set."""
    for name in names(kind):
        try:
            setattr(empty(kind), name, None)
        except attrs.exceptions.FrozenAttributeError:
            continue
        except Exception:  # noqa: BLE001  # a validator or a converter refuses None, so another value can be set
            return True
        return True
    return False


def inherits(kind: Any, options: dict[str, Any]) -> bool:
    """Return whether a class shares the mapping of another one."""
    return bool({"inherits", "polymorphic_on"} & options.keys()) or any(base in makers for base in kind.__mro__[1:])


def mappers() -> list[Any]:
    """Return the mappers of all classes that are mapped by now."""
    found: list[Any] = [inspect(kind, raiseerr=False) for kind in makers]
    return [mapper for mapper in found if mapper is not None]


def is_taken(table: Table) -> bool:
    """Return whether another class is mapped to a table."""
    return any(mapper.local_table is table for mapper in mappers())


# About columns.


def has_default(column: Column[Any]) -> bool:
    """Return whether a row gets a value where an insert gives none."""
    return column.default is not None or column.server_default is not None


def has_onupdate(column: Column[Any]) -> bool:
    """Return whether an update of a row writes more than what an object holds."""
    return column.onupdate is not None or column.server_onupdate is not None


def is_made_key(column: Column[Any]) -> bool:
    """Return whether SQLAlchemy or the database makes a key."""
    return column.primary_key and (column is column.table.autoincrement_column or has_default(column))


def keys(table: Table) -> list[str]:
    """Return the names of the columns of the primary key."""
    return [column.name for column in table.primary_key.columns]


def is_wrong_part_key(kind: Any, table: Table) -> bool:
    """Return whether the key of a part is neither its id nor a number that the database makes."""
    if set(keys(table)) & set(names(kind)):
        return keys(table) != ["id"]
    return len(keys(table)) != 1 or table.autoincrement_column is None


def is_needed(column: Column[Any], kind: Any) -> bool:
    """Return whether a row needs a value in this column, but neither the object nor the database has one."""
    given = column.nullable or column.primary_key or has_default(column)
    return not given and column.name not in names(kind)


def can_change_inside(kind: TypeEngine[Any]) -> bool:
    """Return whether a value of this type can be changed without setting the attribute."""
    if isinstance(kind, TypeDecorator) and not isinstance(kind, PickleType):
        return can_change_inside(kind.impl_instance)
    return isinstance(kind, JSON | PickleType | ARRAY) or not kind.hashable


def passes_by(key: ForeignKey) -> bool:
    """Return whether the database itself changes or deletes rows when the row that they refer to is removed."""
    return (key.ondelete or "RESTRICT").upper() not in ("RESTRICT", "NO ACTION")


def is_plain(prop: Any) -> bool:
    """Return whether a property is a column under its own name, read together with the others."""
    column = getattr(prop, "expression", None)
    return isinstance(column, Column) and prop.key == column.name and not getattr(prop, "deferred", False)


# About relationships.


def is_unmapped(option: Any, kind: Any) -> bool:
    """Return whether a relationship leads to a class that is not mapped yet."""
    target = option.argument
    return isinstance(target, type) and target is not kind and inspect(target, raiseerr=False) is None


def collection(relation: RelationshipProperty[Any]) -> Any:
    """Return an empty collection, as SQLAlchemy makes it; ``None`` for a single part."""
    if not relation.uselist:
        return None
    made: Any = relation.collection_class or list
    return made()


def position(relation: RelationshipProperty[Any]) -> str | None:
    """Return the name of the column in which an ordering_list numbers its parts."""
    made = collection(relation)
    return made.ordering_attr if isinstance(made, OrderingList) else None


def parts_table(relation: RelationshipProperty[Any]) -> Any:
    """Return the table of the parts."""
    return relation.mapper.local_table


def is_owned_twice(relation: RelationshipProperty[Any]) -> bool:
    """Return whether another relationship of any class holds the same parts."""
    others = [one for mapper in (relation.parent, *mappers()) for one in mapper.relationships if one is not relation]
    return any(one.mapper is relation.mapper for one in others)


def has_condition(relation: RelationshipProperty[Any]) -> bool:
    """Return whether the relationship joins by more than the foreign key."""
    return not and_(*[one == other for one, other in relation.local_remote_pairs or ()]).compare(relation.primaryjoin)


def holds_something_else(relation: RelationshipProperty[Any]) -> bool:
    """Return whether the class declares another kind of value than the relationship holds."""
    field, wanted = attrs.fields_dict(relation.parent.class_)[relation.key], collection(relation)
    if str(field.type).removeprefix("<class '").removeprefix("typing.").lower().startswith(("tuple", "frozenset")):
        return True
    if field.metadata.get("order_by") and not isinstance(wanted, list):
        return True
    made = default_of(field)
    if wanted is None:
        return made not in (attrs.NOTHING, None)
    return made is not attrs.NOTHING and not isinstance(made, list if isinstance(wanted, list) else set)


def has_order(relation: RelationshipProperty[Any]) -> bool:
    """Return whether a list has an order, which the class and the relationship declare alike."""
    if not isinstance(collection(relation), list):
        return True
    order = [getattr(one, "key", None) for one in relation.order_by or ()]
    said = list(attrs.fields_dict(relation.parent.class_)[relation.key].metadata.get("order_by", ()))
    if position(relation):
        return order == [position(relation)] and not said
    return order == said and bool(said) and set(said) <= set(names(relation.mapper.class_))


def order_columns(relation: RelationshipProperty[Any]) -> list[Column[Any]]:
    """Return the columns by whose values a list is sorted."""
    if not isinstance(collection(relation), list) or position(relation):
        return []
    return [parts_table(relation).c[one.key] for one in relation.order_by or ()]


def unique_names(relation: RelationshipProperty[Any]) -> list[set[str]]:
    """Return the names of the columns that are unique together, for each key and constraint of the parts."""
    table = parts_table(relation)
    constraints = [one for one in table.constraints if isinstance(one, UniqueConstraint | PrimaryKeyConstraint)]
    indexes = [one for one in table.indexes if one.unique and not one.dialect_kwargs]
    return [{column.name for column in one.columns} for one in (*constraints, *indexes)]


def has_ties(relation: RelationshipProperty[Any]) -> bool:
    """Return whether two parts of a parent can have the same place in the order."""
    order = {column.name for column in order_columns(relation)}
    given = order | {column.name for column in relation.remote_side}
    return bool(order) and not any(names <= given for names in unique_names(relation))


def other_columns(relation: RelationshipProperty[Any]) -> Iterator[Column[Any]]:
    """Yield the columns of the parts, except their foreign key to the parent and their position."""
    for column in parts_table(relation).columns:
        if column not in relation.remote_side and column.name != position(relation):
            yield column
