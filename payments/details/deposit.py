"""입금 상세: one deposit with its ranked candidates, finished for the template; names are masked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import cells
from core.actions import actions_for
from core.exceptions import NotFound
from core.lists import Button
from core.masking import mask_name, mask_text
from core.people import named
from orders.columns import order_url
from orders.models import Order, OrderLine
from orders.states import CSS, LineState
from payments.columns.deposits import CSS as DEPOSIT_CSS
from payments.columns.deposits import deposit_url
from payments.columns.refunds import CSS as REFUND_CSS
from payments.columns.refunds import refund_url
from payments.details.refund_account import REVEAL, account_row
from payments.forms.refunds import RefundForm
from payments.matching import as_of_now, reason_words
from payments.models import BankDeposit, DepositAllocation, DepositCandidate, Refund
from payments.services.deposits.allocating import NOT_FOUND
from payments.states import ENDED, DepositState, MatchGrade, RefundState

SEE_REFUNDS = "payments.view_refund"
MATCH, RETURN = "payments.match_deposits", "payments.request_refund"


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """후보 한 줄."""

    order_id: int
    number: str
    url: str
    payer: str
    open_amount: int
    score: int
    words: str
    css: str
    state: str
    is_canceled: bool
    is_chosen: bool
    deadline: str


def find_deposit(pk: int) -> BankDeposit:
    """입금 찾기. Raises NotFound."""
    found = BankDeposit.objects.select_related("account", "decided_by").filter(pk=pk).first()
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


def return_form(data: Any = None) -> RefundForm:
    """반환 양식: money of no order goes nowhere but to an account."""
    form = RefundForm(data)
    form.mark_account()
    return form


def detail_context(deposit: BankDeposit, *, user: Any, at: datetime) -> dict[str, Any]:
    """상세 내용: facts, candidates while it waits, where its money went, what the person may do."""
    waits = deposit.state == DepositState.QUEUED
    candidates = candidates_of(deposit) if waits else []
    return {
        "title": "입금 확인",
        "thing": "입금",
        "subtitle": f"{cells.full_time(deposit.at)[:16]} · {deposit.amount:,}원",
        "deposit": deposit,
        "detail_url": deposit_url(deposit.pk),
        "badge": {"css": DEPOSIT_CSS[DepositState(deposit.state)], "label": deposit.get_state_display()},
        "why": reason_words(deposit.reason, deposit.explained),
        "when": cells.full_time(deposit.at),
        "depositor": mask_name(deposit.depositor),
        "memo": mask_text(deposit.memo),
        "candidates": candidates,
        "has_canceled": any(one.is_canceled for one in candidates),
        "links": links_of(deposit),
        "returns": returns_of(deposit) if user.has_perm(SEE_REFUNDS) else [],
        "may_reveal": user.has_perm(MATCH),
        "may_reveal_account": user.has_perm(REVEAL),
        "may_match": waits and user.has_perm(MATCH),
        "may_return": waits and user.has_perm(MATCH) and user.has_perm(RETURN),
        "form": return_form(),
        "buttons": [Button(one.name, one.label, one.style) for one in actions_for(BankDeposit, {deposit.state}, user)],
        "rows": f"{deposit.pk}:{deposit.version}",
        "page_name": "deposits",
        "decided": cells.short_time(deposit.decided_at, at),
        "decided_by": named(deposit.decided_by),
    }


def candidates_of(deposit: BankDeposit) -> list[CandidateRow]:
    """후보 주문 in their order, with what they want now; three queries."""
    found = list(DepositCandidate.objects.filter(deposit=deposit).order_by("rank", "pk"))
    orders = Order.objects.in_bulk([one.order_id for one in found])
    states = states_of(list(orders))
    best = len([one for one in found if one.grade in {MatchGrade.CERTAIN, MatchGrade.STRONG}]) == 1
    rows = []
    for place, one in enumerate(found):
        order, state = orders[one.order_id], states[one.order_id]
        score, words = as_of_now(one.score, one.words, gap=deposit.amount - (order.open_amount or order.due_amount))
        rows.append(
            CandidateRow(
                order_id=order.pk,
                number=order.number,
                url=order_url(order.number),
                payer=mask_name(order.depositor_name or order.buyer_name),
                open_amount=order.open_amount or order.due_amount,
                score=score,
                words=words,
                css=CSS[state],
                state=state.label,
                is_canceled=state in ENDED,
                is_chosen=one.is_summand or (best and place == 0),
                deadline=f"{cells.full_time(order.deposit_by)[5:16]}" if order.deposit_by else "",
            )
        )
    return rows


def clear_names(deposit: BankDeposit) -> list[dict[str, str]]:
    """후보와 연결한 주문의 이름 in the clear, in the order of the page; three queries.

    Those who match compare a deposit's name with the depositor that the order told, and with the buyer.
    """
    candidates = DepositCandidate.objects.filter(deposit=deposit).order_by("rank", "pk").values_list("order_id")
    linked = DepositAllocation.objects.filter(deposit=deposit).order_by("pk").values_list("payment__order_id")
    ids = list(dict.fromkeys(pk for (pk,) in (*candidates, *linked)))
    orders = Order.objects.in_bulk(ids)
    return [
        {
            "number": one.number,
            "url": order_url(one.number),
            "names": " · ".join(dict.fromkeys(filter(None, (one.depositor_name, one.buyer_name)))),
        }
        for one in (orders[pk] for pk in ids)
    ]


def states_of(order_ids: Sequence[int]) -> dict[int, LineState]:
    """주문 상태: that of the slowest line; one query."""
    found: dict[int, LineState] = {}
    ranks = {state.value: rank for rank, state in enumerate(LineState)}
    lines = OrderLine.objects.filter(order__in=order_ids).order_by("order_id", "seq")
    for order_id, state in lines.values_list("order_id", "state"):
        if order_id not in found or ranks[state] < ranks[found[order_id]]:
            found[order_id] = LineState(state)
    return found


def links_of(deposit: BankDeposit) -> list[dict[str, Any]]:
    """연결한 주문 with their shares; one query."""
    rows = DepositAllocation.objects.filter(deposit=deposit).order_by("pk")
    return [
        {"number": number, "url": order_url(number), "amount": amount, "is_voided": voided is not None}
        for number, amount, voided in rows.values_list("payment__order__number", "amount", "voided_at")
    ]


def returns_of(deposit: BankDeposit) -> list[dict[str, Any]]:
    """반환 환불 of a deposit, the newest first, each with its place in the list of refunds; one query."""
    rows = Refund.objects.filter(deposit=deposit).select_related("requested_by").order_by("-pk")
    return [
        {
            "url": refund_url(one.key),
            "key": str(one.key),
            "css": REFUND_CSS[RefundState(one.state)],
            "label": one.get_state_display(),
            "amount": one.amount,
            "who": named(one.requested_by),
            "when": cells.full_time(one.requested_at)[:16],
            "reason": one.reason,
            "account": account_row(one),
        }
        for one in rows
    ]
