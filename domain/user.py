"""The user aggregate: its value objects, its errors, its behaviour, and the port of its repository."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar

import precis_i18n
from attrs import define, field, setters
from attrs.validators import instance_of
from email_validator import EmailNotValidError, validate_email

from domain.aggregate import Aggregate, new_id
from domain.constraints import Unique
from domain.errors import InvalidValue, NotFound, ValueTaken, shown
from domain.query import Where
from domain.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self
    from uuid import UUID


class InvalidUsername(InvalidValue):
    """The text cannot be a user name."""

    kind: ClassVar[str] = "username"


class InvalidEmail(InvalidValue):
    """The text cannot be an email address."""

    kind: ClassVar[str] = "email"


class UserNotFound(NotFound):
    """No user has this id, user name or email address."""

    kind: ClassVar[str] = "user"


class UsernameTaken(ValueTaken):
    """Another user has this user name."""

    kind: ClassVar[str] = "username"


class EmailTaken(ValueTaken):
    """Another user has this email address."""

    kind: ClassVar[str] = "email"


class Username(str):
    """A user name in its one stored form: RFC 8265's UsernameCaseMapped profile, at most 64 characters.

    Spellings that differ only by case, width or Unicode form become the same name: ``Username("ANN") == "ann"``. It is
    a ``str``, so it compares, sorts and prints as one. Raises :class:`InvalidUsername` for anything that the profile
    refuses: spaces, control characters, symbols outside of ASCII, lone surrogates, mixed writing directions. The
    profile allows the signs of ASCII. So a name can look like an address or like HTML: escape it where it is shown.
    """

    __slots__ = ()
    MAX_LENGTH: ClassVar[int] = 64

    def __new__(cls, value: str) -> Self:
        """Return the name in its stored form. A Username is returned unchanged."""
        if type(value) is cls:
            return value
        return super().__new__(cls, _prepared_username(value))


_profile = precis_i18n.get_profile("UsernameCaseMapped")


def _prepared_username(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidUsername(value, f"it must be text, not {type(value).__name__}")
    if value != value.strip():
        raise InvalidUsername(value, "it begins or ends with white space: remove that")
    # No character decomposes into more than four, so a longer text is too long in every Unicode form. This is checked
    # before the profile is applied, so a text of megabytes costs nothing.
    prepared = value if len(value) > 4 * Username.MAX_LENGTH else _enforced(value)
    if len(prepared) > Username.MAX_LENGTH:
        raise InvalidUsername(
            value, f"it has {len(prepared)} characters, and at most {Username.MAX_LENGTH} are allowed"
        )
    return prepared


def _enforced(value: str) -> str:
    if not value:
        raise InvalidUsername(value, "it is empty")
    if value.isascii() and value.isprintable() and " " not in value:
        return value.lower()  # all that the profile does to ASCII (RFC 8264, section 9.11), but quicker
    try:
        return str(_profile.enforce(value))
    except UnicodeEncodeError as error:
        rule = error.reason.rpartition("/")[2].replace("_", " ")
        culprit = str(error.object[error.start : error.end])
        raise InvalidUsername(value, f"{shown(culprit)} is not allowed (RFC 8265: {rule})") from error


class EmailAddress(str):
    """An email address in its normalized form: domain in lower case, Unicode in form C, at most 254 characters.

    The local part keeps its case, because RFC 5321 (section 2.4) makes it significant. The email-validator library
    judges the syntax (RFC 5321, 6531 and 6532; quoted local parts too). It looks nothing up in the network. An address
    is a ``str``. Raises :class:`InvalidEmail`.
    """

    __slots__ = ()
    MAX_LENGTH: ClassVar[int] = 254

    def __new__(cls, value: str) -> Self:
        """Return the address in its normalized form. An EmailAddress is returned unchanged."""
        if type(value) is cls:
            return value
        return super().__new__(cls, _normalized_email(value))


def _normalized_email(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidEmail(value, f"it must be text, not {type(value).__name__}")
    if value != value.strip():
        raise InvalidEmail(value, "it begins or ends with white space: remove that")
    if len(value) > 4 * EmailAddress.MAX_LENGTH:
        raise InvalidEmail(value, f"it has {len(value)} characters, and at most {EmailAddress.MAX_LENGTH} are allowed")
    plain = _PLAIN_ADDRESS.fullmatch(value)
    if plain and len(value) <= EmailAddress.MAX_LENGTH and _is_normalized_domain(plain["domain"]):
        return plain[0]  # the text itself, whatever its class
    try:
        return _normalized_by_library(value)
    except EmailNotValidError as error:
        raise InvalidEmail(value, str(error).rstrip(".")) from error


# The local part of most addresses: RFC 5322's dot-atom, of at most the 64 characters that RFC 5321 allows. It needs no
# normalizing, so the domain decides. Judging a domain takes most of the library's time, and many addresses share a few.
_PLAIN_ADDRESS = re.compile(r"(?=[^@]{1,64}@)[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?P<domain>[a-z0-9.-]+)")


@lru_cache(maxsize=1000)
def _is_normalized_domain(domain: str) -> bool:
    address = f"a@{domain}"
    try:
        return _normalized_by_library(address) == address
    except EmailNotValidError:
        return False


def _normalized_by_library(address: str) -> str:
    return validate_email(address, check_deliverability=False, allow_quoted_local=True).normalized


def _in_utc(value: datetime) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidValue(value, "a point in time needs a time zone: write datetime.now(UTC), for example")
    return value.astimezone(UTC)


@define(slots=False, eq=False, kw_only=True)
class User(Aggregate):
    """A person with an account. ``created_at`` is aware and in UTC. An inactive user is kept but switched off."""

    username: Username = field(converter=Username)
    email: EmailAddress = field(converter=EmailAddress)
    created_at: datetime = field(converter=_in_utc, on_setattr=setters.frozen)
    active: bool = field(default=True, validator=instance_of(bool))

    @classmethod
    def create(cls, username: str, email: str, id: UUID | None = None) -> Self:
        """Return a new, active user, with a new id unless one is given.

        Raises:
            :class:`InvalidUsername`: The text cannot be a user name.
            :class:`InvalidEmail`: The text cannot be an email address.
        """
        id = new_id() if id is None else id
        return cls(id=id, username=username, email=email, created_at=datetime.now(UTC))

    def change_username(self, username: str) -> None:
        """Take another user name. Raises :class:`InvalidUsername`."""
        self.username = Username(username)

    def change_email(self, email: str) -> None:
        """Take another email address. Raises :class:`InvalidEmail`."""
        self.email = EmailAddress(email)

    def deactivate(self) -> None:
        """Switch the account off. An inactive one stays so."""
        self.active = False

    def reactivate(self) -> None:
        """Switch the account on again. An active one stays so."""
        self.active = True


class UserRepository(Repository[User]):
    """The stored users."""

    aggregate = User
    not_found = UserNotFound
    unique = (Unique("username", error=UsernameTaken), Unique("email", error=EmailTaken))

    def get_by_username(self, username: str, *, lock: bool = False) -> User:
        """Return the user of this name in any spelling. Raises :class:`UserNotFound` or :class:`InvalidUsername`."""
        return self._get_by("username", Username(username), lock=lock)

    def get_by_email(self, email: str, *, lock: bool = False) -> User:
        """Return the user with this address. Raises :class:`UserNotFound` or :class:`InvalidEmail`."""
        return self._get_by("email", EmailAddress(email), lock=lock)

    def list_holding(self, usernames: Iterable[Username], emails: Iterable[EmailAddress]) -> list[User]:
        """Return the users who hold one of these names or addresses, in the order of ids. It takes two queries."""
        found = {*self.list_where(Where("username", "in", usernames)), *self.list_where(Where("email", "in", emails))}
        return sorted(found, key=attrgetter("id"))
