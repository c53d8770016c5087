"""The figures of the comparison as tables in Markdown and as a chart."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from proof.benchmarks.contenders import CONTENDERS, REFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proof.benchmarks.side_by_side import Figures

DOCS = Path(__file__).parents[2] / "docs"
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
LABELS = {
    "get": "get by name",
    "create": "create",
    "change": "load, change, commit",
    "page": "page of 100",
    "mix": "8 threads: 80 % get, 20 % create",
    "bulk": "bulk, a row",
    "stream": "stream, a row",
}


def tables(found: Iterable[Figures], bulk: int) -> str:
    """Return all tables."""
    return "\n\n".join(part for figures in found for part in _tables_of(figures, bulk))


def _tables_of(found: Figures, bulk: int) -> list[str]:
    name = NAMES[found.kind]
    counted = "Statements that SQLite runs" if found.kind == "sqlite" else "Round trips to the server"
    return [
        f"### {name}: microseconds\n\nMedian (quartiles; lowest and highest of fewer than four turns) and how many"
        " times as fast as the hand-written ORM that is.\n\n"
        + _table(found.microseconds, lambda row, one: _time(row[one], row.get(REFERENCE)), LABELS),
        f"### {name}: round trips\n\n{counted} for each call. A bulk and a stream are of 10,000 rows here.\n\n"
        + _table(found.trips, lambda row, one: f"{row[one]:,g}", LABELS | {"bulk": "bulk", "stream": "stream"}),
        f"### {name}: memory\n\nMebibytes that a bulk and a stream of {bulk:,} rows add to the peak.\n\n"
        + _table(found.mebibytes, lambda row, one: f"{row[one]:.1f}", {"bulk": "bulk", "stream": "stream"}),
    ]


def _table(rows: dict[str, dict[str, Any]], cell: Callable[[dict[str, Any], str], str], labels: dict[str, str]) -> str:
    names = [name for name in CONTENDERS if name in next(iter(rows.values()))]
    lines = [
        "| | " + " | ".join(CONTENDERS[name].title for name in names) + " |",
        "|---|" + "---:|" * len(names),
    ]
    lines += [f"| {labels[key]} | " + " | ".join(cell(row, name) for name in names) + " |" for key, row in rows.items()]
    return "\n".join(lines)


def _time(times: list[float], reference: list[float] | None) -> str:
    low, _, high = quantiles(times, method="inclusive") if len(times) > 3 else (min(times), None, max(times))
    ratio = f" **{ratio_of(times, reference):.2f}**" if reference else ""
    return f"{_short(median(times))} ({_short(low)}-{_short(high)}){ratio}"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def ratio_of(times: list[float], reference: list[float]) -> float:
    """Return how many times as fast as the reference these times are."""
    return median(reference) / median(times)


def write(found: list[Figures], bulk: int, arguments: list[str]) -> None:
    """Put the tables and their circumstances between the marks in docs/performance.md, and draw the chart."""
    figures = f"{_circumstances(found, arguments)}\n\n![ratios as bars](performance.svg)\n\n{tables(found, bulk)}"
    put_between_marks("figures", figures)
    draw(found, DOCS / "performance.svg")


def put_between_marks(name: str, figures: str, page: str = "performance.md") -> None:
    """Replace the figures between the marks of a page in docs."""
    path = DOCS / page
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n\n{figures}\n\n{end}{after}", encoding="utf-8")


def _circumstances(found: list[Figures], arguments: list[str]) -> str:
    libraries = ["sqlalchemy", "psycopg2-binary"]
    libraries += [entry.distribution for entry in CONTENDERS.values() if entry.distribution]
    versions = [f"Python {platform.python_version()}", *(figures.version for figures in found)]
    versions += [f"{name} {version(name)}" for name in libraries]
    # The address of a server and its password are private.
    command = re.sub(
        r"--server[ =]\S+", "--server URL", " ".join(["python -m proof.benchmarks.side_by_side", *arguments])
    )
    return f"Measured on {datetime.now(UTC):%Y-%m-%d} by `{command}`, on {machine()}. {', '.join(versions)}."


def machine() -> str:
    """Return the machine on which figures were measured."""
    return f"{_processor()} with {os.cpu_count()} cores, {platform.system()}"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        named = re.search(r"^model name\s*:\s*(.+)$", information.read_text(encoding="utf-8"), re.MULTILINE)
        if named:
            return named[1]
    return platform.processor() or platform.machine()


def panels_of(rows: int, columns: int, height: float) -> tuple[Any, Any]:
    """Return a figure and its panels by row and column. Each panel has this height in inches."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    # Text stays text, in a font that everybody has. Names inside of the file are the same in each run.
    rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "plumbline", "font.size": 9})
    rcParams.update({"font.family": ["sans-serif"], "font.sans-serif": ["DejaVu Sans", "sans-serif"]})
    figure = Figure(figsize=(5.5 * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def draw(found: list[Figures], path: Path) -> None:
    """Draw a panel of bars for each operation on each database. The first contender has a special colour."""
    figure, panels = panels_of(len(LABELS), len(found), 2.1)
    for column, figures in enumerate(found):
        for row, (operation, label) in enumerate(LABELS.items()):
            _draw_panel(panels[row][column], f"{NAMES[figures.kind]}: {label}", figures.microseconds[operation])
    figure.savefig(path, metadata={"Date": None})


def _draw_panel(panel: Any, title: str, times: dict[str, list[float]]) -> None:
    names = [name for name in CONTENDERS if name in times]
    ratios = [ratio_of(times[name], times[REFERENCE]) for name in names]
    colours = ["#1f6f8b", *["#c3ccd3"] * (len(names) - 1)]
    bars = panel.barh([CONTENDERS[name].title for name in names], ratios, color=colours)
    panel.bar_label(bars, [f"{ratio:.2f}" for ratio in ratios], padding=2)
    panel.axvline(1, color="#555555", linewidth=0.8, linestyle=":")
    panel.invert_yaxis()  # the first on top
    panel.set_xticks([])  # each bar has its figure
    panel.margins(x=0.12)
    panel.set_title(title, loc="left")
    panel.spines[["top", "right", "bottom"]].set_visible(False)
