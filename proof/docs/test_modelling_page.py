"""The page about modelling does what it says: its blocks are one program, and its tests pass on every storage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import MetaData, inspect

import adapters.sql.mapping
from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql.migrating import migrating
from adapters.sql.unit_of_work import SqlUnitOfWork
from proof.docs.markdown import blocks
from tests.storages import BACKENDS, LOCK_TIMEOUT, Storage

PAGE = Path(__file__).parents[2] / "docs" / "modelling.md"
TEXT = PAGE.read_text(encoding="utf-8")

TESTS = re.findall(r"^def (test_\w+)\(storage\b", TEXT, re.MULTILINE)
REFUSALS = re.findall(r"^def (test_\w+)\((?!storage)", TEXT, re.MULTILINE)

REPOSITORIES = {
    "workspaces": "WorkspaceRepository",
    "projects": "ProjectRepository",
    "countries": "CountryRepository",
    "vehicles": "VehicleRepository",
}
"""The repositories of the page, by their names in a unit of work."""


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The Python blocks in order. Their tables are in separate metadata, since no migration makes them."""
    module = ModuleType("modelling_page")
    metadata = MetaData(naming_convention=adapters.sql.mapping.metadata.naming_convention)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapters.sql.mapping, "metadata", metadata)
        for block in blocks(PAGE):
            assert block.language == "python", f"line {block.line}"
            code = compile(block.text, f"{PAGE.name}, line {block.line}", "exec", dont_inherit=True)
            exec(code, vars(module))  # noqa: S102  # our own text
    return module


def with_repositories(unit: Any, program: ModuleType, prefix: str) -> Any:
    """Return a unit that has the repositories of the page."""
    for name, repository in REPOSITORIES.items():
        setattr(unit, name, getattr(program, prefix + repository)(unit, unit.session))
    return unit


@pytest.fixture(params=BACKENDS)
def page_storage(request: pytest.FixtureRequest, program: ModuleType) -> Iterator[Storage]:
    """Each storage in turn, with the tables of the page."""
    if request.param == "fake":
        database = FakeDatabase(LOCK_TIMEOUT)

        def fake_unit(*, read_only: bool = False) -> Any:
            return with_repositories(FakeUnitOfWork(database, read_only=read_only), program, "Fake")

        yield Storage("fake", fake_unit)
        return
    engine = request.getfixturevalue(f"{request.param}_engine")

    def sql_unit(*, read_only: bool = False) -> Any:
        return with_repositories(SqlUnitOfWork(engine, read_only=read_only), program, "Sql")

    program.metadata.create_all(engine)
    yield Storage(engine.dialect.name, sql_unit)
    program.metadata.drop_all(engine)


def arguments_of(test: Any) -> list[tuple[Any, ...]]:
    """Return the arguments of each run of a test."""
    marks = getattr(test, "pytestmark", [])
    return marks[0].args[1] if marks else [()]


@pytest.mark.parametrize("name", TESTS)
def test_the_tests_of_the_page_pass(program: ModuleType, page_storage: Storage, name: str) -> None:
    """The tests of the page pass on every storage with each parameter."""
    for arguments in arguments_of(getattr(program, name)):
        getattr(program, name)(page_storage, *arguments)


@pytest.mark.parametrize("name", REFUSALS)
def test_what_the_page_refuses_is_refused(program: ModuleType, name: str) -> None:
    """The mappings that the page refuses are refused with its messages."""
    for arguments in arguments_of(getattr(program, name)):
        getattr(program, name)(*arguments)


def test_the_table_of_unique_values_is_real_code() -> None:
    """The table of unique values is that of the example: each cell with code is a line of the program."""
    code = "".join(block.text for block in blocks(PAGE))
    cells = re.findall(r"`((?:Unique|UniqueConstraint|unique_where)\([^`]+\))` \|", TEXT)
    assert len(cells) == 10
    assert [] == [cell for cell in cells if cell not in code]


def test_the_data_migration_of_the_page_runs(program: ModuleType, page_storage: Storage) -> None:
    """The data migration of the page runs on every database. It changes data and raises their versions."""
    home = program.new_workspace(page_storage.unit()).id
    given = [program.Project(workspace_id=home, number=number, name=name) for number, name in enumerate([" a ", "b"])]
    program.store(page_storage.unit(), *given)
    with page_storage.unit() as uow:
        if not isinstance(uow, SqlUnitOfWork):
            return
        engine = uow.connection.engine
    with migrating(engine) as connection, Operations.context(MigrationContext.configure(connection)):
        program.upgrade()
    with page_storage.unit() as uow:
        found = [(project.name, project.version) for project in uow.projects.page().items]
    assert [("a", 2), ("b", 1)] == found


def test_the_marker_has_the_name_on_the_page(program: ModuleType, page_storage: Storage) -> None:
    """The marker has the name that the page says in the tables that are made."""
    assert "name_is_unique" in program.projects.c
    with page_storage.unit() as uow:
        if isinstance(uow, SqlUnitOfWork):
            assert "name_is_unique" in [one["name"] for one in inspect(uow.connection).get_columns("projects")]
