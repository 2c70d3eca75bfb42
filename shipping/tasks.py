"""Periodic work of shipping: 배송조회; called with `at` by core/slots.py, and a message for each lane.

Couriers are asked aside of the threads of the worker: however slow they are, the jobs of staff are not held up.
"""

from datetime import datetime
from typing import Any

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from core.aside import Aside
from core.jobs.dispatch import send
from shipping.services.exceptions import sweeping
from shipping.services.polling import lanes, pushes, stretching
from shipping.services.tracking import asking, feeds, voided

LANE, FEED = "shipping.tasks.poll_lane", "shipping.tasks.pull_feed"
ASIDE = Aside("couriers", threads=settings.OMS_COURIER_THREADS)


def poll_tracking(*, at: datetime, **kwargs: Any) -> int:
    """배송조회: wake a worker up for every lane with something to ask; returns how many.

    A message that is lost is sent again ten seconds later: what is due stands in the database alone.
    """
    wanted = lanes.wanted(at=at)
    for duty in wanted:
        send(LANE, {"lane_id": duty.lane_id})
    return len(wanted)


@shared_task
def poll_lane(lane_id: int, **kwargs: Any) -> None:
    """차선 조회: a few seconds of it at a time; what is left waits until other lanes have had their turn."""
    ASIDE.take(f"lane {lane_id}", lambda: asking.poll_lane(lane_id=lane_id, at=timezone.now()).is_more)


def pull_feeds(*, at: datetime, **kwargs: Any) -> int:
    """묶음 수신: wake a worker up for every feed whose turn it is; returns how many. A lost message is sent again."""
    wanted = feeds.due(at=at)
    for account_id in wanted:
        send(FEED, {"account_id": account_id})
    return len(wanted)


@shared_task
def pull_feed(account_id: int, **kwargs: Any) -> None:
    """묶음 수신 of one account: some seconds of it at a time; what is left waits for its turn."""
    ASIDE.take(f"feed {account_id}", lambda: feeds.pull(account_id=account_id, at=timezone.now()).is_more)


def tend_hooks(*, at: datetime, **kwargs: Any) -> int:
    """배송 알림 돌보기: asks for what is missing, gives up what has lapsed; returns how many rows."""
    return pushes.tend(at=at)


def forget_orphans(*, at: datetime, **kwargs: Any) -> int:
    """모르는 번호 지우기 after 30 days."""
    return feeds.forget_orphans(at=at)


def plan_tracking(*, at: datetime, **kwargs: Any) -> int:
    """조회 계획: count what is asked about and stretch what the quotas cannot carry; returns the accounts."""
    return stretching.plan(at=at)


def watch_numbers(*, at: datetime, **kwargs: Any) -> int:
    """번호 살피기: begin to ask about boxes that may leave before anybody says so, and about deleted labels."""
    return voided.watch_numbers(at=at)


def sweep_exceptions(*, at: datetime, **kwargs: Any) -> int:
    """배송 예외 훑기: what stands still, was not picked up, was not collected; returns the new cases (3.5)."""
    return sweeping.sweep(at=at)
