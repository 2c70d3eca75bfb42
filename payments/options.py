"""Settings of payments that staff may change."""

from django.core.validators import RegexValidator

from core.settings_registry import Declared, declare

GROUP = "환불"
DEPOSITS = "입금"
FEES = "배송비"
ALARMS = "경보"
KEEPING = "보관"
MONEY = (DEPOSITS, GROUP, FEES, ALARMS, KEEPING)
"""Groups of the settings page 입금·환불, in its order."""

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
        DEPOSITS,
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
        KEEPING,
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
        KEEPING,
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
        DEPOSITS,
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
        DEPOSITS,
        default=3,
        minimum=1,
        maximum=20,
        help="한 주문의 고객에게 직원이 하루에 다시 보낼 수 있는 입금 안내의 수입니다.",
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
REFUSED_FROM = declare(
    Declared(
        "alarm_refused",
        "경보: 10분 동안 거절한 알림(건)",
        ALARMS,
        default=6,
        minimum=1,
        maximum=1_000,
        help="한 PG 계정에서 이만큼 인증에 실패하거나 PG가 모르는 결제면 키가 다르거나 누가 꾸며 보내는 것입니다.",
    )
)
FOREIGN_FROM = declare(
    Declared(
        "alarm_foreign",
        "경보: 하루 동안 다른 상점·다른 IP의 알림(건)",
        ALARMS,
        default=1,
        minimum=1,
        maximum=1_000,
        help="상점 아이디나 보낸 주소가 계정 설정과 다른 알림입니다. PG가 주소를 바꾸었거나 설정이 틀렸을 수 있습니다.",
    )
)
SILENT_HOURS = declare(
    Declared(
        "alarm_silent_hours",
        "경보: 알림이 없는 시간",
        ALARMS,
        default=24,
        minimum=1,
        maximum=720,
        help="입금을 기다리는 가상계좌가 있는데 PG 계정에서 이 시간 동안 아무 알림도 오지 않으면 알립니다.",
    )
)
OLD_CASE_DAYS = declare(
    Declared(
        "alarm_case_days",
        "경보: 처리하지 않은 예외 입금(영업일)",
        ALARMS,
        default=1,
        minimum=1,
        maximum=60,
        help="미확인·예외 입금이 이 영업일보다 오래 열려 있으면 알립니다.",
    )
)
FAILING_PERCENT = declare(
    Declared(
        "alarm_failing_percent",
        "경보: 한 시간 동안 PG 조회 실패(%)",
        ALARMS,
        default=20,
        minimum=1,
        maximum=100,
        help="한 PG 계정의 조회 가운데 이 비율이 넘게 실패하면 알립니다. 다섯 건에 못 미치는 실패는 세지 않습니다.",
    )
)
DEAD_FROM = declare(
    Declared(
        "alarm_dead",
        "경보: 처리하지 못한 알림(건)",
        ALARMS,
        default=1,
        minimum=1,
        maximum=1_000,
        help="모든 시도에 실패한 알림이나 그 뒤의 처리(계좌 닫기, 고객 안내)가 이만큼 남아 있으면 알립니다.",
    )
)
TAKEN_BACK_HOURS = declare(
    Declared(
        "alarm_taken_back_hours",
        "경보: 은행이 입금을 취소한 뒤 알리는 시간",
        ALARMS,
        default=24,
        minimum=1,
        maximum=720,
        help="은행이나 PG가 입금을 취소한 결제를 이 시간 동안 보여 줍니다.",
    )
)
ALARM_TO = declare(
    Declared(
        "alarm_to",
        "경보를 받을 휴대전화",
        ALARMS,
        default="",
        maximum=20,
        validator=RegexValidator(
            r"\A(0[0-9]{1,2}-?[0-9]{3,4}-?[0-9]{4})?\Z", "전화번호를 010-1234-5678처럼 입력하세요."
        ),
        help="비어 있으면 대시보드와 서버 기록에만 나타납니다. 같은 경보는 하루에 한 번 보냅니다.",
    )
)
ACCOUNT_DAYS = declare(
    Declared(
        "refund_account_days",
        "환불계좌를 두는 기간(일)",
        KEEPING,
        default=1_825,
        minimum=30,
        maximum=3_650,
        help="완료하거나 철회한 환불의 계좌와 예금주는 이 기간이 지나면 지웁니다. 금액과 PG 환불번호는 남습니다.",
    )
)
