"""An aggregate and its parts: walking the tree that relationships make of them, and preparing it for a flush."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import inspect
from sqlalchemy.ext.orderinglist import OrderingList
from sqlalchemy.orm import make_transient, object_session
from sqlalchemy.orm.attributes import set_attribute, set_committed_value

from adapters.sql.questions import position
from domain.aggregate import Aggregate, empty, named
from domain.errors import UnitOfWorkMisuse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from sqlalchemy.orm import Mapper, Session

R = TypeVar("R")

_PARTS = "parts"  # the key in SQLAlchemy's ``info`` of a root that holds the parts it is stored with
_ROOT = "root"  # the key in SQLAlchemy's ``info`` of a part that holds its root


def once_for_each_class(function: Callable[[Any], R]) -> Callable[[Any], R]:
    """Cache what a function returns for each class."""
    return cache(function)  # in this disguise, because mypy takes no class for hashable


@once_for_each_class
def relations_of(kind: Any) -> tuple[str, ...]:
    """Return the names of the attributes that hold parts."""
    mapper: Mapper[Any] | None = inspect(kind, raiseerr=False)
    return () if mapper is None else tuple(mapper.relationships.keys())


@once_for_each_class
def _generated_key(kind: Any) -> str | None:
    """Return the attribute for the key if the database makes it."""
    mapper: Mapper[Any] = inspect(kind)
    key = mapper.primary_key[0]
    table: Any = mapper.local_table
    return mapper.get_property_by_column(key).key if key is table.autoincrement_column else None


def parts_of(one: Any) -> Iterator[Any]:
    """Yield the parts of an object at every level, each after its parent; a part that is held twice comes twice."""
    for name in relations_of(type(one)):
        for part in _held(one, name):
            yield part
            yield from parts_of(part)


def _held(one: Any, name: str) -> tuple[Any, ...]:
    value = vars(one).get(name)  # not by getattr, which would load what is not loaded yet
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | set) else (value,)


def root_of(part: Any) -> Any:
    """Return the root with which a part was read or written; ``None`` for a new part."""
    return inspect(part).info.get(_ROOT)


def note_root(root: Any) -> None:
    """Note the parts of an aggregate in the root, and the root in each of them, which keeps it alive."""
    parts = list(parts_of(root))
    inspect(root).info[_PARTS] = parts
    for part in parts:
        inspect(part).info[_ROOT] = root


def check_parts(roots: Iterable[Any]) -> None:
    """Raise :class:`~domain.errors.UnitOfWorkMisuse` for parts that are in two places of live aggregates."""
    roots = list(roots)
    check_places(roots)
    for root in roots:
        for part in parts_of(root):
            before = root_of(part)
            if before not in (None, root) and any(one is part for one in parts_of(before)):
                raise _in_two_places(part, before, root)


def check_places(roots: Iterable[Any]) -> None:
    """Raise the same error for parts that are in two places of some aggregates."""
    seen: dict[int, Any] = {}
    for root in roots:
        for part in parts_of(root):
            if id(part) in seen:
                raise _in_two_places(part, seen[id(part)], root)
            seen[id(part)] = root


def _in_two_places(part: Any, one: Any, other: Any) -> UnitOfWorkMisuse:
    return UnitOfWorkMisuse(f"{named(part)} is in two places, of {named(one)} and of {named(other)}: make another part")


def make_new(root: Any, session: Session) -> None:
    """Make an aggregate of an ended unit of work new again, with its parts; those of this session move to it."""
    if inspect(root).key is not None:
        make_transient(root)
    for part in parts_of(root):
        state = inspect(part)
        if object_session(part) is session and not state.deleted:
            continue
        if object_session(part) is not None:
            raise UnitOfWorkMisuse(
                f"{named(part)} belongs to another unit of work that is still open: end that one first"
            )
        make_new_part(part)
    _hold_anew(root)


def make_parts_new(parts: Iterable[Any]) -> None:
    """Make parts new again that are no longer stored; each holds its own parts anew."""
    parts = list(parts)
    for part in parts:
        make_new_part(part)
    for part in parts:
        _hold_anew(part)


def make_new_part(part: Any) -> None:
    """Make a part that was once stored new again; a key that the database has made is dropped."""
    state = inspect(part)
    if state.key is not None:
        make_transient(part)
    key = _generated_key(type(part))
    if key is not None:
        vars(part).pop(key, None)
    state.info.pop(_ROOT, None)


def twin_of(one: Any) -> Any:
    """Return a new object with the same values, and with twins of the parts."""
    kind = type(one)
    twin = empty(kind)
    for name in inspect(kind).column_attrs.keys():  # noqa: SIM118  # it is no mapping
        if name in vars(one) and name != _generated_key(kind):
            set_attribute(twin, name, vars(one)[name])
    for name in relations_of(kind):
        set_attribute(twin, name, _holding(vars(one).get(name), [twin_of(part) for part in _held(one, name)]))
    return twin


def _hold_anew(one: Any) -> None:
    """Empty each relationship and fill it again, so that SQLAlchemy takes all its parts for added."""
    for name in relations_of(type(one)):
        held, value = _held(one, name), vars(one).get(name)
        set_committed_value(one, name, _holding(value, ()))
        if held:
            set_attribute(one, name, _holding(value, held))
        for part in held:
            _hold_anew(part)


def _holding(like: Any, parts: Sequence[Any]) -> Any:
    """Return the parts in a list or a set if ``like`` is one; otherwise the single part, or ``None``."""
    for kind in (list, set):
        if isinstance(like, kind):
            return kind(parts)
    return parts[0] if parts else None


def is_crowded(one: Any) -> bool:
    """Return whether an object holds a part twice, which SQLAlchemy does not take for a change."""
    parts = [id(part) for name in relations_of(type(one)) for part in _held(one, name)]
    return len(set(parts)) < len(parts)


def settle(session: Session) -> None:
    """Let SQLAlchemy know exactly which parts have a place, before it flushes what was touched.

    It follows each part by the last parent that it was put into or taken out of. So it loses sight of a part that is
    swapped within a list, shared with a copy of its root, or removed by an equal one: it would delete a part that has
    a place, keep one that has none, or insert one that stands nowhere.
    """
    touched = {id(root): root for root in map(_root_or_self, (*session.new, *session.dirty)) if root is not None}
    placed = {id(part): part for root in touched.values() for part in parts_of(root)}
    for part in placed.values():
        state = inspect(part, raiseerr=False)
        if state is None:
            raise UnitOfWorkMisuse(f"{part!r} stands where a part belongs: remove it, or put a part there")
        state.parents.clear()
    for one in [*touched.values(), *placed.values()]:
        for name in relations_of(type(one)):
            parts = _held(one, name)
            if parts:
                _refill(one, name, [])
                _refill(one, name, parts)
    for part in [one for one in session.new if id(one) not in placed and not isinstance(one, Aggregate)]:
        if part in session:  # and has not gone with its parent
            session.expunge(part)


def mark_removed(roots: Iterable[Any], session: Session) -> None:
    """Mark the parts as deleted that their roots had when they were read or written, and that have no place now."""
    roots = list(roots)
    placed = {id(part): part for root in roots for part in parts_of(root)}
    for root in roots:
        for part in inspect(root).info.get(_PARTS, ()):
            if id(part) not in placed and root_of(part) is root and inspect(part).persistent and part in session:
                session.delete(part)
    for part in placed.values():
        if part in session.deleted:  # with a parent that still refers to it
            session.add(part)


def _root_or_self(one: Any) -> Any:
    return one if isinstance(one, Aggregate) else root_of(one)


def hold_back(roots: Iterable[Any], session: Session) -> list[tuple[Any, str, list[Any]]]:
    """Take new parts out of their collections, so that what was changed and removed can be flushed before them.

    One flush would insert first. What was moved into a new part is deleted at its old place, and becomes new itself.
    Return what :func:`put_back` needs: an empty list if no part is new, or no other part was changed or removed.
    """
    stored_roots = [root for root in roots if root not in session.new]
    parents = [one for root in stored_roots for one in (root, *parts_of(root))]
    if not any(part in session.new for one in parents for part in parts_of(one)):
        return []
    if not any(one not in stored_roots or _has_lost_parts(one) for one in session.dirty):
        return []
    held = []
    for one in reversed(parents):  # the parts inside a new part first: they would leave the session together with it
        for name in relations_of(type(one)):
            parts = _held(one, name)
            kept = [part for part in parts if one not in session.new and part not in session.new]
            if len(kept) < len(parts):
                held.append((one, name, list(parts)))
                _refill(one, name, kept)
    return held


def _has_lost_parts(one: Any) -> bool:
    return any(inspect(one).attrs[name].history.deleted for name in relations_of(type(one)))


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
    """Put parts back into sets where an equal one has taken their place: that counts as no change."""
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
    """Set the positions of all parts that a list numbers; return whether any has changed."""
    changed = False
    for name in relations_of(type(one)):
        collection = vars(one).get(name)
        if isinstance(collection, OrderingList):
            numbers = [getattr(part, collection.ordering_attr) for part in collection]
            if None in numbers or any(one >= following for one, following in pairwise(numbers)):
                collection.reorder()
                changed = True
        for part in _held(one, name):
            changed |= renumber(part)
    return changed


@once_for_each_class
def has_positions(kind: Any) -> bool:
    """Return whether a class or its parts have a list that numbers its parts."""
    mapper: Mapper[Any] = inspect(kind)
    return any(position(one) or has_positions(one.mapper.class_) for one in mapper.relationships)
