"""Aggregates for the tests: unique values of every kind, on the root and on parts with and without an id."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from attrs import define, field, setters
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.orm import relationship

from adapters.fake.repository import FakeRepository
from adapters.sql.declared import unique_where
from adapters.sql.mapping import map_aggregate, map_part, metadata
from adapters.sql.repository import SqlRepository
from domain.aggregate import Aggregate, new_id
from domain.constraints import Unique
from domain.errors import NotFound, ValueTaken
from domain.repository import Repository


class AccountNotFound(NotFound):
    """No account, label or board has this id."""

    kind: ClassVar[str] = "account, label or board"


class NameTaken(ValueTaken):
    """Another account of the tenant has this name."""

    kind: ClassVar[str] = "tenant and name"


class NicknameTaken(ValueTaken):
    """Another account has this nickname."""

    kind: ClassVar[str] = "nickname"


class NumberTaken(ValueTaken):
    """Another account has this number."""

    kind: ClassVar[str] = "number"


class CodeTaken(ValueTaken):
    """Another account has this code."""

    kind: ClassVar[str] = "code"


class DayTaken(ValueTaken):
    """Another account was opened on this day."""

    kind: ClassVar[str] = "day"


class LabelTaken(ValueTaken):
    """Another label that is not deleted has this name."""

    kind: ClassVar[str] = "label"


class SlugTaken(ValueTaken):
    """Another label that is open has this slug."""

    kind: ClassVar[str] = "slug"


class PlaceTaken(ValueTaken):
    """Another card of the board has this place."""

    kind: ClassVar[str] = "place"


class ColoursTaken(ValueTaken):
    """A card of any board has these two colours."""

    kind: ClassVar[str] = "pair of colours"


class TagTaken(ValueTaken):
    """Another card of the board that is not hidden has this tag."""

    kind: ClassVar[str] = "tag"


class SlotTaken(ValueTaken):
    """Another pin of the board has this slot."""

    kind: ClassVar[str] = "slot"


SHORT = {"max_length": 40}


@define(slots=False, eq=False, kw_only=True)
class Account(Aggregate):
    """An account of a tenant. The name is unique within the tenant, and each other value by itself."""

    tenant_id: UUID = field(factory=new_id)
    name: str = field(default="main", metadata=SHORT)
    nickname: str | None = field(default=None, metadata=SHORT)
    number: int | None = None
    code: UUID | None = None
    opened: date | None = None


@define(slots=False, eq=False, kw_only=True)
class Label(Aggregate):
    """A name that is unique until it is deleted, with a slug that is unique while it is open and not archived."""

    name: str = field(metadata=SHORT)
    slug: str = field(default="", metadata=SHORT)
    state: str = field(default="closed", metadata=SHORT)
    archived: bool = False
    deleted_at: date | None = None


@define(slots=False, eq=False, kw_only=True)
class Card:
    """A card on a board. Its place is unique on the board, its two colours together on all boards.

    Its tag is unique on the board unless the card is hidden.
    """

    id: UUID = field(factory=new_id, on_setattr=setters.frozen)
    place: int
    front: str | None = field(default=None, metadata=SHORT)
    back: str | None = field(default=None, metadata=SHORT)
    tag: str | None = field(default=None, metadata=SHORT)
    hidden: bool = False


@define(slots=False, on_setattr=setters.frozen, unsafe_hash=True, kw_only=True)
class Pin:
    """A pin in a slot of a board. The slot is unique on the board."""

    slot: int
    colour: str = field(default="red", metadata=SHORT)


@define(slots=False, eq=False, kw_only=True)
class Board(Aggregate):
    """A board with cards, which have an id, and pins, which have none."""

    cards: list[Card] = field(factory=list, metadata={"order_by": ("place",)})
    pins: set[Pin] = field(factory=set)


accounts_metadata = MetaData(naming_convention=metadata.naming_convention)


def _table(name: str, *columns: Any) -> Table:
    version = Column("version", Integer, nullable=False)
    return Table(name, accounts_metadata, Column("id", Uuid, primary_key=True), version, *columns)


accounts = _table(
    "accounts",
    Column("tenant_id", Uuid, nullable=False),
    Column("name", String(40), nullable=False),
    Column("nickname", String(40)),
    Column("number", BigInteger),
    Column("code", Uuid),
    Column("opened", Date),
    UniqueConstraint("tenant_id", "name"),
    UniqueConstraint("nickname"),
    UniqueConstraint("number"),
    UniqueConstraint("code"),
    UniqueConstraint("opened"),
)
labels = _table(
    "labels",
    Column("name", String(40), nullable=False),
    Column("slug", String(40), nullable=False),
    Column("state", String(40), nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("deleted_at", Date),
)
unique_where(labels, "name", where={"deleted_at": None})
unique_where(labels, "slug", where={"state": "open", "archived": False})
boards = _table("boards")
cards = Table(
    "cards",
    accounts_metadata,
    Column("id", Uuid, primary_key=True),
    Column("board_id", ForeignKey(boards.c.id), nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("front", String(40)),
    Column("back", String(40)),
    Column("tag", String(40)),
    Column("hidden", Boolean, nullable=False),
    UniqueConstraint("board_id", "place"),
    UniqueConstraint("front", "back"),
)
unique_where(cards, "board_id", "tag", where={"hidden": False})
pins = Table(
    "pins",
    accounts_metadata,
    Column("key", Integer, primary_key=True),
    Column("board_id", ForeignKey(boards.c.id), nullable=False),
    Column("slot", BigInteger, nullable=False),
    Column("colour", String(40), nullable=False),
    UniqueConstraint("board_id", "slot"),
)

OWNED: Any = {"lazy": "selectin", "cascade": "all, delete-orphan"}

map_aggregate(Account, accounts)
map_aggregate(Label, labels)
map_part(Card, cards)
map_part(Pin, pins)
map_aggregate(
    Board,
    boards,
    properties={
        "cards": relationship(Card, order_by=cards.c.place, **OWNED),
        "pins": relationship(Pin, collection_class=set, **OWNED),
    },
)


class AccountRepository(Repository[Account]):
    """The stored accounts."""

    aggregate = Account
    not_found = AccountNotFound
    unique = (
        Unique("tenant_id", "name", error=NameTaken),
        Unique("nickname", error=NicknameTaken),
        Unique("number", error=NumberTaken),
        Unique("code", error=CodeTaken),
        Unique("opened", error=DayTaken),
    )


class LabelRepository(Repository[Label]):
    """The stored labels."""

    aggregate = Label
    not_found = AccountNotFound
    unique = (
        Unique("name", where={"deleted_at": None}, error=LabelTaken),
        Unique("slug", where={"state": "open", "archived": False}, error=SlugTaken),
    )


class BoardRepository(Repository[Board]):
    """The stored boards."""

    aggregate = Board
    not_found = AccountNotFound
    unique = (
        Unique("cards.place", per_parent=True, error=PlaceTaken),
        Unique("cards.front", "cards.back", error=ColoursTaken),
        Unique("cards.tag", where={"cards.hidden": False}, per_parent=True, error=TagTaken),
        Unique("pins.slot", per_parent=True, error=SlotTaken),
    )


class SqlAccounts(SqlRepository[Account], AccountRepository):
    """The accounts of a SQL unit of work."""


class SqlLabels(SqlRepository[Label], LabelRepository):
    """The labels of a SQL unit of work."""


class SqlBoards(SqlRepository[Board], BoardRepository):
    """The boards of a SQL unit of work."""


class FakeAccounts(FakeRepository[Account], AccountRepository):
    """The accounts of a fake unit of work."""


class FakeLabels(FakeRepository[Label], LabelRepository):
    """The labels of a fake unit of work."""


class FakeBoards(FakeRepository[Board], BoardRepository):
    """The boards of a fake unit of work."""


ACCOUNTS: dict[str, tuple[type[SqlRepository[Any]], type[FakeRepository[Any]]]] = {
    "accounts": (SqlAccounts, FakeAccounts),
    "labels": (SqlLabels, FakeLabels),
    "boards": (SqlBoards, FakeBoards),
}
"""The repositories of these aggregates, by their names in a unit of work."""
