"""States of payments and kinds of ledger rows."""

from django.db import models

from orders.states import LineState


class PaymentState(models.TextChoices):
    """결제 상태: a stored function of the ledger (domain.md 3.7)."""

    PENDING = "PENDING", "입금대기"
    PARTIAL = "PARTIAL", "부분입금"
    PAID = "PAID", "입금완료"
    OVERPAID = "OVERPAID", "초과입금"
    PART_REFUNDED = "PART_REFUNDED", "부분환불"
    REFUNDED = "REFUNDED", "환불"
    CANCELED = "CANCELED", "취소"


class EntryKind(models.TextChoices):
    """원장 구분: why money was credited or taken back."""

    MANUAL = "MANUAL", "수동 입금확인"
    MANUAL_REVERSAL = "MANUAL_REVERSAL", "입금확인 취소"
    PREPAID = "PREPAID", "채널 결제"
    # What never came and is not asked for any more; positive when it is accepted, negative when money takes its place.
    SHORTFALL = "SHORTFALL", "차액 인정"
    DEPOSIT = "DEPOSIT", "입금"
    REVERSAL = "REVERSAL", "입금 취소"
    REFUND = "REFUND", "환불"
    # The bank could not pay it out; the PG goes on counting it as refunded.
    REFUND_FAILED = "REFUND_FAILED", "환불 실패"
    # The PG itself no longer counts it.
    REFUND_UNDONE = "REFUND_UNDONE", "환불 취소"
    # Paid back past the PG: from the shop's bank account, or at the place of payment.
    PAID_OUT = "PAID_OUT", "직접 환불"


PAID_BACK = frozenset({EntryKind.REFUND, EntryKind.REFUND_FAILED, EntryKind.REFUND_UNDONE, EntryKind.PAID_OUT})
"""환불로 나간 돈: what these rows took away or brought back is the refunded sum of a payment."""
FROM_PG = frozenset({EntryKind.DEPOSIT, EntryKind.REVERSAL})
"""들어온 돈: what a PG or a bank says came in, and what of it the bank took back."""
BY_HAND = frozenset({EntryKind.MANUAL, EntryKind.MANUAL_REVERSAL})
BANK_PREFIX = "bank-"
"""무통장입금: begins the references of deposits into our own bank accounts, of which no PG knows anything."""
GOING_OUT = frozenset({EntryKind.REFUND, EntryKind.REFUND_UNDONE})
"""PG가 세는 환불: what a bank could not pay out still counts as refunded there (REFUND_FAILED is not among these)."""
ENDED = frozenset({LineState.CANCELED_UNPAID, LineState.CANCELED})
"""취소로 끝난 주문: stages of orders that are to hold no money; what comes for them waits for a person."""
PAYMENT_MOVES = tuple((a, b) for a in PaymentState for b in PaymentState if a != b)


class NoticeState(models.TextChoices):
    """알림 처리 상태: every event ends in one of them, none is dropped (payments.md 5.1)."""

    RECEIVED = "RECEIVED", "받음"
    RETRY = "RETRY", "재시도 대기"
    PROCESSED = "PROCESSED", "반영"
    IGNORED = "IGNORED", "변경 없음"
    REJECTED = "REJECTED", "거절"
    PARKED = "PARKED", "확인 필요"
    DEAD = "DEAD", "처리 실패"
    TEST = "TEST", "시험"


class VirtualState(models.TextChoices):
    """가상계좌 상태."""

    PENDING = "PENDING", "발급 중"
    ISSUED = "ISSUED", "발급"
    CLOSING = "CLOSING", "닫는 중"
    CLOSED = "CLOSED", "닫음"
    FAILED = "FAILED", "발급 실패"


