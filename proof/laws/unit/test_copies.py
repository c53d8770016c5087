"""The fake's copies of aggregates: alike, sharing nothing that can change, or refused."""

from __future__ import annotations

from collections import OrderedDict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import SimpleNamespace
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from attrs import define, field, frozen, setters

from adapters.fake.copies import Copy, copy_of, fill
from domain.aggregate import Aggregate, empty
from domain.errors import StorageError, UnitOfWorkMisuse
from tests.contract.shop import FakeShop


class Colour(Enum):
    """A value that is one of a few."""

    RED = "r"


class Code(str):
    """A text with special rules."""

    __slots__ = ()


class Amount(int):
    """A number with special rules."""


@frozen
class Money:
    """A value object of two values."""

    amount: int
    tags: tuple[str, ...] = ()


@define(eq=False)
class Leaf:
    """A part with slots, in a part."""

    name: Any
    seen: int = field(default=0, metadata={"stored": False})


@define(slots=False, eq=False)
class Branch:
    """A part with parts."""

    name: str
    leaves: list[Leaf] = field(factory=list)
    best: Leaf | None = None
    sorted: list[Leaf] = field(factory=list, metadata={"order_by": ("name",)})


@define(slots=False, on_setattr=setters.frozen, unsafe_hash=True)
class Line:
    """A part that cannot change."""

    name: str


@define(slots=False, eq=False, kw_only=True)
class Tree(Aggregate):
    """A root with everything."""

    value: Any = None
    branches: list[Branch] = field(factory=list)
    sorted: list[Leaf] = field(factory=list, metadata={"order_by": ("name",)})
    lines: set[Line] = field(factory=set)
    count: int = field(default=3, validator=lambda *_: None)
    events: list[str] = field(init=False, factory=list, metadata={"stored": False})


def again(tree: Tree, parts: list[Any] | None = None) -> tuple[Tree, Copy]:
    """Return another object made from a copy, and its own copy."""
    made = empty(Tree)
    return made, fill(made, copy_of(tree).row, parts or [])


PLAIN = [
    *[None, True, 1, 1.5, "a", b"a", uuid4(), Decimal("1.50"), date(2026, 1, 2), time(1, 2), timedelta(1)],
    *[datetime(2026, 1, 2, tzinfo=UTC), ZoneInfo("UTC"), Colour.RED, Code("a"), Amount(1)],
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_a_plain_value_is_kept_with_its_class(value: object) -> None:
    """A plain value keeps its class. It cannot change, so the copy has the very same value."""
    for _ in range(2):  # the second time its class is known
        assert again(Tree(value=value))[0].value is value


NESTED = [
    [1, [2, [3]]],
    ([1], (2, [3])),
    frozenset({1, (2, 3)}),
    {1, (2, 3)},
    {"a": {"b": [1]}, 2: ({3},)},
    Money(1, ("a",)),
    [Money(1)],
    {"a": Money(2)},
]


@pytest.mark.parametrize("value", NESTED, ids=str)
def test_a_value_holding_others_comes_back_equal(value: object) -> None:
    """A value that holds others comes back equal and of the same class, at any depth."""
    made, _ = again(Tree(value=value))
    assert value == made.value
    assert repr(value) == repr(made.value)
    assert value is not made.value


def test_nothing_that_can_change_is_shared() -> None:
    """Nothing that can change is shared, neither by a copy nor by a read."""
    tree = Tree(value=[{"a": [1]}, ([2],)])
    copy = copy_of(tree)
    tree.value[0]["a"].append(3)
    tree.value[1][0].append(3)
    first, second = empty(Tree), empty(Tree)
    fill(first, copy.row, [])
    first.value[0]["a"].append(4)
    fill(second, copy.row, [])
    assert [{"a": [1]}, ([2],)] == second.value


@dataclass(frozen=True)
class Dated:
    """A value that the standard library makes."""

    day: date


Pair = namedtuple("Pair", "a b")  # noqa: PYI024  # as people still write them

UNKNOWN: list[Any] = [
    Pair(1, 2),
    Dated(date(2026, 1, 2)),
    bytearray(b"a"),
    deque([1]),
    OrderedDict(a=1),
    Fraction(1, 2),
    SimpleNamespace(a=1),
    object(),
    1j,
    range(3),
    print,
]


@pytest.mark.parametrize("value", UNKNOWN, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "inside"])
def test_a_value_that_is_not_known_is_refused(value: object, inside: bool) -> None:
    """An unknown value is refused with its class and attribute and what it is."""
    leaf = Leaf("a")
    leaf.name = [{"a": value}]
    tree = Tree(branches=[Branch("a", [leaf])]) if inside else Tree(value=value)
    with pytest.raises(StorageError) as caught:
        copy_of(tree)
    where = "Tree.branches.leaves.name" if inside else "Tree.value"
    what = f"which holds a {type(value).__name__}: hold a plain value, or make it an attrs class"
    assert f"the fake cannot store {where}, {what}" == str(caught.value)


def test_another_aggregate_is_refused() -> None:
    """Another aggregate is refused as a value, since it is stored separately."""
    with pytest.raises(StorageError) as caught:
        copy_of(Tree(value=(Tree(),)))
    said = "the fake cannot store Tree.value, which holds a Tree, another aggregate: hold its id instead"
    assert said == str(caught.value)


