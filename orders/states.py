"""States, locks and bits of orders: value, Korean label, Cafe24 code and colour in one place."""

from django.db import models


class LineState(models.TextChoices):
    """품목 상태: where one line stands (domain.md 3.2); N21 and N22 are shown, not stored."""

    AWAITING_PAYMENT = "AWAITING_PAYMENT", "입금대기"
    PREPARING = "PREPARING", "상품준비중"
    READY = "READY", "배송준비중"
    SHIPPING = "SHIPPING", "배송중"
    DELIVERED = "DELIVERED", "배송완료"
    CONFIRMED = "CONFIRMED", "구매확정"
    CANCELED_UNPAID = "CANCELED_UNPAID", "입금전취소"
    CANCELED = "CANCELED", "취소완료"
    RETURNED = "RETURNED", "반품완료"
    EXCHANGED = "EXCHANGED", "교환완료"
    MOVED = "MOVED", "분리이동"


S = LineState

# (state, Cafe24 code, css class, bit of Order.steps)
LINE_STATES = (
    (S.AWAITING_PAYMENT, "N00", "s-awaiting", 1),
    (S.PREPARING, "N10", "s-preparing", 2),
    (S.READY, "N20", "s-ready", 4),
    (S.SHIPPING, "N30", "s-shipping", 8),
    (S.DELIVERED, "N40", "s-delivered", 16),
    (S.CONFIRMED, "N50", "s-confirmed", 32),
    (S.CANCELED_UNPAID, "C48", "s-closed", 64),
    (S.CANCELED, "C40", "s-closed", 128),
    (S.RETURNED, "R40", "s-closed", 256),
    (S.EXCHANGED, "E40", "s-closed", 512),
    (S.MOVED, "", "s-closed", 0),
)
CODE = {state: code for state, code, _, _ in LINE_STATES}
CSS = {state: css for state, _, css, _ in LINE_STATES}
BIT = {state: bit for state, _, _, bit in LINE_STATES}

# Further bits of Order.steps: facts of its open lines that tabs and badges ask for.
BIT_STANDBY = 1 << 10
BIT_HELD = 1 << 11
BIT_UNACKNOWLEDGED = 1 << 12
BIT_UNMAPPED = 1 << 13
BIT_CLAIM = 1 << 14
BIT_IN_STOCK = 1 << 15
BIT_PARTLY = 1 << 16
BIT_OUT_OF_STOCK = 1 << 17

# The order in which a line travels; an order stands where its slowest active line stands.
TRAVEL = (S.AWAITING_PAYMENT, S.PREPARING, S.READY, S.SHIPPING, S.DELIVERED, S.CONFIRMED)
ACTIVE = frozenset(TRAVEL)
OPEN = frozenset(TRAVEL[:-1])
CLOSED = frozenset(S) - ACTIVE
WITHOUT_BENEFITS = (S.CANCELED_UNPAID, S.CANCELED)
"""An order whose lines all ended so keeps neither coupon nor points."""
OPEN_BITS = sum(BIT[state] for state in OPEN)
ENDED_BITS = sum(BIT[state] for state in CLOSED)
CLOSED_STEPS = (S.CONFIRMED, S.CANCELED_UNPAID, S.CANCELED, S.RETURNED, S.EXCHANGED)
"""States whose orders are counted by deltas, because they only ever grow."""

LINE_MOVES = (
    (S.AWAITING_PAYMENT, S.PREPARING),  # T3
    (S.PREPARING, S.AWAITING_PAYMENT),  # T5
    (S.AWAITING_PAYMENT, S.CANCELED_UNPAID),  # T4
    (S.CANCELED_UNPAID, S.AWAITING_PAYMENT),  # T24
    (S.PREPARING, S.READY),  # T7
    (S.READY, S.PREPARING),  # T8
    (S.READY, S.SHIPPING),  # T11
    (S.SHIPPING, S.READY),  # T12, and 재발송 after the first scan
    (S.SHIPPING, S.DELIVERED),  # T13
    (S.DELIVERED, S.SHIPPING),  # T14
    (S.SHIPPING, S.CONFIRMED),  # T15
    (S.DELIVERED, S.CONFIRMED),  # T15
    (S.CONFIRMED, S.DELIVERED),  # T16
    (S.CONFIRMED, S.SHIPPING),  # T16 of a line that was confirmed on the way
    (S.PREPARING, S.CANCELED),  # T19
    (S.READY, S.CANCELED),  # T19
)
FIRST_STATES = (S.AWAITING_PAYMENT, S.PREPARING)


