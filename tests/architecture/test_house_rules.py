"""The house rules that an import linter cannot see: what is really loaded, and in which order things may happen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = ("sqlalchemy", "alembic", "psycopg2", "pymysql", "typer", "rich")


def importing_all_of(room: str) -> str:
    """Return a statement that imports each module of a package."""
    folder = ROOT.joinpath(*room.split("."))
    return f"import {', '.join(f'{room}.{path.stem}' for path in sorted(folder.glob('[!_]*.py')))}"


def loaded_by(statement: str) -> set[str]:
    """Return the heavy libraries that a fresh interpreter has loaded after a statement."""
    program = f"{statement}\nimport sys\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_inner_layers_load_no_database_library() -> None:
    """The inner layers and the fake load no database library, not even indirectly, in a fresh interpreter."""
    rooms = "\n".join(importing_all_of(room) for room in ("domain", "service_layer", "adapters.fake"))
    assert set() == loaded_by(f"{rooms}\nfrom entrypoints.bootstrap import bootstrap; bootstrap('memory://').close()")


def test_the_check_can_fail() -> None:
    """The check can fail: importing the SQL adapter loads SQLAlchemy, and the check sees it."""
    assert "sqlalchemy" in loaded_by("import adapters.sql.unit_of_work")


def test_a_start_without_migrations_loads_no_alembic(tmp_path: Path) -> None:
    """An application whose tables are up to date starts without Alembic, which takes long to load."""
    url = f"sqlite:///{tmp_path}/app.db"
    upgrade = f"from entrypoints.bootstrap import open_schema\nwith open_schema('{url}') as schema: schema.upgrade()"
    start = f"from entrypoints.bootstrap import bootstrap; bootstrap('{url}').close()"
    assert [{"sqlalchemy", "alembic"}, {"sqlalchemy"}] == [loaded_by(upgrade), loaded_by(start)]


def test_the_fake_works_before_and_after_mapping() -> None:
    """The fake works before and after the classes are mapped. A database refuses an object made before the mapping.

    The error says what to do.
    """
    program = """
from tempfile import TemporaryDirectory
from attrs import define, field
from domain.aggregate import Aggregate
from domain.errors import NotFound, UnitOfWorkMisuse
from domain.repository import Repository
from adapters.fake.repository import FakeRepository
from adapters.fake.unit_of_work import FakeUnitOfWork

@define(slots=False, eq=False, kw_only=True)
class Note(Aggregate):
    text: str = field(metadata={"max_length": 40})

class NoteRepository(Repository[Note]):
    aggregate = Note
    not_found = NotFound

class FakeNoteRepository(FakeRepository[Note], NoteRepository):
    pass

early, later = Note(text="early"), Note(text="old")
fake = FakeUnitOfWork()
notes = FakeNoteRepository(fake, fake.session)
with fake:
    notes.add(later)
    fake.commit()

from sqlalchemy import Column, Integer, MetaData, String, Table, Uuid
from adapters.sql.engine import make_engine
from adapters.sql.mapping import map_aggregate
from adapters.sql.repository import SqlRepository
from adapters.sql.unit_of_work import SqlUnitOfWork
columns = [Column("text", String(40), nullable=False), Column("version", Integer, nullable=False)]
table = Table("notes", MetaData(), Column("id", Uuid, primary_key=True), *columns)
map_aggregate(Note, table)

class SqlNoteRepository(SqlRepository[Note], NoteRepository):
    pass

with TemporaryDirectory() as folder:
    engine = make_engine(f"sqlite:///{folder}/test.db")
    table.create(engine)
    with SqlUnitOfWork(engine) as uow:
        sql_notes = SqlNoteRepository(uow, uow.session)
        sql_notes.add(Note(text="late"))
        try:
            sql_notes.add(early)
        except UnitOfWorkMisuse as error:
            assert "import adapters.sql.unit_of_work before" in str(error)
        else:
            raise AssertionError("it was added")
        uow.commit()
    engine.dispose()
with fake:
    found = notes.get(later.id)
    found.text = "new"
    fake.commit()
with fake:
    assert (2, "new") == (notes.get(later.id).version, notes.get(later.id).text)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
