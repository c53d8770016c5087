"""Promises 3 to 6 and 11: the identity map of a SQL unit of work."""

from __future__ import annotations

from typing import Any
from weakref import ref

from adapters.sql import unit_of_work as sql_unit_of_work
from adapters.sql.identity_map import _OWNER, IdentityMap, values_of
from tests.planted_bugs.registry import around, bug, instead


@bug("sql")
def a_changed_object_is_not_held() -> None:
    """What was changed is lost when the caller lets go of the object before the next write."""

    def before_change(objects: Any, aggregate: Any) -> None:
        if id(aggregate) not in objects._before and objects.holds(aggregate):
            objects._before[id(aggregate)] = ref(aggregate), values_of(aggregate)

    def changed(objects: Any) -> list[Any]:
        found = [(one, row) for reference, row in objects._before.values() if (one := reference()) is not None]
        return [one for one, row in found if values_of(one) != row]

    instead(IdentityMap, "before_change", before_change)
    instead(IdentityMap, "changed", changed)


@bug("sql")
def an_unchanged_object_is_held() -> None:
    """A stream holds all that it has read, until the unit ends."""
    held: list[Any] = []

    def made(original: Any, *args: Any) -> Any:
        found = original(*args)
        held.extend(found)
        return found

    around(IdentityMap, "made", made)


@bug("sql")
def references_to_what_is_gone_are_never_dropped() -> None:
    """Of each object that a stream has let go of, something stays in memory until the unit ends."""
    instead(IdentityMap, "_drop_the_dead", lambda *_: None)


@bug("sql")
def references_to_what_is_held_are_dropped() -> None:
    """After a query that finds many, one identity is more than one object: an older query's ones are forgotten."""
    instead(IdentityMap, "_drop_the_dead", lambda _, objects: objects.clear())


@bug("sql")
def an_object_that_was_read_is_not_watched() -> None:
    """A change of an object that a query has found is not noticed; only what the unit added or wrote is watched."""

    def made(original: Any, *args: Any) -> Any:
        found = original(*args)
        for one in found:
            vars(one)[_OWNER] = None
        return found

    around(IdentityMap, "made", made)


@bug("sql")
def an_object_that_was_added_is_not_watched() -> None:
    """A change of an object is not noticed after its addition; only what a query has found is watched."""

    def track(original: Any, objects: Any, aggregate: Any) -> None:
        original(objects, aggregate)
        vars(aggregate)[_OWNER] = None

    around(IdentityMap, "track", track)


@bug("sql")
def any_object_of_an_identity_is_held() -> None:
    """A copy of an object belongs to the unit of the object itself."""
    instead(IdentityMap, "holds", lambda objects, one: objects.get(type(one), one.id) is not None)


@bug("sql")
def an_object_of_a_unit_takes_the_unit_with_it() -> None:
    """An object that a unit has read or written cannot be pickled."""
    del IdentityMap.__reduce__


@bug("sql")
def an_object_of_an_ended_unit_belongs_to_it_for_ever() -> None:
    """What a unit had read or written can be added to no other one after its end."""
    instead(sql_unit_of_work, "is_owned_elsewhere", lambda aggregate, _: _OWNER in vars(aggregate))


@bug("sql")
def letting_go_of_an_object_drops_another_one_of_its_identity() -> None:
    """An object that is held again after an undone savepoint is dropped with the one that took its place there."""

    def forget(objects: Any, aggregate: Any) -> None:
        objects._objects[type(aggregate)].pop(aggregate.id.int, None)
        objects._before.pop(id(aggregate), None)

    instead(IdentityMap, "forget", forget)


@bug("sql")
def a_removed_object_that_was_changed_is_still_written() -> None:
    """An object that was changed after its removal is written by the commit, and is a conflict there."""

    def forget(original: Any, objects: Any, aggregate: Any) -> None:
        row = values_of(aggregate)
        original(objects, aggregate)
        objects._before[id(aggregate)] = aggregate, row

    around(IdentityMap, "forget", forget)
