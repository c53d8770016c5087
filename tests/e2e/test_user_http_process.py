"""What takes a process of its own, or a moment: signals, kills, and requests that wait."""

from __future__ import annotations

import signal
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from adapters.fake.database import FakeDatabase
from adapters.fake.unit_of_work import FakeUnitOfWork
from domain.user import User
from entrypoints import serve_commands
from entrypoints.http.settings import HttpSettings
from service_layer.unit_of_work import UnitOfWork
from tests.e2e.conftest import Run
from tests.e2e.http_server import SECONDS, problem, served, serving

BOB = {"username": "bob", "email": "bob@example.com"}


def test_the_same_request_is_done_once_although_its_server_is_killed() -> None:
    """After a crash of the server the next process gives the first answer again.

    A new file gets its tables when the server starts.
    """
    answers = []
    for _ in range(2):
        with served() as (process, url):
            answer = httpx.post(f"{url}/users", json=BOB, headers={"Idempotency-Key": "key-1"}, timeout=SECONDS)
            answers.append((answer.status_code, answer.text, answer.headers["location"]))
            process.kill()
    assert answers[0] == answers[1]
    assert 201 == answers[0][0]


def test_a_server_that_is_to_end_answers_what_it_has(folder: Path) -> None:
    """A server that ends answers the requests that it has, refuses new ones, and exits with 0."""
    with served() as (process, url), ThreadPoolExecutor() as threads:
        with closing(sqlite3.connect(folder / "people.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            running = threads.submit(httpx.post, f"{url}/users", json=BOB, timeout=SECONDS)
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{url}/health/live", timeout=SECONDS)
            other.execute("ROLLBACK")
        assert 201 == running.result().status_code
        assert (0, "") == (process.wait(SECONDS), process.stdout.read() if process.stdout else None)
    with closing(sqlite3.connect(folder / "people.db")) as other:
        assert [("bob",)] == other.execute("SELECT username FROM users").fetchall()


def test_a_server_ends_in_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server ends in time even if a request waits for the database. That request gets 503.

    The exit code is 1.
    """
    monkeypatch.setenv("DATABASE_TIMEOUT", "60")
    program = "from entrypoints.http import serving; serving.LONGEST_END = 0.5; serving.serve('127.0.0.1', 0)"
    with served(program=program) as (process, url), ThreadPoolExecutor() as threads:
        with closing(sqlite3.connect(folder / "people.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = threads.submit(httpx.post, f"{url}/users", json=BOB, timeout=SECONDS)
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            assert 1 == process.wait(SECONDS)
        assert "/problems/outcome-unknown" == problem(waiting.result())["type"]
        assert "Traceback" not in (process.stderr.read() if process.stderr else "")


def test_others_reach_no_server_by_accident(call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """``app serve`` does not start without a token for others, or without the packages that it needs."""
    refused = call("serve", "--host", "0.0.0.0")  # noqa: S104  # it is refused
    assert (3, "") == (refused.code, refused.out)
    assert "set HTTP_TOKENS or HTTP_TOKENS_FILE" in refused.err
    monkeypatch.setattr(serve_commands, "find_spec", lambda _: None)
    assert "pip install 'plumbline[http]'" in call("serve").err


def test_a_request_waits_for_its_turn_for_a_bounded_time() -> None:
    """A request waits for its turn for a bounded time, then gets 503. The request that has a turn is answered."""
    database = FakeDatabase()

    def unit(*, read_only: bool = False) -> UnitOfWork:
        return FakeUnitOfWork(database, read_only=read_only)

    with serving(unit, HttpSettings(threads=1, wait=0.2)) as http, ThreadPoolExecutor() as threads:
        with unit() as uow:
            uow.users.add(User.create("bob", "other@example.com"))
            uow.flush()
            running = threads.submit(http.post, "/users", json=BOB)
            time.sleep(0.3)
            busy = http.get("/users")
            assert (503, "/problems/busy") == (busy.status_code, problem(busy)["type"])
            assert 204 == http.get("/health/live").status_code
            uow.rollback()
        assert 201 == running.result().status_code
        assert 200 == http.get("/users").status_code


def test_a_slow_body_is_given_up() -> None:
    """A body that is too slow is given up after a time limit, and the connection is closed."""
    with serving(FakeUnitOfWork, HttpSettings(body_seconds=0.2)) as limited:
        url = limited.base_url
        with socket.create_connection((url.host, url.port or 0)) as client:
            client.sendall(b"POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
            client.settimeout(10)
            answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer


def test_a_client_that_leaves_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """If a client leaves, nothing is done for its request, and others are answered."""
    with serving(FakeUnitOfWork) as http:
        url = http.base_url
        with socket.create_connection((url.host, url.port or 0)) as client:
            client.sendall(b"POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        deadline = time.monotonic() + SECONDS
        while 'status="408"' not in http.get("/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert "Traceback" not in caplog.text
