"""Answers that are true: each is made after the commit, or stored with it under an idempotency key."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from attrs import asdict, field, frozen
from fastapi import Depends, Header, Request, Response

from domain.answered_request import IdempotencyKey
from domain.errors import DomainError, StorageError
from service_layer.answered_requests import do_once
from service_layer.retrying import Retrying

if TYPE_CHECKING:
    from entrypoints.bootstrap import Application
    from entrypoints.http.metrics import Metrics
    from service_layer.unit_of_work import UnitOfWork

T = TypeVar("T")

_LONGEST = 2.0  # seconds
_BRIEFLY = Retrying(attempts=4, timeout=_LONGEST)


def briefly(call: Callable[[], T]) -> T:
    """Return what a call returns, for a client who would rather ask again than wait for long.

    If it certainly did nothing, it is called again immediately, and then up to three times in two seconds.
    """
    begun = time.monotonic()
    try:
        return call()
    except (DomainError, StorageError) as error:
        if not error.retryable or time.monotonic() - begun > _LONGEST:
            raise
    return _BRIEFLY(call)


@frozen
class Answer:
    """What is sent to a client, in a form that JSON can hold."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(factory=dict)

    def response(self) -> Response:
        """Return it as it is sent."""
        if self.body is None:
            return Response(None, self.status, self.headers)
        content = json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))
        return Response(content, self.status, self.headers, "application/json")


@frozen
class Work:
    """What an endpoint needs to call a use case: a unit of work, and the key of the request if it has one."""

    _application: Application
    _metrics: Metrics
    _request: Request
    key: IdempotencyKey | None

    def read(self, use_case: Callable[[UnitOfWork], T]) -> T:
        """Return what a use case returns that only reads."""
        uow = self._application.unit_of_work(read_only=True)
        return self._metrics.counted(use_case, "read", lambda attempt: briefly(lambda: attempt(uow)))

    def change(
        self,
        use_case: Callable[[UnitOfWork], T],
        answer: Callable[[T], Answer],
        stored: Callable[[UnitOfWork], T],
        values: object = None,
    ) -> Response:
        """Call a use case of one commit, and answer with what it has stored.

        Under a key the answer is made just before the commit, of what ``stored`` finds, and stored by the same commit.
        The same request under that key gets it again. ``values`` are those of the body.
        """
        uow = self._application.unit_of_work()

        def do(attempt: Callable[[UnitOfWork], T]) -> Answer:
            if self.key is None:
                return answer(briefly(lambda: attempt(uow)))
            key, fingerprint = self.key, self._fingerprint(values)
            found = briefly(
                lambda: do_once(key, fingerprint, attempt, lambda uow: asdict(answer(stored(uow))), uow),
            )
            return Answer(**found)

        return self._metrics.counted(use_case, "committed", do).response()

    def _fingerprint(self, values: object) -> str:
        request = self._request
        parts = [request.method, request.url.path, request.headers.get("if-match"), values]
        return sha256(json.dumps(parts).encode()).hexdigest()


async def _reading(request: Request) -> Work:
    return Work(request.app.state.application, request.app.state.metrics, request, None)


async def _changing(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=IdempotencyKey.MAX_LENGTH,
            pattern="^[!-~]+$",
            description="A text that you make for this request. Send the same request with the same key again after any"
            " failure: it is done once, and answered alike.",
        ),
    ] = None,
) -> Work:
    key = None if idempotency_key is None else IdempotencyKey(idempotency_key)
    return Work(request.app.state.application, request.app.state.metrics, request, key)


Reading = Annotated[Work, Depends(_reading)]
"""The parameter of an endpoint that reads."""

Changing = Annotated[Work, Depends(_changing)]
"""The parameter of an endpoint that changes something: it takes an Idempotency-Key."""
