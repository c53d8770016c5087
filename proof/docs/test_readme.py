"""The README does what it says: every block of it is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from proof.docs.markdown import Block, blocks
from service_layer.unit_of_work import UnitOfWork
from service_layer.users import create_user, get_user

ROOT = Path(__file__).parents[2]
BLOCKS = blocks(ROOT / "README.md")


def blocks_with(text: str) -> list[Block]:
    """Return the blocks that hold a text. There must be at least one."""
    found = [block for block in BLOCKS if text in block.text]
    assert found, f"README.md has no block with {text!r} any more"
    return found


def run(commands: str, folder: Path, **environment: str) -> str:
    """Run the commands of a block in a folder, like a shell that stops at the first error. Return their output."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands.replace(".venv/bin/", f"{Path(sys.executable).parent}/")],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_is_run() -> None:
    """Every block is run by a test below: Python, the command line, servers, make, and the way without make.

    One block is a picture.
    """
    run_here = [block for text in (".venv/bin/app", "make demo") for block in blocks_with(text)]
    run_here += [block for block in BLOCKS if block.language == "python"]
    pictures = [block for block in BLOCKS if block.language == "text"]
    assert len(pictures) == 1
    assert sorted(block.line for block in BLOCKS) == sorted(block.line for block in [*run_here, *pictures])


def test_the_python_blocks_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The use case, its test and the bootstrap example work in order, as parts of one program."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'readme.db'}")
    program: dict[str, Any] = {}
    tests = []
    for block in BLOCKS:
        if block.language == "python":
            exec(compile(block.text, f"README.md, line {block.line}", "exec"), program)  # noqa: S102  # our own text
            tests += [name for name in program if name.startswith("test_") and name not in tests]
    for name in tests:
        program[name]()
    assert tests == ["test_the_kept_user_gets_the_address_of_the_removed_one"]
    assert capsys.readouterr().out == "ann ann@example.com\n"


def test_the_use_case_works_on_every_storage(uow: UnitOfWork) -> None:
    """The use case works on every storage, as its test has shown on the fake."""
    [use_case] = blocks_with("def merge_users")
    program: dict[str, Any] = {}
    exec(use_case.text, program)  # noqa: S102  # likewise
    create_user("ann", "ann@example.com", uow)
    create_user("anna", "anna@example.org", uow)
    program["merge_users"]("ann", "anna", uow)
    assert get_user("ann", uow).email == "anna@example.org"


@pytest.mark.slow
def test_the_commands_work_on_sqlite(tmp_path: Path) -> None:
    """The commands work on SQLite in an empty folder without any setting."""
    [block] = blocks_with("export-users")
    output = run(block.text, tmp_path)
    assert "ann@example.org" in output
    assert "stored before: 1" in output
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".db", ".csv")) == [
        "plumbline.db",
        "users.csv",
        "users.csv.rejects.csv",
    ]


@pytest.mark.slow
def test_the_demo_prints_what_the_page_shows(tmp_path: Path) -> None:
    """The demo prints the first lines that the page shows: the sum of the import, and the head of the list."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    commands = """
        .venv/bin/app import-users samples/people.csv --rejects demo.rejects.csv 2>&1 || test $? -eq 1
        .venv/bin/app list-users
    """
    printed = [line.strip() for line in run(commands, tmp_path).splitlines()]
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = page.partition("of their output:\n\n")[2].partition("\n\n")[0].splitlines()
    assert 3 == len(shown)
    assert [line.strip() for line in shown if line.strip() not in printed] == []


@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres_database", "mariadb_database"])
def test_the_commands_work_on_a_server(tmp_path: Path, database: str, request: pytest.FixtureRequest) -> None:
    """The same commands work on a server by changing only the URL: a real one replaces that of the README."""
    [block] = blocks_with("app db upgrade")
    url, real = "postgresql://username:password@localhost/database", request.getfixturevalue(database)
    assert url in block.text
    assert "ann@example.com" in run(block.text.replace(url, real), tmp_path)
    [commands] = blocks_with("export-users")
    run(commands.text.replace("create-user ann ann@", "create-user bob bob@"), tmp_path, DATABASE_URL=real)
    assert not (tmp_path / "plumbline.db").exists()


@pytest.fixture
def clean_copy(tmp_path: Path) -> Path:
    """The project's own files in a new folder."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        target = tmp_path / "project" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return tmp_path / "project"


@pytest.mark.slow
def test_the_demo_works_in_a_clean_copy(clean_copy: Path) -> None:
    """The demo works in a clean copy: environment, import of the sample, listing, one user and the rejects."""
    [block] = blocks_with("make demo")
    demo, test = (line.partition("#")[0].strip() for line in block.text.splitlines())
    assert (demo, test) == ("make demo", "make test")
    output = run(demo, clean_copy)
    for shown in ("ann@example.com", "さくら", '"line","username","email","reason"', "old ann"):
        assert shown in output


@pytest.mark.slow
def test_the_way_without_make_works(clean_copy: Path) -> None:
    """The way without make works line by line in a clean copy. The last line, this suite, only collects its tests."""
    [block] = blocks_with("python3 -m venv")
    commands = block.text.splitlines()
    assert commands[-1] == ".venv/bin/pytest"
    commands[-1] = ".venv/bin/pytest --collect-only -q"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
        cwd=clean_copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests collected" in done.stdout
