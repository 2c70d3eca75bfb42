"""알림 상세: one event with every request that told of it, finished for the template; personal data is masked."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core import cells
from core.actions import actions_for
from core.events import event_model
from core.exceptions import NotFound
from core.lists import Button
from core.masking import mask_name
from core.people import named
from orders.columns import order_url
from payments.bodies import CHARSETS, charset_of, flat, kept_text
from payments.columns.notices import notice_url, request_url
from payments.columns.problems import problem_url
from payments.models import MoneyProblem, Payment, PgNotice, PgRequest
from payments.notice_words import CSS, kind_words, reason_words
from payments.states import NoticeState, ProblemKind

REVEAL = "orders.reveal"
NO_NOTICE = "알림을 찾을 수 없습니다. 수신함에서 다시 고르세요."
NO_REQUEST = "요청을 찾을 수 없습니다. 수신함에서 다시 고르세요."
MOST_REQUESTS = 20


@dataclass(frozen=True, slots=True)
class RequestRow:
    """받은 요청 한 건 with its masked body."""

    pk: int
    when: str
    ip: str
    answer: str
    reason: str
    speed: str
    size: str
    content_type: str
    headers: list[tuple[str, str]]
    charset: str
    body: str


def find_notice(pk: int) -> PgNotice:
    """알림 찾기. Raises NotFound."""
    found: PgNotice | None = PgNotice.objects.select_related("account").filter(pk=pk).first()
    if found is None:
        raise NotFound(NO_NOTICE)
    return found


def find_request(pk: int) -> PgRequest:
    """요청 찾기. Raises NotFound."""
    found = PgRequest.objects.select_related("account").filter(pk=pk).first()
    if found is None:
        raise NotFound(NO_REQUEST)
    return found


def charset_for(request: PgRequest, wanted: str) -> str:
    """문자셋 that was asked for, else the one of the body. What the retention has masked is text of ours."""
    if request.masked_at is not None:
        return "utf-8"
    if wanted in dict(CHARSETS):
        return wanted
    return charset_of(bytes(request.body), content_type=request.content_type, dialect=request.account.charset)


def request_rows(requests: Iterable[PgRequest], wanted: str) -> list[RequestRow]:
    """받은 요청 as the template wants them."""
    return [
        RequestRow(
            pk=one.pk,
            when=cells.full_time(one.at),
            ip=one.client_ip or one.peer_ip or "알 수 없음",
            answer=str(one.status) if one.status else "판정 전",
            reason=reason_words(one.reason),
            speed=f"{one.milliseconds:,}ms" if one.milliseconds is not None else "",
            size=f"{one.size:,}바이트",
            content_type=one.content_type,
            headers=[(name, cells.text(value)) for name, value in sorted(one.headers.items())],
            charset=dict(CHARSETS)[charset],
            body=kept_text(bytes(one.body), charset, is_masked=one.masked_at is not None),
        )
        for one in requests
        for charset in (charset_for(one, wanted),)
    ]


def _common(wanted: str, *, user: Any, url: str) -> dict[str, Any]:
    charset = wanted if wanted in dict(CHARSETS) else ""
    return {
        "charsets": [(code, label, code == charset) for code, label in (("", "자동"), *CHARSETS)],
        "charset": charset,
        "detail_url": url,
        "may_reveal": user.has_perm(REVEAL),
    }


def notice_context(notice: PgNotice, *, user: Any, wanted: str) -> dict[str, Any]:
    """알림 내용: facts, requests, problems, replays, what the person may do."""
    payment = (
        Payment.objects.select_related("order").filter(account_id=notice.account_id, order_ref=notice.order_ref).first()
    )
    requests = PgRequest.objects.filter(notice=notice).select_related("account").order_by("-pk")
    count, problems = requests.count(), MoneyProblem.objects.filter(notice=notice).order_by("pk")
    replays = (
        event_model().objects.filter(subject="notice", subject_id=notice.pk).select_related("actor").order_by("-id")
    )
    return _common(wanted, user=user, url=notice_url(notice.pk)) | {
        "title": "PG 알림",
        "thing": "알림",
        "subtitle": f"{notice.account.name} · {kind_words(notice.kind)}",
        "notice": notice,
        "kind": kind_words(notice.kind),
        "badge": {"css": CSS[NoticeState(notice.state)], "label": NoticeState(notice.state).label},
        "reason": reason_words(notice.reason),
        "received": cells.full_time(notice.received_at),
        "occurred": cells.full_time(notice.occurred_at),
        "finished": cells.full_time(notice.finished_at),
        "due": cells.full_time(notice.due_at) if notice.finished_at is None else "",
        "depositor": mask_name(notice.depositor),
        "order": {"number": payment.order.number, "url": order_url(payment.order.number)} if payment else None,
        "fields": [(name, value) for name, value in flat(notice.fields) if value],
        "requests": request_rows(requests[:MOST_REQUESTS], wanted),
        "request_count": count,
        "problems": [
            {"label": ProblemKind(one.kind).label, "url": problem_url(one.pk), "is_open": one.resolved_at is None}
            for one in problems
        ],
        "replays": [{"who": named(one.actor), "when": cells.full_time(one.at)} for one in replays],
        "buttons": [Button(one.name, one.label, one.style) for one in actions_for(PgNotice, {notice.state}, user)],
        "rows": f"{notice.pk}:{notice.claim}",
        "page_name": "notices",
    }


def request_context(request: PgRequest, *, user: Any, wanted: str) -> dict[str, Any]:
    """거절된 요청 내용."""
    return _common(wanted, user=user, url=request_url(request.pk)) | {
        "title": "거절된 요청",
        "thing": "알림",
        "subtitle": f"{request.account.name} · {cells.full_time(request.at)}",
        "badge": {"css": "s-closed", "label": f"응답 {request.status}" if request.status else "판정 전"},
        "reason": reason_words(request.reason),
        "requests": request_rows([request], wanted),
        "notice_url": notice_url(request.notice_id) if request.notice_id else "",
        "buttons": [],
    }
