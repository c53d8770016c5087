"""Promises 4, 5, 8 and 10 for the parts of an aggregate: read whole, kept, moved, and given back."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from adapters.fake import session as fake_session
from adapters.fake import tracked as fake_tracked
from adapters.fake.database import FakeDatabase
from adapters.fake.session import FakeSession
from adapters.fake.writing import Writer
from adapters.sql import bulk as sql_bulk
from adapters.sql import mapping as sql_mapping
from adapters.sql import reading as sql_reading
from adapters.sql import savepoint as sql_savepoint
from adapters.sql import session as sql_session
from adapters.sql import unit_of_work as sql_unit_of_work
from adapters.sql.parts import note_root, parts_of
from adapters.sql.session import UnitSession
from domain.attributes import stored_names
from proof.planted_bugs.registry import around, bug, instead


@bug("sql")
def an_aggregate_is_of_two_versions() -> None:
    """A root is read with the parts of a later version, which another unit commits between the statements."""
    instead(sql_reading, "_are_current", lambda *_: True)


@bug("sql")
def an_aggregate_that_changes_while_it_is_read_is_refused_at_once() -> None:
    """It is not read again."""
    instead(sql_reading, "READ_AGAIN", 0)


@bug("sql")
def a_part_that_another_unit_has_moved_meanwhile_is_read_twice() -> None:
    """A part that is held as one of another root stands in both."""

    def own(roots: Any, _: Any) -> None:
        for root in roots:
            note_root(root)

    instead(sql_reading, "_own", own)


@bug("sql")
def aggregates_are_not_kept() -> None:
    """A list that was put in another order is stored only if the caller has kept its aggregate."""
    instead(UnitSession, "keep", lambda *_, **__: None)


@bug("sql")
def positions_are_not_numbered_anew() -> None:
    """A list that was sorted or reversed comes back in its old order."""
    instead(UnitSession, "renumber", lambda _: [])


@bug("sql")
def a_bulk_addition_does_not_number_positions() -> None:
    """A list that was put in another order before a bulk addition comes back in the old one."""
    instead(sql_bulk, "renumber", lambda _: False)


@bug("sql")
def a_swap_in_a_list_loses_a_part() -> None:
    """Of two parts that change their places by a tuple, one is taken for removed."""
    instead(sql_unit_of_work, "settle", lambda _: None)


@bug("sql")
def equal_parts_in_a_set_count_as_a_change_in_the_database() -> None:
    """An aggregate is written when equal parts have taken the place of those in a set."""
    instead(sql_unit_of_work, "keep_equal", lambda _: None)


@bug("fake")
def equal_parts_in_a_set_count_as_a_change_in_the_fake() -> None:
    """An aggregate is written when equal parts have taken the place of those in a set."""
    instead(fake_tracked, "_objects", lambda copy: {id(part.object) for part in copy.parts})


@bug("fake")
def other_parts_in_a_list_are_no_change_in_the_fake() -> None:
    """A part whose place another object of the same values has taken is still the one that is stored."""
    instead(fake_tracked, "_objects", lambda _: set())


@bug("sql")
def removed_parts_are_deleted_last_in_the_database() -> None:
    """A new part cannot have a unique value of one that is removed in the same unit."""
    instead(sql_unit_of_work, "hold_back", lambda *_: [])


@bug("fake")
def removed_parts_are_deleted_last_in_the_fake() -> None:
    """A new part cannot have a unique value of one that is removed in the same unit."""

    def write(original: Any, writer: Any, changes: Any) -> None:
        late: list[Any] = []
        with patch.object(writer, "_give_up", late.extend):
            original(writer, changes)
        writer._give_up(late)

    around(Writer, "write", write)


@bug("fake")
def values_of_parts_are_not_unique_in_the_fake() -> None:
    """Two parts can have one unique value."""
    instead(Writer, "_take", lambda *_: None)


@bug("fake")
def values_of_removed_parts_stay_taken_in_the_fake() -> None:
    """A unique value of a part that was removed can be taken by no other one."""
    instead(Writer, "_give_up", lambda *_: None)


@bug("sql")
def parts_of_ended_units_are_taken_in_the_database() -> None:
    """A part of an ended unit that is put into a live root is stored without its being read."""
    instead(sql_mapping, "object_session", lambda _: None)


@bug("fake")
def parts_of_ended_units_are_taken_in_the_fake() -> None:
    """A part of an ended unit that is put into a live root is stored without its being read."""
    instead(FakeDatabase, "knows_part", lambda *_: False)


@bug("sql")
def a_part_can_be_in_two_places_in_the_database() -> None:
    """A part that stands in two lists is stored in one of them."""
    instead(sql_unit_of_work, "check_parts", lambda _: None)


@bug("fake")
def a_part_can_be_in_two_places_in_the_fake() -> None:
    """A part that stands in two lists is stored in both of them."""
    instead(FakeSession, "_check_parts", lambda *_: None)
    instead(fake_session, "check_places", lambda *_: None)


@bug("sql")
def a_part_that_is_held_twice_is_no_change() -> None:
    """A part that is put into its list a second time is not refused."""
    instead(sql_session, "is_crowded", lambda _: False)


@bug("sql")
def an_aggregate_of_an_ended_unit_is_taken_for_stored() -> None:
    """What is added after its unit has ended is never inserted."""
    instead(sql_unit_of_work, "make_new", lambda *_: None)


@bug("sql")
def a_removed_part_cannot_be_added_again() -> None:
    """A part that was removed is taken for stored when the unit puts it into a root again."""
    instead(sql_unit_of_work, "make_parts_new", lambda _: None)


@bug("sql")
def an_undone_savepoint_does_not_read_parts_again_in_the_database() -> None:
    """After an undone savepoint, parts keep what they were given in it."""

    def read_again(original: Any, roots: Any, session: Any) -> None:
        roots = list(roots)
        values = [(part, _values(part)) for root in roots for part in parts_of(root)]
        original(roots, session)
        for part, before in values:
            vars(part).update(before)

    around(sql_savepoint, "read_again", read_again)


@bug("fake")
def an_undone_savepoint_does_not_read_parts_again_in_the_fake() -> None:
    """After an undone savepoint, parts keep what they were given in it."""

    def read_again(original: Any, session: Any, key: Any, one: Any) -> None:
        values = [(part.object, _values(part.object)) for part in one.stored.parts]
        original(session, key, one)
        for part, before in values:
            vars(part).update(before)

    around(FakeSession, "_read_again", read_again)


def _values(part: Any) -> dict[str, Any]:
    """Return the values of a part that are no parts."""
    found = {name: vars(part)[name] for name in stored_names(type(part)) if name in vars(part)}
    return {name: value for name, value in found.items() if not isinstance(value, list | set)}


@bug("fake")
def two_units_share_the_parts_that_they_read_in_the_fake() -> None:
    """Two units that read a row get the same objects for its parts."""
    shared: dict[int, tuple[Any, list[Any]]] = {}

    def fill(original: Any, root: Any, row: Any, parts: list[Any]) -> Any:
        _, objects = shared.setdefault(id(row), (row, []))
        copy = original(root, row, parts or objects)
        objects[:] = objects or [part.object for part in copy.parts]
        return copy

    around(fake_session, "fill", fill)


@bug("fake")
def the_fake_keeps_the_parts_that_it_was_given() -> None:
    """Who changes a part after its unit has ended changes what is stored."""
    live: dict[int, Any] = {}

    def copy_of(original: Any, root: Any) -> Any:
        copy = original(root)
        live[id(copy.row)] = copy
        return copy

    def fill(original: Any, root: Any, row: Any, parts: list[Any]) -> Any:
        copy = original(root, row, parts)
        if not parts and id(row) in live:
            for mine, given in zip(copy.parts, live[id(row)].parts, strict=True):
                vars(mine.object).update(_values(given.object))
        return copy

    around(fake_session, "copy_of", copy_of)
    around(fake_session, "fill", fill)
