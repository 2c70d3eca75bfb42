"""Notices a Celery worker that lives but consumes nothing, which a supervisor cannot see (celery#10205, #10302)."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max

from core import broker
from core.models import SlotRun

DEAF_AFTER = timedelta(seconds=180)
CANARY = "canary"  # the periodic job of oms/celery.py that runs every minute and does nothing else


def worker_is_deaf(*, at: datetime, worker_since: datetime) -> bool:
    """Whether the broker answers and yet no canary ran for three minutes, all of which this worker was alive.

    Means something only where beat runs beside the worker. Raises DatabaseError.
    """
    newest = SlotRun.objects.filter(job=CANARY).aggregate(newest=Max("claimed_at"))["newest"]
    heard = max(newest or worker_since, worker_since)
    return at - heard > DEAF_AFTER and broker.answers(settings.REDIS_URL)
