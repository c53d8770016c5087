"""The port of a savepoint: a part of a unit of work that can be undone alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domain.aggregate import Aggregate


class Savepoint(ABC):
    """An open savepoint. One of these two calls ends it."""

    @abstractmethod
    def release(self) -> None:
        """Keep what was written since the savepoint began."""

    @abstractmethod
    def undo(self, written: list[tuple[Aggregate[Any], int]]) -> None:
        """Undo what was written since the savepoint began, and read again the objects that were changed since.

        ``written`` are the aggregates that were flushed since, each with its version before. Additions are new again.
        """
