"""The errors: their messages, whether trying again can help, and that they can be pickled."""

from __future__ import annotations

import pickle
import re
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from uuid import UUID

import pytest

from domain import errors
from domain.errors import (
    CommitOutcomeUnknown,
    ConcurrentChange,
    DuplicateIdentity,
    IntegrityViolation,
    InvalidRevision,
    ReferenceMissing,
    SchemaMismatch,
    StillReferenced,
    StorageUnavailable,
    shown,
)
from tests.contract.members import EmailTaken, InvalidName, MemberNotFound, NameTaken

EXAMPLES: list[tuple[Exception, str]] = [
    (
        InvalidName("a b", "no spaces"),
        "'a b' is not a valid name: no spaces",
    ),
    (
        MemberNotFound("name", "ann"),
        "no member has the name 'ann': check its spelling, or create the member first",
    ),
    (
        NameTaken("ann"),
        "the name 'ann' is taken already: choose another one",
    ),
    (
        EmailTaken(None),
        "one email among those given is taken already: store them one by one to see which",
    ),
    (
        DuplicateIdentity(UUID(int=1)),
        f"the id {UUID(int=1)} is stored already: get that aggregate and change it instead of adding it",
    ),
    (
        DuplicateIdentity(None),
        "an id among those given is stored already: get that aggregate and change it instead of adding it",
    ),
    (
        ConcurrentChange("somebody was faster"),
        "somebody was faster: read again in a new unit of work and repeat the change",
    ),
    (
        SchemaMismatch("sqlite:///x", "0001", "0002", "stands at revision 0001", "do this"),
        "sqlite:///x stands at revision 0001: do this",
    ),
    (
        InvalidRevision("nope", "there is no such one"),
        "'nope' is not a valid revision: there is no such one",
    ),
    (
        ReferenceMissing(UUID(int=7)),
        ("no aggregate has the id 00000000-0000-0000-0000-000000000007: store it first, or refer to another one"),
    ),
    (
        ReferenceMissing(None),
        "one aggregate that is referred to is not stored: store those given one by one to see which",
    ),
    (
        StillReferenced(UUID(int=7)),
        (
            "00000000-0000-0000-0000-000000000007 cannot be removed, because it is still referred to (kind: aggregate):"
            " remove what refers to it first, or let that refer to another one"
        ),
    ),
    (
        IntegrityViolation("uq_members_email", "unique"),
        (
            "uq_members_email (unique) was broken, and has no domain error: declare Unique(..., error=...) in the port"
            " of the repository"
        ),
    ),
    (
        IntegrityViolation("fk_teams_owner_id", "foreign key"),
        (
            "fk_teams_owner_id (foreign key) was broken, and has no domain error: declare Reference(..., missing=...,"
            " in_use=...) in the port of the repository"
        ),
    ),
    (
        IntegrityViolation("name", "not null"),
        (
            "name (not null) was broken, and has no domain error: let the domain refuse None there, or allow NULL in"
            " the table"
        ),
    ),
    (
        IntegrityViolation("ck_members_age", "check"),
        "ck_members_age (check) was broken, and has no domain error: let the domain check that rule before",
    ),
    (
        IntegrityViolation("ex", "other"),
        "ex (other) was broken, and has no domain error: let the domain check that rule before",
    ),
]


def test_an_error_says_what_happened() -> None:
    """An error says in one sentence what happened, with the value, and what to do."""
    assert [message for _, message in EXAMPLES] == [str(error) for error, _ in EXAMPLES]


def test_an_error_survives_pickling() -> None:
    """An error survives pickling, so it can leave a process, as worker pools need."""
    for error, message in EXAMPLES:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # made in this line
        assert (type(error), message) == (type(copy), str(copy))


def test_only_safe_errors_are_retryable() -> None:
    """Only an error is retryable after which nothing was stored and the same call may succeed.

    Trying others again could do the work twice or would fail again.
    """
    retryable = {
        name
        for name, error in vars(errors).items()
        if isinstance(error, type) and issubclass(error, Exception) and getattr(error, "retryable", False)
    }
    assert {"ConcurrentChange", "StorageUnavailable", "TransactionLost"} == retryable
    assert (True, False) == (StorageUnavailable("away").retryable, CommitOutcomeUnknown("lost").retryable)


def drawn(base: type[BaseException], modules: set[str], depth: int = 0) -> list[tuple[int, str]]:
    """Return the errors of some modules below a class, each with its depth."""
    found = []
    for error in base.__subclasses__():
        if error.__module__ in modules:
            found += [(depth, error.__name__), *drawn(error, modules, depth + 1)]
    return found


def test_the_drawn_tree_is_that_of_the_classes() -> None:
    """The drawn tree has every error of the module, and of each module that it names, in its place.

    Errors of an aggregate that was removed do no harm.
    """
    rows = re.findall(r"^    ((?:│   |    )*)[├└]── (\w+)(?: +\(([\w.]+)\))?", errors.__doc__ or "", re.MULTILINE)
    modules = {name for _, _, name in rows if name and find_spec(name)}
    for name in modules:
        import_module(name)
    picture = [(len(indent) // 4, name) for indent, name, of in rows if name != "Warning" and of in {"", *modules}]
    warnings = [(1, "UncommittedChanges")]
    assert sorted(picture) == sorted([*drawn(Exception, {"domain.errors", *modules}), *warnings])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ann", "'ann'"),
        ("a\ud800\n", r"'a\ud800\n'"),
        ("x" * 60, f"'{'x' * 60}'"),
        ("x" * 61, f"'{'x' * 60}'... (61 characters)"),
        (5, "5"),
        (b"ann", "b'ann'"),
        (Decimal(5), "Decimal('5')"),
        ([0] * 20, "[" + "0, " * 19 + "0]"),  # 60 characters
        ([0] * 1000, "[" + "0, " * 19 + "0,..."),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_value_is_shown_escaped_and_cut(value: object, text: str) -> None:
    """A value is shown escaped and cut, so a message stays one printable line."""
    assert text == shown(value)


def test_an_unprintable_value_is_shown_by_its_type() -> None:
    """A value that cannot be shown is shown by its type: a message must not fail because of it."""
    assert shown([10**5000]) == "a value of type list"
