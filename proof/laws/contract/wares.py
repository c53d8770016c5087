"""Two aggregates for the tests whose ids are no UUIDs: a ware has a text, and a delivery has a number.

A delivery has lines, each for a ware. Both have parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from attrs import define, field, setters
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint, Uuid
from sqlalchemy.orm import relationship

from adapters.fake.repository import FakeRepository
from adapters.sql.mapping import map_aggregate, map_part, metadata
from adapters.sql.repository import SqlRepository
from adapters.sql.types import Key
from domain.aggregate import Aggregate, new_id
from domain.constraints import Reference, Unique
from domain.errors import NotFound, ReferenceMissing, StillReferenced, ValueTaken
from domain.repository import Repository
from tests.contract.sample import Sample, UniqueValue

if TYPE_CHECKING:
    from service_layer.unit_of_work import UnitOfWork

# The domain.


class WareNotFound(NotFound):
    """No ware has this id."""

    kind: ClassVar[str] = "ware"


class DeliveryNotFound(NotFound):
    """No delivery has this number."""

    kind: ClassVar[str] = "delivery"


class NameTaken(ValueTaken):
    """Another ware has this name."""

    kind: ClassVar[str] = "name"


class WareMissing(ReferenceMissing):
    """The ware of a line is not stored."""

    kind: ClassVar[str] = "ware"


class WareDelivered(StillReferenced):
    """A ware that is in a delivery cannot be removed."""

    kind: ClassVar[str] = "delivery"


class Sku(str):
    """A stock-keeping unit."""

    __slots__ = ()
    MAX_LENGTH = 60


@define(slots=False, eq=False, kw_only=True)
class Remark:
    """A text about a ware."""

    id: UUID = field(factory=new_id, on_setattr=setters.frozen)
    text: str = field(metadata={"max_length": 40})


@define(slots=False, eq=False, kw_only=True)
class Ware(Aggregate[Sku]):
    """A ware for sale."""

    id: Sku = field(on_setattr=setters.frozen)
    name: str = field(metadata={"max_length": 40})
    remarks: list[Remark] = field(factory=list, metadata={"order_by": ("text", "id")})

    def rename(self, name: str) -> None:
        """Take another name."""
        self.name = name


@define(slots=False, eq=False, kw_only=True)
class Line:
    """A quantity of one ware."""

    id: UUID = field(factory=new_id, on_setattr=setters.frozen)
    sku: Sku
    quantity: int


@define(slots=False, eq=False, kw_only=True)
class Delivery(Aggregate[int]):
    """A delivery to be paid. The caller gives it a number."""

    id: int = field(on_setattr=setters.frozen)
    lines: list[Line] = field(factory=list, metadata={"order_by": ("quantity", "id")})


class WareRepository(Repository[Ware, Sku]):
    """The stored wares."""

    aggregate = Ware
    not_found = WareNotFound
    unique = (Unique("name", error=NameTaken),)

    def get_by_name(self, name: str) -> Ware:
        """Return the ware with this name. Raises :class:`WareNotFound`."""
        return self._get_by("name", name)


class DeliveryRepository(Repository[Delivery, int]):
    """The stored deliveries."""

    aggregate = Delivery
    not_found = DeliveryNotFound
    references = (Reference("lines.sku", to=Ware, missing=WareMissing, in_use=WareDelivered),)


# The SQL adapter.

wares_metadata = MetaData(naming_convention=metadata.naming_convention)

wares = Table(
    "wares",
    wares_metadata,
    Column("id", Key(Sku, Sku.MAX_LENGTH), primary_key=True),
    Column("name", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("name"),
)

remarks = Table(
    "remarks",
    wares_metadata,
    Column("id", Uuid, primary_key=True),
    Column("ware_id", ForeignKey(wares.c.id), nullable=False, index=True),
    Column("text", String(40), nullable=False),
)

deliveries = Table(
    "deliveries",
    wares_metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)

delivery_lines = Table(
    "delivery_lines",
    wares_metadata,
    Column("id", Uuid, primary_key=True),
    Column("delivery_id", ForeignKey(deliveries.c.id), nullable=False, index=True),
    Column("sku", ForeignKey(wares.c.id), nullable=False, index=True),
    Column("quantity", BigInteger, nullable=False),
)

OWNED: Any = {"lazy": "selectin", "cascade": "all, delete-orphan"}

map_part(Remark, remarks)
map_part(Line, delivery_lines)
map_aggregate(
    Ware, wares, properties={"remarks": relationship(Remark, order_by=(remarks.c.text, remarks.c.id), **OWNED)}
)
map_aggregate(
    Delivery,
    deliveries,
    properties={"lines": relationship(Line, order_by=(delivery_lines.c.quantity, delivery_lines.c.id), **OWNED)},
)


class SqlWareRepository(SqlRepository[Ware, Sku], WareRepository):
    """The wares of a SQL unit of work."""


class SqlDeliveryRepository(SqlRepository[Delivery, int], DeliveryRepository):
    """The deliveries of a SQL unit of work."""


# The fake.


class FakeWareRepository(FakeRepository[Ware, Sku], WareRepository):
    """The wares of a fake unit of work."""


class FakeDeliveryRepository(FakeRepository[Delivery, int], DeliveryRepository):
    """The deliveries of a fake unit of work."""


# For the tests.


def wares_of(uow: UnitOfWork) -> WareRepository:
    """Return the wares of a unit of work."""
    found: WareRepository = uow.wares  # type: ignore[attr-defined]  # only the tests' own units have some
    return found


def deliveries_of(uow: UnitOfWork) -> DeliveryRepository:
    """Return the deliveries of a unit of work."""
    found: DeliveryRepository = uow.deliveries  # type: ignore[attr-defined]  # likewise
    return found


def _make(word: str) -> Ware:
    return Ware(id=Sku(f"{new_id()} of {word}"), name=word, remarks=[Remark(text="new"), Remark(text="red")])


def _change(ware: Ware, state: int) -> None:
    for remark in ware.remarks[:1]:
        remark.text = f"new {state}" if state else "new"


def _edit(ware: Ware, number: int) -> None:
    if ware.remarks:
        ware.remarks[number % len(ware.remarks)].text = f"edit {number}"
        ware.remarks.sort(key=lambda remark: (remark.text, remark.id))


def _add(ware: Ware, number: int) -> None:
    if len(ware.remarks) < 4:
        ware.remarks.append(Remark(text=f"z{len(ware.remarks)} {number}"))


def _remove(ware: Ware, number: int) -> None:
    if ware.remarks:
        del ware.remarks[number % len(ware.remarks)]


def _move(source: Ware, target: Ware, number: int) -> None:
    if source.remarks:
        target.remarks.append(source.remarks.pop(number % len(source.remarks)))
        target.remarks.sort(key=lambda remark: (remark.text, remark.id))


WARES: Sample[Any] = Sample(
    repository="wares",
    make=_make,
    word=lambda ware: ware.name,
    rename=Ware.rename,
    change=_change,
    unique=[UniqueValue("name", Ware.rename, lambda wares, name: wares.get_by_name(name), NameTaken)],
    edits={"change a remark": _edit, "add a remark": _add, "remove a remark": _remove},
    moves=_move,
)