class CanceledBy(models.TextChoices):
    """취소 주체, as the buyer is told it: of unpaid lines Cafe24 C47, C48, C49; of paid ones whose fault it was."""

    BUYER = "BUYER", "고객"
    DEADLINE = "DEADLINE", "기한 지남"
    STAFF = "STAFF", "관리자"


CANCELED_CODE = {CanceledBy.BUYER: "C47", CanceledBy.DEADLINE: "C48", CanceledBy.STAFF: "C49"}


class Fault(models.TextChoices):
    """귀책: who causes a cancel or return; decides who pays for the delivery (domain.md 3.4, 3.6)."""

    BUYER = "BUYER", "고객"
    SELLER = "SELLER", "판매자"
    NONE = "NONE", "없음"


class ReturnTrip(models.TextChoices):
    """반송: how often a parcel travels because of a claim; once for a return, twice for an exchange."""

    NONE = "NONE", "없음"
    ONE_WAY = "ONE_WAY", "편도"
    ROUND_TRIP = "ROUND_TRIP", "왕복"


class CouponRule(models.TextChoices):
    """쿠폰 최소금액: what happens when a partial return takes the order below it."""

    KEEP_SHARE = "KEEP_SHARE", "남은 품목의 쿠폰 할인을 그대로 둡니다"
    FORFEIT = "FORFEIT", "남은 품목의 쿠폰 할인을 회수합니다"


class DeliveredBy(models.TextChoices):
    """배송완료 확인 구분: what proves the delivery (domain.md D9)."""

    TRACKER = "TRACKER", "택배사 확인"
    STAFF = "STAFF", "직접 처리"
    BUYER = "BUYER", "고객 확인"
    DAYS = "DAYS", "기간 경과"
    RIDER = "RIDER", "기사 확인"
    CODE = "CODE", "수령 코드"
    DISPATCH = "DISPATCH", "발송 즉시"


class ConfirmedBy(models.TextChoices):
    """구매확정 구분."""

    BUYER = "BUYER", "고객"
    STAFF = "STAFF", "관리자"
    DAYS = "DAYS", "자동"


class StockVerdict(models.TextChoices):
    """재고 판정 of a line that waits in 상품준비중."""

    ALL = "ALL", "전량"
    PARTLY = "PARTLY", "일부"
    NONE = "NONE", "없음"


class PaymentMethod(models.TextChoices):
    """결제수단."""

    BANK_TRANSFER = "BANK_TRANSFER", "무통장입금"
    VIRTUAL_ACCOUNT = "VIRTUAL_ACCOUNT", "가상계좌"
    CARD = "CARD", "신용카드"
    EASY_PAY = "EASY_PAY", "간편결제"
    MARKET = "MARKET", "마켓결제"


PREPAID_METHODS = frozenset({PaymentMethod.CARD, PaymentMethod.EASY_PAY, PaymentMethod.MARKET})


class DeliveryMethod(models.TextChoices):
    """배송방법: how an order leaves the house; what couriers carry needs a waybill (domain.md 2.5, shipping.md 7)."""

    PARCEL = "PARCEL", "택배"
    REGISTERED = "REGIST", "등기"
    QUICK = "QUICK", "퀵서비스"
    VISIT = "VISIT", "방문수령"
    DIRECT = "DIRECT", "직접전달"
    NONE = "NONE", "배송없음"

    @property
    def is_tracked(self) -> bool:
        """Whether a courier carries it under a number that can be asked about."""
        return self in TRACKED

    @property
    def naver_code(self) -> str:
        """Code of the method at SmartStore."""
        return _NAVER_METHOD[self]


TRACKED = (DeliveryMethod.PARCEL, DeliveryMethod.REGISTERED)
"""Methods with courier and number; SmartStore calls both DELIVERY, 택배/등기/소포."""

