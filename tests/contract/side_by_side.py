"""The base of the random histories: units of work in two worlds, and steps that are made in both and compared."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.contract.graphs import exact, same_ids
from tests.contract.sample import Sample, store_needs
from tests.contract.worlds import (
    Block,
    Oops,
    World,
    ends_a_unit,
    leave,
    leave_block,
    new_world,
    repository,
    stored,
    waited_for_the_holder,
)
from tests.storages import Storage, fake_storage

if TYPE_CHECKING:
    from collections.abc import Callable


class SideBySide(RuleBasedStateMachine):
    """Units of work in a fake world and in a real one. Each step is made in both and compared immediately."""

    real: ClassVar[Callable[[], Storage]]
    units: ClassVar[int]
    one_writer: ClassVar[bool]
    """Whether a unit that wants to write must wait until another one that has written ends."""

    def __init__(self) -> None:
        super().__init__()
        self.worlds = [new_world(storage, self.units) for storage in (fake_storage(), type(self).real())]
        self.next = dict.fromkeys(range(self.units), "new")  # how each unit is opened the next time
        self.open: set[int] = set()
        self.touched: set[int] = set()  # units that may hold an object with a change to write
        self.writer: int | None = None  # the unit that has written last and not ended
        self.met: dict[int, set[int]] = {unit: set() for unit in range(self.units)}  # places of what each unit has held
        self.failed: set[int] = set()  # units that can only be rolled back or left, or whose savepoint must be
        self.unversioned: set[int] = set()  # places of objects whose unit ended without a commit
        self.samples: tuple[Sample[Any], ...] = ()  # the samples of this history

    def choose(self, samples: tuple[Sample[Any], ...]) -> None:
        """Use some samples in the history, and store what their aggregates refer to."""
        self.samples = samples
        for world in self.worlds:
            store_needs(world.storage, samples)

    def sample(self, number: int) -> Sample[Any]:
        """Return the sample with a number."""
        return self.samples[number % len(self.samples)]

    def sample_of(self, one: object) -> Sample[Any]:
        """Return the sample of an object that was seen."""
        unit = self.worlds[0].blocks[0].uow
        return next(sample for sample in self.samples if isinstance(one, repository(unit, sample).aggregate))

    def both(self, step: Callable[[World], Any]) -> Any:
        """Make a step in both worlds and compare."""
        fake, real = (world.outcome(step) for world in self.worlds)
        if self.units == 1 or not waited_for_the_holder(fake, real):
            assert_alike(fake, real)
        return fake

    def within(self, unit: int, step: Callable[[Block, World], Any], *, writes: bool) -> bool:
        """Make a step in a unit of both worlds, opened if necessary. Return whether it succeeded.

        With several units, one that fails gives up immediately, because databases differ in when its locks are free.
        """
        if self.one_writer and self.writer is not None and (writes or unit in self.touched):
            unit = self.writer
        self.enter(unit)
        if writes or unit in self.touched:
            self.writer = unit
        self.meet_held(unit)
        outcome = self.both(lambda world: step(world.blocks[unit], world))
        self.meet_held(unit)
        if ends_a_unit(outcome):
            self.failed.add(unit)
        if self.units > 1 and ends_a_unit(outcome):
            self.give_up(unit)
        return not isinstance(outcome, tuple)

    def enter(self, unit: int) -> None:
        """Open a block unless one is open."""
        if unit not in self.open:
            self.both(lambda world: world.blocks[unit].enter(world.storage, self.next[unit]))
            self.open.add(unit)

    def give_up(self, unit: int) -> None:
        """Go back to the savepoint of the unit, or roll the unit back and leave it."""
        if self.worlds[0].blocks[unit].savepoints:
            self.undo_savepoint(unit, Oops())
        else:
            self.both(lambda world: world.blocks[unit].uow.rollback())
            self.close(unit, by_error=False, after="again")

    def undo_savepoint(self, unit: int, error: Oops | None) -> None:
        """Leave the innermost savepoint. An error undoes it, and so does a failure of the unit inside it."""
        if not ends_a_unit(self.both(lambda world: leave(world.blocks[unit].savepoints.pop(), error))):
            self.failed.discard(unit)

    def change(self, places: list[int], change: Callable[..., None]) -> None:
        """Change objects in both worlds. New parts get the same ids in both."""
        self.touched |= self.open
        with same_ids() as again:

            def step(world: World) -> None:
                again()
                change(*(world.objects[place] for place in places))

            self.both(step)

    def close(self, unit: int, *, by_error: bool, after: str) -> None:
        """Leave all savepoints and the block of a unit, if it is open. Then compare what is stored."""
        if unit in self.open:
            self.both(lambda world: leave_block(world.blocks[unit], by_error=by_error))
            self.open.discard(unit)
            self.forget(unit)
            self.next[unit] = after
            self.both(lambda world: stored(world, self.samples))

    def meet_held(self, unit: int) -> None:
        """Note what a unit holds now."""
        self.met[unit].update(self.places_held(unit))

    def places_held(self, unit: int) -> list[int]:
        """Return the places of the objects that a unit holds."""
        world = self.worlds[0]
        return [place for place, one in enumerate(world.objects) if world.blocks[unit].uow.holds(one)]

    def forget(self, unit: int, stored: list[int] | None = None) -> None:
        """Note that the transaction of a unit is over. A commit has stored the objects at the places ``stored``."""
        self.touched.discard(unit)
        self.failed.discard(unit)
        if stored is None:
            self.unversioned |= self.met[unit]
        else:
            self.unversioned.difference_update(stored)
        self.met[unit] = set()
        self.writer = None if self.writer == unit else self.writer

    def pick(self, number: int) -> tuple[Sample[Any], int] | None:
        """Return the sample and the place of an object seen so far. Recent ones are more likely."""
        objects = self.worlds[0].objects
        if not objects:
            return None
        place = len(objects) - 1 - number % min(len(objects), 6 if number % 4 else 1000)
        return self.sample_of(objects[place]), place

    def held(self, unit: int, number: int) -> tuple[Sample[Any], int] | None:
        """Return the sample and the place of an object that a unit holds."""
        places = self.places_held(unit)
        if not places:
            return None
        place = places[number % len(places)]
        return self.sample_of(self.worlds[0].objects[place]), place

    @invariant()
    def objects_look_alike(self) -> None:
        """Check that every object can be read and is alike in both worlds, its version only if it means something."""
        assert_alike(*(self.looks(world) for world in self.worlds))

    def looks(self, world: World) -> list[dict[str, Any]]:
        """Return what the objects of a world hold. A version means nothing after a failure or without a commit."""
        free = self.unversioned.union(*(self.met[unit] for unit in self.failed))
        looks = [exact(one) for one in world.objects]
        for place in free:
            del looks[place]["version"]
        return looks

    def teardown(self) -> None:
        """Leave all open units, whatever differed, so the next history finds no transaction of this one."""
        for world in self.worlds:
            for unit in self.open:
                with suppress(Exception):
                    leave_block(world.blocks[unit], by_error=True)


def assert_alike(fake: Any, real: Any) -> None:
    """Fail unless both worlds say the same. Show what they say where they differ."""
    if isinstance(fake, list) and isinstance(real, list) and len(fake) == len(real):
        differing = [number for number, (one, other) in enumerate(zip(fake, real, strict=True)) if one != other]
        for number in differing[:1]:
            raise AssertionError(f"number {number}\non the fake:     {fake[number]}\non the database: {real[number]}")
    if fake != real:
        raise AssertionError(f"on the fake:     {fake}\non the database: {real}")
