"""Kinds of events of payments."""

from core.events import kind

PAYMENT_SETTLED = kind("payment.settled", "원장 반영")

DEPOSIT_MATCHED = kind("deposit.matched", "자동입금확인")
DEPOSIT_QUEUED = kind("deposit.queued", "입금 확인 필요")
DEPOSIT_ALLOCATED = kind("deposit.allocated", "입금 연결")
DEPOSIT_UNALLOCATED = kind("deposit.unallocated", "입금 연결 취소")
DEPOSIT_IGNORED = kind("deposit.ignored", "입금 무시")
DEPOSIT_REOPENED = kind("deposit.reopened", "입금 다시 확인")
