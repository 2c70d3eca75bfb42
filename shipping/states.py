"""Codes of shipping: how an order leaves the house, where a box stands, what the courier says about it."""

from typing import Self

from django.db import models

from orders.states import TRACKED, DeliveryMethod


class ColouredChoices(models.TextChoices):
    """Codes written as (code, colour class, Korean label); `css` goes to the badge partial."""

    css: str

    def __new__(cls, code: str, css: str = "") -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.css = css
        return member


class ParcelState(ColouredChoices):
    """상자 상태: what we did with a box; what the courier says is its TrackingStage."""

    CREATED = "CREATED", "s-ready", "송장 미등록"
    NUMBERED = "NUMBERED", "s-ready", "송장 등록"
    PRINTED = "PRINTED", "s-ready", "송장 출력"
    HANDED_OVER = "HANDED_OVER", "s-shipping", "출고"
    DELIVERED = "DELIVERED", "s-delivered", "배송완료"
    RETURNING = "RETURNING", "s-closed", "반송중"
    RETURNED = "RETURNED", "s-closed", "반송완료"
    LOST = "LOST", "s-closed", "분실"
    VOID = "VOID", "s-confirmed", "송장 삭제"


class PackingState(models.TextChoices):
    """포장 상태 of a shipment on the bench."""

    OPEN = "OPEN", "포장 중"
    PACKED = "PACKED", "포장 완료"


class ScanVerdict(models.TextChoices):
    """스캔 판정: kept with every scan, for questions about quality."""

    OK = "OK", "담음"
    WRONG = "WRONG", "다른 상품"
    OVER = "OVER", "수량 초과"
    UNKNOWN = "UNKNOWN", "모르는 바코드"
    STOP = "STOP", "포장 중지"
    OPENED = "OPENED", "배송건 열기"
    LABEL = "LABEL", "송장 확인"
    COMMAND = "COMMAND", "명령"
    REFUSED = "REFUSED", "받지 않음"


class Signal(models.TextChoices):
    """신호: what the bench sounds and shows; each has a sound, a colour, an icon and words of its own (ux.md 3.1)."""

    OK = "ok", "확인"
    WRONG = "wrong", "다른 상품"
    OVER = "over", "수량 초과"
    UNKNOWN = "unknown", "모르는 바코드"
    STOP = "stop", "포장 중지"
    DONE = "done", "검수 완료"


class TrackingStage(ColouredChoices):
    """배송단계: the 14 canonical answers of every courier (shipping.md 3.1)."""

    NO_INFO = "NO_INFO", "s-confirmed", "미집하"
    REGISTERED = "REGISTERED", "s-confirmed", "운송장 등록"
    PICKUP_FAILED = "PICKUP_FAILED", "s-closed", "미집화"
    PICKED_UP = "PICKED_UP", "s-shipping", "집하"
    IN_TRANSIT = "IN_TRANSIT", "s-shipping", "이동중"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY", "s-shipping", "배송출발"
    ATTEMPT_FAILED = "ATTEMPT_FAILED", "s-closed", "미배달"
    AVAILABLE_FOR_PICKUP = "AVAILABLE_FOR_PICKUP", "s-shipping", "보관중"
    DELIVERED = "DELIVERED", "s-delivered", "배송완료"
    RETURNING = "RETURNING", "s-closed", "반송중"
    RETURNED = "RETURNED", "s-closed", "반송완료"
    EXCEPTION = "EXCEPTION", "s-closed", "배송사고"
    CANCELLED = "CANCELLED", "s-closed", "접수취소"
    UNKNOWN = "UNKNOWN", "s-confirmed", "확인필요"


class Reason(models.TextChoices):
    """사유: what an attempt failed on, or what happened to the goods."""

    NONE = "", "없음"
    ABSENT = "ABSENT", "부재"
    REFUSED = "REFUSED", "수취거부"
    ADDRESS = "ADDRESS", "주소 오류"
    LOST = "LOST", "분실"
    DAMAGED = "DAMAGED", "파손"
    MISDELIVERED = "MISDELIVERED", "오배송"


class RuleKind(models.TextChoices):
    """규칙 종류: what a status rule compares (shipping.md 3.2)."""

    TEXT = "TEXT", "문구가 같음"
    CODE = "CODE", "코드가 같음"
    PATTERN = "PATTERN", "낱말이 들어 있음"


