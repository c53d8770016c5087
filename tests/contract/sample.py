"""What the contract suite must know of an aggregate, and what its tests do with it.

To add an aggregate, write a :class:`Sample` of it, about ten lines as for ``MEMBERS`` in tests/contract/members.py, and
add it to the list in tests/contract/samples.py. Every test of the suite and the random histories then run on it, on
every storage. tests/contract/sample_check.py first reports what is wrong with a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic

from attrs import field, frozen

from domain.errors import ValueTaken
from domain.repository import A, Repository
from tests.contract.graphs import twin, values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service_layer.unit_of_work import UnitOfWork
    from tests.contract.shop import Shop
    from tests.storages import Storage


@frozen
class UniqueValue(Generic[A]):
    """A unique value of an aggregate or of one of its parts, and the error for a taken one.

    ``attribute`` names it in the tests. ``set`` changes it. ``find`` asks the repository for the aggregate that has a
    value. Each is ``None`` where the domain does not offer it. ``read`` returns the value, by default the root's
    ``attribute``. For several attributes together it returns the text that the error has: their values, joined by
    ``", "``. ``give`` puts a value into a new aggregate. If ``set`` is ``None``, the tests use ``give``. If that is
    ``None`` too, they write the attribute directly, frozen or not.

    For a value of a part the functions choose one part, such as the first. If it is missing, ``read`` returns ``None``,
    and ``set`` and ``give`` do nothing.
    """

    attribute: str
    set: Callable[[A, Any], None] | None
    find: Callable[[Any, Any], A] | None
    taken: type[ValueTaken]
    read: Callable[[A], Any] | None = None
    give: Callable[[A, Any], None] | None = None

    def value(self, aggregate: A) -> Any:
        """Return the value that an aggregate has."""
        return getattr(aggregate, self.attribute) if self.read is None else self.read(aggregate)

    def put(self, new: A, value: Any) -> None:
        """Put a value into a new aggregate that is in no unit."""
        give = self.give or self.set
        if give is None:
            object.__setattr__(new, self.attribute, value)
        else:
            give(new, value)


@frozen
class Sample(Generic[A]):
    """An aggregate of the contract suite.

    ``repository`` is the name of its attribute in the unit of work. ``make`` returns a new aggregate for a word, such
    as ``"ann"``. Aggregates of different words share neither an id nor a unique value. If they are made in the
    alphabetical order of their words, their ids are in that order too. ``word`` reads the word back, and ``rename``
    changes it. ``rename`` is ``None`` for an aggregate whose key holds the word. ``change`` puts the aggregate into the
    state of a number, without touching a unique value. It is made in state 0, and states 0 and 1 differ.

    ``unique`` lists the unique values, in the order in which they are checked. ``queries`` are further queries of the
    repository, each with a word. ``edits`` are the ways to change the inside of an aggregate, by name: add, change,
    move and remove a part, at each level, sort and reverse a list. Each gets a number and does the same for the same
    number. It does nothing if it has nothing to change. ``moves`` moves a part from one aggregate to another.

    An aggregate with parts needs ``edits``. If they are in a list or set, it also needs ``moves``, and ``make`` puts at
    least one part into each list and set.

    ``needs`` adds to an open unit what the aggregates refer to, in every state: the same ids and values each time.
    """

    repository: str
    make: Callable[[str], A] = field(repr=False)
    word: Callable[[A], str] = field(repr=False)
    change: Callable[[A, int], None] = field(repr=False)
    rename: Callable[[A, str], None] | None = field(repr=False, default=None)
    unique: Sequence[UniqueValue[A]] = field(repr=False, default=())
    queries: Sequence[Callable[[Any, str], list[A]]] = field(repr=False, default=())
    edits: Mapping[str, Callable[[A, int], None]] = field(repr=False, factory=dict)
    moves: Callable[[A, A, int], None] | None = field(repr=False, default=None)
    needs: Callable[[UnitOfWork], None] | None = field(repr=False, default=None)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Let Hypothesis show a sample by its name alone. It calls this method, not ``repr``."""
        printer.text(f"<{self.repository}>")


def store_needs(storage: Storage, samples: Iterable[Sample[Any]]) -> None:
    """Store what the aggregates of some samples refer to."""
    for needs in [sample.needs for sample in samples if sample.needs is not None]:
        with storage.unit() as uow:
            needs(uow)
            uow.commit()


