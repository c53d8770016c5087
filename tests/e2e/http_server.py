"""Real servers on free ports of 127.0.0.1: in this process, on any storage, and as a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from attrs import define, field

from entrypoints.bootstrap import Application
from entrypoints.http.application import make_app
from entrypoints.http.serving import listen, server_of
from entrypoints.http.settings import HttpSettings
from tests.storages import Storage, fake_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from service_layer.unit_of_work import UnitOfWork

SECONDS = 20
"""How long to wait, at the most, for what should happen immediately."""


@contextmanager
def serving(unit: Callable[..., UnitOfWork], settings: HttpSettings | None = None) -> Iterator[httpx.Client]:
    """Run a server in a thread, with units of work that ``unit`` makes; yield a client of it."""
    with serving_app(make_app(Application(unit, lambda: None), settings or HttpSettings())) as client:
        yield client


@contextmanager
def serving_app(app: ASGIApp) -> Iterator[httpx.Client]:
    """Run a server of an ASGI application in a thread; yield a client of it."""
    server = server_of(app)
    listening = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with httpx.Client(base_url=url, timeout=SECONDS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@define
class Shared:
    """The storage of the test at hand, for a server that several tests share."""

    storage: Storage = field(factory=fake_storage)

    def unit(self, *, read_only: bool = False) -> UnitOfWork:
        """Return a new unit of work on it."""
        return self.storage.unit(read_only=read_only)


@contextmanager
def served(*, program: str | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``app serve``, or another program, on the current folder's database; yield the process and its address."""
    serve = ["-m", "entrypoints.cli", "serve", "--port", "0"]
    command = [sys.executable, *(serve if program is None else ["-c", program])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().rpartition(" ")[2].strip()
        finally:
            process.kill()


def problem(answer: httpx.Response) -> dict[str, Any]:
    """Return the problem details of an answer, whose type says what it is."""
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == answer.status_code
    assert found.keys() >= {"type", "title", "detail"}
    assert ("retry-after" in answer.headers) == (answer.status_code == 503)
    return found
