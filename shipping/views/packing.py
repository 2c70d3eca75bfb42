"""포장 검수대: the bench, its scans, the page that tries a scanner, and the sheet of commands."""

import re
from typing import Any
from uuid import UUID

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import mark_safe

from accounts.access import PermissionRequired, staff_of
from core.exceptions import DomainError, NotFound
from core.pdf import code128
from core.settings_registry import get_settings
from shipping.models import Shipment
from shipping.services.packing.answers import STOPPED, WAIT, WORK, Answer
from shipping.services.packing.bench import NOT_FOUND, stop_to_see
from shipping.services.packing.board import board_of, counts_of, queue_of
from shipping.services.packing.commands import HOLD_REASONS, NEXT, SHEET
from shipping.services.packing.desk import scan
from shipping.states import Signal

PACK = "shipping.pack"
UNREADABLE = "스캔한 내용을 읽을 수 없습니다. 화면을 새로고침한 뒤 다시 찍으세요."
BATCH = re.compile(r"P-\d{8}-\d{4,6}")
FRAGMENT = "HX-Request"


@method_decorator(csp_update({"frame-src": ["'self'"]}), name="dispatch")
class PackingBench(PermissionRequired):
    """포장 검수대: waiting, or one shipment; looking at it opens nothing."""

    permission = PACK

    def get(self, request: HttpRequest, number: str = "") -> HttpResponse:
        batch = request.GET.get("batch", "")
        answer = Answer(Signal.OK, "", screen=WAIT, batch=batch if BATCH.fullmatch(batch) else "")
        if number:
            shipment_id = _id_of(number)
            answer = Answer(Signal.OK, "", screen=WORK, shipment_id=shipment_id)
            if (stop := stop_to_see(shipment_id, at=timezone.now())) is not None:
                answer = Answer(Signal.STOP, stop.text, speech=stop.speech, screen=STOPPED, stop=stop)
        return _drawn(request, answer, code="", is_asked=False)


class ScanView(PermissionRequired):
    """스캔: one code; answers the bench as it is now. A refusal that counts nothing is a sentence with its status.

    `id` is the scan's own, the same on every retry; `shipment` the 배송번호 on the screen.
    """

    permission = PACK
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            facts = _facts(request)
            number = str(facts.pop("shipment"))
            shipment_id = _id_of(number) if number else None
            answer = scan(actor=staff_of(request), at=timezone.now(), shipment_id=shipment_id, **facts)
        except DomainError as error:
            return HttpResponse(error.message, status=error.status, content_type="text/plain; charset=utf-8")
        return _drawn(request, answer, code=str(facts["code"]), is_asked=True)


def _id_of(number: str) -> int:
    """배송건 of a 배송번호. Raises NotFound."""
    found = Shipment.objects.filter(number=number).values_list("pk", flat=True).first()
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


def _facts(request: HttpRequest) -> dict[str, Any]:
    """What a scan says about itself. Raises DomainError."""
    found: dict[str, Any] = {
        "code": request.POST.get("code", "")[:200],
        "shipment": request.POST.get("shipment", "")[:40],
        "reason": request.POST.get("reason", "")[:200],
    }
    numbers = {"line_id": request.POST.get("line") or "0", "quantity": request.POST.get("quantity") or "1"}
    if any("\x00" in text for text in found.values()):
        raise DomainError(UNREADABLE, code="bad_scan")
    if not all(text.isascii() and text.isdecimal() and len(text) < 19 for text in numbers.values()):
        raise DomainError("수량은 숫자로 입력하세요.", code="bad_quantity")
    try:
        found["key"] = UUID(request.POST.get("id", ""))
    except ValueError:
        raise DomainError(UNREADABLE, code="bad_scan") from None
    return found | {name: int(text) for name, text in numbers.items()}


def _drawn(request: HttpRequest, answer: Answer, *, code: str, is_asked: bool) -> HttpResponse:
    at, user = timezone.now(), staff_of(request)
    board = None
    if answer.shipment_id is not None and answer.screen not in {WAIT, STOPPED}:
        board = board_of(answer.shipment_id, actor=user, at=at)
    today, hour = counts_of(user, at=at)
    printed = answer.print_number
    context = {
        "answer": answer,
        "signal": answer.signal if answer.signal != Signal.OK or (is_asked and answer.text) else "",
        # What closes by itself goes on by itself as well: nobody has scanned that.
        "code": "" if code == NEXT else code,
        "board": board,
        "queue": queue_of(at=at, batch=answer.batch) if board is None and answer.screen != STOPPED else None,
        "person": user,
        "today": today,
        "hour": hour,
        "print_url": reverse("shipping:print_file", args=[printed]) if printed else "",
        "hold_reasons": list(HOLD_REASONS.items()),
    }
    if request.headers.get(FRAGMENT):
        return render(request, "shipping/_pack_bench.html", context)
    return render(request, "shipping/pack.html", context | _page(user))


def _page(user: Any) -> dict[str, Any]:
    """What the page around the bench needs: settings of the shop and of the person; one query."""
    return {
        "settings": get_settings("pack_takes_quantities", "pack_idle_minutes", "pack_scan_gap", "pack_closes_itself"),
        "volume": user.prefs.get("pack_volume", "75"),
        "speech": user.prefs.get("pack_speech", "off"),
        "printing": user.prefs.get("pack_print", "off"),
        "volumes": [("0", "끔"), ("25", "작게"), ("50", "보통"), ("75", "크게"), ("100", "아주 크게")],
    }


class ScannerTest(PermissionRequired):
    """스캐너 시험: what arrives for each key, and what becomes of it."""

    permission = PACK

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "shipping/pack_test.html", _page(staff_of(request)))


class CommandSheet(PermissionRequired):
    """명령 시트: barcodes of the commands, for printing."""

    permission = PACK

    def get(self, request: HttpRequest) -> HttpResponse:
        # The picture is ours: a path out of the tables of Code 128.
        rows = [(code, words, mark_safe(code128(code, charset="B")["svg"])) for code, words in SHEET.items()]  # noqa: S308
        context = {"title": "명령 시트", "subtitle": "작업대에 붙여 두고 찍는 바코드", "rows": rows}
        return render(request, "shipping/pack_commands.html", context)
