"""Promise 7: unique values, and errors that say what is broken."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from attrs import evolve
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm.util import identity_key

from adapters.fake.constraints import Constraints
from adapters.fake.session import FakeSession
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.fake.users import FakeUserRepository
from adapters.fake.writing import Writer
from adapters.sql import constraints as sql_constraints
from adapters.sql import repository as sql_repository
from adapters.sql import unit_of_work as sql_unit_of_work
from adapters.sql.constraints import Constraint, constraints_of, note_constraints
from adapters.sql.unit_of_work import SqlUnitOfWork
from adapters.sql.users import users
from domain.constraints import Unique
from domain.errors import (
    DuplicateIdentity,
    StorageError,
    UnitOfWorkMisuse,
    ValueTaken,
)
from domain.user import EmailTaken, UsernameTaken, UserRepository
from proof.planted_bugs.breaking import other_statements
from proof.planted_bugs.registry import around, bug, instead
from service_layer.guard import State
from service_layer.unit_of_work import UnitOfWork


@bug("fake")
def unique_values_are_checked_at_the_commit() -> None:
    """A taken value is refused by the commit alone, and by no call before it."""
    late: list[ValueTaken] = []

    def claim(original: Any, *args: Any, **options: Any) -> None:
        try:
            original(*args, **options)
        except ValueTaken as error:
            late.append(error)

    def commit(original: Any, unit: Any) -> None:
        if late:
            raise late.pop()
        original(unit)

    around(Constraints, "_claim", claim)
    around(FakeUnitOfWork, "_commit", commit)


@bug("fake")
def an_email_may_be_taken_twice() -> None:
    """Two users can have one email address."""

    def claim(original: Any, *args: Any, **options: Any) -> None:
        with suppress(EmailTaken):
            original(*args, **options)

    around(Constraints, "_claim", claim)


@bug("fake")
def a_taken_value_is_the_wrong_error_in_the_fake() -> None:
    """A taken user name is EmailTaken, and a taken address UsernameTaken."""
    instead(FakeUserRepository, "unique", (Unique("username", error=EmailTaken), Unique("email", error=UsernameTaken)))


@bug("sql")
def a_taken_value_is_the_wrong_error_in_the_database() -> None:
    """A taken user name is EmailTaken, and a taken address UsernameTaken."""
    key, name, email = constraints_of("users")
    note_constraints(users, [key, evolve(name, declared=email.declared), evolve(email, declared=name.declared)])


@bug("fake")
def a_taken_value_is_not_named_in_the_fake() -> None:
    """The error for a taken value does not hold it."""
    around(Constraints, "_claim", lambda original, *args: original(*args[:-1], lambda: type(args[-1]())(None)))


@bug("sql")
def a_taken_value_is_not_named_in_the_database() -> None:
    """The error for a taken value does not hold it."""
    around(Constraint, "error", lambda original, constraint, row: original(constraint, evolve(row, one=None, sent={})))


@bug("fake")
def a_bulk_names_the_taken_value_in_the_fake() -> None:
    """A refused bulk claims to know which value it was."""

    def insert_many(original: Any, *args: Any) -> None:
        try:
            original(*args)
        except (ValueTaken, DuplicateIdentity) as error:
            raise error.__cause__ or error from None

    around(FakeSession, "insert_many", insert_many)


@bug("fake")
def the_last_broken_constraint_counts_in_the_fake() -> None:
    """Who takes both a name and an address is told of the address."""
    instead(FakeUserRepository, "unique", UserRepository.unique[::-1])


@bug("sql")
def the_last_broken_constraint_counts_in_the_database() -> None:
    """Who takes both a name and an address is told of the address."""
    around(sql_constraints, "constraints_of", lambda original, table: original(table)[::-1])


@bug("fake")
def texts_are_compared_without_their_case() -> None:
    """Two unique texts that differ only in the case of their letters are taken for one."""

    def claim(original: Any, constraints: Any, key: Any, taken: Any) -> None:
        original(constraints, key, taken)
        kind, place, values = key
        if isinstance(values, tuple) and constraints._rows.holder((kind, place, (values[0].swapcase(),))) is not None:
            raise taken()

    around(Constraints, "_claim", claim)


@bug("fake")
def a_taken_value_is_swallowed_in_the_fake() -> None:
    """An aggregate whose value is taken is left out without a word."""

    def insert(original: Any, *args: Any) -> None:
        with suppress(ValueTaken):
            original(*args)

    around(Writer, "insert", insert)


@bug("sql")
def a_taken_value_is_swallowed_in_the_database() -> None:
    """An aggregate whose value is taken is left out without a word."""

    def flush(original: Any, *args: Any) -> None:
        with suppress(ValueTaken):
            original(*args)

    around(SqlUnitOfWork, "_flush", flush)


@bug("sql")
def a_taken_value_in_a_bulk_is_swallowed() -> None:
    """A bulk in which a value is taken is left out without a word."""

    def insert(original: Any, *args: Any) -> None:
        with suppress(ValueTaken, IntegrityError):
            original(*args)

    around(sql_repository, "insert_many", insert)


@bug("fake")
def a_stored_id_is_overwritten() -> None:
    """Adding an aggregate whose id is stored already replaces what is stored."""

    def insert(original: Any, rows: Any, new: Any) -> None:
        with patch.object(rows, "get", lambda _: None):
            original(rows, new)

    around(Writer, "insert", insert)


@bug("sql")
def an_addition_replaces_the_holder_of_its_values() -> None:
    """Adding an aggregate whose id or value is taken removes the one that has it."""
    other_statements(lambda _, statement: re.sub("^INSERT INTO", "INSERT OR REPLACE INTO", statement))


@bug("fake", "sql")
def a_failed_unit_can_be_used() -> None:
    """After a conflict, a unit goes on as if nothing had been."""
    around(
        UnitOfWork,
        "_check_usable",
        lambda original, unit: None if unit._state is State.FAILED else original(unit),
    )


@bug("fake", "sql")
def a_failed_unit_cannot_be_rolled_back() -> None:
    """After a conflict, even the rollback is refused."""

    def rollback(original: Any, unit: Any) -> None:
        if unit._state is State.FAILED:
            raise UnitOfWorkMisuse("this unit of work has failed")
        original(unit)

    around(UnitOfWork, "rollback", rollback)


@bug("sql")
def the_cause_of_an_error_is_lost() -> None:
    """An error of storage does not hold the driver's own one."""

    def fail(original: Any, unit: Any, error: BaseException) -> None:
        try:
            original(unit, error)
        finally:
            if isinstance(unit._failure, StorageError):
                unit._failure.__cause__ = None

    around(UnitOfWork, "fail", fail)


