"""Queries that a port describes once and every storage answers alike: comparisons, one sort key, and a limit."""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen, has

from domain.attributes import stored_names
from domain.limits import limits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in"]

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, several: value in several,
}
"""What each operator does with two values."""


@frozen(init=False)
class Where:
    """A comparison of an attribute of the root with a value.

        Where("active", "==", True)
        Where("created_at", ">=", yesterday)
        Where("username", "in", names)
        Where("deleted_at", "==", None)

    Texts compare by code point. An attribute that is ``None`` meets no comparison with a value, not even ``!=``, as in
    SQL. ``== None`` and ``!= None`` ask for ``None`` itself.
    """

    attribute: str
    operator: _Operator
    value: Any

    def __init__(self, attribute: str, operator: _Operator, value: object) -> None:
        if operator not in COMPARISONS:
            raise TypeError(f"{operator!r} is no comparison: use one of {', '.join(COMPARISONS)}")
        several: Any = value
        known: Any = frozenset(several) if operator == "in" else value
        if (operator == "in" and None in known) or (value is None and operator not in ("==", "!=")):
            raise TypeError(f"{attribute} {operator} None has no meaning: write == None or != None")
        self.__attrs_init__(attribute, operator, known)

    def holds(self, one: Any) -> bool:
        """Return whether the values of an aggregate meet the comparison."""
        value = getattr(one, self.attribute)
        if self.value is None:
            return (value is None) == (self.operator == "==")
        return value is not None and COMPARISONS[self.operator](value, self.value)


@frozen
class Query:
    """Which aggregates, in which order, and how many.

    ``order_by`` is the name of an attribute. A minus sign in front of it reverses the order. ``None`` comes first, and
    last in the reverse order. Equal values are sorted by id, in the same direction. ``after`` is the place of the last
    aggregate before the wanted ones: its id, or the pair of its sort key and its id.
    """

    where: tuple[Where, ...] = ()
    order_by: str = "id"
    limit: int | None = None
    after: Any = None

    @property
    def key(self) -> str:
        """The attribute that sorts."""
        return self.order_by.removeprefix("-")

    @property
    def is_reverse(self) -> bool:
        """Whether the greatest comes first."""
        return self.order_by.startswith("-")

    def check(self, kind: type) -> None:
        """Raise ``TypeError`` for an attribute that a class of aggregates does not store, or that has no comparison."""
        _check(kind, self.key, tuple((one.attribute, one.operator) for one in self.where))

    def place(self, one: Any) -> Any:
        """Return the place of an aggregate in the order, as ``after`` takes it."""
        return one.id if self.key == "id" else (getattr(one, self.key), one.id)

    def answer(self, rows: Iterable[Any]) -> list[Any]:
        """Return the rows that the query asks for, given all rows in the order of their ids."""
        found = [row for row in rows if all(one.holds(row) for one in self.where)] if self.where else list(rows)
        if self.key != "id":
            found.sort(key=self._rank)  # stable: equal ones keep the order of their ids
        if self.after is not None:
            last = self._rank_of(self.after)
            if self.is_reverse:
                del found[bisect_left(found, last, key=self._rank) :]
            else:
                del found[: bisect_right(found, last, key=self._rank)]
        if self.is_reverse:
            found.reverse()
        return found[: self.limit]

    def _rank(self, row: Any) -> Any:
        return self._rank_of(self.place(row))

    def _rank_of(self, place: Any) -> Any:
        """Return a sort key in which ``None`` comes first."""
        return place if self.key == "id" else (place[0] is not None, *place)


@lru_cache(maxsize=1000)
def _check(kind: Any, key: str, compared: tuple[tuple[str, str], ...]) -> None:
    sorted_by = {key, *(name for name, operator in compared if operator not in ("==", "!=", "in"))}
    for name in (key, *(name for name, _ in compared)):
        if name not in stored_names(kind):
            raise TypeError(f"{kind.__name__} has no stored attribute {name!r} that a query could compare")
        limits = limits_of(kind)[name]
        held: Any = limits.kind
        if has(held) or held in (list, set, dict) or limits.is_json:
            what = "a value object" if has(held) else "more than one value"
            raise TypeError(f"{kind.__name__}.{name} is {what}: compare what is in it, by a query in each adapter")
        if name in sorted_by and isinstance(held, type) and issubclass(held, Enum):
            raise TypeError(f"{kind.__name__}.{name} is an enum, which has no order: sort by another attribute")
