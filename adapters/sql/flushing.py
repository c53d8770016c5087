"""Prepare a session for a flush: show SQLAlchemy the place of each part."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.ext.orderinglist import OrderingList
from sqlalchemy.orm.attributes import set_attribute

from adapters.sql.parts import held_in, known_parts, parts_of, position_of, refuse_deleted, relations_of, root_of
from domain.aggregate import Aggregate
from domain.attributes import once_for_each_class

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy.orm import Mapper, Session


def is_crowded(one: Any) -> bool:
    """Return whether an object holds a part twice. SQLAlchemy does not see that as a change."""
    parts = [id(part) for name in relations_of(type(one)) for part in held_in(one, name)]
    return len(set(parts)) < len(parts)


def settle(session: Session) -> None:
    """Show SQLAlchemy exactly which parts have a place, before it flushes what was touched.

    SQLAlchemy follows each part by the last parent that it was put into or taken out of. It loses a part that is
    swapped within a list, shared with a copy of its root, or removed by an equal one. It would then delete a part that
    has a place, keep one without a place, or insert one that stands nowhere.
    """
    touched = {id(root): root for root in map(_root_or_self, (*session.new, *session.dirty)) if root is not None}
    placed = {id(part): part for root in touched.values() for part in parts_of(root)}
    refuse_deleted([*touched.values(), *placed.values()])
    gone = [part for root in touched.values() for part in known_parts(root) if id(part) not in placed]
    for one in gone:  # deleting it would also delete the parts that it handed over
        for name in relations_of(type(one)):
            handed_over = [part for part in held_in(one, name) if id(part) in placed]
            if handed_over:
                _clear_parents(handed_over)
                _refill(one, name, [part for part in held_in(one, name) if id(part) not in placed])
    holders = [one for one in [*touched.values(), *placed.values()] if relations_of(type(one))]
    unsettled = [(one, name) for one in holders for name in relations_of(type(one)) if not _is_settled(one, name)]
    for one, name in unsettled:
        _clear_parents(held_in(one, name))
    for one, name in unsettled:
        parts = held_in(one, name)
        _refill(one, name, [])
        _refill(one, name, parts)
    while strays := [one for one in session.new if id(one) not in placed and not isinstance(one, Aggregate)]:
        session.expunge(strays[0])  # with its own parts


def _clear_parents(parts: Iterable[Any]) -> None:
    for part in parts:
        inspect(part).parents.clear()


def _is_settled(one: Any, name: str) -> bool:
    """Return whether SQLAlchemy sees an attribute as unchanged and knows no other parent of the parts in it.

    This check takes a tenth of the time of filling the attribute again.
    """
    state, parts = inspect(one), held_in(one, name)
    if not all(parent is state for part in parts for parent in inspect(part).parents.values()):
        return False
    return not parts or not state.attrs[name].history.has_changes()


def mark_removed(roots: Iterable[Any], session: Session) -> None:
    """Mark parts as deleted that their roots had when they were read or written, and that have no place now."""
    roots = list(roots)
    placed = {id(part) for root in roots for part in parts_of(root)}
    for root in roots:
        for part in known_parts(root):
            if id(part) not in placed and root_of(part) is root and inspect(part).persistent and part in session:
                session.delete(part)


def _root_or_self(one: Any) -> Any:
    return one if isinstance(one, Aggregate) else root_of(one)


def hold_back(roots: Iterable[Any], session: Session) -> list[tuple[Any, str, list[Any]]]:
    """Take new parts out of their collections, so that changes and removals can be flushed before them.

    One flush would insert first. A part that moved into a new part is deleted at its old place and becomes new. Returns
    the arguments of :func:`put_back`: an empty list if no part is new.
    """
    new = session.new  # each call builds a set, and loses the parts that are held back
    parents = [one for root in roots if root not in new for one in (root, *parts_of(root))]
    if not any(one in new for one in parents):
        return []
    held = []
    for one in reversed(parents):  # first the parts inside a new part: they would leave the session together with it
        for name in relations_of(type(one)):
            parts = held_in(one, name)
            kept = [part for part in parts if one not in new and part not in new]
            if len(kept) < len(parts):
                held.append((one, name, list(parts)))
                _refill(one, name, kept)
    return held


def put_back(held: list[tuple[Any, str, list[Any]]]) -> None:
    """Put back the parts that were held back."""
    for one, name, parts in reversed(held):
        _refill(one, name, parts)


def _refill(one: Any, name: str, parts: Sequence[Any]) -> None:
    held = vars(one)[name]
    if isinstance(held, set):
        held.intersection_update(parts)
        held.update(parts)
    elif isinstance(held, list):
        held.clear()
        held.extend(parts)
    else:
        set_attribute(one, name, parts[0] if parts else None)


def keep_equal(parents: Collection[Any]) -> None:
    """Put parts back into sets where an equal one has taken their place. That is not a change."""
    changes = [
        (vars(one)[name], inspect(one).attrs[name].history)
        for one in parents
        for name in relations_of(type(one))
        if isinstance(vars(one).get(name), set)
    ]
    moved = {id(part) for _, history in changes for part in history.added}
    for collection, history in changes:
        for part in history.deleted:
            equal = next((one for one in history.added if one == part), None)
            if equal is not None and id(part) not in moved:
                collection.remove(equal)
                collection.add(part)


def renumber(one: Any) -> bool:
    """Set the positions of all parts that a list numbers, and return whether any has changed."""
    changed = False
    for name in relations_of(type(one)):
        collection = vars(one).get(name)
        if isinstance(collection, OrderingList):
            numbers = [getattr(part, collection.ordering_attr) for part in collection]
            if None in numbers or any(one >= following for one, following in pairwise(numbers)):
                collection.reorder()
                changed = True
        for part in held_in(one, name):
            changed |= renumber(part)
    return changed


@once_for_each_class
def has_positions(kind: Any) -> bool:
    """Return whether a class or its parts have a list that numbers its parts."""
    mapper: Mapper[Any] = inspect(kind)
    return any(position_of(one) or has_positions(one.mapper.class_) for one in mapper.relationships)
