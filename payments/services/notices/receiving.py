"""웹훅 수신: the raw request is committed before anything reads it; then it becomes one notice, or a refusal.

No network and no order is touched here: what a notice means is found out by the drain (payments.md 5.1, 5.3).
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from django.db import connection, transaction

from core import drains
from core.failpoints import declare, failpoint
from payments.adapters.base import MOST_BODY, Answer, Inbound, Notice, Pg, PgProblem, Rejected
from payments.models import MoneyProblem, Payment, PgAccount, PgNotice, PgRequest
from payments.services.pg_accounts import MARK, facts_of, note_answers, pg_of, secret_of
from payments.states import ProblemKind

CHANNEL = "oms_notices"
KEPT_OF_REFUSED = 1024
"""Bytes that are kept of a body that will not be read."""
KEPT_HEADERS = ("content-type", "content-encoding", "user-agent", "tosspayments-", "webhook-", "x-trace-", "x-mall-")
HASHED_HEADERS = ("x-webhook-key",)
"""Headers that are a secret whole: only their hash is kept, and compared."""
STORED = declare("notice_request_stored", "the raw request is committed; nothing has read it")
JUDGED = declare("notice_before_commit", "the request is read; nothing of what it says is committed")
TAKEN = declare("notice_before_answer", "the notice is committed; the PG has no answer")


@dataclass(frozen=True, slots=True)
class Arrival:
    """도착: one HTTP request as the web server gave it; at most one byte more than is allowed."""

    body: bytes
    headers: Mapping[str, str]
    content_type: str
    peer_ip: str | None
    client_ip: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Judgement:
    """판정: what the PG is told and why, and the notice it became."""

    answer: Answer
    reason: str = ""
    notice_id: int | None = None


Stored: TypeAlias = tuple[PgRequest, Judgement | None]
"""보관한 요청, and the refusal when it must not even be read."""


class AccountChanged(Exception):
    """계정 변경: the account is not the one that is remembered; nothing was stored."""


def store(arrival: Arrival, *, account: PgAccount, mark: str = "") -> Stored:
    """요청 보관: one committed row; the refusal, when the request must not even be read.

    With the `mark` of a remembered account it is stored only while that is in use and unchanged. Raises AccountChanged.
    """
    refusal = _unreadable(arrival.headers, arrival.content_type, len(arrival.body), pg_of(account))
    body = arrival.body if refusal is None else arrival.body[:KEPT_OF_REFUSED]
    row = PgRequest(
        account=account,
        at=arrival.at,
        peer_ip=arrival.peer_ip,
        client_ip=arrival.client_ip,
        content_type=arrival.content_type[:120].replace("\x00", ""),
        headers=_kept(arrival.headers),
        body=body,
        size=len(arrival.body),
        body_hash=hashlib.sha256(arrival.body).digest(),
    )
    row.pk = _store(row, mark)
    failpoint(STORED)
    return row, refusal


def settle(row: PgRequest, *, account: PgAccount, refusal: Judgement | None, began: float) -> Judgement:
    """판정과 기록 in one transaction; `began` is when the request came, by time.perf_counter().

    It is not durable, the request is: should the machine die now, the sweep reads it again and finds the same event.
    """
    pg = pg_of(account)
    read = refusal or _read(row, account=account, pg=pg)
    judgement = _take_at_once(read, row, account=account, pg=pg, began=began) if isinstance(read, Notice) else read
    if judgement is None or isinstance(read, Judgement):
        with transaction.atomic():
            _not_durable()
            judgement = read if isinstance(read, Judgement) else _take(read, row, account=account, pg=pg)
            _write(row, judgement, status=pg.speak(judgement.answer).status, milliseconds=_milliseconds(began))
    if isinstance(read, Notice) and read.is_proven:
        note_answers([account], at=row.at)
    failpoint(TAKEN)
    return judgement


def judge(row: PgRequest, *, account: PgAccount) -> Judgement:
    """요청 판정: authenticate, parse, store the event once. Raises only what the database raises."""
    pg = pg_of(account)
    read = _read(row, account=account, pg=pg)
    return _take(read, row, account=account, pg=pg) if isinstance(read, Notice) else read


def _read(row: PgRequest, *, account: PgAccount, pg: Pg) -> Notice | Judgement:
    if not _may_come_from(row, account, pg):
        return Judgement(Answer.FORBIDDEN, "ip_not_allowed")
    inbound = Inbound(body=bytes(row.body), headers=row.headers, client_ip=row.client_ip or "", at=row.at)
    try:
        return pg.read(inbound, account=facts_of(account), secret_of=lambda ref: secret_of(account, ref))
    except Rejected as rejected:
        if account.registering_until is not None and row.at < account.registering_until:
            return Judgement(Answer.ACK, "registration_test")
        return Judgement(rejected.answer, rejected.reason)
    except PgProblem:
        # Nobody can say whether it is authentic before the keys are mended: the PG is to tell again.
        return Judgement(Answer.UNAVAILABLE, "keys_unreadable")


def finish(row: PgRequest, judgement: Judgement, *, status: int, milliseconds: int) -> None:
    """판정 기록: what was answered and when. It need not be durable: an unread request is judged again."""
    with transaction.atomic():
        _not_durable()
        _write(row, judgement, status=status, milliseconds=milliseconds)


def _write(row: PgRequest, judgement: Judgement, *, status: int, milliseconds: int) -> None:
    PgRequest.objects.filter(pk=row.pk).update(
        status=status, reason=judgement.reason, notice_id=judgement.notice_id, milliseconds=milliseconds
    )


def judge_again(row: PgRequest, *, account: PgAccount) -> Judgement:
    """요청 다시 판정: what `store` and `judge` would have said, of a request whose process died before its verdict."""
    return _unreadable(row.headers, row.content_type, row.size, pg_of(account)) or judge(row, account=account)


def _unreadable(headers: Mapping[str, str], content_type: str, size: int, pg: Pg) -> Judgement | None:
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        return Judgement(Answer.UNSUPPORTED_MEDIA, "content_encoding")
    if content_type.partition(";")[0].strip().lower() not in pg.media_types:
        return Judgement(Answer.UNSUPPORTED_MEDIA, "content_type")
    if size > MOST_BODY:
        return Judgement(Answer.TOO_LARGE, "too_large")
    return None


def _may_come_from(row: PgRequest, account: PgAccount, pg: Pg) -> bool:
    if not (account.checks_ip or pg.capabilities.needs_ip):
        return True
    return account.allows(row.client_ip or "", standard=pg.default_ips)


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if name.startswith(KEPT_HEADERS)}
    hashed = {name: hashlib.sha256(headers[name].encode()).hexdigest() for name in HASHED_HEADERS if name in headers}
    return {name: value[:1000].replace("\x00", "") for name, value in kept.items()} | hashed


def _milliseconds(began: float) -> int:
    return int((time.perf_counter() - began) * 1000)


def _store(row: PgRequest, mark: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            _STORE.format(unchanged=_UNCHANGED if mark else ""),
            [
                row.at, row.peer_ip, row.client_ip, row.content_type, json.dumps(row.headers, ensure_ascii=False),
                bytes(row.body), row.size, bytes(row.body_hash), row.account_id, *([mark] if mark else []),
            ],
        )  # fmt: skip
        found = cursor.fetchone()
    if found is None:
        raise AccountChanged
    return int(found[0])


def _take_at_once(notice: Notice, row: PgRequest, *, account: PgAccount, pg: Pg, began: float) -> Judgement | None:
    """The usual end of a notice in one statement: a new event, or one that we know; None for everything else."""
    if notice.parked:
        return None
    failpoint(JUDGED)
    given = _values(notice, row, account=account) | {
        "request": row.pk,
        "status": pg.speak(Answer.ACK).status,
        "milliseconds": _milliseconds(began),
        "any_body": not pg.capabilities.has_event_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(_AT_ONCE, given)
        found = cursor.fetchone()
    if found is None:
        return None
    reason, notice_id = found
    return Judgement(Answer.ACK, reason, notice_id)


def _take(notice: Notice, row: PgRequest, *, account: PgAccount, pg: Pg) -> Judgement:
    with transaction.atomic(savepoint=False):
        pk = _insert(notice, row, account=account)
        if pk is not None:
            if notice.parked:
                _park(pk, notice.parked, notice, account=account, at=row.at)
            drains.notify(CHANNEL)
            failpoint(JUDGED)
            return Judgement(Answer.ACK, notice.parked.lower(), pk)
        known = PgNotice.objects.get(account=account, event_key=notice.event_key)
        if pg.capabilities.has_event_id and bytes(known.body_hash) != bytes(row.body_hash):
            return Judgement(Answer.ACK, "id_reuse", _contradicts(notice, row, account=account))
    return Judgement(Answer.ACK, "duplicate", known.pk)


def _contradicts(notice: Notice, row: PgRequest, *, account: PgAccount) -> int:
    """이벤트 번호 중복: another body under a number that we know waits for a person, once, and moves nothing (A08).

    What came first is handled as if the other had never come: only the PG's answer moves money.
    """
    key = f"{notice.event_key[:150]}#{bytes(row.body_hash).hex()[:32]}"
    pk = _insert(replace(notice, event_key=key), row, account=account)
    if pk is None:
        return PgNotice.objects.get(account=account, event_key=key).pk
    _park(pk, ProblemKind.ID_REUSE, notice, account=account, at=row.at)
    return pk


def _insert(notice: Notice, row: PgRequest, *, account: PgAccount) -> int | None:
    """The event's id, None when it is known already."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, _values(notice, row, account=account))
        found = cursor.fetchone()
    return int(found[0]) if found else None


