"""Measure what grows with the number of users: the time of each operation, and the memory of a bulk and a stream.

    python -m proof.benchmarks.growth [--size 1000 --size 100000] [--write]

Each number of users has a new process and a new database. The read users are spread over all stored ones. --write
updates the table and the chart in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from proof.benchmarks.contenders.skeleton import Skeleton
from proof.benchmarks.databases import Database, databases
from proof.benchmarks.people import person
from proof.benchmarks.report import DOCS, NAMES, panels_of, put_between_marks
from proof.benchmarks.worker import forgotten_peak, peak

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).parents[2]
SIZES = [1_000, 10_000, 100_000, 1_000_000]
CALLS = {"get": 500, "page": 100, "create": 100}
TURNS = 5
HEADINGS = {
    "get": "get (µs)",
    "page": "page (µs)",
    "create": "create (µs)",
    "bulk": "bulk, a row (µs)",
    "stream": "stream, a row (µs)",
    "bulk_memory": "bulk, memory (MiB)",
    "stream_memory": "stream, memory (MiB)",
}


def microseconds(call: Callable[[Any], object], values: Iterable[Any]) -> float:
    """Return how long a call takes on average."""
    ready = list(values)
    start = time.perf_counter()
    for value in ready:
        call(value)
    return (time.perf_counter() - start) / len(ready) * 1e6


def measure(database: Database, size: int) -> dict[str, float]:
    """Store ``size`` users and return the figures. The work is checked."""
    database.empty()
    skeleton, found = Skeleton(database.url), {}
    works: dict[str, Callable[[], object]] = {
        "bulk": lambda: skeleton.bulk(skeleton.prepare(person(number)) for number in range(size)),
        "stream": lambda: sum(1 for _ in skeleton.stream()),
    }
    for name, work in works.items():
        before, start = forgotten_peak(), time.perf_counter()
        count = work()
        found[name] = (time.perf_counter() - start) / size * 1e6
        found[f"{name}_memory"] = (peak() - before) / 2**20
        assert count in (None, size)
    database.analyze()
    turns: dict[str, list[float]] = {name: [] for name in CALLS}
    for turn in range(TURNS):
        numbers = random.Random(turn).choices(range(max(1, size - 101)), k=CALLS["get"])  # noqa: S311  # no secrets
        some = [person(number) for number in numbers]
        new = [skeleton.prepare(person(size + turn * CALLS["create"] + one)) for one in range(CALLS["create"])]
        turns["get"].append(microseconds(skeleton.get, [one.username for one in some]))
        turns["page"].append(microseconds(skeleton.page, [one.id for one in some[: CALLS["page"]]]))
        turns["create"].append(microseconds(skeleton.create, new))
    assert database.count() == size + TURNS * CALLS["create"]
    return found | {name: median(times) for name, times in turns.items()}


def table(found: dict[str, dict[int, dict[str, float]]]) -> str:
    """Return all figures as a table in Markdown."""
    lines = ["| | users | " + " | ".join(HEADINGS.values()) + " |", "|---|---:|" + "---:|" * len(HEADINGS)]
    for kind, sizes in found.items():
        for size, figures in sizes.items():
            cells = [f"{figures[name]:.3g}" if figures[name] < 100 else f"{figures[name]:.0f}" for name in HEADINGS]
            lines.append(f"| {NAMES[kind]} | {size:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(found: dict[str, dict[int, dict[str, float]]], path: Path) -> None:
    """Draw how each figure grows, one panel for times and one for memory on each kind of database."""
    figure, panels = panels_of(2, len(found), 3.5)
    for column, (kind, sizes) in enumerate(found.items()):
        for row, (unit, scale) in enumerate([("µs", "log"), ("MiB", "linear")]):
            panel = panels[row][column]
            for name, heading in HEADINGS.items():
                if heading.endswith(f"({unit})"):
                    panel.plot(list(sizes), [one[name] for one in sizes.values()], "o-", label=heading)
            panel.set(xscale="log", yscale=scale, xlabel="stored users", ylabel=unit, title=NAMES[kind])
            panel.set_ylim(bottom=0 if scale == "linear" else 1)
            panel.legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def in_a_process(kind: str, size: int) -> dict[str, float]:
    """Measure in a separate process."""
    command = [sys.executable, "-m", "proof.benchmarks.growth", "--one", kind, "--size", str(size)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, action="append", help=f"may be given several times (default: {SIZES})")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md, with a chart")
    parser.add_argument("--one", choices=NAMES, help="measure one database only, and print the figures as JSON")
    given = parser.parse_args()
    sizes = given.size or SIZES
    if given.one:
        with databases(given.one, ["growth"], None) as owned:
            print(json.dumps(measure(owned["growth"], sizes[0])))
        return
    found = {kind: {size: in_a_process(kind, size) for size in sizes} for kind in NAMES}
    print(table(found))
    if given.write:
        put_between_marks("growth", f"![growth](growth.svg)\n\n{table(found)}")
        draw(found, DOCS / "growth.svg")


if __name__ == "__main__":
    main()
