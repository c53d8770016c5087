"""What an attribute may hold, as the fake and every database get it from the domain."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any, Generic, NewType, Optional, TypeVar

import pytest
from attrs import define, field, frozen

from adapters.fake.copies import copy_of
from domain.aggregate import Aggregate
from domain.errors import InvalidValue
from domain.limits import Unknown, check_values, limits_of

if TYPE_CHECKING:
    import datetime as dt
    from uuid import UUID

    from tests.contract.members import MemberName

Code = NewType("Code", str)
T = TypeVar("T")


class Day(date):
    """A library's class, such as one that stops the clock."""


class Moment(datetime):
    """The same for a date and time."""


class Clock(time):
    """The same for a time."""


class Span(timedelta):
    """The same for an interval."""


class Size(enum.IntEnum):
    """A number that is one of a few."""

    SMALL = 1


class Label(str):
    """A text that prints differently from its value."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another"


@frozen
class Money:
    """A value object of two values."""

    amount: Decimal = field(metadata={"digits": 5, "places": 2})
    currency: str = field(metadata={"max_length": 3})


@define(eq=False)
class Slotted:
    """A part with slots."""

    n: int


@define(slots=False, eq=False)
class Box(Generic[T]):
    """A generic class."""

    n: T


@define(slots=False, eq=False, kw_only=True)
class Crate(Aggregate):
    """A root with each kind of annotation."""

    code: Code = field(default=Code("a"), metadata={"max_length": 3})
    maybe: Optional[int] = None  # noqa: UP045  # people write it so
    key: UUID | None = None
    name: MemberName | None = None
    at: dt.datetime | None = None
    price: Money | None = None
    anything: Any = None
    either: int | str = 1
    box: Box[int] | None = None
    whole: Decimal = Decimal(1)
    parts: list[Slotted] = field(factory=list)
    day: date = date(2026, 1, 2)
    moment: datetime = datetime(2026, 1, 2, tzinfo=UTC)
    clock: time = time(1)
    span: timedelta = timedelta(1)
    number: int = 1
    size: Size = Size.SMALL
    seal: bytes = field(default=b"", metadata={"max_length": 3})


def test_annotations_are_read_as_in_python() -> None:
    """Annotations are read as in Python. A usual class is known if it is imported only for type checkers.

    Other such classes are not known.
    """
    limits = limits_of(Crate)
    found = {name: (one.kind, one.allows_none) for name, one in limits.items()}
    assert {
        "code": (str, False),
        "maybe": (int, True),
        "name": (Unknown, True),
        "at": (Unknown, True),
        "price": (Money, True),
        "anything": (None, True),
        "either": (None, False),
        "box": (Box, True),
        "whole": (Decimal, False),
        "parts": (list, False),
    }.items() <= found.items()
    assert ("UUID", True) == (getattr(found["key"][0], "__name__", ""), found["key"][1])
    assert (3,) == limits["code"].size


WRONG = [
    ({"code": "abcd"}, "Crate.code may have at most 3 characters, not 4"),
    ({"maybe": True}, "Crate.maybe holds an int, not a value of type bool"),
    ({"either": None}, "Crate.either must not be None"),
    ({"whole": 1}, "Crate.whole holds a Decimal, not a value of type int"),
    ({"size": 1}, "Crate.size holds a Size, not a value of type int"),
    ({"day": datetime(2026, 1, 2, tzinfo=UTC)}, "Crate.day holds a date without a time, not a value of type datetime"),
    ({"moment": date(2026, 1, 2)}, "Crate.moment holds a datetime, not a value of type date"),
    ({"clock": "1:00"}, "Crate.clock holds a time, not a value of type str"),
    ({"clock": time(1, tzinfo=UTC)}, "Crate.clock must have no time zone: it is a time of any day"),
    ({"span": 1}, "Crate.span holds a timedelta, not a value of type int"),
    ({"span": timedelta.max}, "Crate.span must fit into 64 bits of microseconds"),
    ({"seal": "abc"}, "Crate.seal holds bytes, not a value of type str"),
    ({"seal": b"abcd"}, "Crate.seal may have at most 3 bytes, not 4"),
    ({"price": 1}, "Crate.price holds a Money, not a value of type int"),
    (
        {"price": Money(Decimal("0.001"), "EUR")},
        "Crate.price cannot hold this, because Money.amount may have at most 5 digits, 2 of them behind the point",
    ),
]


@pytest.mark.parametrize(("values", "reason"), WRONG, ids=[reason for _, reason in WRONG])
def test_a_value_beyond_its_limits_is_refused(values: dict[str, Any], reason: str) -> None:
    """A value beyond its limits is refused with the value and what is allowed."""
    with pytest.raises(InvalidValue) as caught:
        check_values(Crate(**values))
    assert (*values.values(), reason) == (caught.value.value, caught.value.reason)


def test_a_part_with_slots_is_checked() -> None:
    """A part with slots is checked, though it has no dictionary of its attributes."""
    check_values(Slotted(1))
    with pytest.raises(InvalidValue, match=r"Slotted\.n must fit into 64 bits"):
        check_values(Slotted(2**63))


def test_no_digit_limit_takes_any_number() -> None:
    """An attribute without a digit limit takes any number. The caller's precision does not change a limit."""
    check_values(Crate(whole=Decimal("1e-99")))
    with localcontext(prec=1):
        check_values(Crate(price=Money(Decimal("123.45"), "EUR")))


def test_a_deleted_attribute_is_refused_elsewhere() -> None:
    """A deleted attribute is refused by the storages, which say what was done."""
    crate = Crate()
    del crate.code
    check_values(crate)


SUBCLASSES = [
    ("code", Label("a"), "a", str),
    ("day", Day(2026, 1, 2), date(2026, 1, 2), date),
    ("moment", Moment(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), datetime),
    ("clock", Clock(1, 2), time(1, 2), time),
    ("span", Span(1), timedelta(1), timedelta),
    ("number", Size.SMALL, 1, int),
    ("size", Size.SMALL, Size.SMALL, Size),
]


@pytest.mark.parametrize(("name", "given", "value", "kind"), SUBCLASSES, ids=[name for name, *_ in SUBCLASSES])
def test_a_value_of_a_subclass_becomes_plain(name: str, given: Any, value: Any, kind: type) -> None:
    """A value of a subclass becomes a plain one, as a database returns it."""
    stored = getattr(copy_of(Crate(**{name: given})).row, name)
    assert (value, kind) == (stored, type(stored))
