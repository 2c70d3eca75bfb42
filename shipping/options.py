"""Settings of shipping that staff may change."""

from django.core.exceptions import ValidationError

from core.forms import ZIP
from core.phones import is_phone, normalize_phone
from core.settings_registry import Declared, declare
from shipping.couriers import COURIERS
from shipping.states import NoticeKind

GROUP = "배송"
SENDER_GROUP = "보내는 분"
METHOD_GROUP = "배송방법"
REMOTE_GROUP = "도서산간"
PRINT_GROUP = "송장 출력"
TRACKING_GROUP = "배송 예외"
PACK_GROUP = "포장 검수대"
NOTICE_GROUP = "고객 안내"


def _phone(text: str) -> None:
    if text and not is_phone(normalize_phone(text)):
        raise ValidationError("전화번호는 02-1234-5678처럼 입력하세요.")


def _zip(text: str) -> None:
    if text and not (text.isascii() and text.isdigit() and len(text) == 5):
        raise ValidationError(ZIP)


def _couriers() -> tuple[tuple[str, str], ...]:
    """Asked when a form is shown or a value is checked, never at import: the couriers are rows of a table."""
    return tuple((slug, courier.name) for slug, courier in COURIERS.items())


def _keeps_cj(slugs: list[str]) -> None:
    if "CJGLS" not in slugs:
        raise ValidationError("CJ대한통운 송장은 분류코드가 있어야 분류됩니다. CJ대한통운은 뺄 수 없습니다.")


DEFAULT_COURIER = declare(
    Declared(
        "default_courier",
        "기본 택배사",
        GROUP,
        default="CJGLS",
        choices=_couriers,
        help="송장번호를 입력할 때 먼저 골라 두는 택배사입니다.",
    )
)
OFFERED_COURIERS = declare(
    Declared(
        "offered_couriers",
        "쓰는 택배사",
        GROUP,
        default=["CJGLS", "HANJIN", "HYUNDAI", "KGB", "EPOST"],
        choices=_couriers,
        help="목록에서 송장번호를 넣을 때 고를 수 있는 택배사입니다. 파일로는 모든 택배사를 올릴 수 있습니다.",
    )
)
SENDER_NAME = declare(
    Declared("sender_name", "보내는 분 이름", SENDER_GROUP, default="", maximum=40, help="비우면 쇼핑몰 이름을 씁니다.")
)
SENDER_PHONE = declare(
    Declared("sender_phone", "보내는 분 전화번호", SENDER_GROUP, default="", maximum=20, validator=_phone)
)
SENDER_ZIP = declare(Declared("sender_zip", "보내는 분 우편번호", SENDER_GROUP, default="", maximum=5, validator=_zip))
SENDER_ADDRESS = declare(Declared("sender_address", "보내는 분 주소", SENDER_GROUP, default="", maximum=200))
PICKUP_PLACE = declare(
    Declared(
        "pickup_place",
        "방문수령 장소",
        METHOD_GROUP,
        default="",
        maximum=200,
        help="준비 완료 알림에 적는 장소입니다. 비우면 보내는 분 주소를 씁니다.",
    )
)
QUICK_DONE_HOURS = declare(
    Declared(
        "quick_done_hours",
        "퀵서비스 자동 배송완료(시간)",
        METHOD_GROUP,
        default=24,
        minimum=0,
        maximum=240,
        help="배차한 뒤 이 시간이 지나면 추정 배송완료로 바꿉니다. 0이면 바꾸지 않습니다.",
    )
)
DIRECT_DONE_DAYS = declare(
    Declared(
        "direct_done_days",
        "직접전달 자동 배송완료(일)",
        METHOD_GROUP,
        default=3,
        minimum=0,
        maximum=30,
        help="출고한 뒤 이 기간이 지나면 추정 배송완료로 바꿉니다. 0이면 바꾸지 않습니다.",
    )
)
PARCEL_DONE_DAYS = declare(
    Declared(
        "parcel_done_days",
        "택배·등기 자동 배송완료(일)",
        METHOD_GROUP,
        default=0,
        minimum=0,
        maximum=60,
        help="마지막 변동에서 이 기간이 지나면 추정 배송완료로 바꿉니다. 0이면 택배사 확인만 믿습니다.",
    )
)
LABEL_PAPER = declare(
    Declared(
        "label_paper",
        "송장 용지",
        PRINT_GROUP,
        default="roll",
        choices=(("cj", "CJ 표준 123×100mm"), ("roll", "100×150mm"), ("sheet", "A4 4칸")),
        help="출력할 때 따로 고르지 않으면 쓰는 용지입니다. 직원마다 송장·출력 화면에서 자기 용지를 고를 수 있습니다.",
    )
)
SORT_CODE_COURIERS = declare(
    Declared(
        "sort_code_couriers",
        "분류코드가 있어야 출력하는 택배사",
        PRINT_GROUP,
        default=["CJGLS"],
        choices=_couriers,
        validator=_keeps_cj,
        help="택배사가 알려 준 분류코드가 없으면 송장을 출력하지 않습니다. 계약에서 요구하는 택배사를 고르세요.",
    )
)
LABEL_NAME_MASK = declare(
    Declared(
        "label_name_mask",
        "송장의 이름 가림",
        PRINT_GROUP,
        default="MIDDLE",
        choices=(("MIDDLE", "가운데 글자 (홍*동)"), ("FIRST", "첫 글자만 보임 (홍**)")),
        help="개인정보보호위원회 안내(2021)보다 약하게는 할 수 없습니다. 택배사에는 가리지 않은 이름이 전달됩니다.",
    )
)
LABEL_PHONE_MASK = declare(
    Declared(
        "label_phone_mask",
        "송장의 전화번호 가림",
        PRINT_GROUP,
        default="LAST4",
        choices=(("LAST4", "뒤 네 자리 (010-1234-****)"), ("PREFIX", "앞자리만 보임 (010-****-****)")),
    )
)
LABEL_SAFE_NUMBER_WHOLE = declare(
    Declared(
        "label_safe_number_whole",
        "안심번호는 가리지 않음",
        PRINT_GROUP,
        default=False,
        help="0507로 시작하는 안심번호는 그 자체가 대신하는 번호라 그대로 적습니다.",
    )
)
LABEL_FEE = declare(
    Declared(
        "label_fee",
        "송장의 운임 구분",
        PRINT_GROUP,
        default="CREDIT",
        choices=(("CREDIT", "신용"), ("PREPAID", "선불"), ("COLLECT", "착불")),
        help="택배사와 맺은 계약의 운임 구분입니다.",
    )
)


