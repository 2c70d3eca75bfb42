"""송장 파일의 열 맞추기: a person says once which column is what; the sender's next file is read without asking."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.signing import BadSignature, dumps, loads
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.access import staff_of
from core.excel import FileProblem, Header, Table, read_table
from core.exceptions import Conflict, DomainError
from core.jobs import files, previews
from core.jobs.uploads import open_upload
from core.models import Job
from shipping.couriers import courier_name
from shipping.excel.results import header_of, plain_header, read_columns
from shipping.file_columns import TARGETS
from shipping.forms.files import ColumnsForm
from shipping.pages.shipments import UPLOAD_URL
from shipping.services.files.batches import keep_batch
from shipping.services.files.layouts import remember_layout, remembered_layout
from shipping.uploads import WaybillUpload

SALT = "shipping.waybill-file"
LONGEST_WAIT = 24 * 3600
SAMPLE_ROWS = 3
UNKNOWN = "열 이름을 찾지 못했습니다. 주문번호와 송장번호 열을 골라 주세요. 한 번 고르면 다음 파일부터 바로 읽습니다."
AGAIN = "열을 다시 고르면 이 파일을 새로 읽고, 다음 파일부터 그렇게 읽습니다."
LOST = "올린 파일이 남아 있지 않습니다. 파일을 다시 올려 주세요."


def open_known(
    request: HttpRequest, table: Table, content: bytes, *, options: Mapping[str, Any]
) -> HttpResponse | None:
    """미리보기 열기 of a file whose columns are known: as a person once said of its sender, else by their names.

    None when neither reads it. Raises FileProblem when no row can hold names, and the DomainErrors of open_upload.
    """
    known = remembered_layout(header=plain_header(table), courier=options["courier"])
    ways = [{"columns": known.mapping, "layout": known.pk, "sender": known.name}] if known else []
    for chosen in (*ways, {}):
        try:
            job = _opened(request, table, content, options={**options, **chosen})
        except FileProblem as problem:
            if problem.code != "file_no_header":
                raise
        else:
            return redirect("shipping:waybill_preview", uuid=job.uuid)
    return None


def _opened(request: HttpRequest, table: Table, content: bytes, *, options: Mapping[str, Any]) -> Job:
    header = header_of(table, chosen=options.get("columns"))
    options = {**options, "read": read_columns(header), "labels": [label for label in header.labels if label]}
    job = open_upload(
        upload=WaybillUpload(table),
        actor=staff_of(request),
        file_name=table.filename,
        content=[content],
        at=timezone.now(),
        options=options,
        part=options.get("sheet", ""),
    )
    keep_batch(job=job, properties=table.properties)
    return job


def read_unknown(
    request: HttpRequest, table: Table, content: bytes, options: Mapping[str, Any], *, is_locked: bool
) -> HttpResponse:
    """모르는 열 이름: ask which is which. Raises FileProblem when no row can hold names at all."""
    header = plain_header(table)
    token = _keep(request, table.filename, content, options)
    form = _form(header.labels, options, found={}, is_locked=is_locked)
    return _page(request, token, table.filename, header.labels, form=form, sample=_sample(table, header))


def ask_again(request: HttpRequest, job: Job) -> HttpResponse:
    """열 다시 맞추기 of a file that is not applied yet. Raises Conflict, FileProblem.

    Of a locked file only the names that were read are known; its password is asked for again.
    """
    previews.require_open(job)
    try:
        path = files.path_of(job.file_path)
    except ValueError:
        path = None
    if path is None:
        raise Conflict(LOST, code="file_gone")
    content, options = path.read_bytes(), dict(job.params.get("options") or {})
    labels: Sequence[str] = options.pop("labels", ())
    found = options.pop("read", {})
    sample: list[list[str]] = []
    try:
        table = read_table(content, filename=job.file_name, sheet=options.get("sheet") or None)
    except FileProblem as problem:
        if "password" not in problem.code:
            raise
        is_locked = True
    else:
        header = plain_header(table)
        labels, sample, is_locked = header.labels, _sample(table, header), False
    token = _keep(request, job.file_name, content, options | {"instead_of": job.pk})
    form = _form(labels, options, found=found, is_locked=is_locked)
    return _page(request, token, job.file_name, labels, form=form, sample=sample, intro=AGAIN, status=200)


def map_columns(request: HttpRequest) -> HttpResponse | None:
    """열 맞추기 확인: read the kept file by the chosen columns and remember them; None when it is not theirs."""
    token, password = request.POST["stored"], request.POST.get("password", "")
    try:
        stored, name, person, options = loads(token, salt=SALT, max_age=LONGEST_WAIT)
        path = files.path_of(stored) if person == staff_of(request).pk else None
    except (BadSignature, ValueError, TypeError):
        path = None
    if path is None:
        return None
    content = path.read_bytes()
    try:
        table = read_table(content, filename=name, password=password, sheet=options.get("sheet") or None)
        header = plain_header(table)
    except FileProblem as problem:
        return _unread(request, token, name, problem)
    form = ColumnsForm(request.POST, labels=header.labels, found={}, is_locked="password" in request.POST)
    status = 422
    if form.is_valid():
        try:
            answer = _open_mapped(request, form, header, table, content, options=options)
        except DomainError as error:
            form.add_error(None, error.message)
            status = error.status
        else:
            files.remove(stored)
            return answer
    return _page(request, token, name, header.labels, form=form, sample=_sample(table, header), status=status)


def _unread(request: HttpRequest, token: str, name: str, problem: FileProblem) -> HttpResponse:
    """The same inputs again, with the names that the page sent along: without the password nobody can read them."""
    labels, is_password = request.POST.getlist("label"), "password" in problem.code
    form = ColumnsForm(request.POST, labels=labels, found={}, is_locked=is_password or "password" in request.POST)
    form.add_error("password" if is_password else None, problem.message)
    return _page(request, token, name, labels, form=form)


def layout_id(job: Job) -> int:
    """기억한 양식 of a file that was read by it; 0 for others."""
    return int((job.params.get("options") or {}).get("layout") or 0)


def _open_mapped(
    request: HttpRequest, form: ColumnsForm, header: Header, table: Table, content: bytes, *, options: dict[str, Any]
) -> HttpResponse:
    """The preview of the file as it was mapped; only a mapping that reads it is remembered."""
    before = options.pop("instead_of", 0)
    sender = form.cleaned_data["sender"] or courier_name(options["courier"])
    chosen = {"columns": form.mapping, "sender": sender}
    job = _opened(request, table, content, options=options | chosen)
    layout = remember_layout(header=header, courier=options["courier"], name=sender, mapping=form.mapping)
    job.params["options"]["layout"] = layout.pk
    job.save(update_fields=["params"])
    if before:
        previews.supersede(job_id=before, actor=staff_of(request), at=timezone.now())
    return redirect("shipping:waybill_preview", uuid=job.uuid)


def _keep(request: HttpRequest, name: str, content: bytes, options: Mapping[str, Any]) -> str:
    """A token for the kept file that only this person can use."""
    stored, _ = files.store([content], suffix=".bin")
    return dumps([stored, name, staff_of(request).pk, dict(options)], salt=SALT)


def _form(
    labels: Sequence[str], options: Mapping[str, Any], *, found: Mapping[str, str], is_locked: bool
) -> ColumnsForm:
    sender = options.get("sender") or courier_name(options["courier"])
    chosen = dict(found or _known(labels))
    return ColumnsForm(labels=labels, found=chosen, is_locked=is_locked, initial={"sender": sender})


def _known(labels: Iterable[str]) -> dict[str, str]:
    """Columns that can be told by their names."""
    return {key: label for key, names in TARGETS.items() for label in labels if label in names}


def _sample(table: Table, header: Header) -> list[list[str]]:
    rows = table.rows[header.index + 1 :][:SAMPLE_ROWS]
    return [["" if cell is None else str(cell) for cell in row] for row in rows]


def _page(
    request: HttpRequest, token: str, name: str, labels: Sequence[str], *, form: ColumnsForm,
    sample: Sequence[Sequence[str]] = (), intro: str = UNKNOWN, status: int = 422,
) -> HttpResponse:  # fmt: skip
    context = {
        "title": "열 맞추기",
        "subtitle": name,
        "intro": intro,
        "form": form,
        "action_url": UPLOAD_URL,
        "token": token,
        "labels": labels,
        "sample": sample,
        "cancel_url": UPLOAD_URL,
    }
    return render(request, "shipping/columns.html", context, status=status)