@pytest.mark.parametrize("kind", [Leaf, Branch], ids=["with slots", "without"])
def test_a_deleted_attribute_is_refused(kind: type[Any]) -> None:
    """A deleted attribute is refused by the fake itself if the class is not mapped."""
    part = kind("a")
    del part.name
    with pytest.raises(UnitOfWorkMisuse, match="name of a part of class"):
        copy_of(Tree(value=part))


def test_a_refused_bulk_raises_no_version() -> None:
    """A refused bulk raises no version, so the mended object is stored with version 1."""
    tree: Any = Tree(branches=[None])  # type: ignore[list-item]  # the wrong type is the point
    with FakeShop() as uow:
        with pytest.raises(UnitOfWorkMisuse):
            uow.session.insert_many([tree])
        uow.rollback()
    assert 0 == tree.version


def test_nothing_in_place_of_a_part_is_refused() -> None:
    """Nothing in place of a part is refused by the fake itself if the class is not mapped."""
    tree: Any = Tree(branches=[None])  # type: ignore[list-item]  # the wrong type is the point
    with pytest.raises(UnitOfWorkMisuse, match="None stands where a part belongs"):
        copy_of(tree)


def test_what_holds_itself_is_refused() -> None:
    """A value that holds itself is refused, since it has no end."""
    branch = Branch("a")
    branch.best = branch  # type: ignore[assignment]  # that is the point
    with pytest.raises(StorageError, match=r"^the fake cannot store Tree: something in it holds itself$"):
        copy_of(Tree(branches=[branch]))


def test_parts_are_listed_with_their_paths() -> None:
    """Parts are listed with their paths, each before its own parts.

    A value that cannot change is no part, unless a list or a set holds it.
    """
    leaf, best, line = Leaf("a"), Leaf("b"), Line("c")
    branch = Branch("d", [leaf], best)
    copy = copy_of(Tree(branches=[branch], lines={line}, value=Money(1)))
    paths = [(part.path, part.object, part.in_set) for part in copy.parts]
    assert [
        ("branches", branch, False),
        ("branches.leaves", leaf, False),
        ("branches.best", best, False),
        ("lines", line, True),
    ] == paths


def test_a_list_with_an_order_is_copied_in_it() -> None:
    """A list with an order is copied in that order, as a database returns it, at each level."""
    branch = Branch("low", sorted=[Leaf("b"), Leaf("a")])
    tree = Tree(sorted=[Leaf("d"), Leaf("c")], branches=[branch])
    made, _ = again(tree)
    assert [["c", "d"], ["a", "b"]] == [[leaf.name for leaf in one.sorted] for one in (made, made.branches[0])]
    assert [["d", "c"], ["b", "a"]] == [[leaf.name for leaf in one.sorted] for one in (tree, branch)]


def test_given_objects_become_the_parts() -> None:
    """Given objects of the right class become the parts, in the order of the copy. Missing ones are made."""
    tree = Tree(branches=[Branch("a", [Leaf("b"), Leaf("c")])], lines={Line("d")})
    branch, leaf = Branch("x"), Leaf("y")
    made, copy = again(tree, [branch, leaf])
    assert (branch, leaf) == (made.branches[0], branch.leaves[0])
    assert ("a", ["b", "c"]) == (branch.name, [leaf.name for leaf in branch.leaves])
    assert {Line("d")} == made.lines
    assert [branch, *branch.leaves, *made.lines] == [part.object for part in copy.parts]
    assert [False, False, False, True] == [part.in_set for part in copy.parts]
    other, _ = again(tree, [leaf])
    assert isinstance(other.branches[0], Branch)


def test_what_is_not_stored_is_no_part_of_a_copy() -> None:
    """An unstored attribute is no part of a copy. It gets a new default, in parts too."""
    tree = Tree(branches=[Branch("a", [Leaf("b", seen=5)])])
    tree.events.append("made")
    before = copy_of(tree)
    tree.events.append("changed")
    assert before.row == copy_of(tree).row
    made, _ = again(tree)
    made.events.append("read")
    assert (0, ["read"]) == (made.branches[0].leaves[0].seen, made.events)
    assert again(tree)[0].events == []
    fill(made, before.row, [])
    assert made.events == []


def test_attributes_are_read_by_name() -> None:
    """Attributes are read by name, also those that tuple has itself. Others are unknown."""
    row = copy_of(Tree(value="a", branches=[Branch("b")])).row
    assert ("a", 3, "b") == (row.value, row.count, row.branches[0].name)
    for name in ("events", "index", "other"):
        with pytest.raises(AttributeError, match=f"^Tree has no attribute '{name}' that is stored$"):
            getattr(row, name)


def test_copies_compare_by_what_they_hold() -> None:
    """Copies compare by their values at any depth, so each change is noticed."""
    tree = Tree(branches=[Branch("a", [Leaf("b")])], lines={Line("c")}, value={"a": [1]})
    before = copy_of(tree).row
    assert before == copy_of(tree).row
    changes: list[Callable[[], object]] = [
        lambda: tree.branches[0].leaves.append(Leaf("d")),
        tree.branches[0].leaves.reverse,
        lambda: setattr(tree.branches[0].leaves[0], "name", "e"),
        lambda: tree.lines.add(Line("f")),
        lambda: tree.value["a"].append(2),
    ]
    for change in changes:
        change()
        after = copy_of(tree).row
        assert before != after
        before = after