STATES = range(6)
"""The numbers that the random histories give to changes, edits and moves."""

WRITES = ("an addition", "a removal", "a change")
"""The kinds of writes that :meth:`Kit.write` knows."""


@frozen
class Kit(Generic[A]):
    """A sample on a storage, with short ways to store and look at it, each in a separate unit of work."""

    storage: Storage
    sample: Sample[A]

    def unit(self, *, read_only: bool = False) -> Shop:
        """Return another unit of work on the storage."""
        return self.storage.unit(read_only=read_only)

    def of(self, uow: UnitOfWork) -> Repository[A]:
        """Return the sample's repository in a unit of work."""
        found: Repository[A] = getattr(uow, self.sample.repository)
        return found

    def stored(self, word: str = "ann") -> A:
        """Store a new aggregate and return the object. Its unit has ended."""
        made = self.sample.make(word)
        with self.unit() as uow:
            self.of(uow).add(made)
            uow.commit()
        return made

    def change(self, aggregate: A, state: int = 1) -> dict[str, Any]:
        """Change an aggregate and return the values that it has then."""
        self.sample.change(aggregate, state)
        return values(aggregate)

    def change_elsewhere(self, aggregate: A) -> None:
        """Change what is stored of an aggregate, in a separate unit."""
        with self.unit() as uow:
            self.sample.change(self.of(uow).get(aggregate.id), 1)
            uow.commit()

    def rename(self, aggregate: A, word: str) -> None:
        """Rename an aggregate. For tests that run only on samples that can be renamed."""
        assert self.sample.rename is not None, "mark the test with over_renamed"
        self.sample.rename(aggregate, word)

    def set(self, unique: UniqueValue[A], aggregate: A, value: Any) -> None:
        """Change a unique value. For tests that run only on those that can be changed."""
        assert unique.set is not None, "mark the test with each_unique_that_changes"
        unique.set(aggregate, value)

    def find(self, unique: UniqueValue[A], uow: UnitOfWork, value: Any) -> A:
        """Ask the repository for a unique value. For tests that run only on those that can be found."""
        assert unique.find is not None, "mark the test with each_unique_that_is_found"
        return unique.find(self.of(uow), value)

    def found_by_all(self, uow: UnitOfWork, aggregate: A) -> list[A]:
        """Return what the repository finds by each unique value of an aggregate."""
        found = [unique for unique in self.sample.unique if unique.find is not None]
        return [self.find(unique, uow, unique.value(aggregate)) for unique in found]

    def write(self, uow: UnitOfWork, mine: A, what: str) -> None:
        """Make one of :data:`WRITES` in a unit. ``mine`` is the object that it removes or changes."""
        if what == "an addition":
            self.of(uow).add(self.sample.make("cid"))
        elif what == "a removal":
            self.of(uow).remove(mine)
        else:
            self.sample.change(mine, 1)

    def like(self, holder: A, unique: UniqueValue[A], word: str) -> A:
        """Return a new aggregate for a word that shares one unique value with a holder, and no other."""
        made = self.sample.make(word)
        unique.put(made, unique.value(holder))
        return made

    def heir(self, holder: A, word: str) -> A:
        """Return a new aggregate for a word that shares all unique values with a holder."""
        made = self.sample.make(word)
        for unique in self.sample.unique:
            unique.put(made, unique.value(holder))
        return made

    def with_id(self, id: Any, word: str) -> A:
        """Return a new aggregate for a word that has the id of another one."""
        return twin(self.sample.make(word), id=id)

    def all_values(self) -> list[dict[str, Any]]:
        """Return the values of all stored aggregates, in the order of ids."""
        with self.unit(read_only=True) as uow:
            return [values(one) for one in self.of(uow).stream()]

    def unique_values(self, unique: UniqueValue[A]) -> dict[Any, Any]:
        """Return the value that each stored aggregate has, by its id."""
        with self.unit(read_only=True) as uow:
            return {one.id: unique.value(one) for one in self.of(uow).stream()}

    def words(self) -> list[str]:
        """Return the words of all stored aggregates, sorted."""
        with self.unit(read_only=True) as uow:
            return sorted(self.sample.word(one) for one in self.of(uow).stream())

    def versions(self) -> list[int]:
        """Return the versions of all stored aggregates, in the order of ids."""
        return [row["version"] for row in self.all_values()]
