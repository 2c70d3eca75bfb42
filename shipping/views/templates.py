"""엑셀 양식: the list of templates and the editor of one; columns move by buttons, without a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.forms import BooleanField, Form
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.access import PermissionRequired
from core.exceptions import DomainError
from core.korean import josa
from core.views.gate import is_fragment, refuse
from shipping.couriers import courier_name
from shipping.excel.courier_file import file_rows
from shipping.forms.files import TemplateColumnForm, TemplateForm, TemplateNameForm
from shipping.models import ExcelTemplate, RowPer, Shipment, ShipmentStep
from shipping.services.files import templates

PREVIEW_ROWS = 5
START = ({"header": "고객주문번호", "field": "shipment_number", "fixed": ""},)
SURE = "{name} 지웁니다. 지운 양식은 되돌릴 수 없습니다."
UNKNOWN = "엑셀 양식을 찾을 수 없습니다."
WRONG_COLUMNS = (
    "열 이름은 60자, 고정 글자는 200자까지 쓸 수 있고, 깨진 글자나 모르는 항목은 쓸 수 없습니다. 표시한 열을 고치세요."
)


@dataclass(frozen=True, slots=True)
class Rearranged:
    """옮긴 열: the columns, and the control that keeps the focus: up, down, remove or header of the row `place`."""

    columns: list[dict[str, str]]
    control: str
    place: int


class TemplateList(PermissionRequired):
    """엑셀 양식 목록."""

    permission = "templates.edit"

    def get(self, request: HttpRequest) -> HttpResponse:
        return _list(request, TemplateNameForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TemplateNameForm(request.POST)
        if not form.is_valid():
            return _list(request, form, status=422)
        try:
            made = templates.create_template(name=form.cleaned_data["name"], columns=START)
        except DomainError as error:
            form.add_error("name", error.message)
            return _list(request, form, status=error.status)
        return redirect("shipping:template", pk=made.pk)


class TemplateEditor(PermissionRequired):
    """엑셀 양식 편집."""

    permission = "templates.edit"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        template = ExcelTemplate.objects.filter(pk=pk).first()
        if template is None:
            return _missing(request)
        form = TemplateForm(initial=_facts(template))
        return _editor(request, template, form, template.columns, seen=template.version)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        template = ExcelTemplate.objects.filter(pk=pk).first()
        if template is None:
            return _missing(request)
        form, columns = TemplateForm(request.POST), posted_columns(request.POST)
        version = request.POST.get("version", "")
        seen = int(version) if version.isascii() and version.isdecimal() and len(version) < 9 else -1
        moved = rearranged(request.POST, columns)
        if moved is not None:
            return _editor(request, template, form, moved.columns, seen=seen, moved=moved)
        wrong = not all(TemplateColumnForm(one).is_valid() for one in columns)
        if wrong or not form.is_valid():
            if wrong:
                form.add_error(None, WRONG_COLUMNS)
            return _editor(request, template, form, columns, seen=seen, status=422)
        try:
            facts = form.cleaned_data
            templates.save_template(template_id=pk, seen_version=seen, facts=facts, columns=columns)
        except DomainError as error:
            form.add_error(None, error.message)
            return _editor(request, template, form, columns, seen=seen, status=error.status)
        messages.success(request, "저장했습니다.")
        return redirect("shipping:template", pk=pk)


class TemplateAct(PermissionRequired):
    """엑셀 양식 복사, 삭제, 기본 양식으로."""

    permission = "templates.edit"
    http_method_names = ["get", "post", "options"]

    def get(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        """삭제 확인: a deleted template does not come back, so it is asked for first; the other acts ask nothing."""
        template = ExcelTemplate.objects.filter(pk=pk).first()
        if template is None or template.is_preset or act != "delete":
            return _missing(request)
        context = {
            "title": "엑셀 양식 삭제",
            "text": SURE.format(name=josa(f"'{template.name}'", "을/를")),
            "form": Form(),
            "action_url": request.path,
            "submit_label": "삭제",
            "danger": True,
        }
        if is_fragment(request):
            return render(request, "generic/_dialog.html", context)
        context |= {"intro": context["text"], "cancel_url": reverse("shipping:templates")}
        return render(request, "generic/form.html", context)

    def post(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        try:
            if act == "copy":
                name = request.POST.get("name") or f"{_name(pk)} 사본"[:60]
                form = TemplateNameForm({"name": name})
                if not form.is_valid():
                    return _list(request, form, status=422)
                made = templates.copy_template(template_id=pk, name=form.cleaned_data["name"])
                return redirect("shipping:template", pk=made.pk)
            if act == "delete":
                templates.delete_template(template_id=pk)
                messages.success(request, "엑셀 양식을 지웠습니다.")
            elif act == "default":
                templates.set_default(template_id=pk)
            else:
                return _missing(request)
        except DomainError as error:
            return refuse(request, error)
        if is_fragment(request):
            return HttpResponse(headers={"HX-Redirect": reverse("shipping:templates")})
        return redirect("shipping:templates")


def posted_columns(posted: QueryDict) -> list[dict[str, str]]:
    """보낸 열: the rows of the editor in their order."""
    rows = zip(posted.getlist("header"), posted.getlist("field"), posted.getlist("fixed"), strict=False)
    return [{"header": header, "field": field, "fixed": fixed} for header, field, fixed in rows]


def rearranged(posted: QueryDict, columns: list[dict[str, str]]) -> Rearranged | None:
    """열 옮기기: the columns after ▲, ▼, 빼기, 열 추가 or a drop; None when something else was pressed."""
    last = len(columns) - 1
    if "add" in posted:
        return Rearranged([*columns, {"header": "", "field": "", "fixed": ""}], "header", last + 1)
    for act in ("up", "down", "remove", "move"):
        start, _, end = posted.get(act, "").partition("-")
        if not (_is_place(start, last) and (act != "move" or _is_place(end, last))):
            continue
        place, moved = int(start), list(columns)
        one = moved.pop(place)
        if act == "remove":
            return Rearranged(moved, act, min(place, last - 1))
        target = int(end) if act == "move" else min(max(place + (1 if act == "down" else -1), 0), last)
        moved.insert(target, one)
        # The way back stays pressable at both ends.
        ends = {0: "down", last: "up"}
        return Rearranged(moved, ends.get(target, "up" if target < place else "down"), target)
    return None


def _is_place(text: str, last: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 4 and int(text) <= last


def _name(pk: int) -> str:
    return ExcelTemplate.objects.filter(pk=pk).values_list("name", flat=True).first() or ""


def _facts(template: ExcelTemplate) -> dict[str, Any]:
    return {name: getattr(template, name) for name in ("name", "courier", *templates.OPTIONS)}


def _missing(request: HttpRequest) -> HttpResponse:
    return render(request, "404.html", {"error_text": UNKNOWN}, status=404)


def _list(request: HttpRequest, form: TemplateNameForm, *, status: int = 200) -> HttpResponse:
    rows = [
        {
            "pk": one.pk,
            "name": one.name,
            "courier": courier_name(one.courier) if one.courier else "",
            "row_per": RowPer(one.row_per).label,
            "columns": len(one.columns),
            "is_default": one.is_default,
            "is_preset": one.is_preset,
        }
        for one in ExcelTemplate.objects.order_by("-is_default", "name", "pk")
    ]
    return render(request, "shipping/templates.html", {"title": "엑셀 양식", "rows": rows, "form": form}, status=status)


def _editor(
    request: HttpRequest, template: ExcelTemplate, form: TemplateForm, columns: Sequence[dict[str, str]], *,
    seen: int, status: int = 200, moved: Rearranged | None = None,
) -> HttpResponse:  # fmt: skip
    rows = [
        TemplateColumnForm(one if form.is_bound else None, initial=one, auto_id=f"column{place}_%s")
        for place, one in enumerate(columns)
    ]
    if moved and moved.control == "header":
        rows[moved.place].fields["header"].widget.attrs["autofocus"] = True
    shown = ExcelTemplate(
        name=template.name, columns=list(columns), **{name: _of(form, template, name) for name in templates.OPTIONS}
    )
    context = {
        "title": template.name,
        "subtitle": "엑셀 양식",
        "template": template,
        "seen": seen,
        "form": form,
        "columns": rows,
        "moved": moved,
        "headers": [one["header"] for one in columns],
        "has_header": not shown.omits_header,
        "preview": _preview(shown),
    }
    return render(request, "shipping/template.html", context, status=status)


def _of(form: TemplateForm, template: ExcelTemplate, name: str) -> Any:
    if isinstance(form.fields[name], BooleanField):
        return name in form.data if form.is_bound else getattr(template, name)
    return str(form.data.get(name, "")) if form.is_bound else str(getattr(template, name))


def _preview(template: ExcelTemplate) -> list[list[Any]]:
    """미리보기: rows of the shipments that wait now, with personal data masked."""
    waiting = Shipment.objects.filter(step=ShipmentStep.READY).order_by("ship_by", "paid_at", "pk")
    ids = list(waiting.values_list("pk", flat=True)[:PREVIEW_ROWS])
    return [row for row, _ in zip(file_rows(template, ids, is_masked=True), range(PREVIEW_ROWS), strict=False)]
