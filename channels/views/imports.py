"""주문 파일 올리기: file, columns when nobody has told us, preview, apply."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from accounts.file_pages import confirm
from accounts.models import User
from channels.adapters.layouts import Rule
from channels.forms import ColumnsForm, ImportForm
from channels.pages.imports import ROW_KINDS, import_page, mapping_page, recent_imports, unread_page
from channels.services.profiles import ColumnMapping, mapped_profile, save_mapping, suggest_columns
from channels.services.reading import UnknownLayout, header_for_mapping
from channels.uploads import OrderFile, open_import
from core.excel import ASKS_PASSWORD, FileProblem, Table, read_table
from core.exceptions import DomainError
from core.jobs import files, held, previews
from core.models import Job
from core.text import whole_number

REMAP = "기억한 열입니다. 고쳐서 저장하면 이 파일을 다시 읽고, 다음 파일부터 고친 대로 읽습니다."
NO_REMAP = "열을 다시 맞출 수 없습니다. 직접 맞춘 양식으로 읽은 미리보기에서만 할 수 있습니다. 파일을 다시 올려 주세요."


class ImportOrders(PermissionRequired):
    """주문 파일 고르기."""

    permission = "orders.import"

    def get(self, request: HttpRequest) -> HttpResponse:
        return _upload_page(request, ImportForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ImportForm(request.POST, request.FILES)
        if not form.is_valid():
            return _upload_page(request, form, status=422)
        data, staff = form.cleaned_data, staff_of(request)
        file = None
        try:
            file = held.take(upload=data["file"], token=data["held"], actor=staff)
            table, asks = held.read(file.content, name=file.name, password=data["password"], sheet=data["sheet"])
        except DomainError as error:
            return _upload_page(request, form.refused(error, file), status=error.status)
        if asks:
            return _upload_page(request, form.again(file, sheets=table.sheets))
        try:
            job = open_import(
                content=file.content, table=table, profile=data["profile"], actor=staff, at=timezone.now()
            )
        except UnknownLayout as unknown:
            return _columns(request, form, file, table, intro=unknown.message)
        except DomainError as error:
            if len(table.sheets) > 1:
                return _upload_page(request, form.refused(error, file, sheets=table.sheets), status=error.status)
            form.add_error(None, error.message)
            return _upload_page(request, form, status=error.status)
        held.drop(file)
        return redirect("channels:import_preview", uuid=job.uuid)


class MapColumns(PermissionRequired):
    """열 맞추기: what the columns of a new sender mean; the answer is remembered."""

    permission = "orders.import"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        staff = staff_of(request)
        try:
            file = held.find(request.POST.get("held", ""), actor=staff)
        except DomainError as error:
            return _upload_page(request, ImportForm(), status=error.status, error=error.message)
        try:
            table = read_table(
                file.content,
                filename=file.name,
                password=request.POST.get("password", ""),
                sheet=request.POST.get("sheet") or None,
            )
            header = header_for_mapping(table)
        except FileProblem as problem:
            return _unread_columns(request, file, problem)
        form = ColumnsForm(request.POST, labels=header.labels)
        if not form.is_valid():
            return _columns_page(request, form, table, status=422)
        try:
            profile = save_mapping(
                name=form.cleaned_data["name"],
                channel=form.cleaned_data["channel"],
                header=header,
                mapping=ColumnMapping(
                    form.rules(), form.cleaned_data["is_prepaid"], form.cleaned_data["creates_products"]
                ),
            )
            job = open_import(content=file.content, table=table, profile=profile, actor=staff, at=timezone.now())
        except DomainError as error:
            form.add_error(None, error.message)
            return _columns_page(request, form, table, status=error.status)
        held.drop(file)
        _discard(form.cleaned_data["preview"], staff)
        return redirect("channels:import_preview", uuid=job.uuid)


class RemapColumns(PermissionRequired):
    """열 다시 맞추기: the columns as they were remembered, for the file being looked at; saving renews them."""

    permission = "orders.import"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = _job(uuid)
        profile = mapped_profile(job)
        path = files.path_of(job.file_path) if job.file_path else None
        if profile is None or path is None:
            return _preview_page(request, job, error=NO_REMAP, status=409)
        file = held.hold(content=path.read_bytes(), name=job.file_name, actor=staff_of(request))
        options = job.params["options"]
        initial: dict[str, Any] = {
            "held": file.token,
            "sheet": options["sheet"],
            "preview": job.uuid,
            "name": profile.name,
            "channel": profile.channel_id,
            "is_prepaid": profile.defaults.get("is_prepaid", False),
            "creates_products": profile.defaults.get("creates_products", False),
        }
        rules = {key: Rule.from_json(rule) for key, rule in profile.mapping.items()}
        try:
            table = read_table(file.content, filename=file.name, sheet=options["sheet"] or None)
            labels = header_for_mapping(table).labels
        except FileProblem:
            # Its password is stored nowhere: the names are known, the rest comes with the password.
            labels = tuple(options["header"])
            form = ColumnsForm(initial=initial | ColumnsForm.shown_rules(rules, labels=labels), labels=labels)
            context = unread_page(file.name, form, labels=labels) | {"intro": REMAP, "locked": True}
            return render(request, "channels/columns.html", context)
        form = ColumnsForm(initial=initial | ColumnsForm.shown_rules(rules, labels=labels), labels=labels)
        return _columns_page(request, form, table, intro=REMAP)


class ImportPreview(PermissionRequired):
    """미리보기와 결과: the four counters, the rows with their verdicts, and the button that applies."""

    permission = "orders.import"

    def get(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = _job(uuid)
        kind = request.GET.get("rows", "all")
        after = whole_number(request.GET.get("after", "0"), digits=9)
        if kind not in ROW_KINDS or after is None:
            text = "주소에 알 수 없는 조회 조건이 있습니다. 미리보기를 다시 여세요."
            return render(request, "400.html", {"error_text": text}, status=400)
        return _preview_page(request, job, kind=kind, after=after)


class ApplyImport(PermissionRequired):
    """반영: small files at once, larger ones by a worker; a second press changes nothing."""

    permission = "orders.import"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        job = _job(uuid)
        ticked = None if request.POST.get("with_questions") == "on" else ()
        try:
            confirm(job, actor=staff_of(request), at=timezone.now(), ticked=ticked)
        except DomainError as error:
            return _preview_page(request, _job(uuid), error=error.message, status=error.status)
        return redirect("channels:import_preview", uuid=job.uuid)


class CancelImport(PermissionRequired):
    """그만두기: throws a preview away."""

    permission = "orders.import"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, uuid: UUID) -> HttpResponse:
        try:
            previews.discard(job_id=_job(uuid).pk, actor=staff_of(request), at=timezone.now())
        except DomainError as error:
            return _preview_page(request, _job(uuid), error=error.message, status=error.status)
        return redirect("channels:import")


def _job(uuid: UUID) -> Job:
    job = Job.objects.select_related("actor").filter(uuid=uuid, act=OrderFile.name).first()
    if job is None:
        raise Http404
    return job


def _preview_page(
    request: HttpRequest, job: Job, *, kind: str = "all", after: int = 0, error: str = "", status: int = 200
) -> HttpResponse:
    if thrown_away := previews.thrown_away(job):
        return _upload_page(request, ImportForm(), status=404 if status == 200 else status, error=thrown_away)
    context = import_page(job, kind=kind, after=after) | {"error_text": error, "may_remap": bool(mapped_profile(job))}
    return render(request, "channels/preview.html", context, status=status)


def _discard(uuid: UUID | None, staff: User) -> None:
    """The preview whose columns were wrong: nobody shall apply it by mistake."""
    job = Job.objects.filter(uuid=uuid, act=OrderFile.name).first() if uuid else None
    if job is not None:
        previews.supersede(job_id=job.pk, actor=staff, at=timezone.now())


def _upload_page(request: HttpRequest, form: ImportForm, *, status: int = 200, error: str = "") -> HttpResponse:
    context = {
        "title": "주문 파일 올리기",
        "form": form,
        "error_text": error,
        "recent": recent_imports(),
        "is_held": bool(form.data.get("held")),
    }
    return render(request, "channels/import.html", context, status=status)


def _columns(request: HttpRequest, form: ImportForm, file: held.HeldFile, table: Table, *, intro: str) -> HttpResponse:
    try:
        header = header_for_mapping(table)
    except FileProblem as problem:
        form.add_error("file", problem.message)
        return _upload_page(request, form.again(None), status=problem.status)
    initial: dict[str, Any] = {f"{key}_column": label for key, label in suggest_columns(header).items()}
    initial |= {
        "held": file.token,
        "password": form.cleaned_data["password"],
        "sheet": form.cleaned_data["sheet"],
        "name": file.name.rpartition(".")[0][:60] or file.name[:60],
        "is_prepaid": True,
    }
    return _columns_page(request, ColumnsForm(initial=initial, labels=header.labels), table, intro=intro)


def _columns_page(
    request: HttpRequest, form: ColumnsForm, table: Table, *, status: int = 200, intro: str = ""
) -> HttpResponse:
    context = mapping_page(table, form) | {"intro": intro}
    return render(request, "channels/columns.html", context, status=status)


def _unread_columns(request: HttpRequest, file: held.HeldFile, problem: FileProblem) -> HttpResponse:
    """The same inputs again, with the names that the page sent along: without the password nobody can read them."""
    labels = request.POST.getlist("label")
    form = ColumnsForm(request.POST, labels=labels)
    form.add_error("password" if problem.code in ASKS_PASSWORD else None, problem.message)
    return render(request, "channels/columns.html", unread_page(file.name, form, labels=labels), status=422)
