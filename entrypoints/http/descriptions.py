"""The description of the interface: what the use cases say of themselves, and the problems."""

from __future__ import annotations

import re
from http import HTTPStatus
from inspect import getdoc
from typing import TYPE_CHECKING, Any

from entrypoints.http.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

_PROBLEM = {
    "title": "Problem",
    "description": "Why a request was not done (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "The kind of problem; docs/entrypoints.md lists all."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, and what to do."},
        "kind": {"type": "string", "description": "What the value is that was refused, such as username."},
    },
}


def described(use_case: Callable[..., Any], *statuses: int) -> dict[str, Any]:
    """Return how a route describes itself: by the docstring of its use case, and by the problems it may answer with."""
    text = re.split(r"\s+(?:With an ``id``|Raises[ :])", getdoc(use_case) or "")[0]
    summary, _, rest = text.replace("``", "").partition("\n\n")
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    problem = {"description": "A problem", "content": {MEDIA_TYPE: reference}}
    return {
        "summary": " ".join(summary.split()).rstrip("."),
        "description": text.replace("``", "") if rest else "",
        "responses": {
            status: problem if status >= 400 else {"description": HTTPStatus(status).phrase}
            for status in (400, 401, 408, 413, 422, 500, 503, *statuses)
        },
    }


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
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # this is the way that FastAPI documents
