"""처음 규칙: the status rules that every shop starts with (shipping.md 1.1, 1.3, 1.5, 3.1, 3.2).

For tests of rules without a database. Shops have them as rows of a migration, and
tests/shipping/test_courier_tables.py proves that both say the same.
"""

from shipping.normalise import Rule
from shipping.states import RuleKind
from shipping.states import TrackingStage as Stage

WORDS = (
    # In this order, because later words are parts of earlier ones.
    ("반송 완료", Stage.RETURNED),
    ("반송|회송", Stage.RETURNING),
    ("분실|파손|사고|오배송|오배달|결재 불가|결제 불가", Stage.EXCEPTION),
    ("수취 거부|수취 거절", Stage.ATTEMPT_FAILED),
    ("주소 불명|주소 오류|고객 정보 오류|이사", Stage.ATTEMPT_FAILED),
    ("접수 취소|신청 취소|예약 취소|반품 취소", Stage.CANCELLED),
    ("미집화|미집하", Stage.PICKUP_FAILED),
    ("미배달|미배송|배달 불가|배송 불가|부재", Stage.ATTEMPT_FAILED),
    ("보관|점포 도착|무인함", Stage.AVAILABLE_FOR_PICKUP),
    ("배송 완료|배달 완료|인수자 등록|고객 전달", Stage.DELIVERED),
    ("배송 출발|배달 준비|배송 출고", Stage.OUT_FOR_DELIVERY),
    ("집하 지시|집하 요청|집하 접수|집하 대기|집화 지시|집화 요청|집화 접수|집화 대기", Stage.REGISTERED),
    ("집하|집화|인수|상품 인수|물품 인수", Stage.PICKED_UP),
)
GENERIC = {
    "tracker_delivery": {
        "INFORMATION_RECEIVED": Stage.REGISTERED, "AT_PICKUP": Stage.PICKED_UP, "IN_TRANSIT": Stage.IN_TRANSIT,
        "OUT_FOR_DELIVERY": Stage.OUT_FOR_DELIVERY, "ATTEMPT_FAIL": Stage.ATTEMPT_FAILED,
        "DELIVERED": Stage.DELIVERED, "AVAILABLE_FOR_PICKUP": Stage.AVAILABLE_FOR_PICKUP,
        "EXCEPTION": Stage.EXCEPTION,
    },
    "sweettracker": {
        "1": Stage.REGISTERED, "2": Stage.PICKED_UP, "3": Stage.IN_TRANSIT, "4": Stage.IN_TRANSIT,
        "5": Stage.OUT_FOR_DELIVERY, "6": Stage.DELIVERED,
    },
    # shipping.md calls it a scan on the way, others 배송출발: its words speak first.
    "hanjin": {"63": Stage.IN_TRANSIT},
}  # fmt: skip
"""Codes of a source, whatever the courier."""
CODES = {
    ("cj", "CJGLS"): {
        "01": Stage.REGISTERED, "11": Stage.PICKED_UP, "12": Stage.PICKUP_FAILED, "21": Stage.IN_TRANSIT,
        "41": Stage.IN_TRANSIT, "42": Stage.IN_TRANSIT, "44": Stage.IN_TRANSIT, "82": Stage.OUT_FOR_DELIVERY,
        "84": Stage.ATTEMPT_FAILED, "91": Stage.DELIVERED,
    },
    ("hanjin", "HANJIN"): {
        "01": Stage.REGISTERED, "05": Stage.REGISTERED, "11": Stage.PICKED_UP, "07": Stage.IN_TRANSIT,
        "31": Stage.IN_TRANSIT, "32": Stage.IN_TRANSIT, "66": Stage.DELIVERED,
        "92": Stage.ATTEMPT_FAILED, "03": Stage.CANCELLED, "08": Stage.PICKUP_FAILED, "14": Stage.IN_TRANSIT,
    },
}  # fmt: skip
EPOST = {
    "운송장출력": Stage.REGISTERED, "접수": Stage.REGISTERED, "접수 마감 후 접수(익일발송)": Stage.REGISTERED,
    "발송": Stage.IN_TRANSIT, "도착": Stage.IN_TRANSIT, "집하완료": Stage.PICKED_UP, "인수완료": Stage.PICKED_UP,
    "배달준비": Stage.OUT_FOR_DELIVERY, "배달완료": Stage.DELIVERED, "미배달": Stage.ATTEMPT_FAILED,
    "신청취소": Stage.CANCELLED, "접수취소": Stage.CANCELLED,
}  # fmt: skip
TEXTS = {"epost": EPOST, "epost_open": EPOST}

PRESETS: tuple[Rule, ...] = (
    *(
        Rule(kind=RuleKind.PATTERN, value=value, stage=stage, priority=10 * place, is_preset=True)
        for place, (value, stage) in enumerate(WORDS, start=1)
    ),
    *(
        Rule(kind=RuleKind.CODE, value=value, stage=stage, source=source, is_preset=True)
        for source, codes in GENERIC.items()
        for value, stage in codes.items()
    ),
    *(
        Rule(kind=RuleKind.CODE, value=value, stage=stage, source=source, courier=courier, is_preset=True)
        for (source, courier), codes in CODES.items()
        for value, stage in codes.items()
    ),
    *(
        Rule(kind=RuleKind.TEXT, value=value, stage=stage, source=source, is_preset=True)
        for source, texts in TEXTS.items()
        for value, stage in texts.items()
    ),
)