class TrackingAlert(models.TextChoices):
    """추적 오류: why a person must look at a box; none of them moves anything (shipping.md 3.3, 4.4)."""

    NUMBER_INVALID = "NUMBER_INVALID", "택배사가 모르는 송장번호"
    NUMBER_REUSED = "NUMBER_REUSED", "다른 배송에 쓰인 송장번호"
    DELIVERED_AFTER_RETURN = "DELIVERED_AFTER_RETURN", "반송 뒤 배송완료"
    DELIVERY_DISPUTED = "DELIVERY_DISPUTED", "배송완료 확인 필요"
    EXPIRED = "EXPIRED", "30일 동안 배송완료 없음"


class ExceptionKind(models.TextChoices):
    """배송 예외 종류: why a person must look at a box (shipping.md 3.3 to 3.5)."""

    NO_PICKUP = "NO_PICKUP", "미집하"
    PICKUP_FAILED = "PICKUP_FAILED", "미집화"
    NOT_SHIPPED = "NOT_SHIPPED", "출고 전 집하"
    CARRIER_CANCELLED = "CARRIER_CANCELLED", "택배사 접수취소"
    STALLED = "STALLED", "정체"
    SUSPECTED_LOST = "SUSPECTED_LOST", "분실 의심"
    LOST = "LOST", "분실"
    ATTEMPT_FAILED = "ATTEMPT_FAILED", "미배달 반복"
    ADDRESS = "ADDRESS", "주소 문제"
    REFUSED = "REFUSED", "수취 거부"
    UNCOLLECTED = "UNCOLLECTED", "보관 중 미수령"
    DAMAGED = "DAMAGED", "파손"
    MISDELIVERED = "MISDELIVERED", "오배송"
    ACCIDENT = "ACCIDENT", "배송사고"
    RETURNING = "RETURNING", "반송"
    RETURNED = "RETURNED", "반송 도착"
    AFTER_RETURN = "AFTER_RETURN", "반송 뒤 배송완료"
    NUMBER_INVALID = "NUMBER_INVALID", "송장번호 오류"
    NUMBER_REUSED = "NUMBER_REUSED", "다른 배송의 번호"
    CANCELLED_BUT_SCANNED = "CANCELLED_BUT_SCANNED", "삭제한 송장 집하"
    DELIVERY_DISPUTED = "DELIVERY_DISPUTED", "배송완료 확인"
    TRACKING_EXPIRED = "TRACKING_EXPIRED", "조회 종료"
    UNKNOWN_STATUS = "UNKNOWN_STATUS", "모르는 상태"


class NoticeKind(models.TextChoices):
    """고객 안내 종류: what a buyer is told about a delivery on its way."""

    WAYBILL = "WAYBILL", "송장번호 변경"
    LATE = "LATE", "배송 지연"
    ADDRESS = "ADDRESS", "주소 확인"
    ABSENT = "ABSENT", "배달 실패"
    KEPT = "KEPT", "보관 중"
    OUT = "OUT", "배송출발"


class ExceptionStage(models.TextChoices):
    """배송 예외 단계."""

    OPEN = "OPEN", "처리 전"
    DONE = "DONE", "처리 완료"


class ExceptionOutcome(models.TextChoices):
    """배송 예외 결과: how a case ended; ITSELF is the courier's own news."""

    ITSELF = "ITSELF", "저절로 해결"
    SOLVED = "SOLVED", "택배사가 해결"
    AGREED = "AGREED", "고객과 확인"
    RESENT = "RESENT", "재발송"
    CLAIMED = "CLAIMED", "택배사 배상"
    NOTHING = "NOTHING", "조치 없음"
    CORRECTED = "CORRECTED", "송장 정정"


class Direction(models.TextChoices):
    """방향: where a box goes."""

    OUT = "OUT", "발송"
    RETURN = "RETURN", "반품"
    EXCHANGE = "EXCHANGE", "교환"


class ContractMode(models.TextChoices):
    """번호를 받는 방법: the ways of shipping.md 5.2 that a contract with a courier may take."""

    RANGE = "RANGE", "송장번호 대역"
    CJ_API = "CJ_API", "CJ대한통운 API"
    EPOST_API = "EPOST_API", "우체국 API"
    HANJIN_API = "HANJIN_API", "한진택배 API"
    COURIER_FILE = "COURIER_FILE", "택배사 프로그램 (엑셀)"
    GOODSFLOW = "GOODSFLOW", "굿스플로 (엑셀)"
    HAND = "HAND", "직접 입력·스캔"


