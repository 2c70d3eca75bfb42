"""The one bulk view: selection, preview, confirmation and run of every bulk act."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from core.actions import Act, ActPage, BulkAction, get_action
from core.calendar import FIRST_DAY, LAST_DAY
from core.exceptions import NotFound
from core.jobs import items, runner, start
from core.jobs.pages import base_rows
from core.jobs.selection import UNREADABLE, BadSelection, Selection, by_filter, by_ids, open_act
from core.jobs.shown import TYPED_ABOVE, preview_of, result_of, typed_of
from core.jobs.work import UnknownAct, act_of
from core.korean import josa
from core.models import Job, JobKind, JobState
from core.text import whole_number
from core.views.gate import GatedView, is_fragment, refusal

NO_ACT = "없는 처리입니다. 화면을 새로고침하세요."
NO_JOB = "작업을 찾을 수 없습니다. 작업 현황에서 다시 고르세요."
TYPED_WRONG = "처리할 건수와 다릅니다. {typed} 숫자로 입력하세요."
CHANGED = "oms:changed"


class ActView(GatedView):
    """선택 처리: makes the preview; runs at once when there is nothing to ask and nothing to warn of."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, name: str) -> HttpResponse:
        action = get_action(name)
        if action is None:
            raise NotFound(NO_ACT)
        refused = refusal(request, action.permission)
        if refused is not None:
            return refused
        at, page = timezone.now(), base_rows(request.POST.get("page", ""), action=action, user=request.user)
        form = posted_form(action, request.POST)
        job = open_act(
            action=action,
            page=page,
            selection=_selection(request, page),
            actor=request.user,
            at=at,
            form=posted_values(form) if form is not None and form.is_valid() else None,
        )
        if needs_dialog(job, action, items.counts(job)):
            is_wrong = form is not None and not form.is_valid()
            return answer_preview(request, job, form=form, status=422 if is_wrong else 200)
        run_confirmed(job, actor=request.user, at=at)
        return answer_result(request, job, is_changed=True)


class ApplyView(GatedView):
    """처리 확인: a preview becomes work; a second time it only shows what became of it."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        return apply(request, find_job(request, uuid))


def apply(request: HttpRequest, job: Job) -> HttpResponse:
    """처리 확인 of any previewed job: checks form and typed number, then runs it or leaves it to a worker."""
    act = known_act(job)
    refused = refusal(request, act.permission)
    if refused is not None:
        return refused
    if job.state != JobState.PREVIEW:
        return answer_result(request, job)
    form = form_of(act, request.POST) if job.kind == JobKind.ACT else None
    typed = typed_of(job, act, items.counts(job))
    is_typed_wrong = bool(typed) and request.POST.get("typed", "").strip().replace(",", "") != typed
    is_fitting = _is_fitting(job, act, form)
    if is_typed_wrong or not is_fitting:
        error = TYPED_WRONG.format(typed=josa(f"{int(typed):,}", "을/를")) if is_typed_wrong else ""
        return answer_preview(request, job, form=form, typed_error=error, status=422)
    run_confirmed(
        job,
        actor=request.user,
        at=timezone.now(),
        form=posted_values(form),
        is_quiet=request.POST.get("quiet") in {"on", "1", "true"},
        ticked=ticked_rows(request.POST),
    )
    return answer_result(request, job, is_changed=True)


def _is_fitting(job: Job, act: Act, form: forms.Form | None) -> bool:
    """입력값 확인: by the form itself and by the rows that it is for; errors of both are at their fields."""
    if form is None:
        return True
    form.full_clean()
    if isinstance(act, BulkAction):
        act.check(form, items.pending_ids(job))
    return form.is_valid()


def run_confirmed(job: Job, *, actor: Any, at: datetime, **facts: Any) -> None:
    """확인과 처리: small jobs are done when this returns, large ones wait for a worker."""
    lease = start.confirm(job_id=job.pk, actor=actor, at=at, **facts)
    if lease is not None:
        runner.run(lease, patient=False)


def needs_dialog(job: Job, action: BulkAction, counts: items.Counts) -> bool:
    """확인창 여부: something is left out or sent, a form is to be filled in, rows are not all on the screen, or the
    act cannot be taken back (architecture.md 3, 4)."""
    return bool(
        counts.refused
        or not counts.pending
        or job.params.get("messages")
        or job.params.get("filter")
        or action.form_class
        or not action.is_undoable
        or (action.is_destructive and counts.pending > TYPED_ABOVE)
    )


def answer_preview(
    request: HttpRequest, job: Job, *, form: forms.Form | None = None, typed_error: str = "", status: int = 200
) -> HttpResponse:
    """미리보기 응답: the dialog for htmx, else the page of the job, which holds the same form.

    409 when nothing of the selection is possible any more: the dialog says why, and the list is to be read again.
    """
    if not is_fragment(request) and status == 200:
        return HttpResponseRedirect(reverse("core:job", args=[job.uuid]))
    context = confirm_context(request, job, form=form) | {"typed_error": typed_error}
    is_possible = bool(context["preview"].possible)
    answer = render(request, "generic/_confirm.html", context, status=status if is_possible else 409)
    if not is_possible:
        answer["HX-Trigger"] = CHANGED
    return answer


def confirm_context(request: HttpRequest, job: Job, *, form: forms.Form | None = None) -> dict[str, Any]:
    """확인창 내용 of generic/_confirm.html."""
    act, counts = known_act(job), items.counts(job)
    if form is None and isinstance(act, BulkAction) and act.form_class is not None and job.kind == JobKind.ACT:
        form = act.form_class()
    apply_url = (
        reverse("core:undo_apply", args=[job.undoes.uuid]) if job.undoes else reverse("core:apply", args=[job.uuid])
    )
    return {
        "job": job,
        "preview": preview_of(job, act, counts),
        "form": form,
        "typed": typed_of(job, act, counts),
        "quiet": request.POST.get("quiet") in {"on", "1", "true"},
        "danger": act.is_destructive and job.kind != JobKind.UNDO,
        "apply_url": apply_url,
    }


def answer_result(request: HttpRequest, job: Job, *, is_changed: bool = False) -> HttpResponse:
    """결과 응답: the strip for htmx, else the page of the job; 409 when every row had changed since the preview."""
    if not is_fragment(request):
        return HttpResponseRedirect(reverse("core:job", args=[job.uuid]))
    job.refresh_from_db()
    is_lost = is_changed and not job.is_open and not job.done and bool(job.failed)
    result = result_of(job, at=timezone.now())
    answer = render(request, "generic/_strip.html", {"result": result}, status=409 if is_lost else 200)
    answer["HX-Retarget"] = "#strip"
    if is_changed:
        answer["HX-Trigger"] = CHANGED
    return answer


def find_job(request: HttpRequest, uuid: UUID) -> Job:
    """작업 찾기: one's own, or any with the right to see jobs. Raises NotFound."""
    job = Job.objects.select_related("actor", "undoes").filter(uuid=uuid).first()
    may_see = job is not None and (job.actor_id == request.user.pk or request.user.has_perm("jobs.view"))
    if job is None or not may_see:
        raise NotFound(NO_JOB)
    return job


