"""How a bug is registered, and the ways to break the code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    Plant = Callable[[], None]
    Storage = Literal["fake", "sql", "postgres"]

PROMISES = range(1, 17)
"""The promises of docs/promises.md, each of which needs two bugs."""

LINES = (
    "attributes",
    "check constraints",
    "declared once",
    "inheritance",
    "keys",
    "parts",
    "queries",
    "references",
    "unique values",
    "value objects",
)
"""The lines of what an aggregate may have in docs/modelling.md. Each needs two bugs."""

ENTRIES = ("bootstrap", "create-user", "db", "export-users", "import-users", "list-users")
"""The entry points, each of which needs three bugs."""


@frozen
class Bug:
    """A bug: ``plant`` puts it into the code of some ``storages``, and the test ``caught_by`` notices it on each.

    It is about a promise, about a line of what people model, or about an entry point.
    """

    plant: Plant
    storages: tuple[Storage, ...]
    about: int | str
    caught_by: str


BUGS: dict[str, Bug] = {}
"""All bugs by their names."""


def bug(
    *storages: Storage, caught_by: str, promise: int | None = None, line: str | None = None, entry: str | None = None
) -> Callable[[Plant], Plant]:
    """Register a function that plants a bug in some storages. ``sql`` stands for SQLite, and so for every database.

    ``caught_by`` is the file and the function of one test, as in ``contract/test_objects.py::test_one_object``.
    """
    [about] = [one for one in (promise, line, entry) if one is not None]

    def register(plant: Plant) -> Plant:
        if plant.__name__ in BUGS:
            raise ValueError(f"two bugs have the name {plant.__name__}")
        BUGS[plant.__name__] = Bug(plant, storages, about, caught_by)
        return plant

    return register


def instead(owner: Any, name: str, new: Any) -> None:
    """Replace a method, a function or an attribute. Raises an error if it does not exist."""
    getattr(owner, name)  # otherwise the bug would change nothing
    setattr(owner, name, new)


def around(owner: Any, name: str, new: Callable[..., Any]) -> None:
    """Replace a method or a function by one that gets the original before the arguments."""
    original = getattr(owner, name)
    setattr(owner, name, lambda *args, **options: new(original, *args, **options))
