"""Two worlds, a fake one and a real one, in which the same steps are made side by side and compared."""

from __future__ import annotations

import warnings
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field

from domain.aggregate import Aggregate
from domain.errors import ConcurrentChange, Conflict, StorageError, ValueTaken
from tests.contract.graphs import exact
from tests.contract.sample import Sample, UniqueValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from tests.contract.shop import Shop
    from tests.storages import Storage


class Oops(Exception):
    """The error with which blocks are left."""


@define(eq=False)
class Block:
    """A unit of work that is used for one block after another, and its open savepoints."""

    writer: Shop
    uow: Shop
    savepoints: list[AbstractContextManager[None]] = field(factory=list)

    def enter(self, storage: Storage, how: str) -> None:
        """Open a block: of the last unit (``"again"``), of a ``"new"`` one, or of a ``"read-only"`` one."""
        if how == "read-only":
            self.uow = storage.unit(read_only=True)
        else:
            self.uow = self.writer = self.writer if how == "again" else storage.unit()
        self.uow.__enter__()

    def begin_savepoint(self) -> None:
        """Begin a savepoint, perhaps in another one."""
        savepoint = self.uow.savepoint()
        savepoint.__enter__()
        self.savepoints.append(savepoint)


@define(eq=False)
class World:
    """One storage, some units of work on it, and all objects seen so far, in the order of their arrival."""

    storage: Storage
    blocks: list[Block]
    objects: list[Aggregate[Any]] = field(factory=list)

    def numbers_of(self, found: Any) -> Any:
        """Return a result with each object replaced by its number, so the identity of objects is compared too."""
        if isinstance(found, Aggregate):
            for number, known in enumerate(self.objects):
                if known is found:
                    return number
            self.objects.append(found)
            return len(self.objects) - 1
        if isinstance(found, list):
            return [self.numbers_of(one) for one in found]
        return found

    def outcome(self, step: Callable[[World], Any]) -> Any:
        """Return the result of a step, or the error it raises with its words.

        A conflict is in each storage's own words: which unit waits for which is not the same for all.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return self.numbers_of(step(self))
        except ConcurrentChange:
            return "ConcurrentChange", ""
        except Exception as error:  # noqa: BLE001  # whatever it is, the other world must raise it too
            return type(error).__name__, str(error)


def new_world(storage: Storage, units: int) -> World:
    """Return a world with a number of units of work, none of them open."""
    return World(storage, [Block(uow, uow) for uow in (storage.unit() for _ in range(units))])


def repository(uow: Shop, sample: Sample[Any]) -> Any:
    """Return the repository of a sample in a unit of work."""
    return getattr(uow, sample.repository)


def mixed(sample: Sample[Any], words: Sequence[str]) -> Any:
    """Return a new aggregate whose unique values come from one word each."""
    made = sample.make(words[0])
    for unique, word in zip(sample.unique, words, strict=False):
        unique.put(made, unique_value(sample, unique, word))
    return made


def unique_value(sample: Sample[Any], unique: UniqueValue[Any], word: str) -> Any:
    """Return the unique value that an aggregate of a word has."""
    return unique.value(sample.make(word))


def leave(savepoint: AbstractContextManager[None], error: Oops | None) -> None:
    """Leave a savepoint as a ``with`` statement would."""
    try:
        savepoint.__exit__(None if error is None else Oops, error, None)
    except Oops:
        return


def leave_block(block: Block, *, by_error: bool) -> None:
    """Leave all savepoints and the block, normally or by an error, as nested ``with`` statements would."""
    with suppress(Oops), ExitStack() as stack:
        stack.push(block.uow)
        while block.savepoints:
            stack.push(block.savepoints.pop(0))
        if by_error:
            raise Oops


def stored(world: World, samples: Sequence[Sample[Any]]) -> list[dict[str, Any]]:
    """Return all that is stored of some samples."""
    with world.storage.unit(read_only=True) as uow:
        return [exact(one) for sample in samples for one in repository(uow, sample).stream()]


def ask(items: Any, sample: Sample[Any], query: int, key: Any, word: str) -> Any:
    """Run one of a repository's queries, chosen by number, with the id of an aggregate and a word."""
    queries: list[Callable[[], Any]] = [lambda: _page(items, key), lambda: list(items.stream())]
    if key is not None:
        queries.append(lambda: items.get(key))
    queries += [
        partial(unique.find, items, unique_value(sample, unique, word))
        for unique in sample.unique
        if unique.find is not None
    ]
    queries += [partial(one, items, word) for one in sample.queries]
    return queries[query % len(queries)]()


def _page(items: Any, key: Any) -> Any:
    page = items.page(key, limit=2)
    return [*page.items, page.next]


def ends_a_unit(outcome: Any) -> bool:
    """Return whether an outcome is an error after which a unit can only be rolled back or left."""
    return _is_error_of(outcome, Conflict, StorageError)


def waited_for_the_holder(fake: Any, real: Any) -> bool:
    """Return whether a database waited in vain for a unit that changes the row which has a taken value.

    The fake says without waiting that the value is taken.
    """
    return real == ("ConcurrentChange", "") and _is_error_of(fake, ValueTaken)


def _is_error_of(outcome: Any, *kinds: type) -> bool:
    """Return whether an outcome is an error of these classes. Each sample declares its own below them."""
    return isinstance(outcome, tuple) and outcome[0] in _names_below(*kinds)


def _names_below(*kinds: type) -> set[str]:
    return {name for kind in kinds for name in (kind.__name__, *_names_below(*kind.__subclasses__()))}
