"""Bugs in what attributes hold, in value objects, in inheritance, and in parts."""

from __future__ import annotations

from decimal import Context, Decimal
from functools import cache
from json import loads
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from attrs import fields

import adapters.fake.copies
import adapters.fake.database
import adapters.fake.session
import adapters.fake.tracked
import adapters.sql.bulk
import adapters.sql.mapping
import adapters.sql.parts
import adapters.sql.reading
import adapters.sql.savepoint
import adapters.sql.types
import adapters.sql.unit_of_work
import adapters.sql.value_objects
import domain.attributes
import domain.kinds
from adapters.fake.session import FakeSession
from adapters.fake.writing import Writer
from adapters.sql.parts import note_root, parts_of
from adapters.sql.session import UnitSession
from domain.aggregate import Aggregate, empty
from domain.attributes import stored_names
from proof.planted_bugs.registry import around, bug, instead


@bug("fake", "sql", line="attributes", caught_by="contract/test_attributes.py::test_what_cannot_be_stored_is_refused")
def a_decimal_is_rounded() -> None:
    """A ``Decimal`` with more places than its attribute has is rounded and not refused."""

    def exact(original: Any, digits: Any, places: Any) -> Any:
        stored = original(digits, places)
        if digits is None or places is None:
            return stored
        return lambda value: stored(
            Context(prec=60).quantize(value, Decimal(1).scaleb(-places))
            if isinstance(value, Decimal) and value.is_finite()
            else value
        )

    around(domain.kinds, "_exact", exact)


@bug("fake", "sql", line="attributes", caught_by="contract/test_attributes.py::test_a_value_comes_back")
def a_text_of_the_greatest_length_is_refused() -> None:
    """A text must be shorter than its greatest length."""

    def text(original: Any, kind: Any, limit: Any, value: Any) -> Any:
        return original(kind, limit if limit is None else limit - 1, value)

    around(domain.kinds, "_text", text)


@bug("sql", line="attributes", caught_by="contract/test_attributes.py::test_a_value_comes_back")
def a_time_is_stored_without_its_zone() -> None:
    """SQLite stores a point in time as the clock of its zone shows it."""
    instead(
        adapters.sql.types,
        "_as_text",
        lambda value: None if value is None else value.replace(tzinfo=None).isoformat(" ", "microseconds"),
    )


@bug("fake", line="attributes", caught_by="contract/test_attributes.py::test_json_is_shared_with_no_storage")
def equal_json_is_parsed_once() -> None:
    """All who read the same JSON from the fake share one dict or list."""
    instead(adapters.fake.copies, "json", SimpleNamespace(loads=cache(loads)))


@bug(
    "fake", "sql", line="attributes", caught_by="contract/test_unstored.py::test_each_object_gets_a_default_of_its_own"
)
def what_is_not_stored_is_shared() -> None:
    """All objects that are read share the default of an attribute that is not stored."""
    instead(domain.attributes, "default_of", cache(domain.attributes.default_of))


@bug("sql", line="value objects", caught_by="contract/test_composites.py::test_value_objects_are_stored")
def no_value_object_is_one_of_nones() -> None:
    """``None`` is read as a value object whose attributes are ``None``."""

    def made(kind: Any, *values: Any) -> Any:
        one = empty(kind)
        for name, value in zip(stored_names(kind), values, strict=True):
            object.__setattr__(one, name, value)
        return one

    instead(adapters.sql.value_objects, "_made", made)


@bug("sql", line="value objects", caught_by="contract/test_composites.py::test_a_copy_has_the_value_objects")
def a_copy_loses_its_value_objects() -> None:
    """A copy of an aggregate is stored without its value objects."""
    instead(adapters.sql.parts, "spread", lambda _: None)


@bug("fake", line="inheritance", caught_by="contract/test_inheritance.py::test_objects_of_subclasses_are_stored")
def a_subclass_is_read_as_its_base() -> None:
    """An object of a subclass is read from the fake as one of the class of its repository."""
    instead(adapters.fake.session, "empty", lambda kind: empty(domain.aggregate.base_of(kind)))


@bug("fake", line="inheritance", caught_by="contract/test_inheritance.py::test_objects_of_subclasses_are_stored")
def a_subclass_has_ids_of_its_own() -> None:
    """Objects of two subclasses can have the same id on the fake."""
    instead(adapters.fake.database, "base_of", lambda kind: kind)


@bug("sql", line="inheritance", caught_by="contract/test_inheritance.py::test_a_copy_is_of_the_same_subclass")
def a_bulk_forgets_the_class() -> None:
    """A bulk does not store of which class an object is."""
    instead(adapters.sql.parts, "set_class", lambda _: None)


