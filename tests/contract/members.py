"""An aggregate for the tests, flat like most: its domain, its two adapters, its use cases and its sample.

Most tests of the machinery use it. In a project these are separate files, as docs/extending.md shows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import asdict, define, field, setters
from sqlalchemy import Boolean, Column, Integer, MetaData, Table, UniqueConstraint, Uuid

from adapters.fake.repository import FakeRepository
from adapters.sql.mapping import map_aggregate, metadata
from adapters.sql.repository import SqlRepository
from adapters.sql.types import Text, UtcDateTime
from domain.aggregate import Aggregate, new_id
from domain.constraints import Unique
from domain.errors import InvalidValue, NotFound, ValueTaken
from domain.query import Where
from domain.repository import Repository
from tests.contract.sample import Kit, Sample, UniqueValue

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import Self
    from uuid import UUID

    from domain.repository import Page
    from tests.contract.shop import Shop
    from tests.storages import Storage

# The domain.


class InvalidName(InvalidValue):
    """The text cannot be a name."""

    kind: ClassVar[str] = "name"


class InvalidEmail(InvalidValue):
    """The text cannot be an address."""

    kind: ClassVar[str] = "email"


class MemberNotFound(NotFound):
    """No member has this id, name or address."""

    kind: ClassVar[str] = "member"


class NameTaken(ValueTaken):
    """Another member has this name."""

    kind: ClassVar[str] = "name"


class EmailTaken(ValueTaken):
    """Another member has this address."""

    kind: ClassVar[str] = "email"


class MemberName(str):
    """A name in lower case, of printable characters."""

    __slots__ = ()
    MAX_LENGTH: ClassVar[int] = 64

    def __new__(cls, value: str) -> Self:
        """Return the name in lower case. Raises :class:`InvalidName`."""
        if not (value.isprintable() and value and len(value) <= cls.MAX_LENGTH):
            raise InvalidName(value, f"write 1 to {cls.MAX_LENGTH} characters that can be printed")
        return super().__new__(cls, value.lower())


class MemberEmail(str):
    """An address in lower case."""

    __slots__ = ()
    MAX_LENGTH: ClassVar[int] = 254

    def __new__(cls, value: str) -> Self:
        """Return the address in lower case. Raises :class:`InvalidEmail`."""
        if "@" not in value or len(value) > cls.MAX_LENGTH:
            raise InvalidEmail(value, f"write at most {cls.MAX_LENGTH} characters, with an @ among them")
        return super().__new__(cls, value.lower())


@define(slots=False, eq=False, kw_only=True)
class Member(Aggregate):
    """A member of a club."""

    name: MemberName = field(converter=MemberName)
    email: MemberEmail = field(converter=MemberEmail)
    created_at: datetime = field(on_setattr=setters.frozen)
    active: bool = True

    @classmethod
    def create(cls, name: str, email: str, id: UUID | None = None) -> Self:
        """Return a new, active member."""
        return cls(id=id or new_id(), name=name, email=email, created_at=datetime.now(UTC))

    def rename(self, name: str) -> None:
        """Take another name."""
        self.name = MemberName(name)

    def change_email(self, email: str) -> None:
        """Take another address."""
        self.email = MemberEmail(email)

    def deactivate(self) -> None:
        """Stop being active."""
        self.active = False

    def reactivate(self) -> None:
        """Become active again."""
        self.active = True


class MemberRepository(Repository[Member]):
    """The stored members."""

    aggregate = Member
    not_found = MemberNotFound
    unique = (Unique("name", error=NameTaken), Unique("email", error=EmailTaken))

    def get_by_name(self, name: str, *, lock: bool = False) -> Member:
        """Return the member of this name. Raises :class:`MemberNotFound` or :class:`InvalidName`."""
        return self._get_by("name", MemberName(name), lock=lock)

    def get_by_email(self, email: str, *, lock: bool = False) -> Member:
        """Return the member with this address. Raises :class:`MemberNotFound` or :class:`InvalidEmail`."""
        return self._get_by("email", MemberEmail(email), lock=lock)

    def list_holding(self, names: Iterable[MemberName], emails: Iterable[MemberEmail]) -> list[Member]:
        """Return the members who hold one of these names or addresses, in the order of ids."""
        found = {*self.list_where(Where("name", "in", names)), *self.list_where(Where("email", "in", emails))}
        return sorted(found, key=attrgetter("id"))


# The SQL adapter.

members_metadata = MetaData(naming_convention=metadata.naming_convention)

members = Table(
    "members",
    members_metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text(MemberName, MemberName.MAX_LENGTH), nullable=False),
    Column("email", Text(MemberEmail, MemberEmail.MAX_LENGTH), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("name"),
    UniqueConstraint("email"),
)

map_aggregate(Member, members, flat=True)


class SqlMemberRepository(SqlRepository[Member], MemberRepository):
    """The members of a SQL unit of work."""


# The fake.


class FakeMemberRepository(FakeRepository[Member], MemberRepository):
    """The members of a fake unit of work."""


# The service layer.


def create_member(name: str, email: str, uow: Shop, id: UUID | None = None) -> Member:
    """Store a new member."""
    member = Member.create(name, email, id)
    with uow:
        uow.members.add(member)
        uow.commit()
    return member


def get_member(name: str, uow: Shop) -> Member:
    """Return the member with a name."""
    with uow:
        return uow.members.get_by_name(name)


def list_members(after: UUID | None, limit: int, uow: Shop) -> Page[Member]:
    """Return a page of members."""
    with uow:
        return uow.members.page(after, limit)


def export_members(uow: Shop) -> Generator[Member, None, None]:
    """Yield all members."""
    with uow:
        yield from uow.members.stream()


def change_email(name: str, email: str, uow: Shop) -> Member:
    """Give a member another address."""
    return _change(name, lambda member: member.change_email(email), uow)


def rename_member(name: str, new_name: str, uow: Shop) -> Member:
    """Give a member another name."""
    return _change(name, lambda member: member.rename(new_name), uow)


def deactivate_member(name: str, uow: Shop) -> Member:
    """Make a member inactive."""
    return _change(name, Member.deactivate, uow)


def reactivate_member(name: str, uow: Shop) -> Member:
    """Make a member active again."""
    return _change(name, Member.reactivate, uow)


def delete_member(name: str, uow: Shop) -> None:
    """Remove a member."""
    with uow:
        uow.members.remove(uow.members.get_by_name(name))
        uow.commit()


def _change(name: str, change: Callable[[Member], None], uow: Shop) -> Member:
    with uow:
        member = uow.members.get_by_name(name)
        change(member)
        uow.commit()
    return member


# The sample, and short ways to store members and look at them, each in a separate unit of work.

MEMBERS: Sample[Member] = Sample(
    repository="members",
    make=lambda word: Member.create(word, f"{word}@example.com"),
    word=lambda member: member.name,
    rename=Member.rename,
    change=lambda member, state: member.deactivate() if state % 2 else member.reactivate(),
    unique=[
        UniqueValue("name", Member.rename, lambda members, name: members.get_by_name(name), NameTaken),
        UniqueValue("email", Member.change_email, lambda members, email: members.get_by_email(email), EmailTaken),
    ],
    queries=[
        lambda members, word: members.list_holding([MemberName("ann")], [MemberEmail(f"{word}@example.com")]),
    ],
)


def new_member(name: str = "ann") -> Member:
    """Return a new member."""
    return MEMBERS.make(name)


def stored_member(storage: Storage, name: str = "ann") -> Member:
    """Store a member and return the object. Its unit has ended."""
    return Kit(storage, MEMBERS).stored(name)


def stored_values(storage: Storage) -> list[dict[str, Any]]:
    """Return the values of all stored members, in the order of ids."""
    return Kit(storage, MEMBERS).all_values()


def stored_names(storage: Storage) -> list[str]:
    """Return the names of all stored members, sorted."""
    return Kit(storage, MEMBERS).words()


def written(uow: Shop) -> None:
    """Make a unit of work write its pending changes, by a query that finds nothing. Raises what writing raises."""
    uow.members.list_holding([], [])


def values(member: Member) -> dict[str, Any]:
    """Return all attributes of a member. Fails if one of them can no longer be read."""
    return asdict(member)
