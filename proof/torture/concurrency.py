"""Many processes and threads change the same users, and no acknowledged write is lost.

    python -m proof.torture concurrency [--transactions 350000] [--seconds 600] [--seed 1] [--database all] [--write]

Each thread runs one unit of work after another, and writes down what it reads, what it writes, and how it ends. Then
all that is checked against itself and against what is stored. If anything is wrong, the program shows the history with
it and exits with 1. --write updates the table in docs/reliability.md.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from proof.torture import report
from proof.torture.checker import KINDS, REFUSALS, Findings, check
from proof.torture.clients import PROCESSES
from proof.torture.databases import NAMES, database
from proof.torture.history import READ_ONLY, ROLLED_BACK, History, Row, readable
from proof.torture.subjects import PRODUCTS, USERS
from proof.torture.workload import NOT_COUNTED, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@frozen
class Run:
    """How much is run, and by how many: until ``transactions`` are done or ``seconds`` are over.

    With ``parts`` the units work on products, which have parts, not on users. ``plant`` puts a bug into the code of
    each process, to prove that the check finds it.
    """

    seed: int
    transactions: int
    seconds: float
    processes: int = 4
    threads: int = 8
    parts: bool = False
    plant: Callable[[], None] | None = None


@frozen
class Result:
    """The result of a run on one database: seconds of the run and of the check, and the findings of the check."""

    findings: Findings
    parts: bool
    running: float
    checking: float
    example: str


def torture(url: str, run: Run) -> Result:
    """Run transactions on an empty database with its tables, and check their history."""
    with TemporaryDirectory(prefix="plumbline-torture-") as folder:
        start = time.monotonic()
        subject = PRODUCTS if run.parts else USERS
        with subject.open(url) as new_unit:
            with Path(folder, "0.jsonl").open("w", encoding="utf-8") as output:
                Worker(new_unit, "0.0", run.seed, output, subject).run(Worker.seed_users)
            if url.startswith("memory:"):
                run_threads(new_unit, evolve(run, processes=1), 1, folder)
            else:
                _run_processes(url, run, folder)
            with new_unit(read_only=True) as uow:
                found = list(subject.repository(uow).stream())
            stored = [Row(subject.name(one), one.id.hex, one.version, subject.value(one)) for one in found]
        middle = time.monotonic()
        history = History(Path(folder))
        findings = check(history, stored)
        end = time.monotonic()
        worst = findings.worst()
        example = f"{worst.kind}: {worst.what}\n{readable(history, worst.id, worst.name, worst.at)}" if worst else ""
        return Result(findings, run.parts, middle - start, end - middle, example)


def _run_processes(url: str, run: Run, folder: str) -> None:
    with ProcessPoolExecutor(run.processes, mp_context=PROCESSES) as pool:
        for done in as_completed([pool.submit(run_process, url, run, n + 1, folder) for n in range(run.processes)]):
            done.result()


def run_process(url: str, run: Run, process: int, folder: str) -> None:
    """Do one process's share of a run with a separate engine."""
    if run.plant is not None:
        run.plant()
    with (PRODUCTS if run.parts else USERS).open(url) as new_unit:
        run_threads(new_unit, run, process, folder)


def run_threads(new_unit: Callable[..., Any], run: Run, process: int, folder: str) -> None:
    """Do one process's share of a run by all its threads."""
    until, stop = time.monotonic() + run.seconds, threading.Event()
    remaining = iter(range(run.transactions // run.processes))  # of all threads together

    def run_thread(thread: int) -> None:
        number = f"{process}.{thread}"
        with Path(folder, f"{number}.jsonl").open("w", encoding="utf-8") as output:
            worker = Worker(new_unit, number, run.seed, output, PRODUCTS if run.parts else USERS)
            while not stop.is_set() and time.monotonic() < until and next(remaining, None) is not None:
                while worker.transact() in NOT_COUNTED:
                    pass

    with ThreadPoolExecutor(run.threads) as pool:
        try:
            for done in as_completed([pool.submit(run_thread, number + 1) for number in range(run.threads)]):
                done.result()
        finally:
            stop.set()  # when one has failed, or after Ctrl-C, the others need not go on


def line(kind: str, run: Run, result: Result) -> str:
    """Return the result of a run in a line."""
    found = result.findings
    refused = ", ".join(f"{name} {count:,}" for name, count in found.refused.items())
    wrong = ", ".join(f"{name} {found.count(name):,}" for name in KINDS)
    return (
        f"{kind}: {found.transactions:,} transactions: {found.acknowledged:,} acknowledged ({found.writes:,} writes),"
        f" refused: {refused or 'none'}; beside them {found.outcomes[ROLLED_BACK]:,} rolled back,"
        f" {found.outcomes[READ_ONLY]:,} only read; {wrong};"
        f" {result.running:.1f} s, checked in {result.checking:.1f} s, seed {run.seed}"
    )


def _figures(result: Result) -> dict[str, int]:
    found = result.findings
    refusals = REFUSALS - {("UsernameTaken" if result.parts else "SkuTaken")}
    return {
        "transactions": found.transactions,
        "acknowledged": found.acknowledged,
        "writes in these": found.writes,
        **{f"refused: `{name}`": found.outcomes[name] for name in sorted(refusals)},
        "rolled back (not counted above)": found.outcomes[ROLLED_BACK],
        "only reading (not counted above)": found.outcomes[READ_ONLY],
        **{f"**{name}**: {meaning}": found.count(name) for name, meaning in KINDS.items()},
        "seconds": round(result.running),
    }


def main(arguments: Sequence[str]) -> int:
    """Run on each database, and return 1 if anything is wrong."""
    parser = report.parser("concurrency", (__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=[*NAMES, "all"], default="all")
    parser.add_argument("--transactions", type=int, default=350_000, help="on each database")
    parser.add_argument("--seconds", type=float, default=3600.0, help="at most, on each database")
    parser.add_argument("--parts", action="store_true", help="work on products with parts at two levels, not on users")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    run = Run(options.seed, options.transactions, options.seconds, parts=options.parts)
    found = _run_on_each(list(NAMES) if options.database == "all" else [options.database], run)
    figures = [_figures(one) for one in found.values()]
    what = f"{' --parts' if options.parts else ''} --transactions {run.transactions} --seconds {run.seconds:g}"
    report.write(
        "parts" if options.parts else "concurrency",
        options,
        f"concurrency --database {options.database}{what}",
        ["", *(NAMES[kind] for kind in found)],
        [(title, *(one[title] for one in figures)) for title in (figures[0] if figures else ())],
    )
    return report.complain(
        [f"{NAMES[kind]}: {one.kind}: {one.what}" for kind in found for one in found[kind].findings.violations]
    )


def _run_on_each(kinds: Sequence[str], run: Run) -> dict[str, Result]:
    found: dict[str, Result] = {}
    if not run.transactions:
        return found
    for kind in kinds:
        with database(kind) as url:
            if url is None:
                continue
            one = found[kind] = torture(url, run)
        print(line(NAMES[kind], run, one), flush=True)
        print(one.example, end="")
    return found
