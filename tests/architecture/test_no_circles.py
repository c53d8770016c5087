"""No two files of the program import each other, not even through others, nor only for their types."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("adapters", "domain", "entrypoints", "service_layer")


def imports() -> dict[str, set[str]]:
    """Return the modules of the program that each of them imports, also under ``TYPE_CHECKING`` and in functions."""
    paths = {path for room in ROOMS for path in (ROOT / room).rglob("*.py") if path.name != "__init__.py"}
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    found = {}
    for module, path in modules.items():
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        named = {one.name for node in nodes if isinstance(node, ast.Import) for one in node.names}
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and node.module:
                named |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
        found[module] = named & modules.keys()
    return found


def test_no_file_imports_itself_by_way_of_others() -> None:
    """No file imports itself by way of others. So each can be read, and moved, after those that it needs."""
    order = list(TopologicalSorter(imports()).static_order())
    assert order.index("domain.errors") < order.index("adapters.sql.unit_of_work")


def test_the_check_of_circles_can_fail() -> None:
    """The check of circles can fail: one arrow back makes a circle, and the check sees it."""
    arrows = imports()
    arrows["domain.errors"] = arrows["domain.errors"] | {"adapters.sql.unit_of_work"}
    with pytest.raises(CycleError):
        list(TopologicalSorter(arrows).static_order())
