"""Kinds of events of payments."""

from core.events import kind

PAYMENT_SETTLED = kind("payment.settled", "원장 반영")
DEPOSIT_AWAITED = kind("payment.awaited", "입금 대기")
VIRTUAL_ISSUED = kind("virtual.issued", "가상계좌 발급")
NOTICE_REPLAYED = kind("notice.replayed", "알림 다시 처리")
PROBLEM_ASKED = kind("problem.asked", "차액 인정 신청")
PROBLEM_RESOLVED = kind("problem.resolved", "예외 입금 처리")

DEPOSIT_MATCHED = kind("deposit.matched", "자동입금확인")
DEPOSIT_QUEUED = kind("deposit.queued", "입금 확인 필요")
DEPOSIT_ALLOCATED = kind("deposit.allocated", "입금 연결")
DEPOSIT_UNALLOCATED = kind("deposit.unallocated", "입금 연결 취소")
DEPOSIT_IGNORED = kind("deposit.ignored", "입금 무시")
DEPOSIT_RETURNING = kind("deposit.returning", "입금 반환 신청")
DEPOSIT_RETURNED = kind("deposit.returned", "입금 반환")
DEPOSIT_KEPT = kind("deposit.kept", "입금 반환 철회")
DEPOSIT_REOPENED = kind("deposit.reopened", "입금 다시 확인")

REFUND_PREPARED = kind("refund.prepared", "환불 초안")
REFUND_REQUESTED = kind("refund.requested", "환불 신청")
REFUND_APPROVED = kind("refund.approved", "환불 승인")
REFUND_HELD = kind("refund.held", "환불보류")
REFUND_RELEASED = kind("refund.released", "환불보류 해제")
REFUND_WITHDRAWN = kind("refund.withdrawn", "환불 철회")
REFUND_SENT = kind("refund.sent", "환불 전송")
REFUND_POSTPONED = kind("refund.postponed", "환불 다시 대기")
REFUND_IN_DOUBT = kind("refund.in_doubt", "환불 결과 확인 중")
REFUND_ACCEPTED = kind("refund.accepted", "환불 접수")
REFUND_COMPLETED = kind("refund.completed", "환불완료")
REFUND_FAILED = kind("refund.failed", "환불 실패")
REFUND_REOPENED = kind("refund.reopened", "환불 다시 신청")
