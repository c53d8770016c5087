"""A contender's worker as the runner sees it: it gets turns, and its work is checked after each of them.

The users of a turn follow from its round, so all contenders get the same. Of the seeded users, the first thousand are
changed, and the others are read.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field

from proof.benchmarks.contenders.contender import PAGE
from proof.benchmarks.databases import SEEDS, Stored
from proof.benchmarks.people import checksum, person

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from proof.benchmarks.databases import Database

ROOT = Path(__file__).parents[2]
CHANGED = 1000
CREATED, MIXED, STORED = 100_000, 2_000_000, 4_000_000
"""The numbers at which the users begin that are created one by one, in the mix, and in bulk."""

SIZES = {"get": 200, "create": 60, "change": 60, "page": 20, "mix": 240}
"""How many calls a turn has. A bulk or a stream is one call about many users."""


class WorkNotDone(Exception):
    """A contender has not done the timed work."""


def expect(what: str, expected: object, found: object) -> None:
    """Raise :class:`WorkNotDone` unless both are equal."""
    if expected != found:
        raise WorkNotDone(f"{what}: expected {str(expected)[:200]}, found {str(found)[:200]}")


@define
class Worker:
    """The process of a contender on its database, as a context manager. The URL may lead to it by a detour."""

    name: str
    database: Database
    url: str
    counting: bool = False
    _process: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "proof.benchmarks.worker"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self._send({"name": self.name, "url": self.url, "counting": self.counting})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the process."""
        if error is not None:
            self._process.kill()
        self._process.communicate()

    def _send(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()

    def _ask(self, operation: str, **order: Any) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = ""
        with suppress(BrokenPipeError):
            self._send({"operation": operation, **order})
            line = self._process.stdout.readline()
        if not line:
            raise WorkNotDone(f"{self.name} failed at {operation}; its own message is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def turn(self, operation: str, round_number: int, size: int) -> dict[str, Any]:
        """Give a turn of this many calls, check the work, and return the answer."""
        answer: dict[str, Any] = getattr(self, f"_{operation}")(round_number, size)
        return answer

    def _get(self, round_number: int, size: int) -> dict[str, Any]:
        numbers = random.Random(round_number).choices(range(CHANGED, SEEDS), k=size)  # noqa: S311  # no secrets
        answer = self._ask("get", numbers=numbers)
        expect(f"{self.name}, get", [[person(one).id.hex, person(one).email] for one in numbers], answer["evidence"])
        return answer

    def _page(self, round_number: int, size: int) -> dict[str, Any]:
        numbers = random.Random(round_number).choices(range(SEEDS - PAGE), k=size)  # noqa: S311  # no secrets
        answer = self._ask("page", numbers=numbers)
        pages = [[person(one).id.hex for one in range(number + 1, number + 1 + PAGE)] for number in numbers]
        expect(f"{self.name}, page", pages, answer["evidence"])
        return answer

    def _create(self, round_number: int, size: int) -> dict[str, Any]:
        numbers = _numbers(CREATED, round_number, size)
        before = self.database.count()
        answer = self._ask("create", numbers=list(numbers))
        self._check_created("create", numbers, before)
        return answer

    def _check_created(self, operation: str, numbers: range, before: int) -> None:
        expect(f"{self.name}, {operation}, count", before + len(numbers), self.database.count())
        users = {one: Stored(person(one).id, person(one).email, version=1) for one in numbers}
        expect(f"{self.name}, {operation}", users, self.database.stored(numbers))

    def _change(self, round_number: int, size: int) -> dict[str, Any]:
        numbers = random.Random(round_number).sample(range(CHANGED), k=size)  # noqa: S311  # no secrets
        before = self.database.stored(numbers)
        tag = f"round{round_number}"
        answer = self._ask("change", numbers=numbers, tag=tag)
        users = {one: Stored(person(one).id, f"{tag}.{person(one).email}", before[one].version + 1) for one in numbers}
        expect(f"{self.name}, change", users, self.database.stored(numbers))
        return answer

    def _mix(self, round_number: int, size: int) -> dict[str, Any]:
        numbers = random.Random(round_number).choices(range(CHANGED, SEEDS), k=size * 4 // 5)  # noqa: S311  # no secrets
        new = _numbers(MIXED, round_number, size // 5)
        before = self.database.count()
        answer = self._ask("mix", numbers=numbers, new=list(new))
        expected = sorted([person(one).id.hex, person(one).email] for one in numbers)
        expect(f"{self.name}, mix", expected, sorted(answer["evidence"]))
        self._check_created("mix", new, before)
        return answer

    def _bulk(self, _round_number: int, size: int) -> dict[str, Any]:
        return self.bulk(size, memory=False)

    def bulk(self, size: int, *, memory: bool) -> dict[str, Any]:
        """Give the turn of storing this many users in an empty table."""
        self.database.empty()
        answer = self._ask("bulk", first=STORED, count=size, memory=memory)
        self._check_all("bulk", size, self.database.count(), self.database.checksum())
        self.database.analyze()
        return answer

    def prepare_stream(self, size: int) -> None:
        """Store this many users for the worker to read."""
        self.database.empty()
        self.database.fill(range(STORED, STORED + size))

    def _stream(self, _round_number: int, size: int) -> dict[str, Any]:
        answer = self._ask("stream", look=False)
        expect(f"{self.name}, stream", size, answer["evidence"])
        return answer

    def look_at_stream(self, size: int) -> None:
        """Let the worker read this many users that a bulk has stored, and look at each of them."""
        self._check_all("stream", size, size, self._ask("stream", look=True)["evidence"])

    def _check_all(self, operation: str, size: int, count: int, ids: int) -> None:
        expect(f"{self.name}, {operation}, count", size, count)
        expect(f"{self.name}, {operation}, ids", _checksum(size), ids)


@cache
def _checksum(size: int) -> int:
    return checksum(person(number).id for number in range(STORED, STORED + size))


def _numbers(first: int, round_number: int, size: int) -> range:
    start = first + round_number * 1000
    return range(start, start + size)
