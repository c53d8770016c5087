"""What can be mapped, and what mapping a class does."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getmembers
from typing import Any

import pytest
from attrs import Factory, field
from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    event,
    inspect,
    select,
)
from sqlalchemy.exc import InvalidRequestError, NoForeignKeysError
from sqlalchemy.orm import configure_mappers, deferred

from adapters.sql.mapping import map_aggregate, map_part, mapped_tables
from adapters.sql.repository import SqlRepository
from domain.aggregate import makers
from domain.constraints import Reference
from domain.errors import NotFound, ReferenceMissing, StillReferenced, UnitOfWorkMisuse
from proof.laws.contract.orders import Order
from proof.laws.contract.wares import Ware, wares
from proof.laws.integration.mappings import (
    SORTED,
    a_frozen_part,
    a_part,
    a_part_table,
    a_root,
    a_table,
    map_parts,
    owns,
)
from proof.laws.integration.wrong_parts import SET, joined, numbered, referring
from tests.contract.members import Member
from tests.contract.products import new_product
from tests.contract.shop import SqlShop

pytestmark = pytest.mark.usefixtures("unmapped")

RIGHT: dict[str, Callable[[], type[Any]]] = {
    "a list": map_parts,
    "a list by its name": lambda: map_parts(options=lambda _: {"order_by": "Part.name"}),
    "a numbered list": lambda: numbered(Column("n", Integer, nullable=False)),
    "a list that the object makes": lambda: map_parts(
        held=field(default=Factory(lambda _: [], takes_self=True), metadata=SORTED.metadata)
    ),
    "a list that is given": lambda: map_parts(held=field(metadata=SORTED.metadata)),
    "a set": lambda: map_parts(a_frozen_part(), held=SET, order_by=False, collection_class=set),
    "one": lambda: map_parts(held=field(default=None), order_by=False, uselist=False),
    "a column of the database's": lambda: map_parts(
        columns=(Column("n", Integer, server_default="1", nullable=False),)
    ),
    "passive deletes": lambda: map_parts(passive_deletes=True),
    "an own join": lambda: map_parts(options=lambda parts: {"primaryjoin": joined(parts).clauses[0]}),
    "a reference": lambda: referring("RESTRICT"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_can_be_mapped_is_accepted(case: str) -> None:
    """Mappings that are close to refused ones are accepted."""
    kind = RIGHT[case]()
    assert ["parts"] == inspect(kind).relationships.keys()
    assert {"roots", "parts"} <= {table.name for table in mapped_tables()}


@pytest.mark.parametrize("target", [lambda _: "Part", lambda part: lambda: part], ids=["name", "function"])
def test_parts_can_be_given_by_name(target: Callable[[type], Any]) -> None:
    """Parts can be given by name or by a function, as in SQLAlchemy."""
    parts = a_part_table(root := a_table())
    map_part(part := a_part(), parts)
    kind = a_root(parts=SORTED)
    map_aggregate(kind, root, properties={"parts": owns(target(part), order_by=parts.c.name)})
    assert part is inspect(kind).relationships["parts"].mapper.class_


def test_what_sqlalchemy_refuses_leaves_nothing() -> None:
    """A mapping that SQLAlchemy refuses leaves nothing: parts without a foreign key, or of an unknown name."""
    parts = Table("parts", MetaData(), Column("number", Integer, primary_key=True), Column("name", String(9)))
    map_part(part := a_part(), parts)
    for target, error in ((part, NoForeignKeysError), ("Nothing", InvalidRequestError)):
        kind = a_root(parts=SORTED)
        with pytest.raises(error, match=r"Root.*parts|Nothing"):
            map_aggregate(kind, a_table(), properties={"parts": owns(target, order_by=parts.c.name)})
        assert inspect(kind, raiseerr=False) is None
        configure_mappers()


def test_a_refused_class_can_be_mapped_rightly() -> None:
    """A class that was refused can be mapped rightly: SQLAlchemy keeps nothing of it."""
    kind, table = a_root(n=field()), a_table(Column("n", BigInteger))
    with pytest.raises(ValueError, match="leave out deferred"):
        map_aggregate(kind, table, properties={"n": deferred(table.c.n)})
    assert inspect(kind, raiseerr=False) is None
    assert 1 == kind(n=1).n
    map_aggregate(kind, table)
    assert inspect(kind).local_table is table


def test_mapping_a_class_again_changes_nothing() -> None:
    """Mapping a class again changes nothing: importing is enough, and a second call does no harm."""
    root = map_parts()
    before = inspect(root)
    map_aggregate(root, a_table(), properties={"wrong": owns("Nothing")})
    assert inspect(root) is before
    assert makers[root]().__class__ is root


def test_an_object_made_before_mapping_is_refused(sqlite_engine: Engine) -> None:
    """An object that was made before its class was mapped is refused: its changes could not be noticed."""
    early = (kind := a_root())()
    map_aggregate(kind, a_table())
    with SqlShop(sqlite_engine) as uow, pytest.raises(UnitOfWorkMisuse, match="was made before its class was mapped"):
        uow.register_new(early)


def test_members_of_a_mapped_class_can_be_listed() -> None:
    """The members of a mapped class can be listed, as help() and many tools do."""
    assert {"change_email", "email"} < dict(getmembers(Member)).keys()


def test_listeners_of_a_project_still_run(sqlite_engine: Engine) -> None:
    """A project's listeners to the class and its attributes still run, as in SQLAlchemy."""
    seen: list[str] = []
    listeners: list[tuple[Any, str, Any]] = [
        (Order, "before_insert", lambda *_: seen.append("insert")),
        (Order, "before_update", lambda *_: seen.append("update")),
        (Order, "load", lambda *_: seen.append("load")),
        (Order.reference, "set", lambda *_: seen.append("set")),
    ]
    for listener in listeners:
        event.listen(*listener)
    try:
        order = Order(reference="one")
        assert ["set"] == seen
        with SqlShop(sqlite_engine) as uow:
            uow.orders.add(order)
            uow.commit()
        with SqlShop(sqlite_engine) as uow:
            uow.orders.get(order.id).change_reference("two")
            uow.commit()
        assert ["set", "insert", "load", "set", "update"] == seen
    finally:
        for listener in listeners:
            event.remove(*listener)


