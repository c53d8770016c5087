"""Compare the speed of import_users with the fastest way to store the same rows without any of its checks.

The limit is a bare ``executemany`` on SQLite, and ``COPY`` on PostgreSQL, of rows that are ready in memory. The import
reads a CSV file, validates every row, looks for users that are stored already, and stores batch by batch. The
validation alone is measured as well: no way of storing could make it faster. All run several times in turn, in tables
that are emptied before each run. The ratios are of the medians.

    python -m proof.benchmarks.import_users [ROWS] [DATABASE_URL]

The database of the URL must hold no users, because the benchmark deletes them all. Without a URL it makes one.
"""

from __future__ import annotations

import csv
import io
import resource
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from adapters.sql.engine import make_engine
from adapters.sql.errors import name_of
from adapters.sql.schema import Schema
from adapters.sql.unit_of_work import SqlUnitOfWork
from adapters.sql.users import users
from domain.user import User
from entrypoints.user_csv import read_csv
from entrypoints.user_files import open_source
from service_layer.users import import_users

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

RUNS = 3
COLUMNS = [column.name for column in users.columns]


def ready_rows(count: int, *, hexadecimal: bool) -> list[tuple[Any, ...]]:
    """Return rows as the driver takes them."""
    made = [User.create(f"user{number}", f"user{number}@example.com") for number in range(count)]
    return [
        (one.id.hex if hexadecimal else str(one.id), str(one.username), str(one.email), str(one.created_at), True, 1)
        for one in made
    ]


def store_bare(engine: Engine, rows: list[tuple[Any, ...]]) -> None:
    """Store rows through the driver alone, in one transaction."""
    connection: Any = engine.raw_connection()
    cursor = connection.cursor()
    if engine.dialect.name == "sqlite":
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(f"INSERT INTO users ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?)", rows)  # noqa: S608  # our own columns
    else:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        text.seek(0)
        cursor.copy_expert(f"COPY users ({', '.join(COLUMNS)}) FROM STDIN WITH (FORMAT csv)", text)
    connection.commit()
    connection.close()


def store_by_import(engine: Engine, source: Path) -> None:
    """Store the rows of a CSV file by the use case. None of them may be refused."""

    def refuse(row: object, reason: Exception) -> None:
        raise AssertionError(f"{row}: {reason}")

    with open_source(source) as file:
        import_users(read_csv(file), refuse, SqlUnitOfWork(engine))


def validate(_: Engine, source: Path) -> None:
    """Make the users of a CSV file and store nothing."""
    with open_source(source) as file:
        for row in read_csv(file):
            User.create(row.username, row.email)


def seconds(engine: Engine, work: Callable[[Engine, Any], None], material: object, expected: int) -> float:
    """Return how long the work took on an empty table, after checking that it was done."""
    with engine.begin() as connection:
        connection.execute(users.delete())
    start = time.perf_counter()
    work(engine, material)
    took = time.perf_counter() - start
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM users").scalar() == expected
    return took


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with TemporaryDirectory() as folder:
        engine = make_engine(sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{folder}/bench.db")
        Schema(engine).upgrade()
        with engine.connect() as connection:
            if connection.execute(users.select().limit(1)).first():
                sys.exit(f"error: {name_of(engine)} holds users, which this benchmark would delete: name an empty one")
        source = Path(folder) / "people.csv"
        with source.open("w", encoding="utf-8") as file:
            file.write("username,email\n")
            file.writelines(f"user{number},user{number}@example.com\n" for number in range(count))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds(engine, store_by_import, source, count)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        rows = ready_rows(count, hexadecimal=engine.dialect.name == "sqlite")
        contenders: dict[str, tuple[Callable[[Engine, Any], None], object, int]] = {
            "import_users": (store_by_import, source, count),
            "validation": (validate, source, 0),
            "bare driver": (store_bare, rows, count),
        }
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(RUNS):
            for name, contender in contenders.items():
                times[name].append(seconds(engine, *contender))
        engine.dispose()
    limit = median(times["bare driver"])
    print(f"{engine.dialect.name}, {count:,} rows, {RUNS} runs of each in turn (seconds, lowest to highest)")
    for name, took in times.items():
        runs = " ".join(f"{one:.2f}" for one in sorted(took))
        print(f"  {name:13} {runs}   {count / median(took):>9,.0f} rows/s   {limit / median(took):.3f} of the limit")
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes there, and kibibytes elsewhere
    print(f"  memory added by the first import: {grown * unit / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
