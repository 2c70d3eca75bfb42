"""What every full page shows around its content: menu with counts, the person, display choices, running jobs."""

from functools import cache
from typing import Any

from django.db.models import BigIntegerField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.access import staff_of, staff_only
from accounts.models import User
from core.lists import lists
from core.models import Job, JobState
from core.prepared import Given, Prepared
from oms.menu import menu_for

FRAGMENT = "HX-Request"


def shell(request: HttpRequest) -> dict[str, Any]:
    """화면 틀: nothing for fragments, error pages before log-in, and people who are not logged in."""
    user = getattr(request, "user", None)
    if request.headers.get(FRAGMENT) or not isinstance(user, User):
        return {}
    return shell_of(request, user)


def shell_of(request: HttpRequest, user: User) -> dict[str, Any]:
    """화면 틀 of a person: one query for the counts of each app that counts, one for running jobs."""
    counts = step_counts(request) if user.has_perm("orders.view") else {}
    return {
        "menu": menu_for(user, path=request.path, counts=counts),
        "me": user,
        "theme": user.prefs.get("theme", ""),
        "density": user.prefs.get("density", ""),
        "sidebar": user.prefs.get("sidebar", ""),
        "shortcuts": user.prefs.get("shortcuts", ""),
        "running_jobs_text": _running_jobs(user),
    }


def step_counts(request: HttpRequest) -> dict[str, int]:
    """단계 건수: counted once for a request, so that menu and dashboard say the same."""
    if not hasattr(request, "step_counts"):
        known = getattr(request, "known_counts", {})
        request.step_counts = lists.menu_counts(known)  # type: ignore[attr-defined]
    counts: dict[str, int] = request.step_counts  # type: ignore[attr-defined]
    return counts


def _running_jobs(user: User) -> str:
    rows = _unfinished_jobs().rows(actor=user.pk)
    if not rows:
        return ""
    total, done = sum(row[0] for row in rows), sum(row[1] + row[2] for row in rows)
    share = f" · {done * 100 // total}%" if total else ""
    return f"작업 {len(rows)}건 진행 중{share}"


@cache
def _unfinished_jobs() -> Prepared:
    unfinished = [JobState.QUEUED, JobState.RUNNING]
    jobs = Job.objects.filter(state__in=unfinished, actor=Given("actor", BigIntegerField()))
    return Prepared(jobs.order_by("-id").values_list("total", "done", "failed")[:100])


@staff_only
def menu_counts(request: HttpRequest) -> HttpResponse:
    """메뉴 건수: the counts of the menu alone, out of band, for pages that stay open."""
    return render(request, "partials/menu_counts.html", shell_of(request, staff_of(request)))