class ProblemKind(models.TextChoices):
    """예외 종류 (payments.md 5.7)."""

    UNKNOWN_ORDER = "UNKNOWN_ORDER", "주문 없음"
    UNDERPAID = "UNDERPAID", "부분입금"
    OVERPAID = "OVERPAID", "초과입금"
    DUPLICATE_DEPOSIT = "DUPLICATE_DEPOSIT", "이중입금"
    LATE_AFTER_CANCEL = "LATE_AFTER_CANCEL", "취소 후 입금"
    LATE_AFTER_EXPIRE = "LATE_AFTER_EXPIRE", "기한 후 입금"
    CURRENCY = "CURRENCY", "다른 통화"
    UNCLEARED_CHEQUE = "UNCLEARED_CHEQUE", "미결제 수표"
    MISMATCH_WITH_PG = "MISMATCH_WITH_PG", "PG와 다름"
    ID_REUSE = "ID_REUSE", "이벤트 번호 중복"
    REVERSED_AFTER_RELEASE = "REVERSED_AFTER_RELEASE", "출고 뒤 입금 취소"
    REFUNDED_OUTSIDE = "REFUNDED_OUTSIDE", "밖에서 환불"
    REFUND_FAILED = "REFUND_FAILED", "환불 실패"
    REFUND_UNCOVERED = "REFUND_UNCOVERED", "환불할 돈 없음"


LATE_MONEY = frozenset({ProblemKind.LATE_AFTER_CANCEL, ProblemKind.LATE_AFTER_EXPIRE})
"""취소 후 입금: money that came for an order that was canceled, before its payment or with its refund (ENDED)."""
SURPLUS = (ProblemKind.OVERPAID, ProblemKind.DUPLICATE_DEPOSIT)
"""남는 돈: one case at most, or the same won would go back twice."""
WRONG_ON_THE_WAY = frozenset({ProblemKind.REVERSED_AFTER_RELEASE, ProblemKind.REFUNDED_OUTSIDE})
"""결제 확인: money that went away from orders which go on; their lines stay locked until a person has decided."""
OF_ORDER = frozenset({ProblemKind.UNDERPAID, ProblemKind.OVERPAID, ProblemKind.DUPLICATE_DEPOSIT, *WRONG_ON_THE_WAY})
"""주문의 예외: judged by all payments of an order together, so that an order has one of each at most."""


class ProblemStage(models.TextChoices):
    """예외의 단계, as its acts, lists and history know it."""

    OPEN = "OPEN", "처리 전"
    DONE = "DONE", "처리 완료"


class Resolution(models.TextChoices):
    """예외 처리."""

    FITS = "FITS", "저절로 맞음"
    ATTACHED = "ATTACHED", "주문에 연결"
    REVIVED = "REVIVED", "주문 되살림"
    ACCEPTED = "ACCEPTED", "차액 인정"
    REFUNDED = "REFUNDED", "환불 신청"
    PG_TEST = "PG_TEST", "PG 시험"
    NOTHING = "NOTHING", "조치 없음"


class DepositState(models.TextChoices):
    """입금내역 상태: where one row of a bank statement stands."""

    NEW = "NEW", "확인 중"
    MATCHED = "MATCHED", "자동확인"
    QUEUED = "QUEUED", "확인 필요"
    ALLOCATED = "ALLOCATED", "직접 연결"
    IGNORED = "IGNORED", "무시"
    RETURNING = "RETURNING", "반환 중"
    REFUNDED = "REFUNDED", "반환"


class DepositSource(models.TextChoices):
    """입금내역 출처."""

    FILE = "FILE", "파일"
    FEED = "FEED", "자동 수신"


class DepositReason(models.TextChoices):
    """확인이 필요한 까닭: why a deposit was not confirmed by itself (domain.md 1.2, payments.md 5.10)."""

    NO_ORDER = "NO_ORDER", "맞는 주문 없음"
    NAME_DIFFERS = "NAME_DIFFERS", "입금자 다름"
    NAME_WEAK = "NAME_WEAK", "입금자 일부만 같음"
    NAME_AMBIGUOUS = "NAME_AMBIGUOUS", "같은 주문 여럿"
    SEVERAL_ORDERS = "SEVERAL_ORDERS", "여러 주문 합계"
    ALREADY_CONFIRMED = "ALREADY_CONFIRMED", "이미 입금확인"
    TOLD_BEFORE = "TOLD_BEFORE", "다른 거래내역에 있음"
    UNDERPAID = "UNDERPAID", "부분입금"
    OVERPAID = "OVERPAID", "초과입금"
    LATE_AFTER_CANCEL = "LATE_AFTER_CANCEL", "취소 후 입금"
    UNDONE = "UNDONE", "연결 취소"


