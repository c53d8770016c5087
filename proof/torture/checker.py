"""Check a history: against itself, and against what is stored in the end.

The acknowledged versions of one user must be a chain: 1, 2, 3, ... Each is written once and based on the one before,
and the last of them is stored. All values differ, so each value that was read comes from one certain write. So lost
updates are found by following the chain. (Unique values make histories easy to check: Kingsbury and Alvaro, *Elle:
Inferring Isolation Anomalies from Experimental Observations*, VLDB 2020.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from proof.torture.history import ACKNOWLEDGED, READ_ONLY, ROLLED_BACK, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proof.torture.history import Row, Step, Transaction

REFUSALS = {"ConcurrentChange", "TransactionLost", "UsernameTaken", "SkuTaken"}
"""The errors that may refuse a unit while others are at work. Any other error is a fault."""

KINDS = {
    "lost": "acknowledged writes that are not in the chain of what is stored",
    "doubled": "acknowledged writes of a version that another one has written, too",
    "gaps": "writes that are not one version above what they are based on",
    "duplicates": "two users who surely had one name at the same time",
    "traces": "values that were read or are stored, though the write was refused, rolled back or undone",
    "stale": "reads of what had been overwritten, removed or created by an acknowledged unit before they began",
    "unexpected": "errors that nothing here should cause",
}
"""The kinds of violations."""

FOREVER = float("inf")


@frozen
class Violation:
    """A violation of one of :data:`KINDS`: the history of the user with this id or name shows it, around ``at``."""

    kind: str
    what: str
    id: str
    name: str
    at: float


@define
class Findings:
    """The outcomes of the transactions, how many writes were acknowledged, and the violations."""

    outcomes: Counter[str] = field(factory=Counter)
    writes: int = 0
    violations: list[Violation] = field(factory=list)

    @property
    def acknowledged(self) -> int:
        """How many units were acknowledged."""
        return self.outcomes[ACKNOWLEDGED]

    @property
    def refused(self) -> dict[str, int]:
        """How many units ended with each kind of error."""
        own = (ACKNOWLEDGED, ROLLED_BACK, READ_ONLY)
        return {kind: count for kind, count in sorted(self.outcomes.items()) if kind not in own}

    @property
    def transactions(self) -> int:
        """Units that tried to commit, whether they succeeded or not. Not those that only read or gave up."""
        return self.acknowledged + sum(self.refused.values())

    def worst(self) -> Violation | None:
        """Return one violation of the first kind in :data:`KINDS` that was found."""
        return min(self.violations, key=lambda one: list(KINDS).index(one.kind), default=None)

    def count(self, kind: str) -> int:
        """Return how many violations of a kind were found."""
        return sum(1 for one in self.violations if one.kind == kind)


@define
class _Write:
    """A write that was acknowledged or may have happened."""

    step: Step
    number: str
    ending: int
    ended: int
    acknowledged: bool


@define
class _User:
    """All writes to one user, and the first acknowledged write of each version."""

    writes: list[_Write] = field(factory=list)
    first: dict[int, _Write] = field(factory=dict)

    def add(self, write: _Write) -> None:
        """Add a write."""
        self.writes.append(write)
        version = write.step.after
        if write.acknowledged and (version not in self.first or write.ended < self.first[version].ended):
            self.first[version] = write

    def below(self, version: int) -> _Write | None:
        """Return the acknowledged write of the highest version below this one."""
        return self.first.get(max((one for one in self.first if one < version), default=0))


def check(history: Iterable[Transaction], stored: Iterable[Row]) -> Findings:
    """Check a history, which is read twice, against itself and against the rows that are stored after it."""
    checker = _Checker()
    for one in history:
        checker.take_in(one)
    checker.check_chains({row.id: row for row in stored})
    checker.check_names()
    for one in history:
        checker.check_reads(one)
    return checker.findings


@define
class _Checker:
    findings: Findings = field(factory=Findings)
    _users: dict[str, _User] = field(factory=lambda: defaultdict(_User))
    _written: dict[str, _Write] = field(factory=dict)
    _lives: dict[str, list[tuple[float, float, str]]] = field(factory=lambda: defaultdict(list))

    def take_in(self, one: Transaction) -> None:
        """Note a transaction's outcome, and its writes if they may be stored."""
        self.findings.outcomes[one.outcome] += 1
        if one.outcome not in REFUSALS | {ACKNOWLEDGED, ROLLED_BACK, READ_ONLY}:
            id, name = (one.steps[0].id, one.steps[0].name) if one.steps else ("", "")
            self._report("unexpected", f"{one.number}: {one.outcome}: {one.reason}", id, name, at=one.ended)
        if one.outcome not in (ACKNOWLEDGED, UNKNOWN):
            return
        kept = [step for step in one.steps if step.writes and not step.undone]
        for step in kept:
            write = _Write(step, one.number, one.ending, one.ended, one.outcome == ACKNOWLEDGED)
            self._users[step.id].add(write)
            if step.new:
                self._written[step.new] = write
        if one.outcome == ACKNOWLEDGED:
            self.findings.writes += len(kept)

    def check_chains(self, rows: dict[str, Row]) -> None:
        """Follow the writes to each user back from the stored row."""
        for id, user in self._users.items():
            chain = list(self._chain(id, user, rows.get(id)))
            numbers = {one.number for one in chain}
            for one in user.writes:
                version = one.step.after
                if not one.acknowledged:
                    continue
                if user.first[version] is not one:
                    what = (
                        f"{one.number} and {user.first[version].number} both were told that version {version} is theirs"
                    )
                    self._report("doubled", what, id, at=one.ended)
                if one.number not in numbers:
                    what = f"the {one.step.kind} by {one.number}, version {version}, is not in what is stored"
                    self._report("lost", what, id, at=one.ended)
            self._note_life(chain)
        for row in rows.values():
            if row.id not in self._users:
                self._report("traces", f"{row.name} {row.id} is stored, and nobody was told so", row.id)
        for name, count in Counter(row.name for row in rows.values()).items():
            if count > 1:
                self._report("duplicates", f"{count} users with the name {name} are stored", name=name)

    def _chain(self, id: str, user: _User, row: Row | None) -> Iterator[_Write]:
        """Yield the writes from the last one back to the creation."""
        if row is None:
            last = next((one for one in user.writes if one.step.kind == "remove"), None)
        elif self._is_known(id, row.version, row.value, "stored", FOREVER):
            last = self._written[row.value]
        else:
            last = user.below(row.version)
        seen: set[str] = set()
        while last is not None and last.number not in seen:
            yield last
            seen.add(last.number)
            step = last.step
            if step.after != step.before + 1:
                what = f"{last.number} made version {step.after} of version {step.before}"
                self._report("gaps", what, id, at=last.ended)
            # A write may never have been acknowledged, which the check of the reads reports. The chain goes on below
            # it.
            last = self._written.get(step.old) or user.below(step.before)

    def _is_known(self, id: str, version: int, value: str, how: str, at: float) -> bool:
        """Return whether a value comes from a write that may be stored. Report one that does not."""
        write = self._written.get(value)
        if write is not None and (write.step.id, write.step.after) == (id, version):
            return True
        self._report("traces", f"version {version}, {value}, was never acknowledged, but {how}", id, at=at)
        return False

    def _note_life(self, chain: list[_Write]) -> None:
        """Note from when to when a user certainly had its name."""
        if chain and chain[-1].step.kind == "create":
            first, last = chain[-1], chain[0]
            until = last.ending if last.step.kind == "remove" else FOREVER
            self._lives[first.step.name].append((first.ended, until, first.step.id))

    def check_names(self) -> None:
        """Check that creations and removals of a name alternate."""
        for name, lives in self._lives.items():
            lives[:] = sorted(life for life in lives if life[0] < life[1])
            for (_, until, id), (since, _, other) in pairwise(lives):
                if since < until:
                    self._report("duplicates", f"{id} and {other} had the name at once", name=name, at=since)

    def check_reads(self, one: Transaction) -> None:
        """Check that all reads of a transaction had been acknowledged, and not overwritten before it began."""
        for step in one.steps:
            if step.kind == "absent":
                self._check_absent(one, step)
            elif step.before and self._is_known(step.id, step.before, step.old, f"read by {one.number}", one.ended):
                following = self._users[step.id].first.get(step.before + 1)
                if following is not None and following.ended < one.began:
                    what = f"{one.number} read version {step.before}, which {following.number} had overwritten"
                    self._report("stale", what, step.id, at=one.ended)

    def _check_absent(self, one: Transaction, step: Step) -> None:
        lives = self._lives[step.name]
        place = bisect_left(lives, (one.began,)) - 1  # the last one that was certain when the unit began
        if place >= 0 and one.ended < lives[place][1]:
            what = f"{one.number} found nobody, while {lives[place][2]} had the name"
            self._report("stale", what, name=step.name, at=one.ended)

    def _report(self, kind: str, what: str, id: str = "", name: str = "", at: float = FOREVER) -> None:
        self.findings.violations.append(Violation(kind, what, id, name, at))
