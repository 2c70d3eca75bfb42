"""`manage.py oms_jobs [--json] [--all]`: what waits, what runs, what is stuck."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Q

from core.events import delivery_model
from core.jobs.lease import DUE
from core.models import Job, JobState, SlotRun
from core.models.events import DeliveryState

OPEN = Q(state__in=[JobState.QUEUED, JobState.RUNNING])
NEWEST = 100


class Command(BaseCommand):
    help = "List open jobs, deliveries that wait or are dead, and the newest run of each periodic job."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")
        parser.add_argument("--all", action="store_true", help=f"the newest {NEWEST} jobs, finished ones included")

    def handle(self, *args: Any, **options: Any) -> None:
        report = {
            "jobs": _jobs(Job.objects.all() if options["all"] else Job.objects.filter(OPEN)),
            "due": Job.objects.filter(DUE).count(),
            "deliveries": {
                "pending": delivery_model().objects.filter(state=DeliveryState.PENDING).count(),
                "dead": delivery_model().objects.filter(state=DeliveryState.DEAD).count(),
            },
            "slots": _slots(),
        }
        if options["json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False, default=str))
            return
        for job in report["jobs"]:  # type: ignore[attr-defined]
            self.stdout.write("{id} {state} {label} {done}+{failed}/{total} {actor} {error}".format(**job))
        self.stdout.write(f"{report['due']} due, deliveries {report['deliveries']}")


def _jobs(rows: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": str(job.uuid),
            "kind": job.kind,
            "act": job.act,
            "label": job.label,
            "state": job.state,
            "actor": job.actor.username if job.actor else None,
            "total": job.total,
            "done": job.done,
            "failed": job.failed,
            "attempts": job.attempts,
            "lease_until": job.lease_until,
            "error": job.error,
        }
        for job in rows.select_related("actor").order_by("-pk")[:NEWEST]
    ]


def _slots() -> list[dict[str, Any]]:
    newest = SlotRun.objects.order_by("job", "-slot").distinct("job")
    return [{"job": row.job, "slot": row.slot, "finished_at": row.finished_at, "error": row.error} for row in newest]