def test_unmapped_columns_belong_to_the_database(sqlite_engine: Engine) -> None:
    """The database fills columns without an attribute, in bulk and on change. Reading them touches nothing else."""
    table = a_table(
        Column("a", Integer, server_default="5", nullable=False), Column("b", Integer, Computed("version * 2"))
    )
    kind = a_root(n=field(), seen=field(default=0, metadata={"stored": False}))
    table.append_column(Column("n", BigInteger))
    map_aggregate(kind, table)
    repository = type("Roots", (SqlRepository,), {"aggregate": kind, "not_found": NotFound, "table": table})
    table.create(sqlite_engine)
    with SqlShop(sqlite_engine) as uow:
        repository(uow, uow.session).add_many([kind(n=1)])
        repository(uow, uow.session).add(one := kind(n=2))
        uow.flush()
        one.n, one.seen = 3, 1
        uow.flush()
        uow.session.scalars(select(kind)).all()
        assert 1 == one.seen
        uow.commit()
    with SqlShop(sqlite_engine) as uow:
        rows = uow.session.execute(select(table.c.n, table.c.a, table.c.b).order_by(table.c.n)).all()
        assert [(1, 5, 2), (3, 5, 2)] == [tuple(row) for row in rows]
    table.drop(sqlite_engine)


def test_a_reference_to_a_text_needs_its_type() -> None:
    """A reference to a text needs its type: PostgreSQL could not compare the two in a join."""
    table = a_table(Column("sku", String(60), ForeignKey(wares.c.id), nullable=False), meta=MetaData())
    kind = a_root(sku=field(type=str, metadata={"max_length": 60}))
    map_aggregate(kind, table)
    reference = Reference("sku", to=Ware, missing=ReferenceMissing, in_use=StillReferenced)
    declared = {"aggregate": kind, "not_found": NotFound, "references": (reference,)}
    with pytest.raises(TypeError, match=r"roots.sku could not be compared with the text .+: leave out its type"):
        type("Roots", (SqlRepository,), declared)


def test_a_list_is_never_read_later(sqlite_engine: Engine) -> None:
    """A list is never read later, even if a repository expires it: it could be of another version than its root."""
    with SqlShop(sqlite_engine) as uow:
        uow.products.add(product := new_product())
        uow.flush()
        uow.session.expire(product, ["batches"])
        with pytest.raises(UnitOfWorkMisuse, match="an attribute is read that was deleted"):
            len(product.batches)
        uow.rollback()
