"""Settings of payments that staff may change."""

from core.settings_registry import Declared, declare
from orders.states import CouponRule

GROUP = "환불"
FEES = "배송비"

SECOND_FROM = declare(
    Declared(
        "refund_second_from",
        "다른 사람이 승인하는 환불(원)",
        GROUP,
        default=300_000,
        minimum=0,
        maximum=1_000_000_000,
        help="이 금액부터는 신청한 사람이 아닌 직원이 승인해야 돈이 나갑니다. 0이면 모든 환불이 그렇습니다.",
    )
)
SECOND_A_DAY = declare(
    Declared(
        "refund_second_a_day",
        "혼자 승인하는 하루 환불 합계(원)",
        GROUP,
        default=1_000_000,
        minimum=0,
        maximum=1_000_000_000,
        help="한 사람이 하루에 신청한 환불이 이 금액을 넘으면 그 뒤의 환불은 다른 직원이 승인합니다.",
    )
)
DIFFERENCE_FROM = declare(
    Declared(
        "difference_second_from",
        "다른 사람이 인정하는 차액(원)",
        "입금",
        default=0,
        minimum=0,
        maximum=1_000_000_000,
        help="부족하거나 남는 금액이 이 금액부터면 신청한 직원과 다른 직원이 인정합니다. 0이면 모든 차액이 그렇습니다.",
    )
)
BODY_DAYS = declare(
    Declared(
        "pg_request_days",
        "웹훅 원문을 그대로 두는 기간(일)",
        "보관",
        default=90,
        minimum=30,
        maximum=1_825,
        help="이 기간이 지난 원문은 이름과 계좌번호 같은 개인정보를 가린 글로 바꿉니다.",
    )
)
REQUEST_YEARS = declare(
    Declared(
        "pg_request_years",
        "웹훅 기록을 보관하는 기간(년)",
        "보관",
        default=5,
        minimum=5,
        maximum=10,
        help="대금결제 기록은 법에 따라 5년 동안 보관합니다. 그 뒤에는 지웁니다.",
    )
)
AGAIN_AFTER = declare(
    Declared(
        "account_again_minutes",
        "입금 안내를 다시 보내는 간격(분)",
        "입금",
        default=60,
        minimum=1,
        maximum=1_440,
        help="직원이 입금 안내를 다시 보낸 주문에는 이 시간이 지나야 또 보낼 수 있습니다.",
    )
)
AGAIN_A_DAY = declare(
    Declared(
        "account_again_a_day",
        "하루에 다시 보내는 입금 안내(건)",
        "입금",
        default=3,
        minimum=1,
        maximum=20,
        help="한 주문의 고객에게 직원이 하루에 다시 보낼 수 있는 입금 안내의 수입니다.",
    )
)
COUPON_RULE = declare(
    Declared(
        "refund_coupon_rule",
        "쿠폰 최소금액에 못 미치게 된 주문",
        GROUP,
        default=CouponRule.KEEP_SHARE.value,
        choices=tuple(CouponRule.choices),
    )
)
FREE_FROM = declare(
    Declared(
        "shipping_free_from",
        "무료배송 기준(원)",
        FEES,
        default=50_000,
        minimum=0,
        maximum=100_000_000,
        help="상품금액이 이 금액 이상이면 배송비를 받지 않습니다. 0이면 무료배송이 없습니다.",
    )
)
BASIC_FEE = declare(
    Declared("shipping_basic_fee", "기본 배송비(원)", FEES, default=3_000, minimum=0, maximum=1_000_000)
)
RETURN_FEE = declare(
    Declared("shipping_return_fee", "반품 배송비 편도(원)", FEES, default=3_000, minimum=0, maximum=1_000_000)
)
