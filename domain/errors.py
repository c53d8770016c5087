"""Every error of the project, in one tree.

    Exception
    ├── DomainError                 the business says no
    │   ├── InvalidValue            a value that cannot be used
    │   │   ├── InvalidUsername         (domain.user)
    │   │   ├── InvalidEmail            (domain.user)
    │   │   ├── InvalidIdempotencyKey   (domain.answered_request)
    │   │   ├── IdempotencyKeyReused    (domain.answered_request)
    │   │   ├── InvalidFile             (entrypoints.user_formats)
    │   │   ├── InvalidRevision         a revision of the tables that cannot be reached
    │   │   ├── InvalidHeader           (entrypoints.user_formats)
    │   │   └── InvalidRow              (entrypoints.user_formats)
    │   ├── NotFound                nothing is stored under this key
    │   │   ├── UserNotFound            (domain.user)
    │   │   └── AnsweredRequestNotFound (domain.answered_request)
    │   └── Conflict                it clashes with what is stored
    │       ├── ValueTaken              a unique value has another holder
    │       │   ├── UsernameTaken           (domain.user)
    │       │   └── EmailTaken              (domain.user)
    │       ├── DuplicateIdentity       an aggregate with this id is stored already
    │       ├── ReferenceMissing        what it refers to is not stored
    │       ├── StillReferenced         it cannot be removed, since others refer to it
    │       └── ConcurrentChange        another unit of work was faster       [retryable]
    │           ├── VersionMismatch         the stored version is not the one that the caller has seen
    │           └── TransactionLost         the whole transaction has ended, savepoints too
    ├── StorageError                the machinery below failed
    │   ├── StorageUnavailable          it cannot be reached just now         [retryable]
    │   ├── SchemaMismatch              its tables are not those of this program
    │   ├── IntegrityViolation          a constraint without a domain error of its own
    │   └── CommitOutcomeUnknown        the commit may or may not have happened
    ├── ConfigurationError          a setting cannot be used
    ├── UnitOfWorkMisuse            a mistake in the calling code
    └── Warning
        └── UncommittedChanges      a unit of work was left with changes but without a commit

A ``VersionMismatch`` is not retryable, because the caller has to look again first.

A ``DomainError`` and a ``StorageError`` carry ``retryable``: true only where the work surely did not happen, and the
same call may succeed when it is made again. Errors that hold values are attrs classes, so the parts can be read one by
one; all survive pickling. ``str()`` says what happened, with the value, and what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self


def shown(value: object, limit: int = 60) -> str:
    """Return ``value`` for use in a message: escaped, and cut after ``limit`` characters."""
    if isinstance(value, str) and len(value) > limit:
        return f"{str(value[:limit])!r}... ({len(value)} characters)"
    if isinstance(value, str):
        return repr(str(value))
    try:
        text = str(value) if isinstance(value, UUID) else repr(value)
    except Exception:  # noqa: BLE001  # a message must not fail, whatever the value's own __repr__ does
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= limit else f"{text[:limit]}..."


class DomainError(Exception):
    """The business refuses. The caller can change the input or the situation."""

    retryable: ClassVar[bool] = False


@define
class InvalidValue(DomainError):
    """``value`` breaks a rule of the domain. ``reason`` says which."""

    value: object
    reason: str
    kind: ClassVar[str] = "value"

    def __str__(self) -> str:
        return f"{shown(self.value)} is not a valid {self.kind}: {self.reason}"


class InvalidRevision(InvalidValue):
    """The revision of the tables does not exist, or cannot be reached from the present one."""

    kind = "revision"


@define
class NotFound(DomainError):
    """No stored object has ``value`` as its ``key`` (``"id"``, ``"username"``...)."""

    key: str
    value: object
    kind: ClassVar[str] = "aggregate"

    def __str__(self) -> str:
        return (
            f"no {self.kind} has the {self.key} {shown(self.value)}:"
            f" check its spelling, or create the {self.kind} first"
        )


class Conflict(DomainError):
    """The work clashes with what is stored. It was not done."""


@define
class ValueTaken(Conflict):
    """A unique ``value`` has another holder. In a bulk it is ``None``, because the row is not known."""

    value: str | None
    kind: ClassVar[str] = "value"

    def __str__(self) -> str:
        if self.value is None:
            return f"one {self.kind} among those given is taken already: store them one by one to see which"
        return f"the {self.kind} {shown(self.value)} is taken already: choose another one"


@define
class DuplicateIdentity(Conflict):
    """An aggregate with this ``id`` is stored already. In a bulk the id is ``None``."""

    id: object

    def __str__(self) -> str:
        which = "an id among those given" if self.id is None else f"the id {shown(self.id)}"
        return f"{which} is stored already: get that aggregate and change it instead of adding it"


@define
class ReferenceMissing(Conflict):
    """An aggregate refers to the id ``value``, but no aggregate with that id is stored. In a bulk it is ``None``."""

    value: object
    kind: ClassVar[str] = "aggregate"

    def __str__(self) -> str:
        if self.value is None:
            return f"one {self.kind} that is referred to is not stored: store those given one by one to see which"
        return f"no {self.kind} has the id {shown(self.value)}: store it first, or refer to another one"


@define
class StillReferenced(Conflict):
    """The aggregate with the id ``value`` cannot be removed, because a ``kind`` refers to it."""

    value: object
    kind: ClassVar[str] = "aggregate"

    def __str__(self) -> str:
        return (
            f"{shown(self.value)} cannot be removed, because it is still referred to (kind: {self.kind}):"
            " remove what refers to it first, or let that refer to another one"
        )


@define
class ConcurrentChange(Conflict):
    """Another unit of work was faster. ``reason`` says at what. Nothing of this unit was stored."""

    retryable: ClassVar[bool] = True
    reason: str

    @classmethod
    def of(cls, aggregates: Iterable[Any]) -> Self:
        """Return the error for aggregates whose stored version is no longer the one that was read."""
        names = " or ".join(f"{type(one).__name__} {shown(one.id)}" for one in aggregates)
        return cls(f"another unit of work has changed or removed {names} since it was read")

    def __str__(self) -> str:
        return f"{self.reason}: read again in a new unit of work and repeat the change"


class VersionMismatch(ConcurrentChange):
    """The stored version is not the one that the caller named, so the caller decides on values that are gone."""

    retryable: ClassVar[bool] = False


class TransactionLost(ConcurrentChange):
    """The storage ended the whole transaction in favour of another one. Not even a savepoint can go on."""


class StorageError(Exception):
    """The storage failed for a reason outside the domain. The cause holds the driver's own error."""

    retryable: ClassVar[bool] = False


