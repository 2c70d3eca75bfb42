"""송장 입력칸: drafts of single cells and of pasted ranges; nothing changes state here."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.access import PermissionRequired, staff_of
from core.exceptions import DomainError
from core.jobs.shown import Result
from core.settings_registry import get_setting
from core.text import whole_number
from core.views.acts import seen_at
from shipping.pages.shipments import listed
from shipping.services.files.drafts import CellTaken, DraftRefused, Unkept, paste, save_draft
from shipping.services.files.keys import resolve

UNREADABLE = "입력한 내용을 읽을 수 없습니다. 화면을 새로고침하세요."


class DraftView(PermissionRequired):
    """임시 저장 of one cell; answers JSON with the clean number, or the sentence for below the cell.

    `shown` and `shown_courier` are what the cell held before it was typed into; `waybill` of the answer is what it
    holds now, also after a refusal (422) that took the older draft away; 409 brings what it holds by now.
    """

    permission = "shipping.register_waybill"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        pk = whole_number(request.POST.get("id", ""))
        text = request.POST.get("waybill", "")[:100]
        if pk is None or "\x00" in text:
            return JsonResponse({"error": UNREADABLE}, status=400)
        courier, actor = request.POST.get("courier", "")[:12], staff_of(request)
        was = request.POST.get("shown")
        shown = None if was is None else (request.POST.get("shown_courier", "")[:12], was[:40])
        try:
            shipment, number, remark = save_draft(
                shipment_id=pk, courier=courier, text=text, actor=actor, at=timezone.now(), shown=shown
            )
        except CellTaken as taken:
            now = {"waybill": taken.waybill, "courier": taken.courier, "draft": taken.is_draft}
            return JsonResponse({"error": taken.message, "now": now}, status=taken.status)
        except DraftRefused as refused:
            left = {} if refused.waybill is None else {"waybill": refused.waybill}
            return JsonResponse({"error": refused.message, **left}, status=refused.status)
        except DomainError as error:
            return JsonResponse({"error": error.message}, status=error.status)
        holds = number or shipment.waybill
        is_draft = bool(number) and (courier, number) != (shipment.courier, shipment.waybill)
        return JsonResponse({"waybill": holds, "version": shipment.version, "error": remark, "draft": is_draft})


class PasteView(PermissionRequired):
    """붙여넣기: a range of two or three columns, matched by key; answers the strip and has the list read again."""

    permission = "shipping.register_waybill"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        at, user = timezone.now(), staff_of(request)
        text = request.POST.get("text", "")[:200_000]
        lines = [_cells(line) for line in text.splitlines() if line.strip()]
        try:
            on_list = _on_list(request, lines, at)
            done = paste(
                lines=lines,
                listed=on_list,
                default_courier=get_setting("default_courier"),
                actor=user,
                at=at,
                seen_at=seen_at(request.POST),
            )
        except DomainError as error:
            return _strip(request, Result("", part_text=error.message, failed=1), status=422)
        result = Result("", ok_text=f"{len(done.filled):,}건을 채웠습니다." if done.filled else "")
        if done.reasons:
            result.failed = sum(done.reasons.values())
            result.part_text = f"{result.failed:,}건은 채우지 못했습니다."
            result.reasons = list(done.reasons.items())
        answer = _strip(request, result, filled=done.filled, unkept=done.unkept)
        if done.filled or done.taken:
            answer["HX-Trigger"] = "oms:changed"
        return answer


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.replace("\x00", "").split("\t")]
    # One column that names both: "D-20260921-0000017-00 680000000011".
    return re.split(r"\s+", cells[0], maxsplit=1) if len(cells) == 1 else cells[:3]


def _on_list(request: HttpRequest, lines: list[list[str]], at: Any) -> dict[int, Any] | None:
    if request.POST.get("page") != "ready":
        return None
    ids = set(resolve({line[0] for line in lines}).shipments.values())
    found = listed("ready", request.POST.get("query", ""), user=staff_of(request), at=at, ids=ids)
    return dict.fromkeys(found)


def _strip(
    request: HttpRequest, result: Result, *, status: int = 200, filled: Sequence[int] = (),
    unkept: Mapping[int, Unkept] | None = None,
) -> HttpResponse:  # fmt: skip
    """The strip, with the cells that were filled, and what belongs into those that could not be."""
    cells = json.dumps({pk: cell._asdict() for pk, cell in unkept.items()}) if unkept else ""
    context = {"result": result, "filled": json.dumps(list(filled)) if filled else "", "unkept": cells}
    return render(request, "shipping/pasted.html", context, status=status)
