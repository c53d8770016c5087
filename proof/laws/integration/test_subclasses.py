"""Laws of subclasses of aggregates that need a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import field, make_class
from sqlalchemy import Engine, Table, UniqueConstraint, event, select

from adapters.sql.mapping import map_aggregate, map_part
from adapters.sql.repository import SqlRepository
from domain.aggregate import Aggregate
from domain.constraints import Unique
from domain.errors import NotFound, StorageError, UnitOfWorkMisuse, ValueTaken
from domain.repository import Repository
from proof.laws.contract.staff import MAKERS, Car, Director, Manager, Truck, items_of, staff, vehicles
from proof.laws.integration.mappings import SORTED, a_part_table, a_root, owns
from proof.laws.integration.wrong_subclasses import a_base, a_subclass
from tests.contract.graphs import values
from tests.contract.shop import SqlShop


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Yield a list that gets the first word and the table of each statement."""
    sent: list[str] = []

    def note(*given: Any) -> None:
        sent.append(given[2])

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def everyone(engine: Engine) -> list[Any]:
    """One stored object of each class."""
    made = [make(name) for name, make in MAKERS.items()]
    with SqlShop(engine) as uow:
        for one in made:
            items_of(uow, one).add(one)
        uow.commit()
    return made


def test_a_row_of_an_unknown_class_is_an_error(engine: Engine, everyone: list[Any]) -> None:
    """A row of an unknown class, as of an older program, is an error that names the class."""
    with engine.begin() as connection:
        connection.execute(vehicles.update().where(vehicles.c.kind == "car").values(kind="bike"))
    with (
        SqlShop(engine) as uow,
        pytest.raises(StorageError, match="No such polymorphic_identity 'bike'"),
    ):
        items_of(uow, everyone[-1]).list_where()


def test_subclasses_are_read_by_one_query(engine: Engine, everyone: list[Any]) -> None:
    """Subclasses are read by one query and one more for the parts of each class. None comes later."""
    with SqlShop(engine) as uow, statements(engine) as sent:
        found = items_of(uow, everyone[0]).list_where()
        assert 1 == len([one for one in sent if "FROM staff" in one and "JOIN" in one])
        sent.clear()
        assert [values(one) for one in everyone[:4]] == [values(one) for one in found]
        assert [] == sent
        items_of(uow, everyone[-1]).list_where()
        assert 1 == len([one for one in sent if "vehicles" in one])


def test_a_query_of_a_subclass_finds_that_alone(engine: Engine, everyone: list[Any]) -> None:
    """A query of a subclass, as SQLAlchemy's users write it, finds only its objects: those of the unit, whole."""
    with SqlShop(engine) as uow:
        found = uow.session.scalars(select(Manager).order_by(staff.c.id)).all()
        assert [Manager, Director] == [type(one) for one in found]
        assert [values(one) for one in everyone[1:3]] == [values(one) for one in found]
        assert found[0] is items_of(uow, found[0]).get(found[0].id)
        assert [Car] == [type(one) for one in uow.session.scalars(select(Car))]
        assert [Truck] == [type(one) for one in uow.session.scalars(select(Truck))]


def test_a_new_row_names_its_class(engine: Engine, everyone: list[Any]) -> None:
    """A new row names its class, also for a copy and in bulk, where ``__init__`` has not run."""
    with SqlShop(engine) as uow:
        found = uow.session.execute(select(staff.c.kind).order_by(staff.c.id)).scalars().all()
    assert ["employee", "manager", "director", "engineer"] == list(found)
    assert len(everyone) == len(MAKERS)


@pytest.mark.usefixtures("unmapped")
def test_a_subclass_with_parts_is_read_whole(sqlite_engine: Engine) -> None:
    """Subclasses with parts are not read in pieces, even if the base class has no parts."""
    base, table = a_base()
    _with_parts(base, table, "a")
    with SqlShop(sqlite_engine) as uow, pytest.raises(UnitOfWorkMisuse, match="Base has parts, which cannot be read"):
        uow.session.scalars(select(base), execution_options={"yield_per": 10})


def a_repository(kind: type[Any], **declared: Any) -> type[Any]:
    """Declare a repository."""
    return type("Roots", (SqlRepository,), {"aggregate": kind, "not_found": NotFound, **declared})


def of_a_subclass() -> None:
    """Declare a repository of a subclass."""
    a_repository(_mapped(a_base()[0]))


def not_named() -> None:
    """Declare a repository of a base class without its subclass."""
    base, _ = a_base()
    _mapped(base)
    a_repository(base)


def with_a_unique_value() -> None:
    """Declare a repository of a subclass with a unique value that the base class lacks."""
    base, _ = a_base(UniqueConstraint("n"))
    a_repository(base, subclasses=(_mapped(base),))


def with_parts_of_one_name() -> None:
    """Declare a repository of two subclasses with parts of one name."""
    base, table = a_base()
    a_repository(base, subclasses=(_with_parts(base, table, "a"), _with_parts(base, table, "b")))


def _with_parts(base: type[Any], table: Table, name: str) -> type[Any]:
    part = make_class(
        f"Part_{name}", {"name": field(type=str, metadata={"max_length": 9})}, slots=False, eq=False, kw_only=True
    )
    map_part(part, parts := a_part_table(table, name=name))
    kind = make_class(f"Root_{name}", {"parts": SORTED}, bases=(base,), slots=False, eq=False, kw_only=True)
    own = {"parts": owns(part, order_by=parts.c.name)}
    map_aggregate(kind, inherits=base, polymorphic_identity=name, properties=own)
    return kind


def _mapped(base: type[Any]) -> type[Any]:
    kind = a_subclass(base, n=field(type=int))
    map_aggregate(kind, inherits=base, polymorphic_identity="root")
    return kind


DECLARED: dict[str, tuple[Callable[[], None], str]] = {
    "repository of a subclass": (of_a_subclass, "Root is a subclass: use the repository of its base class"),
    "subclass that is not named": (
        not_named,
        "its class is mapped with other subclasses: write subclasses = (Root,) in the port",
    ),
    "unique value of a subclass": (
        with_a_unique_value,
        "bases is unique in n: a port declares unique values of the base class alone, so leave it out",
    ),
    "parts of one name": (with_parts_of_one_name, "two subclasses have parts at 'parts': give them different names"),
}


@pytest.mark.usefixtures("unmapped")
@pytest.mark.parametrize("case", DECLARED)
def test_a_port_is_compared_with_subclasses(case: str) -> None:
    """A port's statements about subclasses are compared with the mapping."""
    declare, advice = DECLARED[case]
    with pytest.raises(TypeError) as caught:
        declare()
    assert f"Roots cannot be declared: {advice}" == str(caught.value)


def a_port(kind: type[Aggregate], *subclasses: type[Aggregate], **declared: Any) -> type[Any]:
    """Declare a port."""
    return type("Port", (Repository,), {"aggregate": kind, "subclasses": subclasses, **declared})


def test_an_object_is_in_one_repository() -> None:
    """An object is in one repository: a subclass has no separate one, and only subclasses can be named as such."""
    base = a_root("Base")
    kind, other = a_subclass(base, n=field(type=int)), a_root("Other")
    a_port(base, kind)
    with pytest.raises(TypeError, match="Root objects are held by the repository of Base: use that one"):
        a_port(kind)
    with pytest.raises(TypeError, match="Other is no subclass of Base: remove it from subclasses"):
        a_port(base, other)
    with pytest.raises(TypeError, match="names an attribute that Base does not have: n"):
        a_port(base, kind, unique=(Unique("n", error=ValueTaken),))
