"""Webhook inbox: every HTTP request as it came, and every distinct event among them."""

import pgtrigger
from django.db import models
from django.db.models import Q

from payments.models.account import PgAccount
from payments.querysets import Claimed
from payments.states import NoticeState


class PgNotice(models.Model):
    """PG 알림: one event of a PG, however often it was told; ends in a state that says what became of it."""

    event_subject = "notice"
    event_order_id = None

    account = models.ForeignKey(PgAccount, models.PROTECT, related_name="notices", db_index=False)  # notice_once has it
    event_key = models.CharField("이벤트 번호", max_length=200, db_collation="C")
    kind = models.CharField("종류", max_length=24)
    order_ref = models.CharField("주문 참조", max_length=64, db_collation="C")
    payment_ref = models.CharField("PG 거래번호", max_length=200, blank=True, db_collation="C")
    amount = models.BigIntegerField("금액", null=True)
    occurred_at = models.DateTimeField("발생일시", null=True)
    depositor = models.CharField("입금자", max_length=60, blank=True)
    is_proven = models.BooleanField("서명 확인")
    fields = models.JSONField("내용", default=dict)
    body_hash = models.BinaryField("본문 지문", max_length=32)
    state = models.CharField("처리 상태", max_length=12, choices=NoticeState.choices, default=NoticeState.RECEIVED)
    reason = models.CharField("이유", max_length=40, blank=True)
    attempts = models.PositiveSmallIntegerField("시도", default=0)
    due_at = models.DateTimeField("다음 처리")
    # Fencing: who claimed it last; a claim that ran out may be taken by another.
    claim = models.BigIntegerField("임대 번호", default=0)
    received_at = models.DateTimeField("수신일시")
    finished_at = models.DateTimeField("처리일시", null=True)
    last_error = models.CharField("마지막 오류", max_length=500, blank=True)
    objects = Claimed()

    class Meta:
        verbose_name = "PG 알림"
        constraints = [
            models.UniqueConstraint(fields=["account", "event_key"], name="notice_once"),
            models.CheckConstraint(condition=Q(state__in=NoticeState.values), name="notice_state_known"),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], name="notice_due", condition=Q(state__in=["RECEIVED", "RETRY"])),
            models.Index(fields=["-received_at", "-id"], name="notice_newest"),
            models.Index(fields=["order_ref"], name="notice_order_ref"),
            models.Index(fields=["id"], name="notice_stuck", condition=Q(state__in=["PARKED", "DEAD"])),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.event_key}"


_AS_IT_CAME = [
    "account", "at", "peer_ip", "client_ip", "content_type", "headers", "body", "size", "body_hash", "masked_at",
]  # fmt: skip
RETENTION = "oms.retention"
"""The setting of a transaction in which old requests may be masked and destroyed (services/notices/retaining.py)."""
_MASKED = f"""
    IF COALESCE(current_setting('{RETENTION}', true), '') = 'on' AND OLD.at < now() - interval '30 days'
       AND OLD.masked_at IS NULL AND NEW.masked_at IS NOT NULL
       AND (NEW.account_id, NEW.at, NEW.peer_ip, NEW.client_ip, NEW.content_type, NEW.headers, NEW.size, NEW.body_hash)
           IS NOT DISTINCT FROM
           (OLD.account_id, OLD.at, OLD.peer_ip, OLD.client_ip, OLD.content_type, OLD.headers, OLD.size, OLD.body_hash)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Cannot update rows from % table', TG_TABLE_NAME;
"""
_DESTROYED = f"""
    IF COALESCE(current_setting('{RETENTION}', true), '') = 'on' AND OLD.at < now() - interval '5 years' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'Cannot delete rows from % table', TG_TABLE_NAME;
"""


class PgRequest(models.Model):
    """받은 요청: the raw bytes of one HTTP request, stored and committed before anything reads them.

    Its verdict (`status`, `reason`, `notice`) follows; a request without one is read again by the sweep. What came in
    is never changed and never deleted, but for the retention: after a time the body is masked (`masked_at`; from then
    on it is UTF-8 text), and after five years the row goes. Source: reliability.md R-14.
    """

    account = models.ForeignKey(PgAccount, models.PROTECT, related_name="requests")
    at = models.DateTimeField("수신일시")
    peer_ip = models.GenericIPAddressField("접속 IP", null=True)
    client_ip = models.GenericIPAddressField("보낸 IP", null=True)
    content_type = models.CharField("형식", max_length=120, blank=True)
    headers = models.JSONField("머리글", default=dict)
    body = models.BinaryField("본문")
    size = models.PositiveIntegerField("크기")
    body_hash = models.BinaryField("본문 지문", max_length=32)
    masked_at = models.DateTimeField("가린 일시", null=True)
    status = models.PositiveSmallIntegerField("응답 코드", null=True)
    reason = models.CharField("이유", max_length=40, blank=True)
    milliseconds = models.PositiveIntegerField("응답 시간", null=True)
    notice = models.ForeignKey(PgNotice, models.PROTECT, null=True, related_name="requests")

    class Meta:
        verbose_name = "PG 요청"
        triggers = [
            pgtrigger.Trigger(
                name="as_it_came",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.AnyChange(*_AS_IT_CAME),
                func=_MASKED,
            ),
            pgtrigger.Trigger(name="kept", operation=pgtrigger.Delete, when=pgtrigger.Before, func=_DESTROYED),
        ]
        indexes = [
            models.Index(fields=["at", "id"], name="request_unread", condition=Q(status=None)),
            models.Index(fields=["-at", "-id"], name="request_newest"),
            models.Index(fields=["at", "id"], name="request_to_mask", condition=Q(masked_at=None)),
            models.Index(fields=["at"], name="request_refused", condition=Q(status__in=[401, 403])),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.at:%Y-%m-%d %H:%M:%S}"
