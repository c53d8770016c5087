"""What the server counts, in the form that Prometheus reads: requests, and units of work by how they have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from domain.errors import CommitOutcomeUnknown, DomainError

if TYPE_CHECKING:
    from collections.abc import Callable

    from service_layer.unit_of_work import UnitOfWork

T = TypeVar("T")
R = TypeVar("R")

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""The methods that are counted by name."""

metrics_router = APIRouter(tags=["metrics"])


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Histogram("http_requests_seconds", "Answered requests.", labels, registry=self.registry)
        units = Counter("units_of_work", "Units of work, by outcome.", ("outcome",), registry=self.registry)
        outcomes = ("committed", "read", "refused", "retried", "rolled_back", "unknown")
        self._ended = {outcome: units.labels(outcome) for outcome in outcomes}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        known = method if method in METHODS else "other"
        self._requests.labels(known, route, status).observe(seconds)

    def counted(
        self, use_case: Callable[[UnitOfWork], T], outcome: str, run: Callable[[Callable[[UnitOfWork], T]], R]
    ) -> R:
        """Return what ``run`` makes of a use case, which it may call several times; count how its units end."""
        attempts = 0

        def attempt(uow: UnitOfWork) -> T:
            nonlocal attempts
            attempts += 1
            return use_case(uow)

        try:
            result = run(attempt)
        except CommitOutcomeUnknown:
            outcome = "unknown"
            raise
        except DomainError:
            outcome = "refused"
            raise
        except BaseException:
            outcome = "rolled_back"
            raise
        finally:
            is_repeated = outcome == "committed" and not attempts  # the answer that is stored was read
            self._ended["read" if is_repeated else outcome].inc()
            if attempts > 1:
                self._ended["retried"].inc(attempts - 1)
        return result


@metrics_router.get("/metrics", response_class=Response, include_in_schema=False)
def metrics(request: Request) -> Response:
    """Show all counters."""
    found: Metrics = request.app.state.metrics
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)
