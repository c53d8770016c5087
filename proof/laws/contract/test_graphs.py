"""Twins share nothing, values show all that is stored, and new ids come again on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from attrs import define, field, frozen, setters
from attrs.exceptions import FrozenAttributeError, FrozenInstanceError

from domain.aggregate import new_id
from tests.contract.graphs import exact, same_ids, twin, values


@frozen
class Money:
    """A value object without an order."""

    amount: int
    currency: str


@dataclass
class Leaf:
    """A part that is a dataclass and cannot be a member of a set."""

    name: str
    tags: list[str]


@define(eq=False)
class Branch:
    """A part that knows its root."""

    root: Any
    leaves: list[Leaf]
    prices: set[Money] = field(factory=set)


@define(eq=False)
class Tree:
    """A root with parts, a frozen attribute, a rule and an unstored attribute."""

    word: str = field(on_setattr=setters.frozen)
    branches: list[Branch] = field(factory=list)
    settings: dict[str, Any] = field(factory=dict)
    pair: tuple[Any, ...] = ()
    cache: list[int] = field(factory=list, metadata={"stored": False})


def tree() -> Tree:
    """Return a tree with one branch, which holds its first leaf twice."""
    one = Tree("ann", settings={"a": [1]}, cache=[1])
    leaf = Leaf("green", ["x"])
    one.branches.append(Branch(one, [leaf], {Money(2, "EUR"), Money(1, "EUR")}))
    one.pair = (leaf, 1)
    return one


def test_a_twin_holds_the_same_and_shares_nothing() -> None:
    """A twin holds the same at any level and shares nothing. Objects shared inside are shared inside the twin."""
    one = tree()
    other = twin(one)
    assert exact(one) == exact(other)
    other.branches[0].leaves[0].tags.append("y")
    other.branches[0].prices.clear()
    other.settings["a"].append(2)
    other.cache.append(2)
    assert exact(tree()) == exact(one)
    assert [1] == one.cache
    assert other.branches[0].root is other
    assert other.pair[0] is other.branches[0].leaves[0]


def test_a_twin_takes_other_values() -> None:
    """A twin takes the given values for its attributes, frozen ones too."""
    one = twin(tree(), word="bob")
    assert "bob" == one.word
    with pytest.raises(FrozenAttributeError):
        one.word = "cid"
    with pytest.raises(FrozenInstanceError):
        twin(Money(1, "EUR")).amount = 2  # type: ignore[misc]  # that it cannot be set is what is shown


def test_values_show_all_that_is_stored() -> None:
    """Values show all that is stored: sets are sorted, lists are as they are, and a known root is not followed."""
    leaf = {"name": "green", "tags": ["x"]}
    prices = [{"amount": 1, "currency": "EUR"}, {"amount": 2, "currency": "EUR"}]
    branch = {"root": "the object 2 levels above", "leaves": [leaf], "prices": prices}
    assert {"word": "ann", "branches": [branch], "settings": {"a": [1]}, "pair": [leaf, 1]} == values(tree())


def test_exact_values_tell_classes_apart() -> None:
    """Exact values keep classes apart: a whole number is no boolean."""
    one, other = Money(1, "EUR"), Money(True, "EUR")
    assert values(one) == values(other)
    assert exact(one) != exact(other)


def test_new_ids_come_again_in_the_same_order() -> None:
    """New ids come again in the same order, each time from the first one on. Later ones are new."""
    with same_ids() as again:
        first = [new_id() for _ in range(2)]
        again()
        second = [new_id() for _ in range(3)]
    assert first == second[:2]
    assert 5 == len({*second, new_id(), new_id()})