class StorageUnavailable(StorageError):
    """The storage cannot be reached, or ended the connection before a commit. Nothing was stored."""

    retryable: ClassVar[bool] = True


@define
class SchemaMismatch(StorageError):
    """The tables of ``database`` are not those that this program needs. ``problem`` says why.

    They are at revision ``found``, and this program needs ``needed`` (``None``: no revision).
    """

    database: str
    found: str | None
    needed: str | None
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.database} {self.problem}: {self.advice}"


@define
class IntegrityViolation(StorageError):
    """A ``constraint`` without a domain error was broken.

    ``kind`` is ``"unique"``, ``"foreign key"``, ``"not null"``, ``"check"`` or ``"other"``. Where the database has no
    name for the constraint, ``constraint`` is a column or the message of the database.
    """

    constraint: str
    kind: str

    _ADVICE: ClassVar[dict[str, str]] = {
        "unique": "declare Unique(..., error=...) in the port of the repository",
        "foreign key": "declare Reference(..., missing=..., in_use=...) in the port of the repository",
        "not null": "let the domain refuse None there, or allow NULL in the table",
        "check": "let the domain check that rule before",
    }

    def __str__(self) -> str:
        advice = self._ADVICE.get(self.kind, "let the domain check that rule before")
        return f"{self.constraint} ({self.kind}) was broken, and has no domain error: {advice}"


class CommitOutcomeUnknown(StorageError):
    """The connection died while committing. Never retry blindly: first look whether the work is stored."""


class ConfigurationError(Exception):
    """A setting cannot be used. The message names it and says what would be right."""


class UnitOfWorkMisuse(Exception):
    """The calling code breaks the life cycle of a unit of work. The message says what to write instead."""


class UncommittedChanges(UserWarning):
    """A unit of work was left with changes that were neither committed nor rolled back. They are lost."""
