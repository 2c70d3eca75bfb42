"""Settings of orders that staff may change."""

from core.settings_registry import Declared, declare

GROUP = "주문 기한"

DEPOSIT_DAYS = declare(
    Declared(
        "deposit_days",
        "입금기한(일)",
        GROUP,
        default=7,
        minimum=1,
        maximum=23,
        help="주문한 시각부터 이 기간 안에 입금하지 않으면 자동으로 취소합니다.",
    )
)
CONFIRM_DAYS = declare(
    Declared(
        "auto_confirm_days",
        "자동 구매확정(일)",
        GROUP,
        default=7,
        minimum=1,
        maximum=30,
        help="확인된 배송완료에서 이 기간이 지나면 자동으로 구매확정합니다.",
    )
)
DELIVERY_DAYS = declare(
    Declared(
        "delivery_days",
        "배송에 걸리는 날(일)",
        GROUP,
        default=3,
        minimum=0,
        maximum=14,
        help="보낸 날부터 도착까지 보통 걸리는 날입니다. 안심번호가 도착하기 전에 만료되는 주문을 알릴 때 씁니다.",
    )
)
SHIP_DAYS = declare(
    Declared(
        "ship_days",
        "발송기한(영업일)",
        GROUP,
        default=3,
        minimum=1,
        maximum=90,
        help="결제일 다음 날부터 세는 영업일입니다. 채널별 기한 규칙이 있으면 그 규칙을 씁니다.",
    )
)
