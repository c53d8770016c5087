"""The order in which aggregates are written, and how their versions rise: by one for each unit that writes them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import define, field

from domain.aggregate import base_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from domain.aggregate import Aggregate


def write_order(aggregate: Aggregate[Any], *, is_new: bool = False) -> tuple[bool, str, Any]:
    """Return the sort key of an aggregate in a flush: the addition first, then the changes by repository, then by id.

    If several cannot be written, this order decides which of them is refused.
    """
    kind = base_of(type(aggregate))
    return not is_new, f"{kind.__module__}.{kind.__name__}", aggregate.id


@define
class _Level:
    """What the unit or one of its savepoints has written."""

    # By id(), because two objects of one identity are equal. The entry keeps its object alive.
    before: dict[int, tuple[Aggregate[Any], int]] = field(factory=dict)
    wrote: bool = False


class Versions:
    """The versions that one block of a unit has raised, in one level for the unit and one for each open savepoint."""

    def __init__(self) -> None:
        self._levels = [_Level()]

    @property
    def depth(self) -> int:
        """How many savepoints are open."""
        return len(self._levels) - 1

    @property
    def wrote(self) -> bool:
        """Whether the unit has written anything that is not undone."""
        return any(level.wrote for level in self._levels)

    def note_write(self) -> None:
        """Note that the unit writes."""
        self._levels[-1].wrote = True

    @contextmanager
    def raised(self, aggregates: Iterable[Aggregate[Any]]) -> Iterator[None]:
        """Raise the versions that this unit has not raised yet. If the block fails, restore the old ones."""
        level = self._levels[-1].before
        before = [(one, one.version) for one in aggregates]
        noted = {id(one): (one, version) for one, version in before if id(one) not in level}
        for one, version in before:
            if not any(id(one) in other.before for other in self._levels):
                one.version = version + 1
        level.update(noted)
        try:
            yield
        except BaseException:
            for one, version in before:
                one.version = version
            for key in noted:
                del level[key]
            raise
        self.note_write()

    def begin_level(self) -> None:
        """Begin the level of a savepoint."""
        self._levels.append(_Level())

    def keep_level(self) -> None:
        """End the level of a savepoint that succeeded: merge it into the level around it."""
        inner = self._levels.pop()
        self._levels[-1].before = inner.before | self._levels[-1].before
        self._levels[-1].wrote |= inner.wrote

    def drop_level(self) -> list[tuple[Aggregate[Any], int]]:
        """End the level of a savepoint that failed. Return each aggregate written in it with its version before."""
        return list(self._levels.pop().before.values())