_NAVER_METHOD = {
    DeliveryMethod.PARCEL: "DELIVERY",
    DeliveryMethod.REGISTERED: "DELIVERY",
    DeliveryMethod.QUICK: "QUICK_SVC",
    DeliveryMethod.VISIT: "VISIT_RECEIPT",
    DeliveryMethod.DIRECT: "DIRECT_DELIVERY",
    DeliveryMethod.NONE: "NOTHING",
}
METHOD_OF_NAVER = {
    "DELIVERY": DeliveryMethod.PARCEL,
    "GDFW_ISSUE_SVC": DeliveryMethod.PARCEL,
    "QUICK_SVC": DeliveryMethod.QUICK,
    "VISIT_RECEIPT": DeliveryMethod.VISIT,
    "DIRECT_DELIVERY": DeliveryMethod.DIRECT,
    "NOTHING": DeliveryMethod.NONE,
}
"""배송방법 by SmartStore's code; those of returns stand with the claims."""


class RemoteZone(models.IntegerChoices):
    """권역: where a delivery goes, by its address when the order came in (shipping.md 6.3)."""

    MAINLAND = 1, "내륙"
    JEJU = 2, "제주"
    ISLAND = 3, "도서산간"


class BenefitKind(models.TextChoices):
    """혜택 종류: what the mall gave the buyer and the order spent."""

    COUPON = "COUPON", "쿠폰"
    POINTS = "POINTS", "적립금"


class BenefitAct(models.TextChoices):
    """혜택 원장 구분."""

    USED = "USED", "사용"
    RESTORED = "RESTORED", "돌려줌"


class LockKind(models.TextChoices):
    """잠금 종류: how a person or an upper app stops a transition."""

    HOLD = "HOLD", "배송보류"
    ADDRESS = "ADDRESS", "주소 변경"
    MAPPING = "MAPPING", "품목 연결"
    DEPOSIT_PENDING = "DEPOSIT_PENDING", "입금 확인 중"
    PAYMENT = "PAYMENT", "결제 확인"
    CLAIM = "CLAIM", "클레임"
    DELIVERY = "DELIVERY", "배송 확인"


# (kind, bit of OrderLine.open_locks, blocked transitions, Korean refusal)
LOCKS = (
    (
        LockKind.CLAIM,
        1,
        (
            "acknowledge",
            "make_ready",
            "register_waybill",
            "ship",
            "confirm_purchase",
            "confirm_after_days",
            "cancel",
            "resend",
        ),
        "취소·반품·교환 신청이 있어 처리할 수 없습니다. 먼저 신청을 확인하세요.",
    ),
    (LockKind.HOLD, 2, ("make_ready", "register_waybill", "ship"), "배송보류 중입니다. 사유: {self.hold_reason}"),
    (
        LockKind.PAYMENT,
        4,
        ("make_ready", "register_waybill", "ship", "confirm_after_days", "cancel", "resend"),
        "결제를 확인하고 있습니다. 결제 내역을 먼저 확인하세요.",
    ),
    (LockKind.MAPPING, 8, ("make_ready",), "연결되지 않은 상품입니다. 품목 연결 화면에서 우리 품목을 골라 주세요."),
    (LockKind.ADDRESS, 16, ("ship",), "주소가 바뀌었습니다. 송장을 다시 등록한 뒤 출고하세요."),
    (
        LockKind.DELIVERY,
        64,
        ("confirm_after_days",),
        "배송완료가 맞는지 확인하고 있습니다. 배송 예외에서 먼저 처리하세요.",
    ),
    (LockKind.DEPOSIT_PENDING, 32, ("cancel_unpaid",), "확인을 기다리는 입금이 있습니다. 입금 내역을 먼저 확인하세요."),
)
LOCK_BIT = {kind: bit for kind, bit, _, _ in LOCKS}
LOCK_TEXT = {kind: text for kind, _, _, text in LOCKS}


def blocking(open_locks: int, transition_name: str) -> LockKind | None:
    """The first open lock that blocks the transition, in the order of `LOCKS`; None when it is free."""
    if not open_locks:
        return None
    for kind, bit, blocked, _ in LOCKS:
        if open_locks & bit and transition_name in blocked:
            return kind
    return None
