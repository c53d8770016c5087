"""Migrations that Alembic writes: they run, and the program finds them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.sql.engine import make_engine

ROOT = Path(__file__).parents[2]
LAYERS = ("adapters", "domain", "service_layer")


@pytest.mark.slow
def test_a_generated_migration_has_the_next_number_and_makes_the_tables_that_the_code_maps(tmp_path: Path) -> None:
    """Here for a database that lacks all tables; the types in it are the database's own."""
    for name in LAYERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    url = f"sqlite:///{tmp_path / 'app.db'}"

    def alembic(*arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=tmp_path,
            env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def execute(statement: str) -> None:
        engine = make_engine(url)
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()

    alembic("upgrade", "head")
    execute("DROP TABLE users")
    alembic("revision", "--autogenerate", "-m", "make users again")
    [generated] = (tmp_path / "adapters/sql/migrations/versions").glob("0002_make_users_again.py")
    alembic("upgrade", "head")
    alembic("check")
    assert "sa.String(length=64)" in generated.read_text()
    assert "adapters" not in generated.read_text()
