"""Two aggregates for the tests with two attributes of each kind, one of them nullable. One aggregate has a part.

In a project each attribute would be declared separately, such as ``text: str = field(metadata={"max_length": 40})``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar
from uuid import UUID

import attrs
import sqlalchemy as sa
from attrs import define, field, frozen
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table
from sqlalchemy.orm import relationship

from adapters.fake.repository import FakeRepository
from adapters.sql.mapping import map_aggregate, map_part, metadata
from adapters.sql.repository import SqlRepository
from adapters.sql.types import Duration, Exact, Json, Text, UtcDateTime
from domain.aggregate import Aggregate
from domain.constraints import Unique
from domain.errors import NotFound, ValueTaken
from domain.repository import Repository

BERLIN = timezone(timedelta(hours=1))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LONG = 2**63


class Sku(str):
    """A text with a declared length."""

    __slots__ = ()
    MAX_LENGTH: ClassVar[int] = 10


class Colour(Enum):
    """A value that is one of a few."""

    RED = "r"
    BLUE = "b"


@frozen
class Kind:
    """A kind of attribute: its type, its declaration, its column, and values that are stored, as pairs, or refused.

    The first of a pair is given, and the second is read. The first two pairs are of different values.
    """

    type: Any
    column: Any
    values: Sequence[tuple[Any, Any]]
    refused: Sequence[Any]
    metadata: dict[str, Any] = field(factory=dict)
    change: Callable[[Any], None] | None = None
    """How to change a value in place."""


def _same(*values: Any) -> list[tuple[Any, Any]]:
    return [(value, value) for value in values]


def _nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


def _deep(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for _ in range(depth - 1):
        made = {"a": made}
    return made


NO_JSON = [
    {1: "a"},
    {"a": (1,)},
    {"a": float("nan")},
    {"a": float("inf")},
    {"a": object()},
    {"a": {1}},
    {None: 1},
    {"a": _nested(30)},
]
NO_LIST = [_nested(31), ["\ud800"], [1, (2,)], [float("-inf")], [{2: 1}], (1,), "a", [b"a"], {"a": 1}]

KINDS: dict[str, Kind] = {
    "text": Kind(
        str,
        sa.String(40),
        [*_same("a", "b", "", " ", "a ", "𠀀" * 40, "\\N\t\n\r\\.'\"%", "\ud7ff\x01"), (Sku("c"), "c")],
        ["a" * 41, "a\0", "\ud800", "\udfff\n", 1, b"a"],
        {"max_length": 40},
    ),
    "sku": Kind(Sku, Text(Sku, 10), [*_same(Sku("a"), Sku("b")), ("c", Sku("c"))], [Sku("a" * 11), Sku("\0"), 1]),
    "truth": Kind(bool, sa.Boolean, _same(True, False), [1, "true"]),
    "number": Kind(int, sa.BigInteger, _same(1, 0, -1, LONG - 1, -LONG), [LONG, -LONG - 1, True, "1", 1.0]),
    "real": Kind(
        float,
        sa.Double,
        [
            *_same(1.0, 0.1, 1 / 3, -1.7976931348623157e308, 2.2250738585072014e-308),
            (2, 2.0),
            (2**53, 2.0**53),
            (-(2**53), -(2.0**53)),
        ],
        [float("nan"), float("inf"), True, "1", Decimal(1), 2**53 + 1],
    ),
    "exact": Kind(
        Decimal,
        Exact(18, 4),
        [
            *_same(Decimal("1.0000"), Decimal("-2.5000"), Decimal("99999999999999.9999"), Decimal("0.0000")),
            (Decimal("1.50000"), Decimal("1.5000")),
            (Decimal("1E+2"), Decimal("100.0000")),
            (Decimal("-0"), Decimal("0.0000")),
        ],
        [Decimal("0.00001"), Decimal("1E+14"), Decimal("NaN"), Decimal("Infinity"), 1, 1.5],
        {"digits": 18, "places": 4},
    ),
    "day": Kind(date, sa.Date, _same(date(2026, 1, 2), date(1, 1, 1), date.max), [NOON, "2026-01-02"]),
    "moment": Kind(
        datetime,
        UtcDateTime,
        [
            *_same(NOON, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
            (NOON.astimezone(BERLIN), NOON),
        ],
        [NOON.replace(tzinfo=None), datetime.min.replace(tzinfo=BERLIN), date(2026, 1, 2)],
    ),
    "clock": Kind(time, sa.Time, _same(time(1, 2), time(), time.max, time(1, 2, 3, 4)), [time(1, tzinfo=UTC), NOON]),
    "span": Kind(
        timedelta,
        Duration,
        _same(timedelta(1, 2, 3), timedelta(), timedelta(microseconds=LONG - 1), timedelta(microseconds=-LONG)),
        [timedelta.max, timedelta(microseconds=LONG), 1],
    ),
    "data": Kind(
        bytes,
        sa.LargeBinary(256),
        _same(b"a", b"", bytes(range(256))),
        [b"a" * 257, "a", bytearray(b"a")],
        {"max_length": 256},
    ),
    "key": Kind(UUID, sa.Uuid, _same(UUID(int=1), UUID(int=2**128 - 1)), ["1", 1]),
    "colour": Kind(Colour, sa.Enum(Colour, native_enum=False, length=20), _same(Colour.RED, Colour.BLUE), ["RED", "r"]),
    "facts": Kind(
        dict[str, Any],
        Json,
        [
            *_same({"a": 1}, {"a": True}, {}, {"b": [1, {"c": None}], "a": 1.5}, {"": "\0𠀀ä'\\\"[{"}),
            ({Sku("a"): Sku("b")}, {"a": "b"}),
            *_same({"a": 10**40, "b": 1e-300, "c": _nested(29)}),
        ],
        [*NO_JSON, "a", ["a"]],
        {"json": True},
        lambda facts: facts.setdefault("in", []).append(1),
    ),
    "names": Kind(
        list[str],
        Json,
        _same(["a"], ["b", 1, None], [], [[["c"]], {"d": [{}]}], _nested(30), [_deep(30)], [[] for _ in range(40)]),
        NO_LIST,
        {"json": True},
        lambda names: names.append({"in": 1}),
    ),
}
"""Each kind of attribute, by the name of the attribute."""

ATTRIBUTES = [*KINDS, *(f"maybe_{name}" for name in KINDS)]
"""The names of all attributes. Those that begin with maybe_ may be ``None``."""


def kind_of(attribute: str) -> Kind:
    """Return the kind of an attribute."""
    return KINDS[attribute.removeprefix("maybe_")]


Values: Any = attrs.make_class(
    "Values",
    {
        name: field(type=kind.type | None, default=None, metadata=kind.metadata)
        if name.startswith("maybe_")
        else field(type=kind.type, metadata=kind.metadata)
        for name, kind in ((name, kind_of(name)) for name in ATTRIBUTES)
    },
    slots=False,
    eq=False,
    kw_only=True,
)


@define(slots=False, eq=False, kw_only=True)
class Piece(Values):  # type: ignore[misc]  # it is made above
    """A part with an attribute of each kind."""


@define(slots=False, eq=False, kw_only=True)
class Specimen(Values, Aggregate):  # type: ignore[misc]  # likewise
    """A root with an attribute of each kind and a unique one."""

    price: Decimal | None = field(default=None, metadata={"digits": 9, "places": 2})
    piece: Piece | None = None


@define(slots=False, eq=False, kw_only=True)
class Leaflet(Values, Aggregate):  # type: ignore[misc]  # likewise
    """A root without parts, which is written as one row."""


class SpecimenNotFound(NotFound):
    """No specimen or leaflet has this id."""

    kind: ClassVar[str] = "specimen"


class PriceTaken(ValueTaken):
    """Another specimen has this price."""

    kind: ClassVar[str] = "price"


class SpecimenRepository(Repository[Specimen]):
    """The stored specimens."""

    aggregate = Specimen
    not_found = SpecimenNotFound
    unique = (Unique("price", error=PriceTaken),)


class LeafletRepository(Repository[Leaflet]):
    """The stored leaflets."""

    aggregate = Leaflet
    not_found = SpecimenNotFound


specimens_metadata = MetaData(naming_convention=metadata.naming_convention)


def _columns() -> list[Column[Any]]:
    return [Column(name, kind_of(name).column, nullable=name.startswith("maybe_")) for name in ATTRIBUTES]


def _table(name: str) -> Table:
    id, version = Column("id", sa.Uuid, primary_key=True), Column("version", Integer, nullable=False)
    return Table(name, specimens_metadata, id, *_columns(), version)


specimens = _table("specimens")
specimens.append_column(Column("price", Exact(9, 2)))
specimens.append_constraint(sa.UniqueConstraint("price"))

pieces = Table(
    "pieces",
    specimens_metadata,
    Column("n", Integer, primary_key=True),
    Column("specimen_id", ForeignKey(specimens.c.id), nullable=False, index=True),
    *_columns(),
)

map_aggregate(Leaflet, _table("leaflets"), flat=True)
map_part(Piece, pieces)
map_aggregate(
    Specimen,
    specimens,
    properties={"piece": relationship(Piece, uselist=False, lazy="selectin", cascade="all, delete-orphan")},
)


class SqlSpecimenRepository(SqlRepository[Specimen], SpecimenRepository):
    """The specimens of a SQL unit of work."""


class FakeSpecimenRepository(FakeRepository[Specimen], SpecimenRepository):
    """The specimens of a fake unit of work."""


class SqlLeafletRepository(SqlRepository[Leaflet], LeafletRepository):
    """The leaflets of a SQL unit of work."""


class FakeLeafletRepository(FakeRepository[Leaflet], LeafletRepository):
    """The leaflets of a fake unit of work."""
