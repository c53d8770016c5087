"""What each unit of work read and wrote and how it ended, written down by its thread in a separate file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ACKNOWLEDGED = "acknowledged"
"""The outcome of a unit whose commit returned. A refused unit has the name of its error."""

ROLLED_BACK = "rolled back"
READ_ONLY = "only read"
UNKNOWN = "CommitOutcomeUnknown"


class Step(NamedTuple):
    """What a unit did to one user. ``kind`` is "create", "change", "remove", "read" or "absent" (the name was free).

    ``before`` and ``old`` are the version and the value (the email address) that it read, or 0 and "" if it read
    nothing. ``after`` and ``new`` are what it wrote. A removal writes one version more and no value. No value is ever
    written twice, so a value identifies its write. ``undone``: in a savepoint that was undone.
    """

    kind: str
    name: str
    id: str
    before: int
    old: str
    after: int
    new: str
    undone: bool

    @property
    def writes(self) -> bool:
        """Whether it is a write, undone or not."""
        return self.kind in {"create", "change", "remove"}


class Transaction(NamedTuple):
    """One unit of work. ``number`` holds its process, thread and place in that thread. ``reason`` is why it failed.

    The times are nanoseconds of the machine's monotonic clock, which all processes share: before the unit was opened,
    before its commit or rollback was called, and after it was left.
    """

    number: str
    began: int
    ending: int
    ended: int
    outcome: str
    reason: str
    steps: list[Step]


class Row(NamedTuple):
    """The stored data of a user at the end."""

    name: str
    id: str
    version: int
    value: str


@frozen
class History:
    """The files in ``folder``, each with the transactions of one thread as lines of JSON. They may be read twice."""

    folder: Path

    def __iter__(self) -> Iterator[Transaction]:
        for path in sorted(self.folder.glob("*.jsonl")):
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    number, began, ending, ended, outcome, reason, steps = json.loads(line)
                    yield Transaction(number, began, ending, ended, outcome, reason, [Step(*one) for one in steps])


def as_line(transaction: Transaction) -> str:
    """Return a transaction as a line of JSON."""
    return json.dumps(transaction, separators=(",", ":")) + "\n"


def readable(history: Iterable[Transaction], id: str, name: str, at: float, limit: int = 20) -> str:
    """Return what was done to the user with an id, or to the holders of a name, as lines in the order of the ends.

    Of more than ``limit`` lines before or after the point in time ``at``, the nearest are shown.
    """
    found = [(one, step) for one in history for step in one.steps if id in ("", step.id) and name in ("", step.name)]
    found.sort(key=lambda pair: pair[0].ended)
    before = [_line(one, step) for one, step in found if one.ended <= at]
    after = [_line(one, step) for one, step in found if one.ended > at]
    return "".join([_omitted(before[:-limit]), *before[-limit:], *after[:limit], _omitted(after[limit:])])


def _omitted(lines: list[str]) -> str:
    return f"  ({len(lines)} more)\n" if lines else ""


def _line(one: Transaction, step: Step) -> str:
    times = "-".join(f"{time / 1e9:.6f}" for time in (one.began, one.ending, one.ended))
    read, written = f"{step.before} {step.old or '-'}", f" -> {step.after} {step.new or '-'}" if step.writes else ""
    told = f"{one.outcome}{', but undone before' if step.undone else ''}{one.reason and f' ({one.reason})'}"
    return f"  {times} {one.number:>10} {step.kind:6} {step.name} {step.id[-12:]} {read}{written}: {told}\n"