def _values(notice: Notice, row: PgRequest, *, account: PgAccount) -> dict[str, Any]:
    return {
        "account": account.pk,
        "key": notice.event_key,
        "kind": str(notice.kind),
        "order": notice.order_ref,
        "payment": notice.payment_ref,
        "amount": notice.amount,
        "occurred": notice.occurred_at,
        "depositor": notice.depositor[:60],
        "proven": notice.is_proven,
        "fields": json.dumps(dict(notice.fields), ensure_ascii=False),
        "hash": bytes(row.body_hash),
        "at": row.at,
    }


_STORE = """
INSERT INTO payments_pgrequest (account_id, at, peer_ip, client_ip, content_type, headers, body, size, body_hash,
    reason)
SELECT id, %s, %s::inet, %s::inet, %s, %s::jsonb, %s, %s, %s, '' FROM payments_pgaccount WHERE id = %s{unchanged}
RETURNING id
"""
_UNCHANGED = f" AND is_active AND {MARK} = %s"
_INSERT = """
INSERT INTO payments_pgnotice (account_id, event_key, kind, order_ref, payment_ref, amount, occurred_at, depositor,
    is_proven, fields, body_hash, received_at, due_at, state, reason, attempts, claim, last_error)
VALUES (%(account)s, %(key)s, %(kind)s, %(order)s, %(payment)s, %(amount)s, %(occurred)s, %(depositor)s,
    %(proven)s, %(fields)s, %(hash)s, %(at)s, %(at)s, 'RECEIVED', '', 0, 0, '')
ON CONFLICT (account_id, event_key) DO NOTHING RETURNING id
"""
# One trip instead of six, by a function (migration 0008, ADR 0014) because a connection keeps its plan. set_config is
# what SET LOCAL is: the commit of this statement waits for no disk. An event that another transaction has stored since
# this statement began is not seen here, and left to the long way.
_AT_ONCE = f"""
SELECT t.out_reason, t.out_notice FROM set_config('synchronous_commit', 'off', true) AS quiet,
    payments_take_notice(%(request)s, %(account)s, %(key)s, %(kind)s, %(order)s, %(payment)s, %(amount)s, %(occurred)s,
    %(depositor)s, %(proven)s, %(fields)s, %(hash)s, %(at)s, %(status)s, %(milliseconds)s, %(any_body)s, '{CHANNEL}') t
"""


def _park(notice_id: int, kind: str, notice: Notice, *, account: PgAccount, at: datetime) -> None:
    """The notice waits for a person; its payment has one open case of the kind, however many notices tell of it."""
    PgNotice.objects.filter(pk=notice_id).park(at=at, reason=str(kind).lower())
    payment = Payment.objects.filter(account=account, order_ref=notice.order_ref).first()
    case = MoneyProblem(kind=kind, notice_id=notice_id, payment=payment, amount=notice.amount or 0, found_at=at)
    case.order_id = payment.order_id if payment is not None else None
    MoneyProblem.objects.bulk_create([case], ignore_conflicts=True)


def _not_durable() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
