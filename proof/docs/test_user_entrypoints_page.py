"""docs/entrypoints.md: every block is run, and its tables are those of the program."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.errors import UnitOfWorkMisuse
from domain.user import UserNotFound
from entrypoints.bootstrap import Application, bootstrap
from entrypoints.http.problems import BUSY, INVALID_REQUEST, PRECONDITION_REQUIRED, PROBLEMS
from proof.docs.markdown import blocks
from service_layer.users import create_user, get_user
from tests.e2e.http_server import serving, serving_app

PAGE = Path(__file__).parents[2] / "docs" / "entrypoints.md"
OVER_HTTP = 3
"""How many of the blocks are about the server."""


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """An application on the fake that has the user ann."""
    monkeypatch.setenv("DATABASE_URL", "memory://")
    with bootstrap() as application:
        create_user("ann", "ann@example.com", application.unit_of_work())
        yield application


@pytest.fixture
def program(application: Application) -> dict[str, Any]:
    """What the examples define that are not about the server."""
    program: dict[str, Any] = {"application": application, "__name__": "examples"}
    for block in blocks(PAGE)[OVER_HTTP:]:
        exec(block.text, program)  # noqa: S102  # our own text
    return program


def email(application: Application) -> str:
    """Return the address of ann."""
    return get_user("ann", application.unit_of_work(read_only=True)).email


def test_the_requests_of_the_page_work(capsys: pytest.CaptureFixture[str], application: Application) -> None:
    """The requests of the page work against a real server."""
    application.unit_of_work()
    program: dict[str, Any] = {}
    with bootstrap("memory://") as empty, serving(empty.unit_of_work) as http:
        for block in blocks(PAGE)[:OVER_HTTP]:
            exec(block.text.replace("http://127.0.0.1:8000", str(http.base_url)), program)  # noqa: S102  # likewise
        program["http"].close()
    assert "ann ann@example.org\n" == capsys.readouterr().out


def test_the_page_lists_every_problem() -> None:
    """The page lists every problem with its status."""
    rows = re.findall(r"^\| `(/problems/[\w-]+)` \| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    known = {INVALID_REQUEST, PRECONDITION_REQUIRED, BUSY, *(problem for _, problem in PROBLEMS)}
    assert sorted((one.name, str(one.status)) for one in known) == sorted(rows)


def test_endpoints_in_threads_answer_everybody(program: dict[str, Any], application: Application) -> None:
    """Endpoints in threads answer every client, written in the first way or in the second."""
    with serving_app(program["app"]) as http, ThreadPoolExecutor(10) as threads:
        assert [b'"ann@example.com"'] * 40 == [one.content for one in threads.map(http.get, ["/emails/ann"] * 40)]
        changed = [http.put(f"/emails/ann/ann{number}@example.org").json() for number in range(3)]
    assert ([2, 3, 4], "ann2@example.org") == (changed, email(application))


def test_a_worker_does_every_job(program: dict[str, Any], application: Application) -> None:
    """A worker does every job, in the third way. A refused job does not end it."""

    async def run() -> list[str]:
        jobs: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        refused: list[str] = []
        worker = asyncio.create_task(program["work"](jobs, refused))
        for username in ("nobody", "ann"):
            await jobs.put((username, "ann@example.org"))
        await jobs.join()
        worker.cancel()
        return refused

    [refused] = asyncio.run(run())
    assert "no user has the username 'nobody'" in refused
    assert "ann@example.org" == email(application)


def test_a_unit_of_a_yield_dependency_is_refused(program: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """A unit of a yield dependency is refused when requests overlap: some run in another thread than their unit."""
    with serving_app(program["app"]) as http, ThreadPoolExecutor(20) as threads:

        def ask(_: int) -> int:
            try:
                return http.get("/wrong/ann").status_code
            except httpx.TransportError:  # the server has closed the connection
                return 0

        codes = set(threads.map(ask, range(60)))
    assert codes - {200}
    assert "opened by another thread" in caplog.text


def test_an_await_inside_a_unit_is_refused(program: dict[str, Any], application: Application) -> None:
    """An await inside a unit is refused to the second of two tasks. The first one goes on."""

    async def run() -> Sequence[object]:
        change: Callable[[str, str], Awaitable[None]] = program["wrong_change"]
        changes = [change("ann", f"{letter}@example.org") for letter in "ab"]
        return await asyncio.gather(*changes, return_exceptions=True)

    first, second = asyncio.run(run())
    assert (None, UnitOfWorkMisuse) == (first, type(second))
    assert "a@example.org" == email(application)


def test_a_message_is_done_once(program: dict[str, Any], application: Application) -> None:
    """A message is done once, however often it is delivered."""
    for number, address in enumerate(("ann@example.org", "later@example.org")):
        for _ in range(2):
            program["consume"]({"id": f"message-{number}", "username": "ann", "email": address})
    program["consume"]({"id": "message-0", "username": "ann", "email": "ann@example.org"})
    assert "later@example.org" == email(application)
    with pytest.raises(UserNotFound):
        program["consume"]({"id": "message-2", "username": "nobody", "email": "ann@example.org"})


def test_a_job_and_another_framework_call_the_same_use_cases(program: dict[str, Any]) -> None:
    """A job makes its own application, and Flask answers errors of the domain. Both call the same use cases."""
    assert 0 == program["job"]()
    client = program["web"].test_client()
    found, missing = client.get("/emails/ann"), client.get("/emails/nobody")
    assert ({"email": "ann@example.com"}, 404) == (found.json, missing.status_code)
    assert "no user has the username" in missing.json["detail"]