class MatchGrade(models.TextChoices):
    """일치 정도 of an order with a deposit."""

    CERTAIN = "CERTAIN", "확실"
    STRONG = "STRONG", "높음"
    WEAK = "WEAK", "낮음"
    AMOUNT = "AMOUNT", "금액만"


DEPOSIT_MOVES = (
    (DepositState.NEW, DepositState.MATCHED),
    (DepositState.NEW, DepositState.QUEUED),
    (DepositState.QUEUED, DepositState.MATCHED),
    (DepositState.QUEUED, DepositState.ALLOCATED),
    (DepositState.QUEUED, DepositState.IGNORED),
    (DepositState.MATCHED, DepositState.QUEUED),
    (DepositState.ALLOCATED, DepositState.QUEUED),
    (DepositState.IGNORED, DepositState.QUEUED),
    (DepositState.QUEUED, DepositState.RETURNING),
    (DepositState.RETURNING, DepositState.REFUNDED),
    (DepositState.RETURNING, DepositState.QUEUED),
)


class RefundState(models.TextChoices):
    """환불 상태 (payments.md 5.8, with 환불보류)."""

    DRAFT = "DRAFT", "승인 대기"
    HELD = "HELD", "환불보류"
    APPROVED = "APPROVED", "환불 대기"
    SENDING = "SENDING", "보내는 중"
    ACCEPTED = "ACCEPTED", "은행 이체 중"
    COMPLETED = "COMPLETED", "환불완료"
    FAILED = "FAILED", "환불 실패"
    UNKNOWN = "UNKNOWN", "결과 확인 중"
    WITHDRAWN = "WITHDRAWN", "철회"


class RefundWay(models.TextChoices):
    """환불 방법: who moves the money."""

    PG = "PG", "PG 환불"
    BANK = "BANK", "은행 이체"
    PROVIDER = "PROVIDER", "결제한 곳에서 직접"


REFUND_FIRST = (RefundState.DRAFT,)
REFUND_OPEN = (
    RefundState.DRAFT,
    RefundState.HELD,
    RefundState.APPROVED,
    RefundState.SENDING,
    RefundState.UNKNOWN,
)
"""States in which the money is promised and not yet in the ledger."""
REFUND_BOOKED = (RefundState.ACCEPTED, RefundState.COMPLETED)
REFUND_MOVES = (
    (RefundState.DRAFT, RefundState.APPROVED),
    (RefundState.DRAFT, RefundState.HELD),
    (RefundState.APPROVED, RefundState.HELD),
    (RefundState.HELD, RefundState.DRAFT),
    (RefundState.HELD, RefundState.APPROVED),
    (RefundState.DRAFT, RefundState.WITHDRAWN),
    (RefundState.HELD, RefundState.WITHDRAWN),
    (RefundState.APPROVED, RefundState.WITHDRAWN),
    (RefundState.FAILED, RefundState.WITHDRAWN),
    (RefundState.APPROVED, RefundState.SENDING),
    (RefundState.UNKNOWN, RefundState.SENDING),
    (RefundState.SENDING, RefundState.APPROVED),
    (RefundState.SENDING, RefundState.UNKNOWN),
    (RefundState.SENDING, RefundState.ACCEPTED),
    (RefundState.UNKNOWN, RefundState.ACCEPTED),
    (RefundState.SENDING, RefundState.COMPLETED),
    (RefundState.UNKNOWN, RefundState.COMPLETED),
    (RefundState.ACCEPTED, RefundState.COMPLETED),
    (RefundState.APPROVED, RefundState.COMPLETED),
    (RefundState.APPROVED, RefundState.FAILED),
    (RefundState.SENDING, RefundState.FAILED),
    (RefundState.UNKNOWN, RefundState.FAILED),
    (RefundState.ACCEPTED, RefundState.FAILED),
    (RefundState.FAILED, RefundState.DRAFT),
)


class ReceiptPurpose(models.TextChoices):
    """현금영수증 용도."""

    INCOME = "INCOME", "소득공제"
    EXPENSE = "EXPENSE", "지출증빙"


class ReceiptState(models.TextChoices):
    """현금영수증 상태."""

    ISSUED = "ISSUED", "발급"
    CANCELED = "CANCELED", "취소"
