"""The answer to a request that is not done: problem details (RFC 9457), from one table of errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from domain.answered_request import IdempotencyKeyReused
from domain.errors import (
    CommitOutcomeUnknown,
    ConcurrentChange,
    Conflict,
    DomainError,
    DuplicateIdentity,
    InvalidValue,
    NotFound,
    ReferenceMissing,
    SchemaMismatch,
    StillReferenced,
    StorageError,
    StorageUnavailable,
    ValueTaken,
    VersionMismatch,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI, Request

MEDIA_TYPE = "application/problem+json"
"""The media type of problem details."""


@frozen
class Problem:
    """A kind of problem. ``words`` is the detail where the error's own words are not for clients."""

    status: int
    name: str
    title: str
    words: str | None = None

    def response(self, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> JSONResponse:
        """Return the answer with this problem."""
        later = {"Retry-After": "1"} if self.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        content = {"type": self.name, "title": self.title, "status": self.status, "detail": self.words or detail}
        return JSONResponse(content | members, self.status, {**later, **(headers or {})}, MEDIA_TYPE)


def _problem(status: int, name: str, title: str, words: str | None = None) -> Problem:
    return Problem(status, f"/problems/{name}", title, words)


INVALID_REQUEST = _problem(422, "invalid-request", "The request does not have the form that is needed")
"""A part of the request is missing, is not known, or is of another type."""

PRECONDITION_REQUIRED = _problem(428, "precondition-required", "A change has to name the version that it changes")
"""A change came without If-Match."""

BUSY = _problem(503, "busy", "The request was not done, and can be sent again")
"""Nothing was done, and the same request may succeed later."""

_OUTCOME_UNKNOWN = _problem(503, "outcome-unknown", "The request may or may not have been done")
_AGAIN = "send the same request with the same key again. If it had no Idempotency-Key, look first whether it was done"

PROBLEMS: tuple[tuple[type[Exception], Problem], ...] = (
    (NotFound, _problem(404, "not-found", "It is not stored")),
    (ValueTaken, _problem(409, "value-taken", "Another one has this value")),
    (DuplicateIdentity, _problem(409, "duplicate-identity", "It is stored already")),
    (ReferenceMissing, _problem(409, "reference-missing", "What it refers to is not stored")),
    (StillReferenced, _problem(409, "still-referenced", "Others refer to it")),
    (VersionMismatch, _problem(412, "version-mismatch", "The stored version is another one")),
    (ConcurrentChange, BUSY),
    (Conflict, _problem(409, "conflict", "It clashes with what is stored")),
    (IdempotencyKeyReused, _problem(422, "key-reused", "The idempotency key belongs to another request")),
    (InvalidValue, _problem(422, "invalid-value", "A value breaks a rule")),
    (DomainError, _problem(422, "refused", "It was refused")),
    (
        CommitOutcomeUnknown,
        evolve(_OUTCOME_UNKNOWN, words=f"the connection to the database was lost while storing: {_AGAIN}"),
    ),
    (
        StorageUnavailable,
        _problem(
            503,
            "unavailable",
            "The database cannot be reached",
            "nothing was stored: send the same request again a little later",
        ),
    ),
    (
        SchemaMismatch,
        _problem(503, "schema-mismatch", "The database is not ready", "its tables are not those of this program"),
    ),
    (StorageError, _problem(500, "storage-error", "The database has failed", "nothing was stored")),
)
"""Which problem each error of the domain is: the first that fits."""


TYPES = [
    "about:blank",
    *(problem.name for problem in (INVALID_REQUEST, PRECONDITION_REQUIRED, *dict(PROBLEMS).values())),
]
"""The types of all problems."""


def problem_of(error: Exception) -> Problem:
    """Return the problem that an error is."""
    return next(problem for kind, problem in PROBLEMS if isinstance(error, kind))


def plain(status: int, detail: str = "", headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer for a status that says all by itself."""
    title = HTTPStatus(status).phrase
    return Problem(status, "about:blank", title).response(detail or title, headers)


def busy() -> JSONResponse:
    """Return the answer for a request that has waited for its turn in vain."""
    return BUSY.response("too many requests are being worked on: send this one again a little later")


def given_up() -> JSONResponse:
    """Return the answer for a request that a server has to give up, because it ends."""
    return _OUTCOME_UNKNOWN.response(f"the server ends: {_AGAIN}")


def handle_problems(app: FastAPI) -> None:
    """Let an application answer every error by a problem."""
    app.add_exception_handler(DomainError, _of_domain)
    app.add_exception_handler(StorageError, _of_domain)
    app.add_exception_handler(RequestValidationError, _of_form)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_program)


async def _of_domain(_request: Request, error: Exception) -> JSONResponse:
    problem = problem_of(error)
    if isinstance(error, ValueTaken | InvalidValue | NotFound):
        return problem.response(str(error), kind=error.kind)
    return problem.response(str(error))


async def _of_form(_request: Request, error: Exception) -> JSONResponse:
    found: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    if any(one["type"] == "missing" and one["loc"] == ("header", "If-Match") for one in found):
        return PRECONDITION_REQUIRED.response('read it first, and send its ETag as If-Match: "1", for example')
    return INVALID_REQUEST.response("; ".join(map(_words, found)))


def _words(error: Any) -> str:
    """Return what is wrong with one part of a request, without its value."""
    where = ".".join(map(str, error["loc"][:3]))
    return f"{where[:100]}: {error.get('ctx', {}).get('error') or error['msg']}"


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # for the types alone: it was added for these
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return plain(error.status_code, headers=headers)


def _methods(request: Request) -> set[str]:
    """Return the methods of all routes with this path: the error knows those of the first alone."""
    scopes = [{**request.scope, "method": method} for method in ("DELETE", "GET", "PATCH", "POST", "PUT")]
    routes = request.app.routes
    return {one["method"] for one in scopes if any(route.matches(one)[0] is Match.FULL for route in routes)}


async def _of_program(_request: Request, _error: Exception) -> JSONResponse:
    return plain(500, "the server has failed, and its log says why")
