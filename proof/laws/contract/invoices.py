"""Aggregates for the tests whose parts refer to another aggregate, and one that refers to others of its own kind.

An invoice has lines, each with or without an article. Each line has extras, which are articles too. An employee has a
manager and a mentor, or neither.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from attrs import define, field, setters
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint, Uuid
from sqlalchemy.orm import relationship

from adapters.fake.repository import FakeRepository
from adapters.sql.mapping import map_aggregate, map_part, metadata
from adapters.sql.repository import SqlRepository
from domain.aggregate import Aggregate
from domain.constraints import Reference, Unique
from domain.errors import NotFound, ReferenceMissing, StillReferenced, ValueTaken
from domain.repository import Repository


class OfficeNotFound(NotFound):
    """The office has nothing with this id."""

    kind: ClassVar[str] = "article, invoice or employee"


class ArticleMissing(ReferenceMissing):
    """The article of a line is not stored."""

    kind: ClassVar[str] = "article"


class ArticleHasLines(StillReferenced):
    """An article that is on a line cannot be removed."""

    kind: ClassVar[str] = "line"


class ExtraMissing(ReferenceMissing):
    """The article of an extra is not stored."""

    kind: ClassVar[str] = "extra article"


class ArticleIsExtra(StillReferenced):
    """An article that is an extra cannot be removed."""

    kind: ClassVar[str] = "extra"


class LineNumberTaken(ValueTaken):
    """Another line of the invoice has this number."""

    kind: ClassVar[str] = "line number"


class BadgeTaken(ValueTaken):
    """Another employee has this badge."""

    kind: ClassVar[str] = "badge"


class ManagerMissing(ReferenceMissing):
    """The manager of an employee is not stored."""

    kind: ClassVar[str] = "manager"


class EmployeeManages(StillReferenced):
    """A manager of others cannot be removed."""

    kind: ClassVar[str] = "managed employee"


class MentorMissing(ReferenceMissing):
    """The mentor of an employee is not stored."""

    kind: ClassVar[str] = "mentor"


class EmployeeMentors(StillReferenced):
    """A mentor of others cannot be removed."""

    kind: ClassVar[str] = "mentored employee"


SHORT = {"max_length": 40}


@define(slots=False, eq=False, kw_only=True)
class Article(Aggregate):
    """An article for sale."""

    name: str = field(default="", metadata=SHORT)


@define(slots=False, on_setattr=setters.frozen, unsafe_hash=True)
class Extra:
    """An article that comes with a line."""

    article_id: UUID


@define(slots=False, eq=False)
class Line:
    """A quantity of an article, or a remark without one."""

    number: int
    article_id: UUID | None = None
    extras: set[Extra] = field(factory=set)


@define(slots=False, eq=False, kw_only=True)
class Invoice(Aggregate):
    """A sale."""

    lines: list[Line] = field(factory=list, metadata={"order_by": ("number",)})


@define(slots=False, eq=False, kw_only=True)
class Employee(Aggregate):
    """An employee, who sells."""

    badge: str = field(metadata=SHORT)
    name: str = field(default="", metadata=SHORT)
    manager_id: UUID | None = None
    mentor_id: UUID | None = None


office_metadata = MetaData(naming_convention=metadata.naming_convention)


def _table(name: str, *columns: Any) -> Table:
    version = Column("version", Integer, nullable=False)
    return Table(name, office_metadata, Column("id", Uuid, primary_key=True), version, *columns)


def _part_table(name: str, parent: Table, key: str, *columns: Any) -> Table:
    owner: Column[Any] = Column("owner", ForeignKey(parent.c[key]), nullable=False, index=True)
    return Table(name, office_metadata, Column("key", Integer, primary_key=True), owner, *columns)


articles = _table("articles", Column("name", String(40), nullable=False))
invoices = _table("invoices")
lines = _part_table(
    "lines",
    invoices,
    "id",
    Column("number", BigInteger, nullable=False),
    Column("article_id", ForeignKey(articles.c.id)),
    UniqueConstraint("owner", "number"),
)
extras = _part_table("extras", lines, "key", Column("article_id", ForeignKey(articles.c.id), nullable=False))
employees = _table(
    "employees",
    Column("badge", String(40), nullable=False),
    Column("name", String(40), nullable=False),
    Column("manager_id", ForeignKey("employees.id")),
    Column("mentor_id", ForeignKey("employees.id")),
    UniqueConstraint("badge"),
)

OWNED: Any = {"lazy": "selectin", "cascade": "all, delete-orphan"}

map_aggregate(Article, articles)
map_part(Extra, extras)
map_part(Line, lines, properties={"extras": relationship(Extra, collection_class=set, **OWNED)})
map_aggregate(Invoice, invoices, properties={"lines": relationship(Line, order_by=lines.c.number, **OWNED)})
map_aggregate(Employee, employees)


class ArticleRepository(Repository[Article]):
    """The stored articles."""

    aggregate = Article
    not_found = OfficeNotFound


class InvoiceRepository(Repository[Invoice]):
    """The stored invoices."""

    aggregate = Invoice
    not_found = OfficeNotFound
    unique = (Unique("lines.number", per_parent=True, error=LineNumberTaken),)
    references = (
        Reference("lines.article_id", to=Article, missing=ArticleMissing, in_use=ArticleHasLines),
        Reference("lines.extras.article_id", to=Article, missing=ExtraMissing, in_use=ArticleIsExtra),
    )


class EmployeeRepository(Repository[Employee]):
    """The stored employees."""

    aggregate = Employee
    not_found = OfficeNotFound
    unique = (Unique("badge", error=BadgeTaken),)
    references = (
        Reference("manager_id", to=Employee, missing=ManagerMissing, in_use=EmployeeManages),
        Reference("mentor_id", to=Employee, missing=MentorMissing, in_use=EmployeeMentors),
    )


class SqlArticles(SqlRepository[Article], ArticleRepository):
    """The articles of a SQL unit of work."""


class SqlInvoices(SqlRepository[Invoice], InvoiceRepository):
    """The invoices of a SQL unit of work."""


class SqlEmployees(SqlRepository[Employee], EmployeeRepository):
    """The employees of a SQL unit of work."""


class FakeArticles(FakeRepository[Article], ArticleRepository):
    """The articles of a fake unit of work."""


class FakeInvoices(FakeRepository[Invoice], InvoiceRepository):
    """The invoices of a fake unit of work."""


class FakeEmployees(FakeRepository[Employee], EmployeeRepository):
    """The employees of a fake unit of work."""


OFFICE: dict[str, tuple[type[SqlRepository[Any]], type[FakeRepository[Any]]]] = {
    "articles": (SqlArticles, FakeArticles),
    "invoices": (SqlInvoices, FakeInvoices),
    "employees": (SqlEmployees, FakeEmployees),
}
"""The repositories of these aggregates, by their names in a unit of work."""
