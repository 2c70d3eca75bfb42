"""`/healthz` and `/readyz`: what a load balancer, a container runtime and `manage.py up` ask."""

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse

from core import broker

BROKER_PROBE_SECONDS = 0.1  # for connecting and for the answer: 200 ms together


class HealthMiddleware:
    """Answers the two probes before anything else: they come by address, over plain HTTP and without a session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return JsonResponse({"status": "ok"})
        if request.path == "/readyz":
            return readiness()
        return self.get_response(request)


def readiness() -> HttpResponse:
    """200 when the database answers and every migration is applied, else 503; a lost broker is only reported.

    The broker never decides: staff work on without it, and what was due is found again in the database.
    """
    report = {"database": "ok", "migrations": "ok", "broker": "ok"}
    try:
        if missing_migrations():
            report["migrations"] = "missing"
    except DatabaseError:
        report |= {"database": "unreachable", "migrations": "unknown"}
    if not broker.answers(settings.REDIS_URL, timeout=BROKER_PROBE_SECONDS):
        report["broker"] = "degraded"
    ready = report["database"] == report["migrations"] == "ok"
    return JsonResponse({"status": "ok" if ready else "unavailable"} | report, status=200 if ready else 503)


def missing_migrations() -> frozenset[tuple[str, str]]:
    """The newest migration of each app that the database has not seen. One query; raises DatabaseError."""
    return _newest_migrations() - set(MigrationRecorder(connection).applied_migrations())


@lru_cache(maxsize=1)
def _newest_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.leaf_nodes())
