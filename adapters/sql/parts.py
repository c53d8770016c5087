"""Walk the tree of an aggregate and its parts, and prepare it for a flush."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.ext.orderinglist import OrderingList
from sqlalchemy.orm import make_transient, object_session
from sqlalchemy.orm.attributes import set_attribute, set_committed_value

from adapters.sql.inheritance import set_class
from adapters.sql.value_objects import held_composites, spread
from domain.aggregate import empty, named
from domain.attributes import once_for_each_class
from domain.errors import UnitOfWorkMisuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Mapper, RelationshipProperty, Session

# Not in SQLAlchemy's ``info``: the session would keep that alive, with everything that a stream has read.
_PARTS = "_stored_parts"  # the key in the ``__dict__`` of a root that holds the parts it is stored with
_ROOT = "_root"  # the key in the ``__dict__`` of a part that holds its root


@once_for_each_class
def relations_of(kind: Any) -> tuple[str, ...]:
    """Return the names of the attributes that hold parts."""
    mapper: Mapper[Any] | None = inspect(kind, raiseerr=False)
    return () if mapper is None else tuple(mapper.relationships.keys())


@once_for_each_class
def _generated_key(kind: Any) -> str | None:
    """Return the name of the key attribute if the database makes the key."""
    mapper: Mapper[Any] = inspect(kind)
    key = mapper.primary_key[0]
    table: Any = mapper.local_table
    return mapper.get_property_by_column(key).key if key is table.autoincrement_column else None


def position_of(relation: RelationshipProperty[Any]) -> str | None:
    """Return the name of the column in which an ordering_list numbers its parts, if the relationship has one."""
    made: Any = relation.collection_class() if callable(relation.collection_class) else None
    return made.ordering_attr if isinstance(made, OrderingList) else None


def parts_of(one: Any) -> list[Any]:
    """Return the parts of an object at every level, each after its parent. A part that is held twice comes twice."""
    found: list[Any] = []
    _collect(one, found)
    return found


def _collect(one: Any, found: list[Any]) -> None:
    # Nested generators would take twice as long, and a flush walks over all parts many times.
    for name in relations_of(type(one)):
        for part in held_in(one, name):
            found.append(part)
            if relations_of(type(part)):
                _collect(part, found)


def graph_of(root: Any) -> list[Any]:
    """Return an aggregate and its parts."""
    return [root, *parts_of(root)]


def held_in(one: Any, name: str) -> Sequence[Any]:
    """Return the parts that an attribute holds."""
    value = vars(one).get(name)  # getattr would load what is not loaded yet
    if value is None:
        return ()
    return list(value) if isinstance(value, list | set) else (value,)


def deleted_of(one: Any) -> set[str]:
    """Return the names of the deleted attributes of an object."""
    unset = [name for name in inspect(type(one)).attrs.keys() if name not in vars(one)]  # noqa: SIM118  # no mapping
    value_objects = inspect(type(one)).composites.keys()
    return set(unset) - (inspect(one).unmodified - {*value_objects}) if unset else set()


def refuse_deleted(objects: Iterable[Any]) -> None:
    """Raise :class:`~domain.errors.UnitOfWorkMisuse` for an object with a deleted attribute."""
    for one in objects:
        for name in deleted_of(one):
            raise UnitOfWorkMisuse(f"the attribute {name} of {named(one)} was deleted: clear it, or set it to None")


def root_of(part: Any) -> Any:
    """Return the root with which a part was read or written, or ``None`` for a new part."""
    return vars(part).get(_ROOT)


def note_root(root: Any) -> None:
    """Note the parts of an aggregate in the root, and the root in each of them. Each part keeps the root alive."""
    parts = parts_of(root)
    vars(root)[_PARTS] = parts
    for part in parts:
        vars(part)[_ROOT] = root


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
    """Raise the same error for parts that are in two places of these aggregates."""
    seen: dict[int, Any] = {}
    for root in roots:
        for part in parts_of(root):
            if id(part) in seen:
                raise _in_two_places(part, seen[id(part)], root)
            seen[id(part)] = root


def _in_two_places(part: Any, one: Any, other: Any) -> UnitOfWorkMisuse:
    return UnitOfWorkMisuse(f"{named(part)} is in two places, of {named(one)} and of {named(other)}: make another part")


def make_new(root: Any, session: Session) -> None:
    """Make an aggregate of an ended unit of work new again, with its parts. Parts of this session move to it."""
    if inspect(root).key is not None:
        make_transient(root)
    spread(root)
    set_class(root)
    for part in parts_of(root):
        state = inspect(part)
        if object_session(part) is session and not state.deleted:
            continue
        if object_session(part) is not None:
            raise UnitOfWorkMisuse(
                f"{named(part)} belongs to another unit of work that is still open: end that one first"
            )
        _make_new_part(part)
    _hold_anew(root)


def make_parts_new(parts: Iterable[Any]) -> None:
    """Make parts new again that are no longer stored. Each gets its own parts anew."""
    parts = list(parts)
    for part in parts:
        _make_new_part(part)
    for part in parts:
        _hold_anew(part)


def _make_new_part(part: Any) -> None:
    """Make a part new again that was once stored. Drop a key that the database made."""
    state = inspect(part)
    if state.key is not None:
        make_transient(part)
    key = _generated_key(type(part))
    if key is not None:
        vars(part).pop(key, None)
    vars(part).pop(_ROOT, None)


def twin_of(one: Any) -> Any:
    """Return a new object with the same values and with twins of the parts."""
    kind = type(one)
    twin = empty(kind)
    for name in inspect(kind).column_attrs.keys():  # noqa: SIM118  # it is no mapping
        if name in vars(one) and name != _generated_key(kind):
            set_attribute(twin, name, vars(one)[name])
    set_class(twin)
    for name in held_composites(one):
        object.__setattr__(twin, name, vars(one)[name])
    for name in relations_of(kind):
        set_attribute(twin, name, _holding(vars(one).get(name), [twin_of(part) for part in held_in(one, name)]))
    return twin


def _hold_anew(one: Any) -> None:
    """Empty each relationship and fill it again, so SQLAlchemy counts all its parts as added."""
    for name in (name for name in relations_of(type(one)) if name in vars(one)):
        held, value = held_in(one, name), vars(one)[name]
        set_committed_value(one, name, _holding(value, ()))
        if held:
            set_attribute(one, name, _holding(value, held))
        for part in held:
            _hold_anew(part)


def _holding(like: Any, parts: Sequence[Any]) -> Any:
    """Return the parts as a list or a set if ``like`` is one. Otherwise return the single part or ``None``."""
    for kind in (list, set):
        if isinstance(like, kind):
            return kind(parts)
    return parts[0] if parts else None


def known_parts(root: Any) -> Sequence[Any]:
    """Return the parts that a root had when it was read or written."""
    known: Sequence[Any] = vars(root).get(_PARTS, ())
    return known
