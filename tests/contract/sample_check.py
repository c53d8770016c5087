"""Check a sample before a test or a random history builds on it. Errors are in words about the sample."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Any

from domain.aggregate import Aggregate
from domain.errors import ReferenceMissing, ValueTaken, shown
from tests.contract.graphs import differences, exact, same_ids, timeless, twin
from tests.contract.sample import STATES, store_needs
from tests.contract.sample_calls import Calls
from tests.contract.sample_gaps import parts_not_edited, parts_not_made, unique_left_out
from tests.storages import fake_storage

if TYPE_CHECKING:
    from service_layer.unit_of_work import UnitOfWork
    from tests.contract.sample import Sample, UniqueValue
    from tests.storages import Storage

WORDS = ("ann", "bob", "cid", "dan")
WAYS = {
    "set": "let set change what is read, or write set=None where the domain does not let it change",
    "give": "say by give=... how a new aggregate gets the value that is read",
}


def check(sample: Sample[Any]) -> None:
    """Raise :class:`WrongSample` for the first thing that is wrong with a sample."""
    checks = _Checks(sample)
    checks.make()
    checks.repository()
    checks.words()
    checks.none(parts_not_made(checks.made("ann")))
    checks.rename()
    checks.stored()
    for unique in sample.unique:
        checks.unique(unique)
        checks.stored_unique(unique)
    checks.none(unique_left_out(sample, getattr(fake_storage().unit(), sample.repository)))
    checks.change()
    for name, edit in sample.edits.items():
        checks.edit(name, edit)
    checks.all_edits()
    checks.moves()
    checks.none(parts_not_edited(sample, checks.made("ann")))


class _Checks(Calls):
    def make(self) -> None:
        """Check that ``make`` does the same for the same word, apart from ids and times."""
        one, other = self.made("ann"), self.made("ann")
        if not isinstance(one, Aggregate):
            self.fail(f"make('ann') returned {shown(one)}", "return a new aggregate")
        if one is other:
            self.fail("make('ann') returned the same object twice", "return a new aggregate each time")
        differing = differences(timeless(exact(one)), timeless(exact(other)))
        if differing:
            write = "let all but ids and times depend on the word alone"
            self.fail(f"make('ann') gives another {differing} each time", write)

    def repository(self) -> None:
        """Check that units of work have the repository, and that it takes the result of ``make``."""
        name, kind = self.sample.repository, type(self.made("ann"))
        unit = fake_storage().unit()
        if not hasattr(unit, name):
            self.fail(
                f"a unit of work has no attribute {name!r}",
                f"write repository='...', the attribute that holds the repository of {kind.__name__},"
                " and make it in each unit of work",
            )
        repository = getattr(unit, name)
        taken = repository.aggregate
        if kind is not taken and kind not in repository.subclasses:
            self.fail(
                f"uow.{name} takes {taken.__name__} objects, and make('ann') returned a {kind.__name__}",
                f"name the repository of {kind.__name__}",
            )

    def words(self) -> None:
        """Check that aggregates of different words differ, and that ``word`` reads the word."""
        made = {word: self.made(word) for word in WORDS}
        for word, one in made.items():
            if self.word(one) != word:
                self.fail(f"word(make({word!r})) returned {shown(self.word(one))}", "return the word it was made for")
        for (word, one), (other, another) in combinations(made.items(), 2):
            if not one.id < another.id:
                what = f"the id of make({other!r}) does not sort behind that of make({word!r})"
                self.fail(what, "make ids from the word, or let them rise each time")
            for unique in self.sample.unique:
                value = self.value(unique, one)
                if value is not None and value == self.value(unique, another):
                    self.fail(
                        f"make({word!r}) and make({other!r}) have the same {unique.attribute!r}, {shown(value)}",
                        "make each unique value from the word",
                    )

    def rename(self) -> None:
        """Check that ``rename`` changes the word and not the id."""
        if self.sample.rename is None:
            return
        one = self.made("ann")
        id = one.id
        write = "change what word(aggregate) reads, or write rename=None where nothing can change it"
        self.call("rename(aggregate, 'bob')", write, self.sample.rename, one, "bob")
        if self.word(one) != "bob":
            self.fail(f"after rename(aggregate, 'bob') the word is {shown(self.word(one))}", write)
        if one.id != id:
            self.fail("rename(aggregate, 'bob') changed the id", write)

    def unique(self, unique: UniqueValue[Any]) -> None:
        """Check how a unique value is read and set."""
        name = f"the unique value {unique.attribute!r}"
        if not (isinstance(unique.taken, type) and issubclass(unique.taken, ValueTaken)):
            self.fail(f"{name} has taken={shown(unique.taken)}", "name a subclass of ValueTaken")
        one, value = self.made("ann"), self.value(unique, self.made("bob"))
        if value is None:
            self.fail(f"{name} of make('bob') is None", "let make give it a value")
        others = {each.attribute: self.value(each, one) for each in self.sample.unique if each is not unique}
        ways = {"set": unique.set, "give": unique.give or unique.put}
        for way, function in [(way, function) for way, function in ways.items() if function]:
            one, write = twin(one), WAYS[way]
            self.call(f"{way} of {name}", write, function, one, value)
            if self.value(unique, one) != value:
                self.fail(f"{way} of {name} did not change it to {shown(value)}", write)
            for each in self.sample.unique:
                if each is not unique and self.value(each, one) != others[each.attribute]:
                    self.fail(f"{way} of {name} changed {each.attribute!r}, too", "let it change one value alone")

    def stored_unique(self, unique: UniqueValue[Any]) -> None:
        """Check that the repository refuses a taken value, and how a value is found, on the fake."""
        name = f"the unique value {unique.attribute!r}"
        storage, ann, bob = self.storage(), self.made("ann"), self.made("bob")
        self.refused(storage.unit(), ann)
        unique.put(bob, self.value(unique, ann))
        refused = self.refused(storage.unit(), bob)
        if refused is None:
            self.fail(f"{name} may be that of two aggregates", "declare it unique in the repository")
        if type(refused) is not unique.taken:
            self.fail(
                f"{name} has taken={unique.taken.__name__}, and the repository raised {shown(refused)}",
                f"write taken={type(refused).__name__}, or declare {unique.taken.__name__} in the repository",
            )
        if refused.value != self.value(unique, ann):
            what = f"{name}: read returned {shown(self.value(unique, ann))}, and the error has {shown(refused.value)}"
            self.fail(what, "let read return what the error has: several values are a text, joined by ', '")
        if unique.find is None:
            return
        write = "ask the repository for the aggregate of a value, or write find=None where it cannot be asked"
        with storage.unit(read_only=True) as uow:
            repository = getattr(uow, self.sample.repository)
            value = self.value(unique, ann)
            found = self.call(f"find of {name}", write, unique.find, repository, value)
            if found != ann:
                self.fail(f"find of {name} returned {shown(found)} for the value of make('ann')", write)

    def storage(self) -> Storage:
        """Return a fake storage with everything that the aggregates refer to."""
        storage = fake_storage()
        write = "let needs(uow) add what the aggregates refer to, and leave the commit to the suite"
        self.call("needs(uow)", write, store_needs, storage, [self.sample])
        return storage

    def stored(self) -> None:
        """Check that an aggregate can be stored in every state."""
        for state in STATES:
            one = self.made("ann")
            self.call(f"change(aggregate, {state})", "accept any number", self.sample.change, one, state)
            refused = self.refused(self.storage().unit(), one)
            if isinstance(refused, ReferenceMissing):
                what = f"what make('ann') refers to in state {state} is not stored ({refused.kind} {refused.value})"
                self.fail(what, "write needs=..., a function that adds it to a unit of work")
            if refused is not None:
                what = f"make('ann') cannot be stored in state {state} ({shown(refused)})"
                self.fail(what, "make an aggregate that the repository takes")

    def refused(self, uow: UnitOfWork, one: Any) -> Exception | None:
        """Store an aggregate. If that is refused, return the error."""
        try:
            with uow:
                getattr(uow, self.sample.repository).add(one)
                uow.commit()
        except Exception as error:  # noqa: BLE001  # any error is reported
            return error
        return None

    def change(self) -> None:
        """Check that ``change`` puts an aggregate into the state of a number."""
        made = self.made("ann")
        for state in STATES:
            self.steady(f"change(aggregate, {state})", made, self.sample.change, state, touches_unique=False)
        zero, one, back = (self.after(made, path) for path in [(0,), (1,), (1, 0)])
        differing = differences(exact(made), zero)
        if differing:
            self.fail(
                f"change(aggregate, 0) changed {differing} of what make('ann') made",
                "let 0 be the state in which make makes it",
            )
        if zero == one:
            self.fail("change(aggregate, 1) changed nothing", "let the states 0 and 1 differ in what is stored")
        differing = differences(zero, back)
        if differing:
            self.fail(
                f"change(aggregate, 0) after change(aggregate, 1) leaves another {differing}",
                "put the aggregate into the state of the number, whatever its state was",
            )

    def after(self, made: Any, path: tuple[int, ...]) -> dict[str, Any]:
        """Return what an aggregate holds after some changes."""
        one = twin(made)
        for state in path:
            self.sample.change(one, state)
        return exact(one)

    def steady(
        self, what: str, made: Any, change: Callable[[Any, int], None], number: int, *, touches_unique: bool = True
    ) -> bool:
        """Check that a change does the same each time and keeps the identity. Return whether it does anything."""
        one, other = twin(made), twin(made)
        with same_ids() as again:
            for each in (one, other):
                again()
                self.call(what, "let it do nothing where there is nothing to do", change, each, number)
        differing = differences(exact(one), exact(other))
        if differing:
            self.fail(
                f"{what} gives another {differing} each time",
                "let it depend on the number alone, not on time, chance or earlier calls; new_id() may be used",
            )
        for name in ("id", "version"):
            if getattr(one, name) != getattr(made, name):
                self.fail(f"{what} changed the {name}", "leave it to the unit of work")
        for unique in [] if touches_unique else self.sample.unique:
            if self.value(unique, one) != self.value(unique, made):
                self.fail(f"{what} changed the unique value {unique.attribute!r}", "leave that to rename and set")
        return exact(one) != exact(made)

    def edit(self, name: str, edit: Callable[[Any, int], None]) -> None:
        """Check one of the ``edits`` on a new aggregate, and on one after all other edits."""
        made, edited = self.made("ann"), self.made("ann")
        for other in self.sample.edits.values():
            if other is not edit:
                self.call("one of the edits", "let it do nothing where there is nothing to do", other, edited, 1)
        what = f"edits[{name!r}](aggregate, {{}})"
        effects = [self.steady(what.format(number), one, edit, number) for one in (made, edited) for number in STATES]
        if not any(effects):
            self.fail(
                f"edits[{name!r}] changes nothing of what make('ann') made, with any number from 0 to 5",
                "let make return an aggregate in which there is something to edit",
            )

    def all_edits(self) -> None:
        """Check that the edits work in every state that they lead to."""
        one = self.made("ann")
        for number in (*STATES, *STATES):
            for name, edit in self.sample.edits.items():
                self.steady(f"edits[{name!r}](aggregate, {number}) after other edits", one, edit, number)
                edit(one, number)

    def moves(self) -> None:
        """Check that ``moves`` does the same each time and keeps the identities."""
        if self.sample.moves is None:
            return
        moves, ann, bob = self.sample.moves, self.made("ann"), self.made("bob")
        write = "move a part from the first aggregate to the second, the same one for the same number"
        moved = False
        for number in STATES:
            pairs = [(twin(ann), twin(bob)) for _ in range(2)]
            for pair in pairs:
                self.call(f"moves(ann, bob, {number})", write, moves, *pair, number)
            looks = [[exact(one) for one in pair] for pair in pairs]
            if looks[0] != looks[1]:
                self.fail(f"moves(ann, bob, {number}) does not do the same each time", write)
            if [one.id for one in pairs[0]] != [ann.id, bob.id]:
                self.fail(f"moves(ann, bob, {number}) changed an id", write)
            moved |= looks[0] != [exact(ann), exact(bob)]
        if not moved:
            self.fail("moves(ann, bob, number) moves nothing, with any number from 0 to 5", write)