@bug("fake")
def a_unit_can_hold_two_objects_of_one_id_in_the_fake() -> None:
    """Adding another object of an id that the unit holds is refused by no call before the next one."""

    def add(original: Any, session: Any, aggregate: Any) -> None:
        session._tracked.pop((type(aggregate), aggregate.id), None)
        original(session, aggregate)

    around(FakeSession, "add", add)


@bug("sql")
def a_unit_can_hold_two_objects_of_one_id_in_the_database() -> None:
    """Adding another object of an id that the unit holds is refused by no call before the next one."""

    def insert(original: Any, unit: Any, aggregate: Any) -> None:
        known = unit.session.identity_map.get(identity_key(type(aggregate), aggregate.id))
        if known is not None:
            unit.session.expunge(known)
        original(unit, aggregate)

    around(SqlUnitOfWork, "_insert", insert)


@bug("sql")
def a_value_that_a_type_refuses_is_no_error_of_storage() -> None:
    """Who gives the database a value that cannot be sent gets whatever its column's type says to that."""

    def translated(original: Any, error: Any, engine: Any) -> Any:
        if isinstance(error, StatementError) and not isinstance(error, DBAPIError):
            return error.orig or error
        return original(error, engine)

    around(sql_unit_of_work, "translated", translated)


@bug("fake")
def a_reference_to_nothing_is_accepted_by_the_fake() -> None:
    """An aggregate may refer to another one that is not stored."""
    instead(Constraints, "_refer", lambda *_: None)


@bug("fake")
def what_is_referred_to_can_be_removed_from_the_fake() -> None:
    """An aggregate can be removed though others refer to it."""
    instead(Constraints, "check_unreferenced", lambda *_: None)


@bug("sql")
def what_is_referred_to_is_no_domain_error() -> None:
    """The removal of an aggregate to which others refer is an error without a meaning."""
    instead(sql_constraints, "_still_referenced", lambda *_: None)


@bug("fake", "sql")
def nothing_clashes_with_nothing() -> None:
    """Two aggregates without a value that is unique are refused."""
    around(Unique, "values", lambda original, unique, one: original(unique, one) or ("",))


@bug("fake", "sql")
def a_lock_reads_nothing_again() -> None:
    """An aggregate that the unit holds keeps its old values when it is locked."""
    instead(FakeSession, "lock", lambda session, kind, query: next(iter(session.select(kind, query)), None))
    instead(sql_repository, "lock_row", lambda *_: None)
