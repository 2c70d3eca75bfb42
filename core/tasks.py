"""Celery tasks of core: edges that look at the database row and act; a message only wakes them up."""

import logging
from datetime import datetime
from typing import Any

from celery import shared_task
from django.utils import timezone

from core import slots
from core.jobs import lease as leases
from core.jobs import runner

log = logging.getLogger("core.tasks")


@shared_task
def run_job(job_id: int, **kwargs: Any) -> None:
    """작업 진행: take the job's lease, when it is free, and work until it is finished or stopped."""
    lease = leases.claim(job_id=job_id, at=timezone.now())
    if lease is not None:
        runner.run(lease)


@shared_task
def run_slot(job: str, **kwargs: Any) -> None:
    """정기 작업: run the newest slot of a periodic job, once."""
    slots.run_slot(job=job, at=timezone.now())


def canary(*, at: datetime) -> None:
    """작업자 확인: its finished slot proves that a worker consumes messages, not only that it lives."""
    log.info("a worker consumes messages", extra={"data": {"at": at.isoformat()}})
