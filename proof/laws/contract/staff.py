"""Two aggregates for the tests with subclasses: staff in joined tables, and vehicles in a single table.

A manager has further parts, and a director is a manager.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint, Uuid
from sqlalchemy.ext.orderinglist import ordering_list
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
from proof.laws.contract.catalog import Money, euros

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from service_layer.unit_of_work import UnitOfWork
    from tests.storages import Storage


class StaffNotFound(NotFound):
    """Nothing is stored with this id."""

    kind: ClassVar[str] = "employee or vehicle"


class NameTaken(ValueTaken):
    """Another employee or vehicle has this name."""

    kind: ClassVar[str] = "name"


class GoalTaken(ValueTaken):
    """Another manager has this goal."""

    kind: ClassVar[str] = "goal"


@define(slots=False, eq=False, kw_only=True)
class Badge:
    """A part of every employee."""

    door: str = field(metadata={"max_length": 40})


@define(slots=False, eq=False, kw_only=True)
class Goal:
    """A part that only managers have."""

    text: str = field(metadata={"max_length": 40})


@define(slots=False, eq=False, kw_only=True)
class Employee(Aggregate):
    """A person who works here."""

    name: str = field(metadata={"max_length": 40})
    badges: list[Badge] = field(factory=list)


@define(slots=False, eq=False, kw_only=True)
class Manager(Employee):
    """An employee with a budget and goals."""

    budget: Money | None = None
    goals: list[Goal] = field(factory=list, metadata={"order_by": ("text",)})


@define(slots=False, eq=False, kw_only=True)
class Director(Manager):
    """A manager with a car."""

    car: str | None = field(default=None, metadata={"max_length": 40})


@define(slots=False, eq=False, kw_only=True)
class Engineer(Employee):
    """An employee who knows a language."""

    language: str = field(metadata={"max_length": 40})
    mood: str = field(default="calm", metadata={"stored": False})


@define(slots=False, eq=False, kw_only=True)
class Vehicle(Aggregate):
    """A vehicle."""

    name: str = field(metadata={"max_length": 40})


@define(slots=False, eq=False, kw_only=True)
class Car(Vehicle):
    """A vehicle with seats."""

    seats: int


@define(slots=False, eq=False, kw_only=True)
class Truck(Vehicle):
    """A vehicle with a load."""

    load: int
    seats: int = 2


staff_metadata = MetaData(naming_convention=metadata.naming_convention)


def _table(name: str, *columns: Any) -> Table:
    return Table(name, staff_metadata, Column("id", Uuid, primary_key=True), *columns)


def _below(base: Table) -> Column[Any]:
    return Column("id", ForeignKey(base.c.id), primary_key=True)


def _parts(name: str, column: str, *more: Any) -> Table:
    return Table(
        name,
        staff_metadata,
        Column("number", Integer, primary_key=True),
        Column("employee_id", ForeignKey("staff.id"), nullable=False),
        Column(column, String(40), nullable=False),
        *more,
    )


staff = _table(
    "staff",
    Column("kind", String(20), nullable=False),
    Column("name", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("name"),
)
managers = Table(
    "managers",
    staff_metadata,
    _below(staff),
    Column("budget_amount", Exact(12, 2)),
    Column("budget_currency", String(3)),
)
directors = Table("directors", staff_metadata, _below(managers), Column("car", String(40)))
engineers = Table("engineers", staff_metadata, _below(staff), Column("language", String(40), nullable=False))
badges = _parts("badges", "door", Column("place", Integer, nullable=False))
goals = _parts("goals", "text", UniqueConstraint("text"))
vehicles = _table(
    "vehicles",
    Column("kind", String(20), nullable=False),
    Column("name", String(40), nullable=False),
    Column("seats", BigInteger),
    Column("load", BigInteger),
    Column("version", Integer, nullable=False),
    UniqueConstraint("name"),
)

OWNED: Any = {"lazy": "selectin", "cascade": "all, delete-orphan"}

map_part(Badge, badges)
map_part(Goal, goals)
map_aggregate(
    Employee,
    staff,
    polymorphic_on=staff.c.kind,
    polymorphic_identity="employee",
    properties={
        "badges": relationship(Badge, order_by=badges.c.place, collection_class=ordering_list("place"), **OWNED)
    },
)
map_aggregate(
    Manager,
    managers,
    inherits=Employee,
    polymorphic_identity="manager",
    properties={
        "budget": value_object(Money, managers.c.budget_amount, managers.c.budget_currency),
        "goals": relationship(Goal, order_by=goals.c.text, **OWNED),
    },
)
map_aggregate(Director, directors, inherits=Manager, polymorphic_identity="director")
map_aggregate(Engineer, engineers, inherits=Employee, polymorphic_identity="engineer")
map_aggregate(Vehicle, vehicles, polymorphic_on=vehicles.c.kind, polymorphic_identity="vehicle")
map_aggregate(Car, inherits=Vehicle, polymorphic_identity="car")
map_aggregate(Truck, inherits=Vehicle, polymorphic_identity="truck")


class EmployeeRepository(Repository[Employee]):
    """The stored staff."""

    aggregate = Employee
    subclasses = (Manager, Director, Engineer)
    not_found = StaffNotFound
    unique = (Unique("name", error=NameTaken), Unique("goals.text", error=GoalTaken))


class VehicleRepository(Repository[Vehicle]):
    """The stored vehicles."""

    aggregate = Vehicle
    subclasses = (Car, Truck)
    not_found = StaffNotFound
    unique = (Unique("name", error=NameTaken),)


class SqlEmployees(SqlRepository[Employee], EmployeeRepository):
    """The staff of a SQL unit of work."""


class SqlVehicles(SqlRepository[Vehicle], VehicleRepository):
    """The vehicles of a SQL unit of work."""


class FakeEmployees(FakeRepository[Employee], EmployeeRepository):
    """The staff of a fake unit of work."""


class FakeVehicles(FakeRepository[Vehicle], VehicleRepository):
    """The vehicles of a fake unit of work."""


STAFF: dict[str, tuple[type[SqlRepository[Any]], type[FakeRepository[Any]]]] = {
    "staff": (SqlEmployees, FakeEmployees),
    "vehicles": (SqlVehicles, FakeVehicles),
}
"""The repositories of these aggregates, by their names in a unit of work."""

MAKERS: dict[str, Callable[[str], Any]] = {
    "employee": lambda name: Employee(name=name, badges=[Badge(door="b"), Badge(door="a")]),
    "manager": lambda name: Manager(
        name=name, budget=euros(5), goals=[Goal(text=f"{name} 1"), Goal(text=f"{name} 2")], badges=[Badge(door="c")]
    ),
    "director": lambda name: Director(name=name, car="red", budget=euros(9), goals=[Goal(text=f"{name} 1")]),
    "engineer": lambda name: Engineer(name=name, language="C", badges=[Badge(door="a")]),
    "vehicle": lambda name: Vehicle(name=name),
    "car": lambda name: Car(name=name, seats=4),
    "truck": lambda name: Truck(name=name, load=12),
}
"""How to make an object of each class, by a word."""


def items_of(uow: UnitOfWork, one: object) -> Repository[Any]:
    """Return the repository that holds an object."""
    found: Repository[Any] = getattr(uow, "staff" if isinstance(one, Employee) else "vehicles")
    return found


def stored(storage: Storage, kind: str, name: str = "ann") -> Any:
    """Store an object of a class and return it. Its unit has ended."""
    made = MAKERS[kind](name)
    with storage.unit() as uow:
        items_of(uow, made).add(made)
        uow.commit()
    return made


def read(storage: Storage, one: Any) -> Any:
    """Read an object in a separate unit."""
    with storage.unit(read_only=True) as uow:
        return items_of(uow, one).get(one.id)


def with_id(kind: str, name: str, id: UUID) -> Any:
    """Return an object of a class with an id."""
    made = MAKERS[kind](name)
    object.__setattr__(made, "id", id)
    return made
