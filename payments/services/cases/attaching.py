"""PG 알림의 예외 처리: a notice that named no order of ours gets one, or was only a test.

Money moves by the answer of the PG alone. Source: payments.md 5.7, A48.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core import drains
from core.models import Job
from core.state import Outcome, is_preview
from orders.states import PaymentMethod
from payments.adapters.base import Kind
from payments.models import LedgerEntry, MoneyProblem, Payment, PgNotice
from payments.services.cases.deciding import Case, locked_cases, resolve
from payments.services.notices.receiving import CHANNEL
from payments.states import BY_HAND, EntryKind, ProblemKind, Resolution

NOT_A_NOTICE = "주문을 찾지 못한 PG 알림만 할 수 있는 처리입니다."
NO_ORDER = "주문을 찾을 수 없습니다. 주문번호를 확인하세요."
OTHER_PAYMENT = "이미 다른 PG 결제가 있는 주문입니다. PG 관리자 화면에서 결제를 확인하세요."
PAID_TO_BANK = "무통장입금 주문입니다. PG로 들어온 돈은 PG 관리자 화면에서 환불하세요."
PAID_OTHERWISE = "이미 다른 곳으로 돈이 들어온 주문입니다. PG로 들어온 돈은 PG 관리자 화면에서 환불하세요."
OF_BANK_ACCOUNT = "입금계좌의 알림입니다. 입금내역에서 주문에 연결하세요."
KNOWN_BY_NOW = "이미 주문이 있는 PG 결제입니다. PG 알림에서 '다시 처리'를 누르세요."
ONE_ONLY = "알림 한 건씩 주문에 연결합니다."
SAME_MONEY = frozenset({*BY_HAND, EntryKind.SHORTFALL})
"""Rows in whose place the money of a PG comes."""


def mark_test(
    *, problem_ids: Collection[int], actor: Any, at: datetime, reason: str, batch: Job | None = None
) -> Outcome:
    """PG 시험으로 표시: a notice for an order that never was; the notice is kept as a test."""

    def act(good: list[Case]) -> None:
        notices = [case.problem.notice_id for case in good]
        PgNotice.objects.filter(pk__in=notices).keep_as_test(at=at)

    with locked_cases(problem_ids, actor=actor) as cases:
        return resolve(
            cases, problem_ids, Resolution.PG_TEST, refusal=_not_a_notice, act=act,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip


def _not_a_notice(case: Case) -> str | None:
    return None if case.problem.kind == ProblemKind.UNKNOWN_ORDER and case.problem.notice_id else NOT_A_NOTICE


def attach(
    *,
    problem_ids: Collection[int],
    order_id: int | None,
    actor: Any,
    at: datetime,
    reason: str,
    batch: Job | None = None,
) -> Outcome:
    """주문에 연결: the payment of an order is the one that the notice is about; the PG is then asked as for any notice.

    `order_id` is None in a preview for which nobody has chosen an order yet. Refused for orders that are paid into our
    own bank account, and where money has come in another way: that of the PG would count as the same, and be lost.

    Money moves by the answer of the PG alone, so a wrong choice ends in 'PG와 다름' and books nothing.
    """
    with locked_cases(problem_ids, actor=actor, more=[order_id] if order_id else []) as cases:
        payment, unfit = _to_attach(order_id)

        def refusal(case: Case) -> str | None:
            if text := _not_a_notice(case):
                return text
            if len(problem_ids) > 1:
                return ONE_ONLY
            return _is_of_another(case.problem.notice) or (None if is_preview() and not order_id else unfit)

        def act(good: list[Case]) -> None:
            notice = PgNotice.objects.select_for_update(no_key=True).get(pk=good[0].problem.notice_id)
            if payment is None or is_preview():
                return
            payment.account_id, payment.order_ref = notice.account_id, notice.order_ref
            payment.payment_ref = notice.payment_ref
            payment.save(update_fields=["account", "order_ref", "payment_ref", "updated_at"])
            MoneyProblem.objects.filter(pk=good[0].problem.pk).update(order_id=order_id, payment=payment)
            good[0].problem.order_id = order_id
            mine = PgNotice.objects.filter(account_id=notice.account_id, order_ref=notice.order_ref)
            mine.hear_again(at=at, reason="attached")
            drains.notify(CHANNEL)

        return resolve(
            cases, problem_ids, Resolution.ATTACHED, refusal=refusal, act=act,
            actor=actor, at=at, reason=reason, batch=batch,
        )  # fmt: skip


def _is_of_another(notice: PgNotice | None) -> str | None:
    """Why no order can be chosen for a notice at all."""
    if notice is None or notice.kind == Kind.BANK:
        return OF_BANK_ACCOUNT
    known = Payment.objects.filter(account=notice.account_id, order_ref=notice.order_ref)
    return KNOWN_BY_NOW if known.exists() else None


def _to_attach(order_id: int | None) -> tuple[Payment | None, str | None]:
    """The payment of an order that can be that of a notice, or why there is none; the order is locked."""
    payments = list(Payment.objects.select_related("order").filter(order_id=order_id or 0).order_by("pk"))
    free = [one for one in payments if one.account_id is None]
    moved = LedgerEntry.objects.filter(payment__in=free).exclude(kind__in=SAME_MONEY)
    used = set(moved.values_list("payment_id", flat=True))
    if not payments:
        return None, NO_ORDER
    if not free:
        return None, OTHER_PAYMENT
    able = [one for one in free if one.method != PaymentMethod.BANK_TRANSFER]
    if not able:
        return None, PAID_TO_BANK
    found = next((one for one in able if one.pk not in used), None)
    return found, None if found else PAID_OTHERWISE
