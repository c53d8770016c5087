"""What each request and each answer has around it: a checked host, a token, a request id, and headers for safety."""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from contextvars import ContextVar
from hashlib import sha256
from logging import getLogger
from random import Random
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from entrypoints.http.problems import given_up, plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from entrypoints.http.metrics import Metrics

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request that is being answered, for the log."""

DOCS = ("/docs", "/static-offline-docs", "/openapi.json")
"""The beginnings of the paths that describe the interface. They hold no data, so they need no token."""

OPEN = ("/health/", *DOCS)
"""The beginnings of all paths that need no token."""

_SAFE = [
    (b"cache-control", b"private, no-cache"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
# The page of Swagger UI has a script and styles in it.
_POLICY_OF_DOCS = (
    b"content-security-policy",
    (
        b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
        b" img-src 'self' data:; frame-ancestors 'none'"
    ),
)

# It asks the system for chance once, and not for each request: there, a thread with other work would take over.
_ids = Random()  # noqa: S311  # an id is no secret

_log = getLogger("http")


class Envelope:
    """The outermost part of the server."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], body_size: int, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._hosts = frozenset(hosts)
        self._body_size = body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request by the application inside; pass on what is none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        joined = _joined(scope["headers"])
        headers = Headers(raw=joined)
        id = _id_for(headers.get("x-request-id", ""))
        request_id.set(id)
        # A part of a path may hold a slash. It is %2F there, and stays so until the parts are decoded one by one.
        path = scope["raw_path"].decode("ascii", "replace")
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        inner = {**scope, "path": path, "method": method, "headers": joined}
        status, is_whole, begun = 0, False, time.perf_counter()

        async def send_in_envelope(message: Message) -> None:
            nonlocal status, is_whole
            if message["type"] == "http.response.start":
                status = message["status"]
                policy = _POLICY_OF_DOCS if path.startswith(DOCS) else _POLICY
                message["headers"] = [*message["headers"], *_SAFE, policy, (b"x-request-id", id.encode())]
            else:
                is_whole = not message.get("more_body", False)
            await send(message)

        try:
            await (self._refusal(headers) or self._app)(inner, receive, send_in_envelope)
        except asyncio.CancelledError:  # by the server, which ends and has waited long enough
            if status:
                raise
            await given_up()(inner, receive, send_in_envelope)
        except Exception:
            _log.exception("the request has failed")
            if not is_whole:  # the client has to see that its answer was cut off
                raise
        finally:
            route = getattr(inner.get("route"), "path", "-")  # without the values in the path
            self._note(scope["method"], route, status or 500, time.perf_counter() - begun)

    def _note(self, method: str, route: str, status: int, seconds: float) -> None:
        self._metrics.answered(method, route, status, seconds)
        _log.info("%s %s %d in %.1f ms", method, route, status, 1000 * seconds)

    def _refusal(self, headers: Headers) -> ASGIApp | None:
        """Return the answer to a request that the application does not see."""
        if re.sub(r":\d*$", "", headers.get("host", "").lower()) not in self._hosts:
            return plain(400, "this server has another name: HTTP_HOSTS lists those that it has")
        if int(headers.get("content-length", 0)) > self._body_size:
            return plain(413, f"a body has at most {self._body_size} bytes")
        return None


def _id_for(given: str) -> str:
    """Return the id that a request has, if it can stand in a log, or a new one."""
    return given if re.fullmatch(r"[\w.-]{1,64}", given, re.ASCII) else f"{_ids.getrandbits(128):032x}"


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return each header once, with all of its values (RFC 9110, section 5.3). So none of two keys is chosen."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found[name] = found[name] + b", " + value if name in found else value
    return list(found.items())


class Gate:
    """Lets those requests in that have one of the tokens, and those that need none."""

    def __init__(self, app: ASGIApp, tokens: Collection[str]) -> None:
        self._app = app
        self._digests = [sha256(token.encode()).digest() for token in tokens]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        app = self._app
        if scope["type"] == "http" and not scope["path"].startswith(OPEN) and not self._has_token(Headers(scope=scope)):
            detail = "send a token as Authorization: Bearer TOKEN"
            app = plain(401, detail, {"WWW-Authenticate": "Bearer"})
        await app(scope, receive, send)

    def _has_token(self, headers: Headers) -> bool:
        """Return whether the request has one of the tokens, in the same time for each."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = sha256(token.strip().encode()).digest()
        found = [hmac.compare_digest(given, digest) for digest in self._digests]
        return scheme.lower() == "bearer" and any(found)
