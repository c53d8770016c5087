"""Whether the server runs, and whether it can work."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from domain.errors import StorageError
from entrypoints.http.descriptions import problem_response
from entrypoints.http.problems import plain

LONGEST = 2.0
"""How many seconds the database may take to answer."""

health_router = APIRouter(prefix="/health", tags=["health"])


@health_router.get("/live", status_code=204)
async def live() -> Response:
    """Answer as long as the server runs."""
    return Response(status_code=204)


@health_router.get("/ready", status_code=204, responses={503: problem_response(503)})
async def ready(request: Request) -> Response:
    """Answer if a table can be read within two seconds."""
    uow = request.app.state.application.unit_of_work(read_only=True)

    def look() -> None:
        with uow:
            uow.answered_requests.list_where(limit=1)

    try:
        async with asyncio.timeout(LONGEST):
            await asyncio.to_thread(look)
    except (StorageError, TimeoutError):
        return plain(503, "the database does not answer")
    return Response(status_code=204)