def known_act(job: Job) -> Act:
    """작업의 처리. Raises NotFound for one that this version does not have."""
    try:
        return act_of(job)
    except UnknownAct:
        raise NotFound(runner.ACT_UNKNOWN) from None


def posted_form(action: BulkAction, posted: QueryDict) -> forms.Form | None:
    """함께 온 입력값: the act's form bound to the post when the post has any of its fields."""
    names = action.form_class.base_fields if action.form_class else {}
    return form_of(action, posted) if any(name in posted for name in names) else None


def form_of(act: Act, posted: QueryDict) -> forms.Form | None:
    """처리 입력: the act's form bound to its own fields of the post and nothing else."""
    if not isinstance(act, BulkAction) or act.form_class is None:
        return None
    own = QueryDict(mutable=True)
    for name in act.form_class.base_fields:
        if name in posted:
            own.setlist(name, posted.getlist(name))
    return act.form_class(own)


def posted_values(form: forms.Form | None) -> dict[str, list[str]] | None:
    """입력값: what was posted for a form, to be kept with the job and cleaned again when it runs."""
    return None if form is None else {name: form.data.getlist(name) for name in form.data}  # type: ignore[attr-defined]


def ticked_rows(posted: QueryDict) -> list[int] | None:
    """확인한 행: row numbers of an upload whose question was answered; None means all of them."""
    if posted.get("ticked") == "all":
        return None
    texts = [part for value in posted.getlist("ticked") for part in value.split(",")]
    return [number for text in texts if (number := whole_number(text, digits=9)) is not None]


def _selection(request: HttpRequest, page: ActPage) -> Selection:
    posted = request.POST
    mode = posted.get("mode", "ids")
    if mode == "ids":
        return by_ids(posted.get("rows", ""), posted.get("lines", ""), as_of=seen_at(posted))
    if mode != "filter":
        raise BadSelection(UNREADABLE)
    return by_filter(
        page,
        query=posted.get("query", ""),
        as_of=_instant(posted.get("as_of", "")),
        expected=whole_number(posted.get("expected", ""), digits=9),
        user=request.user,
    )


def seen_at(posted: QueryDict) -> datetime | None:
    """본 시각: when the list was read from which something is posted; None when the post does not say.

    Raises BadSelection for what is no instant.
    """
    text = posted.get("as_of", "")
    return _instant(text) if text else None


def _instant(text: str) -> datetime:
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        found = None
    # A year is in hand at both ends: zones and tolerances are added to the instant later.
    if found is None or found.tzinfo is None or not FIRST_DAY.year <= found.year <= LAST_DAY.year:
        raise BadSelection("목록을 연 시각을 알 수 없습니다. 목록을 새로 고친 뒤 다시 선택하세요.")
    return found
