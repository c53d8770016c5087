"""docs/operation.md does what it says, as far as that needs no cluster: its blocks are run, and its URLs are read."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from adapters.fake.unit_of_work import FakeUnitOfWork
from adapters.sql.engine import make_engine
from adapters.sql.unit_of_work import SqlUnitOfWork
from domain.errors import UnitOfWorkMisuse
from domain.user import UserNotFound
from entrypoints.bootstrap import bootstrap
from proof.docs.markdown import Block, blocks
from proof.docs.test_readme import run
from proof.laws.pgbouncer_server import PgbouncerMissing, pgbouncer
from service_layer.retrying import Retrying
from service_layer.users import create_user, get_user
from tests.fixtures import required
from tests.storages import migrated_engine

PAGE = Path(__file__).parents[2] / "docs" / "operation.md"
BLOCKS = blocks(PAGE)
URLS = re.findall(r"\b(?:sqlite|postgresql|mysql)://[^\s`\"]+", PAGE.read_text(encoding="utf-8"))
IMMUTABLE = "?immutable=1&uri=true"

PROGRAMS = ("bootstrap", "Retrying", "sqlite3", "email_validator")
"""What each Python block of the page imports, by which a test below finds it."""


def block_with(text: str) -> Block:
    """Return the block that has a text."""
    [found] = [block for block in BLOCKS if text in block.text]
    return found


def execute(program: str, **names: object) -> dict[str, object]:
    """Run a Python block, or what was made of one, that knows some names; return all names that it then has."""
    known = dict(names)
    exec(compile(program, PAGE.name, "exec"), known)  # noqa: S102  # our own text
    return known


BACKUP = block_with("import sqlite3").text


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a program that runs in the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "plumbline.db"


def holds(path: Path, name: str, options: str = "") -> bool:
    """Return whether a program on a file finds a user."""
    with bootstrap(f"sqlite:///file:{path}{options or '?uri=true'}") as application:
        try:
            get_user(name, application.unit_of_work(read_only=True))
        except UserNotFound:
            return False
        return True


def test_every_python_block_is_run() -> None:
    """Every Python block of the page is run here. The other blocks are settings of PgBouncer, and URLs."""
    assert {block_with(f"import {name}").line for name in PROGRAMS} == {
        block.line for block in BLOCKS if block.language == "python"
    }
    assert [block.text.strip() in URLS for block in BLOCKS if block.language == "text"] == [True, True]


@pytest.mark.parametrize("url", sorted(set(URLS)))
def test_the_urls_are_understood(url: str) -> None:
    """Each URL of the page is understood with its options. Nothing is connected."""
    if url.startswith("mysql"):
        pytest.importorskip("pymysql")
    make_engine(url).dispose()


@pytest.mark.slow
def test_pgbouncer_takes_the_settings(postgres_database: str) -> None:
    """PgBouncer takes the settings of the page, in the place of those of the tests."""
    [settings] = [block.text.replace("[pgbouncer]\n", "") for block in BLOCKS if block.language == "ini"]
    with required(pgbouncer(postgres_database, settings), PgbouncerMissing) as url, migrated_engine(url) as engine:
        create_user("ann", "ann@example.com", SqlUnitOfWork(engine))
        assert get_user("ann", SqlUnitOfWork(engine)).email == "ann@example.com"


def test_reading_units_have_an_application(tmp_path: Path) -> None:
    """Units that only read have an application. One file stands for both its primary and its replica here."""
    text = re.sub(r'"postgresql://[^"]+"', repr(f"sqlite:///{tmp_path}/people.db"), block_with("import bootstrap").text)
    program: Any = execute(text)
    create_user("ann", "ann@example.com", program["uow"])
    assert get_user("ann", program["report"]).email == "ann@example.com"
    with pytest.raises(UnitOfWorkMisuse, match="read-only"):
        create_user("bob", "bob@example.com", program["report"])
    for name in ("writing", "reading"):
        program[name].close()


def test_the_retrying_outlasts_a_minute() -> None:
    """The retrying of the page outlasts a minute: the pauses fill the time, and are five seconds at the most."""
    uow = FakeUnitOfWork()
    outlasting = execute(block_with("import Retrying").text, uow=uow)["outlasting"]
    assert isinstance(outlasting, Retrying)
    assert outlasting.timeout == 60
    assert outlasting.attempts > 60 / 5 + 10
    assert get_user("ann", uow).email == "ann@example.com"


def test_a_backup_has_what_a_copy_lacks(people: Path) -> None:
    """A backup has what a copy of the file lacks. It is restored as the page says, and read as immutable."""
    backup, copy = people.with_name("backup.db"), people.with_name("copy.db")
    with bootstrap(f"sqlite:///{people}") as application:
        create_user("ann", "ann@example.com", application.unit_of_work())
        execute(BACKUP)
        create_user("bob", "bob@example.com", application.unit_of_work())
        shutil.copy(people, copy)
    url = make_url(next(url for url in URLS if IMMUTABLE in url))
    assert url.query == {"immutable": "1", "uri": "true"}
    assert (holds(backup, "ann", IMMUTABLE), holds(backup, "bob", IMMUTABLE)) == (True, False)
    assert (holds(copy, "bob"), holds(people, "bob")) == (False, True)
    for suffix in ("-wal", "-shm"):
        people.with_name(people.name + suffix).unlink(missing_ok=True)
    backup.replace(people)
    assert (holds(people, "ann"), holds(people, "bob")) == (True, False)


def test_vacuum_into_loses_the_wal_mode(people: Path) -> None:
    """`VACUUM INTO` loses the WAL mode, which a backup keeps."""
    modes = {}
    with bootstrap(f"sqlite:///{people}"):
        execute(BACKUP)
        with closing(sqlite3.connect(people)) as connection:
            connection.execute("VACUUM INTO 'vacuum.db'")
    for name in ("backup.db", "vacuum.db"):
        with closing(sqlite3.connect(people.with_name(name))) as connection:
            modes[name] = connection.execute("PRAGMA journal_mode").fetchone()[0]
    assert modes == {"backup.db": "wal", "vacuum.db": "delete"}


def test_a_local_address_can_be_allowed(tmp_path: Path) -> None:
    """A local address can be allowed. The test uses another process, because that holds for the whole process."""
    look = "from domain.user import EmailAddress\nprint(EmailAddress('ann@printer.local'))"
    program = tmp_path / "program.py"
    program.write_text(block_with("import email_validator").text + look, encoding="utf-8")
    assert run(".venv/bin/python program.py", tmp_path) == "ann@printer.local\n"
    program.write_text(look, encoding="utf-8")
    assert "refused" in run(".venv/bin/python program.py || echo refused", tmp_path)
