"""An aggregate for the tests that holds value objects in several columns, as its parts do."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field, frozen, setters
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint, Uuid
from sqlalchemy.orm import relationship

from adapters.fake.repository import FakeRepository
from adapters.sql.mapping import map_aggregate, map_part, metadata
from adapters.sql.repository import SqlRepository
from adapters.sql.types import Exact
from adapters.sql.value_objects import value_object
from domain.aggregate import Aggregate
from domain.constraints import Unique
from domain.errors import NotFound, ValueTaken
from domain.repository import Repository

if TYPE_CHECKING:
    from service_layer.unit_of_work import UnitOfWork
    from tests.storages import Storage


class ArticleNotFound(NotFound):
    """No article has this id."""

    kind: ClassVar[str] = "article"


class NameTaken(ValueTaken):
    """Another article has this name."""

    kind: ClassVar[str] = "name"


@frozen
class Money:
    """An amount in a currency. ``seen`` is not stored."""

    amount: Decimal = field(metadata={"digits": 12, "places": 2})
    currency: str = field(metadata={"max_length": 3})
    seen: int = field(default=0, eq=False, metadata={"stored": False})

    @currency.validator
    def _check(self, _attribute: Any, value: str) -> None:
        if value == "old":
            raise ValueError("there is no such currency any more")


@frozen(slots=False)
class Size:
    """A size. An unknown value is ``None``."""

    width: int
    height: int | None = None


@define(slots=False, eq=False, kw_only=True)
class Offer:
    """A part: the price of an article from a number of pieces on."""

    pieces: int
    price: Money
    rebate: Money | None = None


@define(slots=False, on_setattr=setters.frozen, unsafe_hash=True, kw_only=True)
class Label:
    """A frozen part."""

    text: str = field(metadata={"max_length": 40})
    size: Size | None


@define(slots=False, eq=False, kw_only=True)
class Article(Aggregate):
    """An article for sale. ``old_price`` is an earlier price, if it had one."""

    name: str = field(metadata={"max_length": 40})
    price: Money
    old_price: Money | None = None
    size: Size | None = None
    offers: list[Offer] = field(factory=list, metadata={"order_by": ("pieces",)})
    labels: set[Label] = field(factory=set)


@define(slots=False, eq=False, kw_only=True)
class Stamp(Aggregate):
    """An aggregate without parts. A bulk stores it by COPY."""

    name: str = field(metadata={"max_length": 40})
    price: Money
    old_price: Money | None = None
    used: bool = False


catalog_metadata = MetaData(naming_convention=metadata.naming_convention)


def _money(name: str, *, nullable: bool = False) -> tuple[Column[Any], Column[Any]]:
    return (
        Column(f"{name}_amount", Exact(12, 2), nullable=nullable),
        Column(f"{name}_currency", String(3), nullable=nullable),
    )


articles = Table(
    "goods",
    catalog_metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(40), nullable=False),
    *_money("price"),
    *_money("old_price", nullable=True),
    Column("width", BigInteger),
    Column("height", BigInteger),
    Column("version", Integer, nullable=False),
    UniqueConstraint("name"),
)

offers = Table(
    "offers",
    catalog_metadata,
    Column("number", Integer, primary_key=True),
    Column("article_id", ForeignKey(articles.c.id), nullable=False),
    Column("pieces", BigInteger, nullable=False),
    *_money("price"),
    *_money("rebate", nullable=True),
    UniqueConstraint("article_id", "pieces"),
)

labels = Table(
    "stickers",
    catalog_metadata,
    Column("number", Integer, primary_key=True),
    Column("article_id", ForeignKey(articles.c.id), nullable=False),
    Column("text", String(40), nullable=False),
    Column("width", BigInteger),
    Column("height", BigInteger),
)

stamps = Table(
    "stamps",
    catalog_metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(40), nullable=False),
    *_money("price"),
    *_money("old_price", nullable=True),
    Column("used", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)

OWNED: Any = {"lazy": "selectin", "cascade": "all, delete-orphan"}


def _prices(table: Table, *names: str) -> dict[str, Any]:
    return {name: value_object(Money, table.c[f"{name}_amount"], table.c[f"{name}_currency"]) for name in names}


map_part(Offer, offers, properties=_prices(offers, "price", "rebate"))
map_part(Label, labels, properties={"size": value_object(Size, labels.c.width, labels.c.height)})
map_aggregate(
    Article,
    articles,
    properties={
        **_prices(articles, "price", "old_price"),
        "size": value_object(Size, articles.c.width, articles.c.height),
        "offers": relationship(Offer, order_by=offers.c.pieces, **OWNED),
        "labels": relationship(Label, collection_class=set, **OWNED),
    },
)
map_aggregate(Stamp, stamps, properties=_prices(stamps, "price", "old_price"))


class OfferTaken(ValueTaken):
    """The article has an offer for this number of pieces."""

    kind: ClassVar[str] = "offer"


class ArticleRepository(Repository[Article]):
    """The stored articles."""

    aggregate = Article
    not_found = ArticleNotFound
    unique = (Unique("name", error=NameTaken), Unique("offers.pieces", per_parent=True, error=OfferTaken))


class StampRepository(Repository[Stamp]):
    """The stored stamps."""

    aggregate = Stamp
    not_found = ArticleNotFound


class SqlArticles(SqlRepository[Article], ArticleRepository):
    """The articles of a SQL unit of work."""


class SqlStamps(SqlRepository[Stamp], StampRepository):
    """The stamps of a SQL unit of work."""


class FakeArticles(FakeRepository[Article], ArticleRepository):
    """The articles of a fake unit of work."""


class FakeStamps(FakeRepository[Stamp], StampRepository):
    """The stamps of a fake unit of work."""


CATALOG: dict[str, tuple[type[SqlRepository[Any]], type[FakeRepository[Any]]]] = {
    "goods": (SqlArticles, FakeArticles),
    "stamps": (SqlStamps, FakeStamps),
}
"""The repositories of these aggregates, by their names in a unit of work."""


def euros(amount: int) -> Money:
    """Return an amount in euros."""
    return Money(Decimal(amount), "EUR")


def new_article(name: str = "lamp") -> Article:
    """Return a new article with two offers and a label."""
    offers = [Offer(pieces=10, price=euros(9)), Offer(pieces=100, price=euros(8), rebate=euros(1))]
    labels = {Label(text="new", size=Size(3)), Label(text="plain", size=None)}
    return Article(name=name, price=euros(10), size=Size(3, 4), offers=offers, labels=labels)


def articles_of(uow: UnitOfWork) -> Repository[Article]:
    """Return the articles of a unit of work."""
    found: Repository[Article] = uow.goods  # type: ignore[attr-defined]  # only the tests' own units have some
    return found


def stamps_of(uow: UnitOfWork) -> Repository[Stamp]:
    """Return the stamps of a unit of work."""
    found: Repository[Stamp] = uow.stamps  # type: ignore[attr-defined]  # likewise
    return found


def stored_article(storage: Storage, name: str = "lamp") -> Article:
    """Store an article and return the object. Its unit has ended."""
    made = new_article(name)
    with storage.unit() as uow:
        articles_of(uow).add(made)
        uow.commit()
    return made


def read(storage: Storage, article: Article) -> Article:
    """Read an article in a separate unit."""
    with storage.unit(read_only=True) as uow:
        return articles_of(uow).get(article.id)
