"""How a bug is written down, and what it breaks the code with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    Plant = Callable[[], None]
    Storage = Literal["fake", "sql", "postgres"]


@frozen
class Bug:
    """A bug: ``plant`` puts it into the code, and the tests of each of these ``storages`` must notice it."""

    plant: Plant
    storages: tuple[Storage, ...]


BUGS: dict[str, Bug] = {}
"""All bugs by their names."""


def bug(*storages: Storage) -> Callable[[Plant], Plant]:
    """Register a function that plants a bug in some storages: ``sql`` stands for SQLite, and so for every database."""

    def register(plant: Plant) -> Plant:
        BUGS[plant.__name__] = Bug(plant, storages)
        return plant

    return register


def instead(owner: Any, name: str, new: Any) -> None:
    """Put something else in the place of a method, a function or an attribute; raise an error if there is none."""
    getattr(owner, name)  # or else the bug would change nothing, and nobody see it
    setattr(owner, name, new)


def around(owner: Any, name: str, new: Callable[..., Any]) -> None:
    """Put a function in the place of a method or a function; it is given the original before the arguments."""
    original = getattr(owner, name)
    setattr(owner, name, lambda *args, **options: new(original, *args, **options))
