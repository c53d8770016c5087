"""What use cases do after a failure: run again what surely did not happen, and look after an unknown outcome."""

from __future__ import annotations

from typing import Any

import stamina

from adapters.sql import engine as sql_engine
from domain.errors import DomainError, DuplicateIdentity, StorageError, ValueTaken
from domain.user import User
from proof.planted_bugs.registry import around, bug, instead
from service_layer import retrying, users


@bug("fake")
def what_may_have_happened_is_run_again() -> None:
    """Any error of the domain or the storage is followed by another run, CommitOutcomeUnknown too."""
    instead(retrying, "_is_retryable", lambda error: isinstance(error, DomainError | StorageError))


@bug("fake", "sql")
def nothing_is_run_again() -> None:
    """Not even what surely did not happen."""
    instead(retrying, "_is_retryable", lambda _: False)


@bug("fake")
def a_use_case_is_run_for_ever() -> None:
    """Neither the number of attempts nor the time has a limit."""
    around(stamina, "retry", lambda original, **options: original(**(options | {"attempts": None, "timeout": None})))


@bug("fake")
def a_use_case_is_run_again_although_the_time_is_up() -> None:
    """Only the number of attempts has a limit."""
    around(stamina, "retry", lambda original, **options: original(**(options | {"timeout": None})))


@bug("fake")
def an_iterator_is_read_on_in_the_next_run() -> None:
    """A use case that takes or returns an iterator is not refused."""
    instead(retrying, "_refuse_iterator", lambda *_: None)


@bug("fake", "sql")
def creating_by_an_id_returns_whoever_has_it() -> None:
    """A user of the same id with another name or address is taken for the one to create."""

    def create_user(original: Any, username: str, email: str, uow: Any, id: Any = None) -> Any:
        try:
            return original(username, email, uow, id)
        except DuplicateIdentity:
            with uow:
                return uow.users.get(id)

    around(users, "create_user", create_user)


@bug("fake", "sql")
def creating_by_an_id_cannot_be_repeated() -> None:
    """A user who is stored already, as it is to be created, is in the way."""
    instead(users, "_find", lambda *_: None)


@bug("fake", "sql")
def an_import_does_not_know_its_own_users_again() -> None:
    """After an unknown outcome, the rows that it has stored are counted as stored before."""

    def divide(original: Any, candidates: Any, uow: Any) -> Any:
        return original([(row, User.create(user.username, user.email)) for row, user in candidates], uow)

    around(users, "_divide", divide)


@bug("fake", "sql")
def an_import_stores_the_users_of_an_unknown_outcome_again() -> None:
    """After an unknown outcome, it stores the rows again that it finds to be its own."""

    def divide(original: Any, candidates: Any, uow: Any) -> Any:
        new, stored, taken = original(candidates, uow)
        return ([user for _, user in candidates] if stored else new), 0, taken

    around(users, "_divide", divide)


@bug("fake", "sql")
def an_import_does_not_look_after_an_unknown_outcome() -> None:
    """It ends, although a look would tell."""
    instead(users, "_LOOK_AGAIN", (ValueTaken, DuplicateIdentity))


@bug("fake")
def an_import_does_not_expect_a_late_commit() -> None:
    """It ends when its users get stored between its look and its second try."""
    instead(users, "_LOOK_AGAIN", tuple(one for one in users._LOOK_AGAIN if one is not DuplicateIdentity))


@bug("fake")
def an_import_gives_up_at_the_first_conflict() -> None:
    """A batch that surely was not stored is not tried again."""
    instead(users, "_patiently", lambda use_case, *arguments: use_case(*arguments))


@bug("fake")
def an_import_says_that_nothing_was_stored_although_it_may_be() -> None:
    """After an unknown outcome it ends with the error of a later look."""

    def store(candidates: Any, uow: Any) -> Any:
        while True:
            try:
                return users._patiently(users._store_once, candidates, uow)
            except users._LOOK_AGAIN:
                continue

    instead(users, "_store", store)


@bug("postgres")
def a_connection_is_never_tried_before() -> None:
    """DATABASE_PING=1 does nothing."""
    make = sql_engine._MAKERS["postgresql"]
    instead(
        sql_engine,
        "_MAKERS",
        {"postgresql": lambda url, timeout, options: make(url, timeout, {**options, "pool_pre_ping": False})},
    )


@bug("postgres")
def a_connection_is_always_tried_before() -> None:
    """Each unit costs a round trip more, though nobody has asked for it."""
    make = sql_engine._MAKERS["postgresql"]
    instead(
        sql_engine,
        "_MAKERS",
        {"postgresql": lambda url, timeout, options: make(url, timeout, {**options, "pool_pre_ping": True})},
    )