API_MODES = (ContractMode.CJ_API, ContractMode.EPOST_API, ContractMode.HANJIN_API)
ROUTING_MODES = (ContractMode.CJ_API,)
"""Couriers that tell the sort code of an address apart from a number."""


class WaybillSource(models.TextChoices):
    """송장번호 출처: by which of the ways a parcel came to its number; empty for those before the column."""

    RANGE = "RANGE", "대역"
    API = "API", "택배사 API"
    FILE = "FILE", "파일"
    TYPED = "TYPED", "직접 입력"
    SCANNED = "SCANNED", "스캔"


class NumberState(ColouredChoices):
    """송장번호 발급 상태: the life of a number that a contract gives us (shipping.md 5.3)."""

    REQUESTED = "REQUESTED", "s-ready", "번호 요청"
    RESERVED = "RESERVED", "s-ready", "번호 받음"
    REGISTERED = "REGISTERED", "s-ready", "택배사 접수"
    USED = "USED", "s-delivered", "사용"
    VOID = "VOID", "s-confirmed", "폐기"
    ABANDONED = "ABANDONED", "s-closed", "포기"


class CancelState(models.TextChoices):
    """접수 취소: what became of the courier's booking of a number that we gave up."""

    NONE = "", "없음"
    DUE = "DUE", "취소할 것"
    DONE = "DONE", "취소함"
    REFUSED = "REFUSED", "취소 거절"


N = NumberState
OPEN_NUMBERS = (N.REQUESTED, N.RESERVED, N.REGISTERED)
"""States of a number that no parcel bears yet and that nobody gave up."""
NUMBER_MOVES = (
    (N.REQUESTED, N.RESERVED),
    (N.REQUESTED, N.REGISTERED),
    (N.REQUESTED, N.VOID),
    (N.REQUESTED, N.ABANDONED),
    (N.RESERVED, N.REGISTERED),
    (N.RESERVED, N.USED),
    (N.RESERVED, N.VOID),
    (N.RESERVED, N.ABANDONED),
    (N.REGISTERED, N.USED),
    (N.REGISTERED, N.VOID),
    (N.REGISTERED, N.ABANDONED),
    (N.USED, N.VOID),
    (N.VOID, N.USED),  # 송장 정정 taken back, by the very shipment
)
FIRST_NUMBER_STATES = (N.REQUESTED, N.RESERVED)

P = ParcelState
PARCEL_MOVES = (
    (P.CREATED, P.NUMBERED),
    (P.NUMBERED, P.PRINTED),
    (P.NUMBERED, P.HANDED_OVER),
    (P.PRINTED, P.HANDED_OVER),
    (P.HANDED_OVER, P.NUMBERED),
    (P.CREATED, P.VOID),
    (P.NUMBERED, P.VOID),
    (P.PRINTED, P.VOID),
    (P.HANDED_OVER, P.DELIVERED),
    (P.DELIVERED, P.HANDED_OVER),
    (P.HANDED_OVER, P.RETURNING),
    (P.RETURNING, P.HANDED_OVER),
    (P.HANDED_OVER, P.RETURNED),
    (P.RETURNING, P.RETURNED),
    (P.HANDED_OVER, P.LOST),
    (P.RETURNING, P.LOST),
    (P.LOST, P.HANDED_OVER),
    # 송장 정정 of what has left: the box goes on under another number, in a row of its own.
    (P.HANDED_OVER, P.VOID),
    (P.DELIVERED, P.VOID),
    (P.RETURNING, P.VOID),
    (P.RETURNED, P.VOID),
)
FIRST_PARCEL_STATES = (P.CREATED, P.NUMBERED)

__all__ = [
    "API_MODES",
    "FIRST_NUMBER_STATES",
    "FIRST_PARCEL_STATES",
    "NUMBER_MOVES",
    "OPEN_NUMBERS",
    "ROUTING_MODES",
    "PARCEL_MOVES",
    "TRACKED",
    "CancelState",
    "ColouredChoices",
    "ContractMode",
    "DeliveryMethod",
    "Direction",
    "ExceptionKind",
    "ExceptionOutcome",
    "ExceptionStage",
    "NoticeKind",
    "NumberState",
    "PackingState",
    "ParcelState",
    "Reason",
    "RuleKind",
    "ScanVerdict",
    "Signal",
    "TrackingAlert",
    "TrackingStage",
    "WaybillSource",
]
