"""docs/extending.md, followed to the letter in a copy of the project: each step, and each command of a shell."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from proof.docs.markdown import Block, blocks

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"
LAYERS = ("adapters", "domain", "entrypoints", "service_layer")
ADVICE = "mend docs/extending.md; or, when the project has outgrown it, delete it together with this test"

_STEP = re.compile(r"^\*\*(?P<kind>New file|In) `(?P<path>[^`]+)`\*\*")
_KINDS = {"New file": "python", "In": "diff"}
_SHELL = "console"

# The other tests of tests/integration/test_schema.py take seconds, and another table makes no difference to them.
_RELEVANT = "teams or architecture or migration or declare"


def steps() -> list[tuple[Path, Block]]:
    """Return the path and the block of each step. Fails for code that no step introduces."""
    found = []
    for block in blocks(PAGE):
        if block.language != _SHELL:
            step = _STEP.match(block.before)
            assert step, f"line {block.line} begins a block that belongs to no file"
            assert _KINDS[step["kind"]] == block.language, f"line {block.line}"
            found.append((Path(step["path"]), block))
    return found


def new_files() -> list[str]:
    """Return the paths of the files that the page adds."""
    return [str(path) for path, block in steps() if block.language == "python"]


def commands() -> list[str]:
    """Return the commands of the page, one for each line of a shell."""
    return [line for block in blocks(PAGE) if block.language == _SHELL for line in block.text.splitlines()]


def follow(project: Path) -> None:
    """Make each step. Skip a step that was made before, when a reader has followed the page in earnest."""
    for path, block in steps():
        target = project / path
        if block.language == "diff":
            target.write_text(patched(target.read_text(), block.text, path))
        else:
            assert not target.exists() or target.read_text() == block.text, f"{path} is another file: {ADVICE}"
            target.write_text(block.text)


def patched(text: str, diff: str, path: Path) -> str:
    """Return a file's text with the changes of a diff. Its parts begin with ``@@`` and a word about the place."""
    for part in re.split(r"^@@.*\n", diff, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if not line.startswith("+"))
        new = "".join(line[1:] for line in lines if not line.startswith("-"))
        if f"\n{new}" in text:
            continue
        assert text.count(f"\n{old}") == 1, f"{path} has not exactly one place that reads\n{old}\n{ADVICE}"
        text = text.replace(f"\n{old}", f"\n{new}")
    return text


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the page was followed, with this environment as its ``.venv``."""
    copy = tmp_path_factory.mktemp("extended")
    for folder in (*LAYERS, "docs", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / file, copy)
    (copy / ".venv").symlink_to(sys.prefix)
    follow(copy)
    return copy


def run(project: Path, *command: str, **environment: str) -> str:
    """Run a command in the copy and return its output. Fails with that output."""
    unwanted = ("COV", "DATABASE_", "PYTEST_")  # the coverage of the copy is not that of the project
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    # The copy comes before the environment's own packages, so before the project if that is installed there.
    environment = {**kept, "PYTHONPATH": str(project), **environment}
    done = subprocess.run(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert 0 == done.returncode, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


def test_an_aggregate_needs_a_file_in_each_layer() -> None:
    """An aggregate is a file in each layer and two lines in each unit of work, as the page says.

    Only the list of tested aggregates and the entry points may change too.
    """
    added = [path for path in new_files() if not path.startswith("tests/")]
    changed = {
        str(path): re.findall(r"^[+-]", block.text, re.MULTILINE) for path, block in steps() if block.language == "diff"
    }
    assert [
        "domain/team.py",
        "service_layer/teams.py",
        "adapters/sql/teams.py",
        "adapters/fake/teams.py",
        "entrypoints/team_commands.py",
        "entrypoints/http/teams.py",
    ] == [path for path in added if "migrations" not in path]
    for path in ("entrypoints/cli.py", "entrypoints/http/application.py", "tests/contract/samples.py"):
        del changed[path]
    assert {
        f"{layer}/unit_of_work.py": ["+", "+"] for layer in ("service_layer", "adapters/sql", "adapters/fake")
    } == changed


def test_following_the_page_again_changes_nothing(project: Path) -> None:
    """Following the page again changes nothing, so this test passes in a project that has followed it."""
    before = {path: path.read_text() for path in project.rglob("*.py")}
    follow(project)
    assert before == {path: path.read_text() for path in project.rglob("*.py")}


def test_files_and_tests_of_the_page_exist(project: Path) -> None:
    """Files and tests that the page mentions exist after the last step."""
    mentioned = set(re.findall(r"`([\w/]+/[\w/.]+|test_\w+)`", PAGE.read_text()))
    tests = "".join(path.read_text() for path in project.glob("tests/*/test_*.py"))
    assert mentioned
    assert [] == [
        name
        for name in mentioned
        if not (f"def {name}(" in tests if name.startswith("test_") else (project / name).exists())
    ]


def test_what_is_tried_here_is_the_copy(project: Path) -> None:
    """The copy is tried here, not the project that the environment may have installed."""
    program = f"import tests, {', '.join(LAYERS)}; print(*(one.__path__[0] for one in (tests, {', '.join(LAYERS)})))"
    for options in ((), ("-P",)):  # with and without the current folder, as `python -m pytest` and `pytest` do
        found = run(project, sys.executable, *options, "-c", program).split()
        assert [str(project / name) for name in ("tests", *LAYERS)] == found


@pytest.mark.slow
def test_every_command_of_the_page_succeeds(project: Path) -> None:
    """Every command of the page succeeds, and its tests reach every line of its files.

    They check the new tests, the arrows between the layers, and that migrations, tables and fake agree.
    """
    # Without the project's coverage settings, and only for the new files: measuring all would take minutes.
    settings = project / "coverage.ini"
    measured = [name for name in new_files() if "migrations" not in name]  # their tests undo them in another folder
    settings.write_text("[run]\nbranch = true\ninclude =\n" + "".join(f"    {name}\n" for name in measured))
    measuring = (f"--cov-config={settings}", "--cov", "--cov-append", "--cov-report=")
    for command in commands():
        run(project, "sh", "-c", command, CASES="all", PYTEST_ADDOPTS=shlex.join(("-k", _RELEVANT, *measuring)))
    run(project, sys.executable, "-m", "coverage", "report", f"--rcfile={settings}", "--fail-under=100")


def test_the_new_files_are_in_good_style(project: Path) -> None:
    """The new files are in the project's style without a change by hand."""
    files = [str(path) for path, _ in steps()]
    run(project, ".venv/bin/ruff", "check", *files)
    run(project, ".venv/bin/ruff", "format", "--check", *files)


@pytest.mark.slow
def test_the_new_files_are_typed(project: Path) -> None:
    """The new files are typed as strictly as all others."""
    run(project, ".venv/bin/mypy", *(str(path) for path, _ in steps()))
