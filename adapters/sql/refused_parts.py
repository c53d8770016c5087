"""Refuse mappings of relationships, in one table, as in adapters/sql/refused.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from attrs import fields_dict
from sqlalchemy import Column, Enum, PrimaryKeyConstraint, UniqueConstraint, and_
from sqlalchemy.orm import MANYTOONE

from adapters.sql.parts import position_of
from adapters.sql.refused import FROZEN, Rows, can_change, is_needed, mappers, passes_by, refuse
from domain.aggregate import Aggregate
from domain.attributes import default_of, order_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Mapper, RelationshipProperty

_CASCADES = {"save-update", "merge", "expunge", "refresh-expire", "delete", "delete-orphan"}


def refuse_relationships(mapper: Mapper[Any]) -> None:
    """Raise ``ValueError`` for a relationship of a mapped class that could not be kept alike."""
    for relation in mapper.relationships:
        refuse(f"{mapper.class_.__name__}.{relation.key}", RELATIONSHIPS, relation)


def _collection(relation: RelationshipProperty[Any]) -> Any:
    """Return an empty collection as SQLAlchemy makes it, or ``None`` for a single part."""
    if not relation.uselist:
        return None
    made: Any = relation.collection_class or list
    return made()


def _parts_table(relation: RelationshipProperty[Any]) -> Any:
    """Return the table of the parts."""
    return relation.mapper.local_table


def _is_owned_twice(relation: RelationshipProperty[Any]) -> bool:
    """Return whether another relationship of any class holds the same parts."""
    others = [one for mapper in (relation.parent, *mappers()) for one in mapper.relationships if one is not relation]
    return any(one.mapper is relation.mapper for one in others)


def _has_condition(relation: RelationshipProperty[Any]) -> bool:
    """Return whether the relationship joins by more than the foreign key."""
    return not and_(*[one == other for one, other in relation.local_remote_pairs or ()]).compare(relation.primaryjoin)


def _holds_something_else(relation: RelationshipProperty[Any]) -> bool:
    """Return whether the class declares another kind of value than the relationship holds."""
    field, wanted = fields_dict(relation.parent.class_)[relation.key], _collection(relation)
    if str(field.type).removeprefix("<class '").removeprefix("typing.").lower().startswith(("tuple", "frozenset")):
        return True
    if order_of(field) and not isinstance(wanted, list):
        return True
    made = default_of(field)
    if wanted is None:
        return made not in (attrs.NOTHING, None)
    return made is not attrs.NOTHING and not isinstance(made, list if isinstance(wanted, list) else set)


def _has_order(relation: RelationshipProperty[Any]) -> bool:
    """Return whether a list has an order that the class and the relationship declare alike."""
    if not isinstance(_collection(relation), list):
        return True
    order = [getattr(one, "key", None) for one in relation.order_by or ()]
    said = list(order_of(fields_dict(relation.parent.class_)[relation.key]))
    if position_of(relation):
        return order == [position_of(relation)] and not said
    return order == said and bool(said) and set(said) <= set(fields_dict(relation.mapper.class_))


def _order_columns(relation: RelationshipProperty[Any]) -> list[Column[Any]]:
    """Return the columns by which a list is sorted."""
    if not isinstance(_collection(relation), list) or position_of(relation):
        return []
    return [_parts_table(relation).c[one.key] for one in relation.order_by or ()]


def _unique_names(relation: RelationshipProperty[Any]) -> list[set[str]]:
    """Return the names of the columns that are unique together, for each key and constraint of the parts."""
    table = _parts_table(relation)
    constraints = [one for one in table.constraints if isinstance(one, UniqueConstraint | PrimaryKeyConstraint)]
    indexes = [one for one in table.indexes if one.unique and not one.dialect_kwargs]
    return [{column.name for column in one.columns} for one in (*constraints, *indexes)]


def _has_ties(relation: RelationshipProperty[Any]) -> bool:
    """Return whether two parts of a parent can have the same place in the order."""
    order = {column.name for column in _order_columns(relation)}
    given = order | {column.name for column in relation.remote_side}
    return bool(order) and not any(names <= given for names in _unique_names(relation))


def _other_columns(relation: RelationshipProperty[Any]) -> Iterator[Column[Any]]:
    """Yield the columns of the parts, except their foreign key to the parent and their position."""
    for column in _parts_table(relation).columns:
        if column not in relation.remote_side and column.name != position_of(relation):
            yield column


RELATIONSHIPS: Rows = (
    (
        lambda one: one.secondary is not None,
        "many-to-many would share a part: hold the other's id, or give the part's table a foreign key to its parent",
    ),
    (
        lambda one: issubclass(one.mapper.class_, Aggregate),
        "it leads to an aggregate, which is read and changed by itself: hold its id instead",
    ),
    (lambda one: one.direction is MANYTOONE, "a part does not lead to its parent: remove this relationship"),
    (
        lambda one: one.mapper is one.parent,
        "parts of its own class would not all be read: let the root hold them, each with the id of the one above",
    ),
    (lambda one: one.viewonly, "it would not be written: remove viewonly, or read it by a query"),
    (lambda one: one.post_update, "its parts would be written without their parent: remove post_update"),
    (
        lambda one: not _CASCADES.issubset(one.cascade),
        'parts live and die with their parent: write cascade="all, delete-orphan"',
    ),
    (
        lambda one: one.lazy != "selectin",
        'it would be read after the unit of work has ended, or many times over: write lazy="selectin"',
    ),
    (_is_owned_twice, "another relationship holds parts of this class: give each its own class and table"),
    (
        lambda one: one.local_columns != {*one.parent.primary_key},
        "its foreign key would refer to what can change: refer to the primary key of the parent",
    ),
    (_has_condition, "a part that does not meet its condition would be stored, but not read: leave out primaryjoin"),
    (
        lambda one: not isinstance(_collection(one), list | set | None),
        "parts are held by a list or a set: leave out collection_class, or write set or ordering_list(...)",
    ),
    (
        _holds_something_else,
        "the class has another kind of value for it: declare a list, a set for collection_class=set, or None for one",
    ),
    (
        lambda one: not _has_order(one),
        (
            'say its order, by order_by=table.c.a here and field(metadata={"order_by": ("a",)}); or number the parts'
            ' in a column that their class does not have, by order_by=table.c.a, collection_class=ordering_list("a")'
        ),
    ),
    (
        lambda one: any(column.nullable or isinstance(column.type, Enum) for column in _order_columns(one)),
        "None and enums are sorted in different ways: order by columns that have neither",
    ),
    (_has_ties, "two parts may come in any order: order by the id of the part last"),
    (
        lambda one: position_of(one) in fields_dict(one.mapper.class_),
        "an ordering_list numbers its parts: remove the attribute of that name from their class",
    ),
    (
        lambda one: any(position_of(one) in columns for columns in _unique_names(one)),
        "the numbers of an ordering_list change one row after another: leave them out of the unique constraint",
    ),
    (
        lambda one: any(key.name in fields_dict(one.mapper.class_) for key in one.remote_side),
        "the relationship writes the foreign key: remove the attribute of that name from the class of its parts",
    ),
    (
        lambda one: any(columns <= {key.name for key in one.remote_side} for columns in _unique_names(one)),
        "a part may move in before the old one is deleted: do not make the foreign key alone unique",
    ),
    (
        lambda one: isinstance(_collection(one), set) and can_change(one.mapper.class_),
        f"a set holds parts that cannot change: write {FROZEN}, or use a list",
    ),
    (
        lambda one: _collection(one) is None and one.mapper.class_.__hash__ is not object.__hash__,
        "a single part that compares by its values would be a value: write @define(slots=False, eq=False)",
    ),
    (
        lambda one: any(is_needed(column, one.mapper.class_) for column in _other_columns(one)),
        "a column of its parts has no attribute: add one, or a server_default, or nullable=True",
    ),
    (
        lambda one: any(passes_by(key) for column in _other_columns(one) for key in column.foreign_keys),
        "ondelete would remove a part without a new version: leave it out where parts refer to others",
    ),
)
"""About a relationship that is set up."""
