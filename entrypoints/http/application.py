"""The application over HTTP, put together from the routes of each aggregate."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from entrypoints.http.descriptions import describe
from entrypoints.http.envelope import Envelope, Gate
from entrypoints.http.health import health_router
from entrypoints.http.metrics import Metrics, metrics_router
from entrypoints.http.problems import handle_problems
from entrypoints.http.users import users_router

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from entrypoints.bootstrap import Application
    from entrypoints.http.settings import HttpSettings

ROUTERS: tuple[APIRouter, ...] = (
    users_router,
    health_router,
    metrics_router,
)
"""The routes. Add yours: one line here, and one for the import."""


def make_app(application: Application, settings: HttpSettings) -> ASGIApp:
    """Return the application that a server such as uvicorn runs."""
    app = FastAPIOffline(
        redoc_url=None,
        title="Plumbline",
        version=version("plumbline"),
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # the name of the use case
    )
    metrics = Metrics()
    app.state.application = application
    app.state.metrics = metrics
    app.state.settings = settings
    app.state.turns = asyncio.Semaphore(settings.threads)
    for router in ROUTERS:
        app.include_router(router)
    handle_problems(app)
    describe(app, needs_token=bool(settings.tokens))
    guarded: ASGIApp = Gate(app, settings.tokens) if settings.tokens else app
    if settings.origins:
        guarded = CORSMiddleware(
            guarded,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"],
            expose_headers=["ETag", "Link", "Location", "Retry-After", "X-Request-ID"],
        )
    return Envelope(guarded, settings.hosts, settings.body_size, metrics)
