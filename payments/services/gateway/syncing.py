"""다시 조회: a person asks the PG about one payment and has the answer applied at once, its refunds included."""

from datetime import datetime

from core.exceptions import Conflict, NotFound
from payments.adapters.base import Denied, NotAtPg, PgProblem
from payments.models import Payment
from payments.services.gateway.refund_checking import judge_paid_out
from payments.services.notices import fetching
from payments.services.notices.questions import PATIENCE, AskedElsewhere
from payments.services.snapshots.applying import Fetched
from payments.states import NoticeState, RefundState

NOT_FOUND = "PG 결제를 찾을 수 없습니다. 화면을 새로 고치세요."
WORDS = {
    "busy": "다른 직원이 이 주문을 처리하고 있습니다. 잠시 뒤 다시 조회하세요.",
    "stale_answer": "더 새로운 조회를 먼저 반영했습니다. 화면을 새로 고치세요.",
    "currency": "원화가 아닌 결제입니다. 예외 입금에서 확인하세요.",
    "mismatch_with_pg": "PG의 금액이나 주문번호가 우리와 다릅니다. 예외 입금에서 확인하세요.",
}
RESULTS = {
    RefundState.COMPLETED: "환불 {won:,}원의 이체가 끝났습니다.",
    RefundState.FAILED: "은행이 환불 {won:,}원을 입금하지 못했습니다. 환불 관리에서 다른 환불계좌로 다시 신청하세요.",
}
"""What became of refunds that a bank was paying out."""


def sync_now(*, payment_id: int, at: datetime) -> str:
    """PG 다시 조회; the sentence that says what became of it. Outside any transaction.

    Raises NotFound, and Conflict when the PG gave no answer that can be applied.
    """
    payment = Payment.objects.select_related("account").filter(pk=payment_id, account__isnull=False).first()
    if payment is None:
        raise NotFound(NOT_FOUND)
    answer = fetching.fetch([payment], patience=PATIENCE)[payment.pk]
    if isinstance(answer, PgProblem):
        raise Conflict(_words(answer), code="pg_problem")
    return _told(answer, at=at)


def _told(answer: Fetched, *, at: datetime) -> str:
    applied, decided = judge_paid_out(answer, at=at)
    if decided:
        return " ".join(RESULTS[RefundState(one.state)].format(won=one.amount) for one in decided)
    if applied.state == NoticeState.PROCESSED:
        return "PG의 내용을 반영했습니다."
    if applied.state == NoticeState.IGNORED:
        return "변경 없음: PG의 결제와 우리 원장이 같습니다."
    raise Conflict(
        WORDS.get(applied.reason, "PG의 답을 반영하지 못했습니다. 잠시 뒤 다시 조회하세요."), code=applied.reason
    )


def _words(problem: PgProblem) -> str:
    if isinstance(problem, NotAtPg):
        return "PG가 모르는 결제입니다. 주문 참조를 확인하세요."
    if isinstance(problem, Denied):
        return "PG가 우리 키를 거절했습니다. 설정의 PG 계정을 확인하세요."
    if isinstance(problem, AskedElsewhere):
        return f"{problem.message} 잠시 뒤 다시 조회하세요."
    return "PG에서 응답이 없습니다. 잠시 뒤 다시 조회하세요."