def _base_url(text: str) -> None:
    if text and not text.startswith(("https://", "http://127.0.0.1")):
        raise ValidationError("https://로 시작하는 주소를 입력하세요.")
    if any(mark in text for mark in "?#@ "):
        raise ValidationError("주소에 ?, #, @와 빈칸은 쓸 수 없습니다.")


SHIPS_ON_SCAN = declare(
    Declared(
        "ships_on_scan",
        "집하 시 자동 배송중",
        TRACKING_GROUP,
        default=True,
        help="배송중 처리를 하지 않은 송장을 택배사가 집하하면 배송중으로 바꿉니다.",
    )
)
NO_PICKUP_HOURS = declare(
    Declared("no_pickup_hours", "미집하 표시(시간)", TRACKING_GROUP, default=24, minimum=1, maximum=240)
)
NO_PICKUP_DAYS = declare(
    Declared(
        "no_pickup_days",
        "미집하 예외(영업일)",
        TRACKING_GROUP,
        default=2,
        minimum=1,
        maximum=10,
        help="배송중 처리 뒤 이만큼의 영업일이 끝나도록 집하 스캔이 없으면 배송 예외에 올립니다.",
    )
)
STALLED_HOURS = declare(Declared("stalled_hours", "정체(시간)", TRACKING_GROUP, default=72, minimum=24, maximum=240))
LOST_DAYS = declare(Declared("lost_days", "분실 의심(일)", TRACKING_GROUP, default=7, minimum=2, maximum=30))
UNCOLLECTED_DAYS = declare(
    Declared("uncollected_days", "보관 중 미수령(일)", TRACKING_GROUP, default=3, minimum=1, maximum=14)
)
UNKNOWN_HOURS = declare(
    Declared("unknown_hours", "모르는 상태(시간)", TRACKING_GROUP, default=24, minimum=1, maximum=240)
)
CLAIM_DAYS = declare(
    Declared(
        "courier_claim_days",
        "택배사 배상 청구 기한(일)",
        TRACKING_GROUP,
        default=14,
        minimum=1,
        maximum=365,
        help="분실·파손을 안 날부터 셉니다. 계약서의 기한에 맞추세요. 배상 청구 파일에 적습니다.",
    )
)
PUBLIC_URL = declare(
    Declared(
        "public_url",
        "고객용 주소",
        TRACKING_GROUP,
        default="",
        maximum=120,
        validator=_base_url,
        help="고객이 이 프로그램에 닿는 주소입니다(https://…). 비우면 발송 알림에 배송조회 링크를 넣지 않습니다.",
    )
)
REMOTE_POLICY = declare(
    Declared(
        "remote_policy",
        "권역 나누기",
        REMOTE_GROUP,
        default="three",
        choices=(("three", "제주와 도서산간을 따로"), ("two", "제주와 도서산간을 같은 금액으로")),
        help="같은 금액이면 제주 추가 배송비를 도서산간에도 씁니다.",
    )
)
JEJU_SURCHARGE = declare(
    Declared(
        "jeju_surcharge",
        "제주 추가 배송비(원)",
        REMOTE_GROUP,
        default=0,
        minimum=0,
        maximum=100_000,
        help="택배사와 맺은 계약의 금액입니다. 지역마다 다른 금액은 아래 표에 적습니다.",
    )
)
ISLAND_SURCHARGE = declare(
    Declared("island_surcharge", "도서산간 추가 배송비(원)", REMOTE_GROUP, default=0, minimum=0, maximum=100_000)
)
PACK_CLOSES_ITSELF = declare(
    Declared(
        "pack_closes_itself",
        "마지막 품목을 찍으면 자동 완료",
        PACK_GROUP,
        default=True,
        help="끄면 '검수 완료'를 누르거나 CMD-DONE을 찍어야 끝납니다.",
    )
)
PACK_TAKES_QUANTITIES = declare(
    Declared(
        "pack_takes_quantities",
        "같은 상품 여러 개는 수량 입력 허용",
        PACK_GROUP,
        default=False,
        help="끄면 '수량 직접 확인'을 누를 때마다 한 개씩만 셉니다.",
    )
)
PACK_SHIPS = declare(
    Declared(
        "pack_ships",
        "출고까지 (배송중 처리)",
        PACK_GROUP,
        default=False,
        help="검수를 마치고 송장을 출력하면 바로 배송중으로 바꿉니다. 배송중 처리 권한이 있는 담당자만 할 수 있습니다.",
    )
)
PACK_IDLE_MINUTES = declare(
    Declared(
        "pack_idle_minutes",
        "자동 잠금 (분)",
        PACK_GROUP,
        default=10,
        minimum=1,
        maximum=120,
        help="이 시간 동안 스캔이 없으면 로그아웃합니다. 포장하던 내용은 그대로 남습니다.",
    )
)
PACK_SCAN_GAP = declare(
    Declared(
        "pack_scan_gap",
        "스캐너 글자 간격 (밀리초)",
        PACK_GROUP,
        default=80,
        minimum=30,
        maximum=150,
        help="글자 사이가 이보다 길면 사람이 친 것으로 봅니다. 느린 스캐너는 늘리세요.",
    )
)
NOTICE_TEXTS = {
    kind: declare(
        Declared(
            f"notice_text_{kind.value.lower()}",
            f"안내 문구: {kind.label}",
            NOTICE_GROUP,
            default=text,
            maximum=150,
            help="앞뒤에 주문번호, 택배사와 송장번호가 저절로 붙습니다." if kind == NoticeKind.WAYBILL else "",
        )
    )
    for kind, text in {
        NoticeKind.WAYBILL: "송장번호가 바뀌었습니다. 아래 번호로 배송을 조회해 주세요.",
        NoticeKind.LATE: "택배사 사정으로 배송이 늦어지고 있습니다.",
        NoticeKind.ADDRESS: "주소를 확인해야 배송할 수 있습니다. 쇼핑몰로 연락해 주세요.",
        NoticeKind.ABSENT: "택배사가 상품을 전달하지 못했습니다. 받으실 방법을 택배사에 알려 주세요.",
        NoticeKind.KEPT: "택배사가 상품을 보관하고 있습니다. 보관 장소에서 찾아가 주세요.",
        NoticeKind.OUT: "택배사가 배송을 시작했습니다.",
    }.items()
}
"""고객 안내: the shop's own words of each kind."""
NOTICE_AGAIN_HOURS = declare(
    Declared(
        "notice_again_hours",
        "같은 안내를 다시 보내는 간격(시간)",
        NOTICE_GROUP,
        default=24,
        minimum=1,
        maximum=168,
        help="직원이 같은 종류의 안내를 보낸 배송건에는 이 시간이 지나야 또 보낼 수 있습니다.",
    )
)
AUTO_NOTICES = {
    kind: declare(
        Declared(
            f"notice_auto_{kind.value.lower()}",
            f"자동 알림: {kind.label}",
            NOTICE_GROUP,
            default=False,
            help=f"택배사가 알려 준 '{told}'마다 상자에 한 번만 보냅니다. 3시간이 지난 소식은 보내지 않습니다.",
        )
    )
    for kind, told in {NoticeKind.OUT: "배송출발", NoticeKind.ABSENT: "미배달", NoticeKind.KEPT: "보관중"}.items()
}
"""배송 소식 알림: kinds that go out by themselves once the courier tells of them."""
