"""Bugs in what a port declares: ids, unique values, references, and the constraints of the tables."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from attrs import evolve
from sqlalchemy import UniqueConstraint

import adapters.fake.constraints
import adapters.sql.bulk
import adapters.sql.constraints
import adapters.sql.declared
import adapters.sql.errors
import adapters.sql.refused
import domain.keys
import domain.repository
from adapters.fake.constraints import Constraints
from adapters.fake.session import FakeSession
from adapters.fake.writing import Writer
from domain.constraints import Unique
from domain.errors import DuplicateIdentity, ReferenceMissing, ValueTaken
from proof.planted_bugs.registry import around, bug, instead
from service_layer.guard import State
from service_layer.unit_of_work import UnitOfWork


@bug(
    "fake",
    promise=7,
    caught_by="contract/test_unique_values.py::test_a_bulk_with_a_taken_value_is_refused",
)
def a_bulk_names_a_value() -> None:
    """The error of a bulk on the fake names the value, which no database can say."""

    def insert(original: Any, self: Any, aggregates: Any) -> None:
        try:
            original(self, aggregates)
        except (DuplicateIdentity, ReferenceMissing, ValueTaken) as error:
            raise error.__cause__ or error from None

    around(FakeSession, "insert_many", insert)


@bug(
    "fake",
    "sql",
    promise=7,
    caught_by="contract/test_unique_values.py::test_a_row_is_refused_for_its_first_reason",
)
def the_last_broken_constraint_counts() -> None:
    """If a row breaks several constraints, the error is that of the last one in the port."""
    around(Constraints, "_claims", lambda original, *args: reversed([*original(*args)]))
    around(adapters.sql.constraints, "constraints_of", lambda original, table: original(table)[::-1])


@bug(
    "fake",
    promise=7,
    caught_by="contract/test_races_for_values.py::test_a_given_up_value_is_locked_until_commit",
)
def a_unique_value_is_not_locked() -> None:
    """Two units of the fake that race for a unique value both get it."""

    def claim(self: Any, key: Any, taken: Any) -> None:
        if self._rows.holder(key) is not None:
            raise taken()

    instead(Constraints, "_claim", claim)


@bug("fake", line="unique values", caught_by="contract/test_unique_kinds.py::test_none_clashes_with_nothing")
def one_none_is_not_enough() -> None:
    """Unique values of several attributes clash on the fake unless all of them are ``None``."""

    def values(self: Any, one: Any) -> Any:
        found = tuple(getattr(one, name) for name in self.names)
        return found if self.is_about(one) and any(value is not None for value in found) else None

    instead(Unique, "values", values)


@bug("fake", line="unique values", caught_by="contract/test_unique_kinds.py::test_the_row_that_failed_is_named")
def parts_of_different_roots_clash() -> None:
    """Values that are unique among the parts of one root clash with those of every root."""

    def declare(original: Any, self: Any, kind: Any, unique: Any, references: Any) -> None:
        original(self, kind, unique, references)
        self._unique[kind] = [evolve_unique(one) for one in unique]

    def evolve_unique(one: Any) -> Any:
        paths = [f"{one.path}.{name}" if one.path else name for name in one.names]
        where = {f"{one.path}.{name}" if one.path else name: value for name, value in one.where}
        return Unique(*paths, error=one.error, where=where)

    around(Constraints, "declare", declare)


@bug("fake", line="unique values", caught_by="contract/test_unique_where.py::test_a_query_finds_what_cannot_clash")
def a_query_looks_only_where_values_are_unique() -> None:
    """A query for a value that is unique in some rows finds only one of these on the fake."""

    def place(self: Any, kind: Any, name: str) -> int | None:
        alone = ((one.names, one.path) == ((name,), "") for one in self._unique[kind])
        return next((place for place, is_alone in enumerate(alone) if is_alone), None)

    instead(Constraints, "_place", place)


@bug("fake", line="references", caught_by="contract/test_references.py::test_what_is_referred_to_cannot_be_removed")
def references_of_parts_do_not_count() -> None:
    """The fake removes an aggregate that only the parts of others refer to."""
    around(
        adapters.fake.constraints,
        "_ids",
        lambda original, row, reference: [] if reference.path else original(row, reference),
    )


@bug("fake", line="references", caught_by="contract/test_references.py::test_a_change_needs_what_it_refers_to")
def a_changed_reference_is_not_checked() -> None:
    """The fake lets an aggregate that is stored refer to one that is not."""

    def take(original: Any, self: Any, root: Any, path: str, old: Any, new: Any, old_root: Any = None) -> None:
        self._refer = (lambda *_: None) if old is not None else Constraints._refer.__get__(self)
        original(self, root, path, old, new, old_root)

    around(Constraints, "take", take)


@bug("postgres", line="references", caught_by="contract/test_references.py::test_a_bulk_has_parents_first")
def a_bulk_may_refer_to_a_later_row() -> None:
    """A bulk on PostgreSQL stores an aggregate that refers to a later one of the same bulk."""
    instead(adapters.sql.bulk, "_check_order", lambda *_: None)


@bug("sql", line="check constraints", caught_by="integration/test_broken_rules.py::test_rules_of_a_row_come_first")
def a_check_is_another_constraint() -> None:
    """The error of a broken check constraint does not say that it is one."""
    instead(adapters.sql.errors, "_SQLITE_KINDS", {**adapters.sql.errors._SQLITE_KINDS, "CHECK": "other"})


@bug("sql", line="check constraints", caught_by="integration/test_broken_rules.py::test_rules_of_a_row_come_first")
def a_broken_check_has_no_name() -> None:
    """The error of a broken check constraint does not name it."""

    def broken(original: Any, error: Any) -> Any:
        found = original(error)
        return evolve(found, name=None) if found is not None and found.kind == "check" else found

    around(adapters.sql.errors, "broken", broken)


@bug("fake", "sql", line="keys", caught_by="contract/test_keys.py::test_what_is_no_id_is_refused")
def a_bool_is_an_id() -> None:
    """An object of a subclass of the declared type counts as an id: ``True`` for 1."""

    def check(original: Any, kind: Any, value: Any) -> None:
        key = domain.keys.key_of(kind)
        original(kind, key(value) if key is int and isinstance(value, int) else value)

    around(domain.repository, "check_key", check)


@bug("fake", "sql", line="keys", caught_by="contract/test_keys.py::test_what_is_no_id_is_refused")
def an_id_may_be_too_long_by_one() -> None:
    """A text that is an id may have one character more than its class allows."""

    def check(original: Any, kind: Any, value: Any) -> None:
        is_too_long = type(value) is domain.keys.key_of(kind) and isinstance(value, str)
        is_too_long = is_too_long and len(value) == domain.keys.key_length(kind) + 1
        original(kind, type(value)(value[:-1]) if is_too_long else value)

    around(domain.repository, "check_key", check)


@bug("sql", line="declared once", caught_by="integration/test_declared.py::test_what_does_not_differ_is_accepted")
def a_unique_index_is_passed_over() -> None:
    """A repository is declared although its table has a unique index that the port does not declare."""
    instead(
        adapters.sql.declared,
        "_unique_constraints",
        lambda table: (one for one in table.constraints if isinstance(one, UniqueConstraint)),
    )


@bug("sql", line="declared once", caught_by="integration/test_declared.py::test_a_deferrable_unique_value_is_refused")
def a_deferrable_constraint_is_taken() -> None:
    """A repository is declared although a unique constraint is deferrable or partial."""
    instead(adapters.sql.declared, "_is_special", lambda _: False)


@bug(
    "fake",
    "sql",
    promise=7,
    caught_by="contract/test_unique_values.py::test_a_unit_is_unusable_after_a_conflict",
)
def a_failed_unit_goes_on() -> None:
    """After a conflict, a unit can be used as if nothing had happened."""
    around(UnitOfWork, "_check_usable", lambda original, unit: None if unit._state is State.FAILED else original(unit))


@bug("fake", line="keys", caught_by="contract/test_keys.py::test_a_stored_id_is_refused")
def a_stored_id_is_overwritten() -> None:
    """Adding an aggregate whose id is stored already replaces what is stored."""

    def insert(original: Any, writer: Any, new: Any) -> None:
        with patch.object(writer._rows, "get", lambda _: None):
            original(writer, new)

    around(Writer, "insert", insert)


@bug("sql", line="declared once", caught_by="integration/test_mapping.py::test_what_cannot_be_mapped_is_refused")
def no_class_and_no_column_is_refused() -> None:
    """A class or a column that the storages could not keep alike is mapped."""
    instead(adapters.sql.refused, "CLASSES", ())
    instead(adapters.sql.refused, "COLUMNS", ())
