"""Crashes of clients and of the server: acknowledged work is there, and nothing is torn."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from random import Random

from proof.torture import report
from proof.torture.databases import NAMES, database
from proof.torture.kills import Kills, kill_clients
from proof.torture.stops import Stops, stop_server


def main(arguments: Sequence[str]) -> int:
    """Kill clients on each database, stop a PostgreSQL, and return 1 if any of it broke a promise."""
    parser = report.parser("crashes", __doc__)
    parser.add_argument("--kills", type=int, default=10_000, help="of clients, spread over the databases")
    parser.add_argument("--stops", type=int, default=1_000, help="of the PostgreSQL server")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    killed = _kill(options.kills, options.seed)
    stopped = _stop(options.stops, options.seed)
    _write(options, killed, stopped)
    found: list[Kills | Stops] = [*killed.values(), *stopped]
    return report.complain([violation for one in found for violation in one.violations])


def _write(options: Namespace, killed: dict[str, Kills], stopped: list[Stops]) -> None:
    command = f"crashes --kills {options.kills} --stops {options.stops}"
    flight = ["in flight: stored", "in flight: not stored"]
    report.write(
        "kills",
        options,
        command,
        ["", "clients killed", "units acknowledged", *flight, "seconds", "violations"],
        [
            (NAMES[kind], one.kills, one.acknowledged, one.stored_in_flight, one.absent_in_flight, *_ending(one))
            for kind, one in killed.items()
        ],
    )
    errors = ["`StorageUnavailable`", "`CommitOutcomeUnknown`: stored", "`CommitOutcomeUnknown`: not stored"]
    report.write(
        "stops",
        options,
        command,
        ["", "immediate stops", "units acknowledged", *errors, "seconds", "violations"],
        [
            (
                NAMES["postgresql"],
                one.stops,
                one.acknowledged,
                one.unavailable,
                one.unknown_stored,
                one.unknown_absent,
                *_ending(one),
            )
            for one in stopped
        ],
    )


def _ending(found: Kills | Stops) -> tuple[str, int]:
    return f"{found.seconds:.0f}", len(found.violations)


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
