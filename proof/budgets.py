"""Print how much code an owner of a copy has to hold in the head, beside what is allowed. Run it by ``make budgets``.

Lines count docstrings, comments and blank lines. A limit is raised in the commit that needs it, which says why.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).parents[1]

LAYERS = ("domain", "service_layer", "adapters")
ROOMS = (*LAYERS, "entrypoints", "tests")

DATABASES = (
    "bulk",
    "constraints",
    "engine",
    "errors",
    "migrating",
    "mysql",
    "mysql_connect",
    "options",
    "postgres",
    "postgres_connect",
    "postgres_copy",
    "postgres_url",
    "schema",
    "situation",
    "sqlite",
    "types",
    "urls",
)
"""The files of adapters/sql that know a database."""

REFUSALS = ("declared", "refused", "refused_composites", "refused_inheritance", "refused_parts", "refused_values")
"""The files of adapters/sql that refuse what could not be kept alike."""

LINES = {
    "adapters/sql, what knows a database": 2640,
    "adapters/sql, what refuses a declaration": 1070,
    "adapters/sql, all others": 1840,
    "adapters/fake": 1340,
    "service_layer/unit_of_work.py": 250,
    "tests": 10000,
}

NAMES = 302
"""How many public names the modules of the three inner layers may have at their top level."""

FILE, FUNCTION = 300, 40
"""How many lines a file and a function may have."""

METHODS = 9
"""How many abstract methods a new kind of unit of work has to write."""


def main() -> int:
    """Print the table; return 1 if a limit is passed."""
    rows = [*((name, lines, LINES[name]) for name, lines in lines_by_room().items())]
    rows.append(("public names", len(list(public_names())), NAMES))
    rows.append(("abstract methods of a unit of work", abstract_methods(), METHODS))
    rows += [(relative(path), length(path), FILE) for path in sources(*ROOMS) if length(path) > FILE]
    for path in sources(*LAYERS, "entrypoints"):
        rows += [(f"{relative(path)}: {name}", lines, FUNCTION) for name, lines in functions(path) if lines > FUNCTION]
    for name, found, allowed in rows:
        print(f"{name:40} {found:6,} of {allowed:5,}{'  TOO MANY' if found > allowed else ''}")
    return int(any(found > allowed for _, found, allowed in rows))


def sources(*rooms: str) -> list[Path]:
    """Return the program's files, migrations apart."""
    found = (path for room in rooms for path in (ROOT / room).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def relative(path: Path) -> str:
    """Return a path as it is written in the repository."""
    return path.relative_to(ROOT).as_posix()


def length(*paths: Path) -> int:
    """Return the number of lines."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def lines_by_room() -> dict[str, int]:
    """Return how many lines there are of each kind that has a limit."""
    sql = sources("adapters/sql")
    kinds: Sequence[Iterable[Path]] = (
        (path for path in sql if path.stem in DATABASES),
        (path for path in sql if path.stem in REFUSALS),
        (path for path in sql if path.stem not in (*DATABASES, *REFUSALS)),
        sources("adapters/fake"),
        [ROOT / "service_layer" / "unit_of_work.py"],
        sources("tests"),
    )
    return {name: length(*paths) for name, paths in zip(LINES, kinds, strict=True)}


def public_names() -> Iterable[str]:
    """Yield the functions, classes and values that a module of the inner layers defines for others."""
    for path in sources(*LAYERS):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                    names = [name]
                case ast.Assign(targets=targets):
                    names = [target.id for target in targets if isinstance(target, ast.Name)]
                case _:
                    names = []
            yield from (name for name in names if not name.startswith("_"))


def functions(path: Path) -> Iterable[tuple[str, int]]:
    """Yield the name and the length of each function, methods too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def abstract_methods() -> int:
    """Return how many methods a subclass of the unit of work must define."""
    sys.path.insert(0, str(ROOT))
    from service_layer.unit_of_work import UnitOfWork

    return len(UnitOfWork.__abstractmethods__)


if __name__ == "__main__":
    sys.exit(main())
