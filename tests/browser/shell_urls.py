"""A URLconf of its own: the pages and answers that the shell speaks with, over the sample objects."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template import engines
from django.urls import path

from tests.browser.shell_samples import ReasonForm, sample_detail, sample_page, sample_row, shell, thing

JOB = UUID("0b5f6a52-1111-4222-8333-000000000001")
TEST: dict[str, Any] = {}
SEEN: list[tuple[str, str, dict[str, str]]] = []


def reset() -> None:
    """Forget what the browser asked before and what the answers shall be."""
    SEEN.clear()
    TEST.clear()
    TEST.update(
        theme="light", density="normal", shortcuts="on", moved=frozenset(), answer="strip", logged_in=True, sidebar=""
    )


def seen(kind: str) -> list[dict[str, str]]:
    return [fields for path, _, fields in SEEN if kind in path]


@login_not_required
def answer(request: HttpRequest, name: str = "", **kwargs: Any) -> HttpResponse:
    SEEN.append((request.path, request.method or "", {**request.GET.dict(), **request.POST.dict()}))
    if not TEST["logged_in"] and not request.path.startswith("/login/"):
        return redirect("/login/")
    return ANSWERS[name](request, **kwargs)


def context(**more: Any) -> dict[str, Any]:
    return shell(**{key: TEST[key] for key in ("theme", "density", "shortcuts", "sidebar")}, **more)


def ready(request: HttpRequest) -> HttpResponse:
    part = request.headers.get("HX-Target") == "list"
    page = sample_page(request.GET.dict(), TEST["moved"])
    response = render(request, "generic/_list.html" if part else "generic/list.html", context(page=page))
    response["Vary"] = "HX-Request"
    return response


def poll(request: HttpRequest) -> HttpResponse:
    if not TEST["moved"] or request.GET["since"] == "t2":
        return HttpResponse(status=204)
    return render(
        request, "generic/_rows.html", {"rows": [sample_row(n, True, 2) for n in TEST["moved"]], "since": "t2"}
    )


def act(request: HttpRequest, action: str) -> HttpResponse:
    if TEST["answer"] == "confirm":
        preview = thing(
            title="3,214건을 배송중으로 바꿉니다",
            total=3214,
            possible=3190,
            excluded=24,
            messages_count=3102,
            reasons=[("송장번호 없음", 18), ("배송보류", 4), ("취소 신청", 2)],
            undo_text="30분 안에 되돌릴 수 있습니다.",
        )
        return render(
            request,
            "generic/_confirm.html",
            {"job": thing(uuid=JOB, label="배송중 처리"), "preview": preview, "form": ReasonForm(auto_id="c_%s")},
        )
    response = strip(request)
    response["HX-Retarget"] = "#strip"
    return response


def apply(request: HttpRequest, job: UUID) -> HttpResponse:
    form = ReasonForm(request.POST, auto_id="c_%s")
    if not form.is_valid():
        preview = thing(
            title="", total=48, possible=46, excluded=2, messages_count=0, reasons=[("송장번호 없음", 2)], undo_text=""
        )
        return render(
            request,
            "generic/_confirm.html",
            {"job": thing(uuid=JOB, label="배송중 처리"), "preview": preview, "form": form},
            status=422,
        )
    return strip(request)


def strip(request: HttpRequest, job: UUID = JOB) -> HttpResponse:
    result: dict[str, Any] = {
        "job_id": job,
        "ok_text": "48건 중 46건을 배송중으로 바꿨습니다.",
        "part_text": "2건은 바꾸지 못했습니다.",
        "reasons": [("송장번호 없음", 1), ("이미 취소된 주문", 1)],
        "failed": 2,
        "failed_ids": [2, 4],
        "failed_url": "/orders/ready/?batch=1",
        "excel_url": f"/jobs/{job}/failed.xlsx",
        "undo_seconds": 1798,
        "progress": None,
        "can_cancel": False,
        "can_resume": False,
    }
    if TEST["answer"] == "progress":
        result.update(progress=(1200, 3214, "남은 시간 약 8초."), can_cancel=True)
    response = render(request, "generic/_strip.html", {"result": thing(**result)})
    response["HX-Trigger"] = "oms:changed"
    return response


def draft(request: HttpRequest) -> HttpResponse:
    waybill = request.POST["waybill"]
    if len(waybill) not in (0, 12):
        return JsonResponse(
            {"error": f"송장번호는 숫자 12자리여야 합니다. 지금은 {len(waybill)}자리입니다."}, status=422
        )
    return JsonResponse({"waybill": waybill, "version": 2, "draft": bool(waybill)})


DETAIL = """{% extends "generic/_detail.html" %}{% block number %}{{ number }}{% endblock %}
{% block badges %}<span class="badge s-ready">배송준비중</span>{% endblock %}
{% block body %}{{ sections }}{% endblock %}
{% block foot %}{% include "partials/action.html" with button=ship rows="5:1" page_name="ready" %}
{% include "partials/action.html" with button=cancel rows="5:1" page_name="ready" %}{% endblock %}"""


def detail(request: HttpRequest, number: str) -> HttpResponse:
    buttons = {
        "ship": thing(name="ship", label="배송중 처리", style="primary", needs="", hotkey=""),
        "cancel": thing(name="cancel", label="취소 처리", style="danger", needs="", hotkey=""),
    }
    parts = {"number": number, "sections": sample_detail(number), "detail_url": request.path, **buttons}
    return HttpResponse(engines["django"].from_string(DETAIL).render(parts, request))


def form(request: HttpRequest) -> HttpResponse:
    bound = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    return render(
        request,
        "generic/form.html",
        context(title="보류 사유", form=bound, action_url="/form/", cancel_url="/"),
        status=422 if bound.is_bound else 200,
    )


def counts(request: HttpRequest) -> HttpResponse:
    return render(request, "partials/menu_counts.html", context())


def plain(request: HttpRequest) -> HttpResponse:
    return render(request, "generic/page.html", context(title="로그인" if "login" in request.path else request.path))


def broken(request: HttpRequest, code: int) -> HttpResponse:
    return render(request, f"{code}.html", context(), status=code)


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


ANSWERS: dict[str, Any] = {
    fn.__name__: fn for fn in (ready, poll, act, apply, strip, draft, detail, form, counts, plain, broken, empty)
}
ROUTES = [
    ("orders/ready/", "ready"),
    ("orders/ready/poll/", "poll"),
    ("orders/ready/counts/", "empty"),
    ("orders/ready/paste/", "strip"),
    ("orders/ready/draft/", "draft"),
    ("orders/<number>/", "detail"),
    ("acts/<uuid:job>/apply/", "apply"),
    ("acts/<action>/", "act"),
    ("jobs/<uuid:job>/strip/", "strip"),
    ("jobs/<uuid:job>/undo/", "act_undo"),
    ("me/preferences/", "empty"),
    ("menu/counts/", "counts"),
    ("form/", "form"),
    ("login/", "plain"),
    ("error/<int:code>/", "broken"),
    ("jobs/", "plain"),
    ("orders/", "plain"),
    ("orders/awaiting-payment/", "plain"),
    ("", "plain"),
]
ANSWERS["act_undo"] = lambda request, job: act(request, "undo")
urlpatterns = [path(route, answer, {"name": name}) for route, name in ROUTES]
