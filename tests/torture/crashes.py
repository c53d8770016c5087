"""Crashes of clients and of the server: what was acknowledged is there, and nothing is torn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from random import Random

from attrs import astuple

from tests.torture import report
from tests.torture.databases import NAMES, database
from tests.torture.kills import Kills, kill_clients
from tests.torture.stops import Stops, stop_server


def main(arguments: Sequence[str]) -> int:
    """Kill clients on each database, stop a PostgreSQL, and return 1 if any of it broke a promise."""
    parser = report.parser("crashes", __doc__)
    parser.add_argument("--kills", type=int, default=10_000, help="of clients, spread over the databases")
    parser.add_argument("--stops", type=int, default=1_000, help="of the PostgreSQL server")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    killed = _kill(options.kills, options.seed)
    stopped = _stop(options.stops, options.seed)
    report.write(
        "kills",
        options,
        f"crashes --kills {options.kills} --stops {options.stops}",
        ["", "clients killed", "units acknowledged", "in flight: stored", "in flight: not", "seconds", "violations"],
        [(NAMES[kind], *_cells(one)) for kind, one in killed.items()],
    )
    report.write(
        "stops",
        options,
        f"crashes --kills {options.kills} --stops {options.stops}",
        [
            "",
            "immediate stops",
            "units acknowledged",
            "`StorageUnavailable`",
            "`CommitOutcomeUnknown`: stored",
            "not",
            "seconds",
            "violations",
        ],
        [("PostgreSQL", *_cells(one)) for one in stopped],
    )
    found: list[Kills | Stops] = [*killed.values(), *stopped]
    return report.complain([violation for one in found for violation in one.violations])


def _cells(found: Kills | Stops) -> list[object]:
    *counts, seconds, violations = astuple(found)
    return [*counts, f"{seconds:.0f}", len(violations)]


def _kill(kills: int, seed: int) -> dict[str, Kills]:
    found = {}
    for place, kind in enumerate(NAMES):
        share = kills // len(NAMES) + (place < kills % len(NAMES))
        if not share:
            continue
        with database(kind) as url:
            if url is None:
                continue
            one = found[kind] = kill_clients(url, share, Random(f"{seed} {kind}"))  # noqa: S311  # to be repeated
        print(
            f"{NAMES[kind]}: {one.kills:,} clients killed in {one.seconds:.0f} s ({one.kills / one.seconds:.0f}/s);"
            f" {one.acknowledged:,} units acknowledged; in flight {one.stored_in_flight:,} stored"
            f" and {one.absent_in_flight:,} not; {len(one.violations):,} violations",
            flush=True,
        )
    return found


def _stop(stops: int, seed: int) -> list[Stops]:
    if not stops:
        return []
    one = stop_server(stops, Random(f"{seed} stops"))  # noqa: S311  # to be repeated
    print(
        f"PostgreSQL: {one.stops:,} immediate stops in {one.seconds:.0f} s ({one.stops / one.seconds:.1f}/s);"
        f" {one.acknowledged:,} units acknowledged, {one.unavailable:,} StorageUnavailable,"
        f" {one.unknown_stored + one.unknown_absent:,} CommitOutcomeUnknown ({one.unknown_stored:,} stored,"
        f" {one.unknown_absent:,} not); {len(one.violations):,} violations",
        flush=True,
    )
    return [one]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
