"""What the contract suite must know of an aggregate, and what its tests do with it.

Whoever adds an aggregate writes a :class:`Sample` of it, about ten lines as in tests/contract/users.py, and adds it to
the list in tests/contract/samples.py. Every test of the suite, and the random histories, then run on it too, on every
storage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic

from attrs import asdict, field, frozen

from domain.errors import ValueTaken
from domain.repository import A, Repository

if TYPE_CHECKING:
    from service_layer.unit_of_work import UnitOfWork
    from tests.storages import Storage


@frozen
class Unique(Generic[A]):
    """A unique ``attribute``: how to give it a value, how to find an aggregate by it, and the error for a taken one."""

    attribute: str
    set: Callable[[A, Any], None]
    find: Callable[[Any, Any], A]
    taken: type[ValueTaken]

    def value(self, aggregate: A) -> Any:
        """Return the value that an aggregate has."""
        return getattr(aggregate, self.attribute)


@frozen
class Sample(Generic[A]):
    """An aggregate of the contract suite.

    ``repository`` is the name of its attribute in the unit of work. ``make`` returns a new aggregate for a word, such
    as ``"ann"``; those of different words share no unique value. ``word`` reads the word back, ``rename`` changes it,
    and ``change`` puts the aggregate into the state of a number, without touching a unique value: it is made in state
    0, and 0 and 1 differ. ``unique`` lists the unique attributes in the order of their columns, ``queries`` what else
    the repository can be asked, each with a word.
    """

    repository: str
    make: Callable[[str], A] = field(repr=False)
    word: Callable[[A], str] = field(repr=False)
    rename: Callable[[A, str], None] = field(repr=False)
    change: Callable[[A, int], None] = field(repr=False)
    unique: Sequence[Unique[A]] = field(repr=False, default=())
    queries: Sequence[Callable[[Any, str], list[A]]] = field(repr=False, default=())


WRITES = ("an addition", "a removal", "a change")
"""What :meth:`Kit.write` knows."""


@frozen
class Kit(Generic[A]):
    """A sample on a storage, with short ways to store and look at it, each in a unit of work of its own."""

    storage: Storage
    sample: Sample[A]

    def unit(self, *, read_only: bool = False) -> UnitOfWork:
        """Return another unit of work on the storage."""
        return self.storage.unit(read_only=read_only)

    def of(self, uow: UnitOfWork) -> Repository[A]:
        """Return the sample's repository in a unit of work."""
        found: Repository[A] = getattr(uow, self.sample.repository)
        return found

    def stored(self, word: str = "ann") -> A:
        """Store a new aggregate and return the object, whose unit has ended."""
        made = self.sample.make(word)
        with self.unit() as uow:
            self.of(uow).add(made)
            uow.commit()
        return made

    def change(self, aggregate: A, state: int = 1) -> dict[str, Any]:
        """Change an aggregate, and return the values that it has then."""
        self.sample.change(aggregate, state)
        return values(aggregate)

    def change_elsewhere(self, aggregate: A) -> None:
        """Change what is stored of an aggregate, in a unit that is open only for that."""
        with self.unit() as uow:
            self.sample.change(self.of(uow).get(aggregate.id), 1)
            uow.commit()

    def write(self, uow: UnitOfWork, mine: A, what: str) -> None:
        """Tell a unit one of :data:`WRITES`; ``mine`` is the object that it removes or renames."""
        if what == "an addition":
            self.of(uow).add(self.sample.make("cid"))
        elif what == "a removal":
            self.of(uow).remove(mine)
        else:
            self.sample.rename(mine, "anna")

    def like(self, holder: A, unique: Unique[A], word: str) -> A:
        """Return a new aggregate for a word that shares one unique value with a holder, and no other one."""
        made = self.sample.make(word)
        unique.set(made, unique.value(holder))
        return made

    def all_values(self) -> list[dict[str, Any]]:
        """Return the values of all that is stored, in the order of ids."""
        with self.unit(read_only=True) as uow:
            return [values(one) for one in self.of(uow).stream()]

    def words(self) -> list[str]:
        """Return the words of all that is stored, sorted."""
        with self.unit(read_only=True) as uow:
            return sorted(self.sample.word(one) for one in self.of(uow).stream())

    def versions(self) -> list[int]:
        """Return the versions of all that is stored, in the order of ids."""
        return [row["version"] for row in self.all_values()]


def values(aggregate: Any) -> dict[str, Any]:
    """Return all attributes of an aggregate and its children; fails when one of them cannot be read any more."""
    return asdict(aggregate)
