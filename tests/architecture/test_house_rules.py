"""The house rules that an import linter cannot see: what is really loaded, and in which order things may happen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("sqlalchemy", "alembic", "psycopg2", "pymysql", "typer", "rich")


def loaded_by(statement: str) -> set[str]:
    """Return which of the heavy libraries a fresh interpreter has loaded after a statement."""
    program = f"{statement}\nimport sys\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import domain.user, domain.repository, domain.errors",
        "import service_layer.users, service_layer.unit_of_work",
        "import adapters.fake.unit_of_work",
        "from entrypoints.bootstrap import bootstrap; bootstrap('memory://').close()",
    ],
    ids=["domain", "service_layer", "fake", "application on the fake"],
)
def test_the_inner_layers_and_the_fake_load_no_database_library(statement: str) -> None:
    """Proven in a fresh interpreter: not even indirectly."""
    assert set() == loaded_by(statement)


def test_the_check_can_fail() -> None:
    """Whoever imports the SQL adapter loads SQLAlchemy, and the check sees it."""
    assert "sqlalchemy" in loaded_by("import adapters.sql.users")


def test_an_application_whose_tables_are_up_to_date_starts_without_alembic(tmp_path: Path) -> None:
    """Loading it takes long, and only migrations need it."""
    start = f"from entrypoints.bootstrap import bootstrap; bootstrap('sqlite:///{tmp_path}/app.db').close()"
    assert [{"sqlalchemy", "alembic"}, {"sqlalchemy"}] == [loaded_by(start), loaded_by(start)]


def test_the_fake_works_before_and_after_the_classes_are_mapped() -> None:
    """An object that was made before the mapping is refused by a database, with what to do about it."""
    program = """
from pathlib import Path
from tempfile import TemporaryDirectory
from domain.errors import UnitOfWorkMisuse
from domain.user import User
from adapters.fake.unit_of_work import FakeUnitOfWork
from service_layer.users import change_email, create_user, get_user
early = User.create("early", "early@example.com")
fake = FakeUnitOfWork()
create_user("ann", "ann@example.com", fake)
from entrypoints.bootstrap import bootstrap
with TemporaryDirectory() as folder, bootstrap(f"sqlite:///{folder}/test.db") as application:
    with application.unit_of_work() as uow:
        try:
            uow.users.add(early)
        except UnitOfWorkMisuse as error:
            assert "import adapters.sql.unit_of_work before" in str(error)
        else:
            raise AssertionError("it was added")
    assert change_email("ann", "ann@example.org", fake).version == 2
    assert get_user("ann", fake).email == "ann@example.org"
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
