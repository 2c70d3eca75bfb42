"""거래내역 올리기: choose account and file, look at every row, store the new ones."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from accounts.models import User
from core import cells
from core.excel import ASKS_PASSWORD, FileProblem, clean_name, read_table
from core.excel.limits import MAX_BYTES
from core.exceptions import DomainError
from core.jobs import held, runner, start
from core.jobs.uploads import UploadCounts, open_upload, upload_counts
from core.masking import mask_name, mask_text
from core.models import ItemResult, Job, JobItem, JobKind, JobState
from payments.forms.deposits import StatementFileForm
from payments.models import BankAccount
from payments.pages.deposits import DepositPage
from payments.uploads import StatementUpload

ROWS = 100
PERMISSION = "payments.match_deposits"
GONE = "올린 파일을 찾을 수 없습니다. 파일을 다시 올려 주세요."
_SAME = Q(data__contains={"same": True})
SHOWN = {
    "all": ("전체", Q()),
    "ready": ("새 입금", Q(result=ItemResult.PENDING)),
    "error": ("오류", Q(result=ItemResult.REFUSED) & ~_SAME),
    "same": ("이미 있음", Q(result=ItemResult.REFUSED) & _SAME),
}


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """미리보기 한 행."""

    number: int
    at: str
    amount: str
    depositor: str
    memo: str
    balance: str
    verdict: str
    css: str


class StatementPage(PermissionRequired):
    """거래내역 올리기."""

    permission = PERMISSION

    def get(self, request: HttpRequest) -> HttpResponse:
        return _form_page(request, StatementFileForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = StatementFileForm(request.POST, request.FILES)
        if not form.is_valid():
            return _form_page(request, form, status=422)
        staff = staff_of(request)
        try:
            file = _held(form, staff)
        except DomainError as error:
            form.add_error("file", error.message)
            return _form_page(request, form, status=error.status)
        try:
            table = read_table(file.content, filename=file.name, password=form.cleaned_data["password"])
            job = open_upload(
                upload=StatementUpload(table),
                actor=staff,
                file_name=file.name,
                content=[file.content],
                at=timezone.now(),
                options={"account": form.cleaned_data["account"].pk},
            )
        except DomainError as error:
            if error.code in ASKS_PASSWORD:
                return _ask_password(request, form, file, error.message)
            held.drop(file)
            form.add_error("file", error.message)
            return _form_page(request, form, status=error.status)
        held.drop(file)
        return redirect("payments:statement_preview", uuid=job.uuid)


class StatementPreview(PermissionRequired):
    """거래내역 미리보기: which rows are new; nothing is stored until a person confirms."""

    permission = PERMISSION

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = _job(uuid)
        return _gone(request) if job is None else _preview(request, job)

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = _job(uuid)
        if job is None:
            return _gone(request)
        actor, at = staff_of(request), timezone.now()
        try:
            if "discard" in request.POST:
                start.cancel(job_id=job.pk, actor=actor, at=at)
                return redirect("payments:statement")
            lease = start.confirm(job_id=job.pk, actor=actor, at=at)
        except DomainError as error:
            return _preview(request, job, error=error.message, status=error.status)
        if lease is not None:
            runner.run(lease, patient=False)
        return redirect("payments:statement_preview", uuid=job.uuid)


def _held(form: StatementFileForm, staff: User) -> held.HeldFile:
    upload = form.cleaned_data["file"]
    if not upload:
        return held.find(form.cleaned_data["held"], actor=staff)
    if upload.size > MAX_BYTES:
        raise FileProblem("file_too_large")
    return held.hold(content=upload.read(), name=clean_name(upload.name), actor=staff)


def _ask_password(request: HttpRequest, form: StatementFileForm, file: held.HeldFile, message: str) -> HttpResponse:
    """The same form once more, with the file kept until its password comes."""
    again = StatementFileForm({"held": file.token, "account": form.cleaned_data["account"].pk})
    again.full_clean()
    again.add_error("password", message)
    return _form_page(request, again, status=422)


def _job(uuid: UUID) -> Job | None:
    rows = Job.objects.select_related("actor").filter(uuid=uuid, kind=JobKind.UPLOAD, act=StatementUpload.name)
    return rows.first()


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "404.html", {"error_text": GONE}, status=404)


def _form_page(request: HttpRequest, form: StatementFileForm, *, status: int = 200) -> HttpResponse:
    context = {
        "title": "거래내역 올리기",
        "form": form,
        "is_held": "password" in form.errors,
        "action_url": reverse("payments:statement"),
        "submit_label": "미리보기",
        "cancel_url": DepositPage.url,
        "has_account": BankAccount.objects.filter(is_active=True).exists(),
    }
    return render(request, "payments/statement.html", context, status=status)


def _preview(request: HttpRequest, job: Job, *, error: str = "", status: int = 200) -> HttpResponse:
    counts = upload_counts(job)
    show = request.GET.get("show", "all")
    show = show if show in SHOWN else "all"
    after = request.GET.get("after", "0")
    last = int(after) if after.isascii() and after.isdecimal() and len(after) < 10 else 0
    items = JobItem.objects.filter(SHOWN[show][1], job=job, row_number__gt=last).order_by("row_number")
    rows = [_row(item) for item in items[: ROWS + 1]]
    is_open = job.state == JobState.PREVIEW
    context = {
        "title": "거래내역 미리보기" if is_open else "거래내역 결과",
        "job": job,
        "is_open": is_open,
        "is_running": job.is_open,
        "tabs": _tabs(counts, show) if is_open else [],
        "ready": counts.ready,
        "same": counts.same,
        "errors": counts.error,
        "rows": rows[:ROWS],
        "show": show,
        "next": rows[ROWS - 1].number if len(rows) > ROWS else 0,
        "error": error,
    }
    return render(request, "payments/statement_preview.html", context, status=status)


def _tabs(counts: UploadCounts, show: str) -> list[dict[str, Any]]:
    numbers = {"all": counts.total, "ready": counts.ready, "error": counts.error, "same": counts.same}
    return [
        {"key": key, "label": label, "number": numbers[key], "current": key == show}
        for key, (label, _) in SHOWN.items()
    ]


def _row(item: JobItem) -> PreviewRow:
    data = item.data or {}
    facts = data.get("row") or {}
    is_same, refused = bool(data.get("same")), item.result == ItemResult.REFUSED
    done = {ItemResult.OK: "등록함", ItemResult.PENDING: "새 입금"}.get(ItemResult(item.result), "")
    return PreviewRow(
        number=item.row_number or 0,
        at=str(facts.get("at", "") or data.get("at", ""))[:16].replace("T", " "),
        amount=str(cells.won(facts.get("amount"))) or str(data.get("in", "")),
        depositor=mask_name(str(facts.get("depositor", "") or data.get("depositor", ""))),
        memo=mask_text(str(facts.get("memo", "") or data.get("memo", ""))),
        balance=str(cells.won(facts.get("balance"))) or str(data.get("balance", "")),
        verdict="이미 있음" if is_same else item.reason or done,
        css="bad" if refused and not is_same else "",
    )
