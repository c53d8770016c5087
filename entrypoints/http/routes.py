"""Routes that read a request strictly, and whose requests wait for their turn for a bounded time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NoReturn

from fastapi import APIRouter, HTTPException, Request
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from entrypoints.http.problems import busy, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Response

    from entrypoints.http.settings import HttpSettings


class StrictRequest(Request):
    """A request whose body has a limit, and whose JSON means one thing to everybody.

    It is UTF-8, no key is there twice, and there is no NaN.
    """

    _read: bytes | None = None

    async def body(self) -> bytes:
        """Return the body. Raises ``HTTPException`` for one that is too large."""
        if self._read is None:
            settings: HttpSettings = self.app.state.settings
            pieces, size = [], 0
            async for piece in self.stream():
                pieces.append(piece)
                size += len(piece)
                if size > settings.body_size:
                    raise HTTPException(413)
            self._read = b"".join(pieces)
        return self._read

    async def json(self) -> Any:
        """Return the values of the body. Raises ``json.JSONDecodeError``, as FastAPI expects it."""
        return json.loads(
            (await self.body()).decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_refuse_constant
        )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise json.JSONDecodeError("an object has the same key twice", "", 0)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no JSON", "", 0)


class StrictRoute(APIRoute):
    """A route of such requests.

    A request takes its turn when all of it is there, so that slow clients keep no others from working.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()

        async def answer_in_turn(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            settings: HttpSettings = request.app.state.settings
            turns: asyncio.Semaphore = request.app.state.turns
            try:
                if request.method != "GET":
                    async with asyncio.timeout(settings.body_seconds):
                        await strict.body()
            except (ClientDisconnect, TimeoutError):
                return plain(408, "the body did not come in time", {"Connection": "close"})
            if turns.locked():
                try:
                    async with asyncio.timeout(settings.wait):
                        await turns.acquire()
                except TimeoutError:
                    return busy()
            else:
                await turns.acquire()  # immediately
            try:
                return await answer(strict)
            finally:
                turns.release()

        return answer_in_turn


def router(name: str) -> APIRouter:
    """Return a new router for the routes of one kind of aggregates, below ``/name``."""
    return APIRouter(prefix=f"/{name}", tags=[name], route_class=StrictRoute)
