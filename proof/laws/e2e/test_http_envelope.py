"""Answers that do not come, or not whole: what the envelope makes of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from entrypoints.http.envelope import Envelope
from entrypoints.http.metrics import Metrics
from entrypoints.http.settings import LOCAL

REQUEST = {"type": "http", "method": "GET", "raw_path": b"/", "headers": [(b"host", b"localhost")]}


class Broken:
    """An application that begins an answer, or does not, and fails. It notes what is no request."""

    def __init__(self, error: BaseException, *, begins: bool) -> None:
        self.error = error
        self.begins = begins
        self.others: list[str] = []

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Fail."""
        if scope["type"] != "http":
            self.others.append(scope["type"])
            return
        if self.begins:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"beg", "more_body": True})
        raise self.error


def sent_by(app: Broken, scope: Any) -> list[Message]:
    """Return what an application in an envelope sends before it has failed."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def call() -> None:
        try:
            await Envelope(app, LOCAL, 1000, Metrics())(scope, receive, send)
        except (ZeroDivisionError, asyncio.CancelledError) as error:
            sent.append({"type": type(error).__name__})

    asyncio.run(call())
    return sent


@pytest.mark.parametrize("error", [ZeroDivisionError(), asyncio.CancelledError()])
def test_an_answer_that_is_cut_off_is_not_taken_for_a_whole_one(error: BaseException) -> None:
    """If an answer breaks off, the failure reaches the server, which closes the connection."""
    sent = sent_by(Broken(error, begins=True), REQUEST)
    assert ["http.response.start", "http.response.body", type(error).__name__] == [one["type"] for one in sent]


def test_a_request_that_is_given_up_is_told_so() -> None:
    """A server that ends answers an open request with 503: whether it was done is unknown."""
    start, body = sent_by(Broken(asyncio.CancelledError(), begins=False), REQUEST)
    assert 503 == start["status"]
    assert b"/problems/outcome-unknown" in body["body"]
    assert b"the server ends" in body["body"]


def test_what_is_no_request_is_passed_on() -> None:
    """The envelope passes on what is no request, such as the start and the end of the server."""
    app = Broken(ZeroDivisionError(), begins=False)
    assert [] == sent_by(app, {"type": "lifespan"})
    assert ["lifespan"] == app.others