@bug(
    "fake", "sql", line="parts", caught_by="contract/test_parts_versions.py::test_a_change_that_was_taken_back_is_none"
)
def an_equal_part_is_a_change() -> None:
    """Replacing a part of a set by an equal one raises the version."""
    instead(adapters.fake.tracked, "_objects", lambda copy: {id(part.object) for part in copy.parts})
    instead(adapters.sql.unit_of_work, "keep_equal", lambda _: None)


@bug(
    "fake",
    line="parts",
    caught_by="contract/test_parts_order.py::test_an_attribute_orders_a_list",
)
def a_list_is_read_as_it_was_left() -> None:
    """A list that attributes of its parts order is read from the fake as it was left."""
    instead(adapters.fake.copies, "sort_keys", lambda _: {})


@bug("sql", line="parts", caught_by="contract/test_parts_order.py::test_an_order_is_stored_without_its_root")
def positions_are_not_numbered_again() -> None:
    """A list that was sorted or reversed comes back in its old order."""
    instead(UnitSession, "renumber", lambda _: [])


@bug("sql", line="parts", caught_by="contract/test_parts_order.py::test_a_list_keeps_its_order_through_writes")
def a_swap_in_a_list_loses_a_part() -> None:
    """Of two parts that are swapped by a tuple, one counts as removed."""
    instead(adapters.sql.unit_of_work, "settle", lambda _: None)


@bug("fake", "sql", line="parts", caught_by="contract/test_parts_moved.py::test_a_part_stands_in_one_place_alone")
def a_part_can_be_in_two_places() -> None:
    """A part that is in two lists is not refused."""
    instead(adapters.sql.unit_of_work, "check_parts", lambda _: None)
    instead(FakeSession, "_check_parts", lambda *_: None)
    instead(adapters.fake.session, "check_places", lambda *_: None)


@bug(
    "sql",
    line="parts",
    caught_by="contract/test_parts_read_whole.py::test_a_part_moved_by_another_unit_conflicts",
)
def a_part_that_has_moved_is_read_twice() -> None:
    """A part that the unit holds, and that another unit has moved, is in two aggregates."""

    def own(roots: Any, _: Any) -> None:
        for root in roots:
            note_root(root)

    instead(adapters.sql.reading, "_own", own)


@bug(
    "sql",
    promise=8,
    caught_by="contract/test_parts_read_whole.py::test_an_interrupted_read_is_made_again",
)
def an_aggregate_is_of_two_versions() -> None:
    """A root is read with the parts of a later version, which another unit commits between the statements."""
    instead(adapters.sql.reading, "_are_current", lambda *_: True)


@bug(
    "fake",
    "sql",
    promise=9,
    caught_by="contract/test_parts_values_given_up.py::test_a_value_given_up_by_a_part_can_be_taken",
)
def removed_parts_are_deleted_last() -> None:
    """A new part cannot take a unique value of one that is removed in the same unit."""

    def write(original: Any, writer: Any, changes: Any) -> None:
        late: list[Any] = []
        with patch.object(writer, "_give_up", late.extend):
            original(writer, changes)
        writer._give_up(late)

    around(Writer, "write", write)
    instead(adapters.sql.unit_of_work, "hold_back", lambda *_: [])


@bug(
    "fake",
    "sql",
    promise=10,
    caught_by="contract/test_parts_undone.py::test_an_undone_savepoint_restores_parts",
)
def an_undone_savepoint_does_not_read_parts_again() -> None:
    """After an undone savepoint, parts keep the values from inside it."""

    def read_again(original: Any, roots: Any, session: Any) -> None:
        roots = list(roots)
        values = [(part, _values(part)) for root in roots for part in parts_of(root)]
        original(roots, session)
        for part, before in values:
            vars(part).update(before)

    def read_again_on_fake(original: Any, session: Any, key: Any, one: Any) -> None:
        values = [(part.object, _values(part.object)) for part in one.stored.parts]
        original(session, key, one)
        for part, before in values:
            vars(part).update(before)

    around(adapters.sql.savepoint, "read_again", read_again)
    around(FakeSession, "_read_again", read_again_on_fake)


def _values(part: Any) -> dict[str, Any]:
    """Return the plain values of a part."""
    held = {field.name: getattr(part, field.name) for field in fields(type(part))}
    return {name: value for name, value in held.items() if not isinstance(value, list | set)}


@bug(
    "fake",
    "sql",
    line="attributes",
    caught_by="contract/test_parts_refused.py::test_what_a_part_cannot_hold_is_refused",
)
def limits_of_parts_are_not_checked() -> None:
    """A part may hold a text that is too long for its attribute."""

    def check(original: Any, one: Any) -> None:
        if isinstance(one, Aggregate):
            original(one)

    around(adapters.fake.copies, "check_values", check)
    around(adapters.sql.unit_of_work, "check_values", check)
