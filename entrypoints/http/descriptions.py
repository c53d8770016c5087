"""The description of the interface: what the use cases say of themselves, and the problems."""

from __future__ import annotations

import re
from http import HTTPStatus
from inspect import getdoc
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from entrypoints.http.envelope import OPEN
from entrypoints.http.problems import MEDIA_TYPE, TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fastapi import FastAPI

_PROBLEM = {
    "title": "Problem",
    "description": "Why a request was not done (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "The kind of problem; about:blank if the status says all.",
            "examples": TYPES,
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, and what to do."},
        "kind": {"type": "string", "description": "What the value is that was refused, such as username."},
    },
}


_HEADERS = {
    "ETag": "The version, for If-Match and If-None-Match.",
    "Link": 'The next page, if there is one, as <address>; rel="next".',
    "Location": "Where it is read and changed.",
    "Retry-After": "How many seconds later the same request may succeed.",
    "WWW-Authenticate": "Bearer.",
}
_OF_PROBLEMS = {401: ["WWW-Authenticate"], 503: ["Retry-After"]}


def described(
    use_case: Callable[..., Any], *problems: int, answers: Mapping[int, Sequence[str]] = MappingProxyType({})
) -> dict[str, Any]:
    """Return how a route describes itself: by the docstring of its use case, and by the problems it may answer with.

    ``answers`` are the names of the headers of its other answers, by status.
    """
    text = re.split(r"\s+(?:With an ``id``|Raises[\s:])", getdoc(use_case) or "")[0]
    summary, _, rest = text.replace("``", "").partition("\n\n")
    return {
        "summary": " ".join(summary.split()).rstrip("."),
        "description": text.replace("``", "") if rest else "",
        "responses": {status: _response(status, names) for status, names in answers.items()}
        | {status: problem_response(status) for status in (400, 401, 408, 413, 422, 500, 503, *problems)},
    }


def problem_response(status: int) -> dict[str, Any]:
    """Return the description of an answer by a problem."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {**_response(status, _OF_PROBLEMS.get(status, [])), "content": content}


def _response(status: int, names: Sequence[str]) -> dict[str, Any]:
    headers = {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names}
    return {"description": HTTPStatus(status).phrase, **({"headers": headers} if headers else {})}


def describe(app: FastAPI, *, needs_token: bool) -> None:
    """Let an application's description name the problem, and the token if one is needed."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        schema = plain()
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = _PROBLEM
        if needs_token:
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            schema["security"] = [{"token": []}]
        for path, methods in schema["paths"].items():
            for operation in methods.values():
                for parameter in operation.get("parameters", ()):
                    _leave_out_null(parameter["schema"])
                if needs_token and path.startswith(OPEN):
                    operation["security"] = []
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # this is the way that FastAPI documents


def _leave_out_null(schema: dict[str, Any]) -> None:
    """Let the schema of a header or of a part of a query be that of its text: none of them can be null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema |= kinds[0]
