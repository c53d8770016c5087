"""Random histories do, return, raise and leave the same on the fake and on a database.

A Hypothesis state machine makes each step in two worlds, and compares what every step returns or raises, the objects of
both worlds, and what is stored. It runs in two ways: with one unit of work, one block after another, and with three
that are open at the same time.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as grown_from
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test
from sqlalchemy import Engine

from tests.contract.graphs import twin
from tests.contract.members import written
from tests.contract.sample import Sample
from tests.contract.side_by_side import SideBySide
from tests.contract.worlds import (
    Block,
    Oops,
    World,
    ask,
    mixed,
    repository,
    unique_value,
)
from tests.storages import Storage, empty, impatient, sql_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HISTORIES = int(os.environ.get("HISTORIES", "3"))
"""How many histories of 50 steps are made in each way on each database."""

SEED = int(os.environ.get("SEED", "0"))
"""The seed of the histories. With 0, Hypothesis chooses a new one each time."""

SHRINK = bool(int(os.environ.get("SHRINK", "0")))
"""Whether a failing history is made shorter before it is shown.

Hypothesis does that for up to five minutes, which cannot be set. The run ends a test that takes so long without a word
about it. So by default a history is shown as it was found.
"""

PHASES = [phase for phase in Phase if SHRINK or phase not in (Phase.shrink, Phase.explain)]

WORDS = st.sampled_from(["ann", "bob", "cid", "dan"])

SAMPLE = st.integers(min_value=0, max_value=11)
NUMBERS = st.integers(min_value=0, max_value=1000)
UNIT = st.integers(min_value=0, max_value=2)
WRITE = st.sampled_from(["add", "change", "rename", "edit", "remove"])
NEXT = st.sampled_from(["again", "again", "new", "read-only"])


class SameBehaviour(SideBySide):
    """What a unit of work offers, step by step and in any order."""

    together: ClassVar[Sequence[tuple[Sample[Any], ...]]]
    """The samples that meet in one history: few at a time, so it does much to each object."""

    @initialize(words=st.lists(WORDS, max_size=2, unique=True), chosen=NUMBERS)
    def store(self, words: list[str], chosen: int) -> None:
        """Store some aggregates of each kind, for the units to meet."""
        samples = self.together[chosen % len(self.together)]
        self.choose(samples)
        for number, _ in enumerate(samples):
            self.add_many(0, number, [(word, word) for word in words], None)
        self.end(0, commit=True, stay=False, after="new")

    @rule(unit=UNIT, error=st.booleans(), after=NEXT)
    def leave(self, unit: int, error: bool, after: str) -> None:
        """Leave all savepoints and the block, normally or by an error. Then compare what is stored."""
        self.close(unit % self.units, by_error=error, after=after)

    @rule(unit=UNIT, commit=st.booleans(), stay=st.sampled_from([False, False, False, True]), after=NEXT)
    def end(self, unit: int, commit: bool, stay: bool, after: str) -> None:
        """Commit or roll back, and usually leave the block."""
        unit %= self.units
        must_wait = self.one_writer and self.writer not in (None, unit) and (commit or unit in self.touched)
        if unit not in self.open or must_wait:
            return
        held = self.places_held(unit)
        if self.within(unit, lambda block, _: block.uow.commit() if commit else block.uow.rollback(), writes=commit):
            self.forget(unit, held if commit else None)
            if not stay:
                self.leave(unit, error=False, after=after)

    @rule(unit=UNIT, sample=SAMPLE, words=st.tuples(WORDS, WORDS), at_once=st.booleans())
    def add(self, unit: int, sample: int, words: tuple[str, str], at_once: bool) -> None:
        """Add a new aggregate, written now or left pending."""
        of = self.sample(sample)
        made = mixed(of, words)

        def step(block: Block, world: World) -> None:
            one = twin(made)
            world.numbers_of(one)
            repository(block.uow, of).add(one)
            if at_once:
                written(block.uow)

        self.within(unit % self.units, step, writes=True)

    @rule(unit=UNIT, sample=SAMPLE, rows=st.lists(st.tuples(WORDS, WORDS), max_size=3), number=st.none() | NUMBERS)
    def add_many(self, unit: int, sample: int, rows: list[tuple[str, str]], number: int | None) -> None:
        """Add several in bulk, perhaps with an object that was seen before."""
        of = self.sample(sample)
        made = [mixed(of, words) for words in rows]
        picked = None if number is None else self.pick(number)

        def step(block: Block, world: World) -> Any:
            seen = [] if picked is None else [world.objects[picked[1]]]
            return repository(block.uow, of).add_many([twin(one) for one in made] + seen)

        self.within(unit % self.units, step, writes=True)

    @rule(unit=UNIT, number=NUMBERS, use=st.sampled_from(["add", "remove", "add a copy"]))
    def add_or_remove(self, unit: int, number: int, use: str) -> None:
        """Add or remove an object that was seen before, held, removed, or of an ended unit, or add a copy of it."""
        if picked := self.pick(number):
            sample, place = picked

            def step(block: Block, world: World) -> None:
                items, one = repository(block.uow, sample), world.objects[place]
                if use == "add a copy":
                    one = twin(one)
                    world.numbers_of(one)
                items.remove(one) if use == "remove" else items.add(one)

            self.within(unit % self.units, step, writes=True)

    @rule(unit=UNIT, number=NUMBERS, at_once=st.booleans())
    def remove_one_of_its_own(self, unit: int, number: int, at_once: bool) -> None:
        """Remove an object that the unit holds, written now or left pending."""
        unit %= self.units
        if held := self.held(unit, number):
            sample, place = held

            def step(block: Block, world: World) -> None:
                repository(block.uow, sample).remove(world.objects[place])
                if at_once:
                    written(block.uow)

            self.within(unit, step, writes=True)

    @rule(unit=UNIT, sample=SAMPLE, number=NUMBERS, words=st.tuples(WORDS, WORDS), write=WRITE, anew=st.booleans())
    def write_and_commit(
        self, unit: int, sample: int, number: int, words: tuple[str, str], write: str, anew: bool
    ) -> None:
        """Write once more and commit, outside of a savepoint. If that is all, it is one statement alone."""
        unit %= self.units
        if anew or self.worlds[0].blocks[unit].savepoints:
            self.leave(unit, error=False, after="again")
        if write != "add" and not self.held(unit, number):
            self.read(unit, sample, number=0, query=1, word=words[0])
        held = self.held(unit, number)
        if write == "add":
            self.add(unit, sample, words, at_once=False)
        elif write == "remove":
            self.remove_one_of_its_own(unit, number, at_once=False)
        elif held:
            of, place = held
            self.change([place], change_of(of, write, number, words[0]))
        self.end(unit, commit=True, stay=False, after="again")

    @rule(units=st.permutations([0, 1, 2]), sample=SAMPLE, number=NUMBERS, words=st.tuples(WORDS, WORDS), write=WRITE)
    def meet(self, units: list[int], sample: int, number: int, words: tuple[str, str], write: str) -> None:
        """Let two units want the same: add the same values, or write what both have read, one after the other."""
        pair = [unit % self.units for unit in units[:2]]
        for unit in pair:
            if write == "add":
                self.add(unit, sample, words, at_once=True)
            else:
                self.read(unit, sample, number=0, query=1, word=words[0])
        for unit in pair if write != "add" else []:
            self.write_and_commit(unit, sample, number, words, write, anew=False)

    @rule(number=NUMBERS, attribute=NUMBERS, word=WORDS)
    def change_a_unique_value(self, number: int, attribute: int, word: str) -> None:
        """Change an object that was seen before, of an open or an ended unit."""
        if picked := self.pick(number):
            changes = [(each, each.set) for each in picked[0].unique if each.set is not None]
            if changes:
                unique, change = changes[attribute % len(changes)]
                value = unique_value(picked[0], unique, word)
                self.change([picked[1]], lambda one: change(one, value))

    @rule(number=NUMBERS, state=st.integers(min_value=0, max_value=5))
    def change_something_else(self, number: int, state: int) -> None:
        """Change what is not unique."""
        if picked := self.pick(number):
            self.change([picked[1]], lambda one: picked[0].change(one, state))

    @rule(unit=UNIT, number=NUMBERS, held=st.sampled_from([True, True, False]), edit=NUMBERS)
    def edit(self, unit: int, number: int, held: bool, edit: int) -> None:
        """Change the inside of an object that a unit holds, or of any that was seen before."""
        unit %= self.units
        picked = self.held(unit, number) if held else self.pick(number)
        if picked and picked[0].edits:
            self.change([picked[1]], change_of(picked[0], "edit", edit, ""))

    @rule(unit=UNIT, numbers=st.tuples(NUMBERS, NUMBERS), part=st.integers(min_value=0, max_value=5))
    def move(self, unit: int, numbers: tuple[int, int], part: int) -> None:
        """Move a part between two objects that one unit holds."""
        unit %= self.units
        first, second = (self.held(unit, number) for number in numbers)
        if first and second and first[0] is second[0] and first[1] != second[1] and first[0].moves is not None:
            moves = first[0].moves
            self.change([first[1], second[1]], lambda one, other: moves(one, other, part))

    @rule(unit=UNIT, sample=SAMPLE, number=NUMBERS, query=NUMBERS, word=WORDS)
    def read(self, unit: int, sample: int, number: int, query: int, word: str) -> None:
        """Run one of the queries."""
        picked = self.pick(number)
        of = picked[0] if picked and number % 2 else self.sample(sample)
        key = None if picked is None else self.worlds[0].objects[picked[1]].id
        self.within(
            unit % self.units,
            lambda block, _: ask(repository(block.uow, of), of, query, key, word),
            writes=False,
        )

    @rule(unit=UNIT)
    def begin_savepoint(self, unit: int) -> None:
        """Begin a savepoint, perhaps in another one."""
        self.within(unit % self.units, lambda block, _: block.begin_savepoint(), writes=True)

    @rule(unit=UNIT, error=st.booleans())
    def end_savepoint(self, unit: int, error: bool) -> None:
        """Leave the innermost savepoint, normally or by an error."""
        unit %= self.units
        if self.worlds[0].blocks[unit].savepoints:
            self.undo_savepoint(unit, Oops() if error else None)


def change_of(sample: Sample[Any], write: str, number: int, word: str) -> Callable[[Any], None]:
    """Return a change of a sample's aggregates: a new word, one of its edits, or another state."""
    if write == "rename" and sample.rename is not None:
        rename = sample.rename
        return lambda one: rename(one, word)
    if write == "edit" and sample.edits:
        edits = list(sample.edits.values())
        change = edits[number % len(edits)]
        return lambda one: change(one, number // len(edits) % 6)
    return lambda one: sample.change(one, number % 6)


def one_unit(engine: Engine, together: Sequence[tuple[Sample[Any], ...]]) -> None:
    """Make histories of one unit of work after another, on the fake and on a database."""
    _run(partial(_emptied, engine), together, units=1, one_writer=False)


def open_units(engine: Engine, together: Sequence[tuple[Sample[Any], ...]]) -> None:
    """Make histories of three units that are open at the same time.

    SQLite has one lock for all, and MariaDB locks more than it writes. There one unit writes at a time.
    """
    with impatient(engine) as quick:
        _run(partial(_emptied, quick), together, units=3, one_writer=engine.dialect.name != "postgresql")


def _run(
    real: Callable[[], Storage], together: Sequence[tuple[Sample[Any], ...]], *, units: int, one_writer: bool
) -> None:
    """Make the histories against a database that is empty at the start of each."""
    settled = {"real": staticmethod(real), "together": together, "units": units, "one_writer": one_writer}
    kind = type("Machine", (SameBehaviour,), settled)
    machine = grown_from(SEED)(kind) if SEED else kind
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=50,
            deadline=None,  # a history takes as long as its database
            suppress_health_check=list(HealthCheck),  # for the same reason
            database=None,  # each run searches anew, and leaves no folder behind
            print_blob=True,
            phases=PHASES,
        ),
    )


def _emptied(engine: Engine) -> Storage:
    """Return the storage in an engine's database, without any rows."""
    empty(engine)
    return sql_storage(engine)
