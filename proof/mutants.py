"""Mutation testing: does a test notice when the code is changed in a small way? Run it by ``make mutants``.

mutmut does the work. Its settings are in pyproject.toml. This file adds:

- Context managers and properties are changed too. Mutmut leaves decorated functions alone, because decorators can have
  side effects. These two have none, and the heart of the unit of work is in such functions.
- ``async`` functions, a dozen in entrypoints/http, are left alone: mutmut's switch between mutants does not know them.
- The database servers are started once for all mutants, not once for each.
- Tests that need a server come last, because each mutant's first one makes a database.
- At the end, the mutants that no test noticed are shown, and a score below the minimum is a failure.

With names as arguments, as they are shown, only these mutants are tried: ``proof/mutants.py 'domain.user.*'``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libcst
from mutmut import __main__ as mutmut
from mutmut.mutation import file_mutation
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.runners.harness import PytestRunner
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]
MINIMUM = 95.0
WORKERS = int(os.environ.get("MUTANTS_WORKERS") or os.cpu_count() or 1)
NOTICED = ("killed", "timeout")
NOT_TRIED = ("not checked",)

HARMLESS_DECORATORS = ("contextmanager", "property")

# These run while modules are imported, or once for each class. So they have run before a mutant is switched on.
TOO_EARLY = (
    "__attrs_post_init__",
    "__init_subclass__",
    "_exact",
    "_limits",
    "_response",
    "described",
    "map_aggregate",
    "map_part",
    "once_for_each_class",
    "properties",
    "value_object",
)

SERVERS = ("postgres", "mariadb")

_run_tests = PytestRunner.run_tests
_skips = MutationVisitor._skip_node_and_children
_arrangement = file_mutation.function_trampoline_arrangement


def _is_harmless(node: libcst.CSTNode) -> bool:
    if not isinstance(node, libcst.FunctionDef) or len(node.decorators) != 1:
        return False
    decorator = node.decorators[0].decorator
    return isinstance(decorator, libcst.Name) and decorator.value in HARMLESS_DECORATORS


def _skips_less(self: MutationVisitor, node: libcst.CSTNode) -> bool:
    if isinstance(node, libcst.FunctionDef) and (node.asynchronous or node.name.value in TOO_EARLY):
        return True
    return _skips(self, node.with_changes(decorators=()) if _is_harmless(node) else node)


def _arranged(function: libcst.FunctionDef, mutants: Iterable[Any], class_name: str | None) -> tuple[Any, ...]:
    """Make the mutants without the decorator. The switch between them gets it."""
    if not _is_harmless(function):
        return _arrangement(function, mutants, class_name)
    bare = function.with_changes(decorators=())
    declared, (switch, *copies), assigned, names = _arrangement(bare, mutants, class_name)
    switch = switch.with_changes(decorators=[*function.decorators, *switch.decorators])
    return declared, [switch, *copies], assigned, names


def _run_servers_last(self: PytestRunner, *, mutant_name: str | None, tests: Iterable[str]) -> int:
    tests = sorted(tests, key=lambda test: any(server in test for server in SERVERS))
    return _run_tests(self, mutant_name=mutant_name, tests=tests)


def run(names: list[str]) -> None:
    """Try the mutants with these names. Without names, try all that are new or changed since the last run."""
    file_mutation.NEVER_MUTATE_FUNCTION_CALLS.add("cast")  # its first argument is for the type checker alone
    file_mutation.NEVER_MUTATE_FUNCTION_CALLS.add("zip")  # strict=True says what always holds
    MutationVisitor._skip_node_and_children = _skips_less
    file_mutation.function_trampoline_arrangement = _arranged
    PytestRunner.run_tests = _run_servers_last
    mutmut._run(names, WORKERS)


def report() -> float:
    """Show the mutants that no test noticed, and return the score."""
    noticed = tried = 0
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            status = status_by_exit_code[code]
            tried += status not in NOT_TRIED
            noticed += status in NOTICED
            if status not in NOTICED + NOT_TRIED:
                print(f"\n{name}: {status}\n{get_diff_for_mutant(name, path=path)}")
    score = 100 * noticed / tried
    print(f"\n{noticed} of {tried} mutants were noticed: {score:.1f} % (at least {MINIMUM} % are wanted)")
    return score


def main() -> int:
    """Start the servers, try the mutants in a separate process, and report."""
    sys.path.insert(0, str(ROOT))
    # Not in the process that tries the mutants: it imports the copy of the tests in mutants/.
    from tests.mariadb_server import mariadb
    from tests.postgres_server import postgres

    with ExitStack() as stack:
        servers = {
            "TEST_POSTGRES_URL": stack.enter_context(postgres()),
            "TEST_MARIADB_URL": stack.enter_context(mariadb()),
        }
        command = [sys.executable, __file__, "--run", *sys.argv[1:]]
        subprocess.run(command, cwd=ROOT, env=os.environ | servers, check=True)
    return int(report() < MINIMUM)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2:])
    else:
        sys.exit(main())
