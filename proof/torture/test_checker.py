"""The check of a history finds each thing that can be wrong in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from proof.torture.checker import KINDS, check
from proof.torture.history import ACKNOWLEDGED, ROLLED_BACK, UNKNOWN, History, Row, Step, Transaction, as_line, readable

# Each transaction takes one unit of time. By default its number is the time at which it began.


def done(number: int, *steps: Step, outcome: str = ACKNOWLEDGED, began: int | None = None) -> Transaction:
    """Return a transaction with these steps."""
    start = 10 * number if began is None else began
    return Transaction(f"1.1.{number}", start, start + 5, 10 * number + 9, outcome, "", list(steps))


def create(id: str, new: str, name: str = "ann", *, undone: bool = False) -> Step:
    """Return the step of a creation."""
    return Step("create", name, id, 0, "", 1, new, undone)


def change(id: str, before: int, old: str, new: str, after: int = 0) -> Step:
    """Return the step of a change."""
    return Step("change", "ann", id, before, old, after or before + 1, new, undone=False)


def remove(id: str, before: int, old: str) -> Step:
    """Return the step of a removal."""
    return Step("remove", "ann", id, before, old, before + 1, "", undone=False)


def read(id: str, version: int, value: str) -> Step:
    """Return the step of a query."""
    return Step("read", "ann", id, version, value, 0, "", undone=False)


ABSENT = Step("absent", "ann", "", 0, "", 0, "", undone=False)

SOUND = [
    done(1, create("i", "a")),
    done(2, change("i", 1, "a", "b")),
    done(3, change("i", 1, "a", "c"), outcome="ConcurrentChange", began=11),
    done(4, create("j", "d"), outcome="UsernameTaken"),
    done(5, change("i", 2, "b", "e"), outcome=ROLLED_BACK),
    done(6, create("k", "f", undone=True), remove("i", 2, "b")),
    done(7, ABSENT, create("l", "g")),
    done(8, read("l", 1, "g"), outcome="only read"),
    done(9, change("l", 1, "g", "h"), outcome=UNKNOWN),
]
STORED = [Row("ann", "l", 1, "g")]

# The continuation of the history above, the stored rows after it, and what is wrong with that.
WRONG: dict[str, tuple[list[Transaction], list[Row], dict[str, int]]] = {
    "a change is overwritten by one that had not read it": (
        [done(11, change("l", 1, "g", "x")), done(12, change("l", 1, "g", "y"), began=100)],
        [Row("ann", "l", 2, "y")],
        {"lost": 1, "doubled": 1},
    ),
    "a change is not stored": ([done(11, change("l", 1, "g", "x"))], STORED, {"lost": 1}),
    "a removal is not stored": ([done(11, remove("l", 1, "g"))], STORED, {"lost": 1}),
    "a new user is not stored": ([done(11, create("m", "x", "bob"))], STORED, {"lost": 1}),
    "a user vanishes": ([], [], {"lost": 1}),
    "a version is left out": ([done(11, change("l", 1, "g", "x", 3))], [Row("ann", "l", 3, "x")], {"gaps": 1}),
    "a refused change is stored": (
        [done(11, change("l", 1, "g", "x"), outcome="ConcurrentChange")],
        [Row("ann", "l", 2, "x")],
        {"traces": 1},
    ),
    "a refused change is read": (
        [done(11, change("l", 1, "g", "x"), outcome=ROLLED_BACK), done(12, read("l", 2, "x"))],
        STORED,
        {"traces": 1},
    ),
    "a refused change is changed": (
        [done(11, change("l", 1, "g", "x"), outcome=ROLLED_BACK), done(12, change("l", 2, "x", "y"))],
        [Row("ann", "l", 3, "y")],
        {"traces": 1},
    ),
    "an undone creation is stored": ([], [*STORED, Row("bob", "k", 1, "f")], {"traces": 1}),
    "a value has another version": ([], [Row("ann", "l", 2, "g")], {"traces": 1}),
    "two users have one name": (
        [done(11, create("m", "x")), done(12, remove("m", 1, "x"))],
        STORED,
        {"duplicates": 1},
    ),
    "two users with one name are stored": (
        [done(11, create("m", "x"))],
        [*STORED, Row("ann", "m", 1, "x")],
        {"duplicates": 2},
    ),
    "an old version is read": (
        [done(11, change("l", 1, "g", "x")), done(12, read("l", 1, "g"))],
        [Row("ann", "l", 2, "x")],
        {"stale": 1},
    ),
    "a removed user is read": ([done(11, remove("l", 1, "g")), done(12, read("l", 1, "g"))], [], {"stale": 1}),
    "a user is not found": ([done(11, ABSENT, create("m", "x", "bob"), outcome=ROLLED_BACK)], STORED, {"stale": 1}),
    "an error is none of a conflict": ([done(11, outcome="StorageError")], STORED, {"unexpected": 1}),
}


def test_a_sound_history_passes() -> None:
    """A sound history passes, with refusals, rollbacks and undone savepoints, and a unit without an outcome.

    The work of that unit may be stored or not.
    """
    unexpected = {"unexpected": 1}  # here this is the unknown outcome itself
    for stored in (STORED, [Row("ann", "l", 2, "h")]):
        findings = check(SOUND, stored)
        assert unexpected == {one.kind: findings.count(one.kind) for one in findings.violations}
    assert (7, 4, 4) == (findings.transactions, findings.acknowledged, findings.writes)
    assert {"CommitOutcomeUnknown": 1, "ConcurrentChange": 1, "UsernameTaken": 1} == findings.refused


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_found(wrong: str) -> None:
    """A violation is found, and nothing else is."""
    more, stored, expected = WRONG[wrong]
    findings = check([*SOUND[:-1], *more], stored)
    assert expected == {kind: findings.count(kind) for kind in KINDS if findings.count(kind)}


def test_every_kind_of_violation_is_found() -> None:
    """Every kind of violation is found in some history. So none is only counted."""
    assert set(KINDS) == {kind for _, _, expected in WRONG.values() for kind in expected}


def test_a_history_comes_back_from_its_files(tmp_path: Path) -> None:
    """A history comes back from its files as often as it is read."""
    (tmp_path / "1.1.jsonl").write_text("".join(as_line(one) for one in SOUND), encoding="utf-8")
    history = History(tmp_path)
    assert [SOUND, SOUND] == [list(history), list(history)]


def test_a_users_history_is_shown_around_a_time() -> None:
    """The history of one user is shown around a point in time by its id, with the outcomes. Only near lines are."""
    lines = readable(SOUND, "i", "", at=39, limit=1).splitlines()
    assert ["  (2 more)", "  (1 more)"] == [lines[0], lines[-1]]
    assert "1.1.3 change ann i 1 a -> 2 c: ConcurrentChange" in lines[1]
    assert "1.1.5 change ann i 2 b -> 3 e: rolled back" in lines[2]
    assert "absent" in readable(SOUND, "", "ann", at=0)
