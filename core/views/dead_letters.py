"""실패한 전달: deliveries that failed five times, with the error and a way to try again."""

import re
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from core.cells import minute_time
from core.events import KINDS, SUBSCRIBERS, delivery_model, event_model
from core.exceptions import DomainError
from core.models.events import DeliveryState
from core.relay import retry_dead
from core.text import whole_number
from core.views.gate import GatedView, UnknownCondition

PAGE_SIZE = 50
MOST_IDS = 1_000
KOREAN_WORDS = re.compile(r"[가-힣][가-힣0-9 ·]*")


class BadChoice(DomainError):
    """선택 오류: what was posted names no deliveries."""

    code = "bad_choice"
    status = 422


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """실패한 전달 한 줄."""

    pk: int
    what: str
    order: str
    news: str
    attempts: int
    error: str
    at: str


class DeadLetters(GatedView):
    """실패한 전달: newest first. What comes after it for the same order waits."""

    permission = "deadletters.view"

    def get(self, request: HttpRequest) -> HttpResponse:
        before = request.GET.get("before", "")
        if set(request.GET) - {"before"} or whole_number(before or "1") is None:
            raise UnknownCondition("주소에 알 수 없는 조회 조건이 있습니다. 조건을 지우고 다시 조회하세요.")
        rows = delivery_model().objects.filter(state=DeliveryState.DEAD).select_related("order").order_by("-pk")
        found = list((rows.filter(pk__lt=int(before)) if before else rows)[: PAGE_SIZE + 1])
        shown = found[:PAGE_SIZE]
        context = {
            "title": "실패한 전달",
            "rows": _letters(shown),
            "may_retry": request.user.has_perm("deadletters.retry"),
            "next_url": f"{request.path}?before={shown[-1].pk}" if len(found) > PAGE_SIZE else "",
        }
        return render(request, "dead_letters/list.html", context)


class RetryView(GatedView):
    """다시 처리: puts dead letters back at the head of their queues."""

    permission = "deadletters.retry"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        ids = request.POST.getlist("ids")
        known = [number for text in ids if (number := whole_number(text)) is not None]
        if not ids or len(ids) > MOST_IDS or len(known) < len(ids):
            raise BadChoice("다시 처리할 전달을 선택하세요.")
        done = retry_dead(ids=known, at=timezone.now())
        messages.success(request, f"{done:,}건을 다시 처리합니다.")
        return HttpResponseRedirect(reverse("core:dead_letters"))


def _letters(rows: list[Any]) -> list[DeadLetter]:
    ids = [pk for row in rows for pk in row.event_ids]
    kinds = dict(event_model().objects.filter(pk__in=ids).values_list("pk", "kind"))
    return [
        DeadLetter(
            pk=row.pk,
            what=_title(row.subscriber),
            order=str(row.order) if row.order else "",
            news=", ".join(dict.fromkeys(_label(kinds.get(pk, "")) for pk in row.event_ids)),
            attempts=row.attempts,
            error=row.last_error,
            at=minute_time(row.created_at),
        )
        for row in rows
    ]


def _label(kind: str) -> str:
    return KINDS[kind].label if kind in KINDS else kind


def _title(subscriber: str) -> str:
    """The Korean words that the handler's docstring begins with, else its name."""
    known = SUBSCRIBERS.get(subscriber)
    words = KOREAN_WORDS.match(known.handle.__doc__ or "") if known else None
    return words.group().strip() if words else subscriber
