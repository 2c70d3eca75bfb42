"""Shapes of the API. Amounts are whole won, instants ISO 8601 with a zone, states Cafe24 codes (N00, N10 …)."""

import re
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from ninja import Schema
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictInt,
    ValidationInfo,
    field_validator,
)

from channels.services.limits import MOST_LINES, MOST_PRICE, MOST_QUANTITY
from core.calendar import KST
from core.phones import is_phone, normalize_phone
from core.text import one_line
from orders.contact import kept_end

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}.*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NO_PHONE = " -.()"
"""What stands in the field of somebody who gave no number."""


def _text_only(value: Any) -> Any:
    """Numbers, as numbers or as text, would be read as seconds since 1970: only ISO text is an instant here."""
    if isinstance(value, datetime) or (isinstance(value, str) and _ISO.fullmatch(value.strip())):
        return value
    raise ValueError("ISO 8601 일시여야 합니다. 예: 2026-09-21T10:00:00+09:00")


def _day_only(value: Any) -> Any:
    """A day as text: numbers would be read as seconds since 1970, and an instant is on another day elsewhere."""
    if isinstance(value, str) and _DAY.fullmatch(value.strip()):
        return value
    raise ValueError("날짜여야 합니다. 예: 2026-12-31")


def _as_text(value: Any) -> Any:
    """Nothing and whole numbers as text."""
    return "" if value is None else str(value) if isinstance(value, int) else value


def _dialled(text: str) -> str:
    """A number that can be dialled, as it was sent, or none at all; never a part of one."""
    if not text.strip(_NO_PHONE):
        return ""
    if not is_phone(normalize_phone(text)):
        raise ValueError("전화번호는 010-1234-5678처럼 보내세요. 번호가 없으면 항목을 빼고 보내세요.")
    return text


def _seoul(moment: datetime) -> str:
    return moment.astimezone(KST).isoformat(timespec="seconds")


Moment = Annotated[datetime, PlainSerializer(_seoul, return_type=str, when_used="unless-none")]
"""Going out, always on the clock of Seoul."""
Instant = Annotated[AwareDatetime, BeforeValidator(_text_only)]
Day = Annotated[date, BeforeValidator(_day_only)]
Phone = Annotated[str, AfterValidator(_dialled)]
Unread = Annotated[str, BeforeValidator(_as_text), Field(max_length=100)]
"""What a PG's window hands over and nobody reads: any short text, or a number."""
Won = Annotated[StrictInt, Field(ge=0, le=MOST_PRICE)]


class Method(StrEnum):
    """결제수단."""

    BANK_TRANSFER = "BANK_TRANSFER"
    VIRTUAL_ACCOUNT = "VIRTUAL_ACCOUNT"
    CARD = "CARD"
    EASY_PAY = "EASY_PAY"
    MARKET = "MARKET"


class Delivery(StrEnum):
    """배송방법."""

    PARCEL = "PARCEL"
    REGISTERED = "REGIST"
    QUICK = "QUICK"
    VISIT = "VISIT"
    DIRECT = "DIRECT"
    NONE = "NONE"


class Sent(Schema):
    """What comes in: unknown names are refused (reliability.md T10), texts are cleaned as in the forms of staff."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @field_validator("*", mode="before")
    @classmethod
    def _clean(cls, value: Any) -> Any:
        return one_line(value) if isinstance(value, str) else value


class BuyerIn(Sent):
    """주문자."""

    name: str = Field(min_length=1, max_length=60, description="주문자 이름")
    phone: Phone = Field("", max_length=20, description="연락처")
    email: str = Field("", max_length=254, pattern=r"^$|^[^@\s]+@[^@\s]+$", description="이메일")


class RecipientIn(Sent):
    """수령자."""

    name: str = Field(min_length=1, max_length=60, description="수령자 이름")
    phone: Phone = Field("", max_length=20, description="연락처")
    phone2: Phone = Field("", max_length=20, description="다른 연락처")
    zip_code: str = Field("", pattern=r"^$|^[0-9]{5}$", description="우편번호 5자리")
    address1: str = Field(
        min_length=1,
        max_length=200,
        description="주소. 택배사와 송장에 쓰는 주소입니다. 도로명과 지번을 다 알면 도로명주소를 보내세요.",
    )
    address2: str = Field("", max_length=200, description="상세주소")
    jibun_address: str = Field("", max_length=200, description="지번주소. address1이 도로명주소일 때 함께 보냅니다.")
    safe_number_end_date: Day | None = Field(
        None, description="안심번호(050)를 쓸 수 있는 마지막 날. 예: 2026-12-31. 안심번호가 아니면 빼고 보내세요."
    )

    @field_validator("safe_number_end_date")
    @classmethod
    def _of_a_safe_number(cls, day: date | None, info: ValidationInfo) -> date | None:
        phones = [info.data.get(name) for name in ("phone", "phone2")]
        if day is not None and None not in phones and kept_end(day, *map(str, phones)) is None:
            raise ValueError("안심번호(050)가 아닌 연락처에는 만료일이 없습니다. 항목을 빼고 보내세요.")
        return day


class PgIn(Sent):
    """PG 결제: 구매자가 우리 PG 계정에서 결제하거나 가상계좌를 연 참조. PG가 확인해 준 것만 믿습니다."""

    account: str = Field(min_length=1, max_length=20, pattern=r"^[-a-zA-Z0-9_]+$", description="설정의 PG 계정 코드")
    order_ref: str = Field(
        min_length=1,
        max_length=64,
        pattern=r"^[\x21-\x7e]+$",
        description="PG에 보낸 주문번호. 토스 orderId, 포트원 paymentId, 나이스페이 orderId, 이니시스 oid",
    )
    payment_key: str = Field(
        "",
        max_length=200,
        pattern=r"^[\x21-\x7e]*$",
        description="PG의 거래번호. 토스 paymentKey, 나이스페이와 이니시스 tid. 포트원은 비워 둡니다.",
    )
    bank: Unread = Field("", description="가상계좌 은행. 보내도 되지만 PG가 알려 준 것을 씁니다.")
    number: Unread = Field("", description="가상계좌 번호. 보내도 되지만 PG가 알려 준 것을 씁니다.")
    due_at: Unread = Field("", description="가상계좌 입금기한. 보내도 되지만 PG가 알려 준 것을 씁니다.")


class PaymentIn(Sent):
    """결제: MARKET과 pg가 없는 CARD, EASY_PAY는 결제한 주문으로, 나머지는 입금대기로 접수합니다.

    pg가 있는 주문은 PG가 결제를 확인하면 저절로 상품준비중이 됩니다. 결제창에서만 가상계좌를 여는 PG 계정은
    VIRTUAL_ACCOUNT에도 pg를 보냅니다.
    """

    method: Method = Field(description="결제수단")
    paid_at: Instant | None = Field(None, description="결제일시. 없으면 주문일시로 봅니다.")
    depositor_name: str = Field("", max_length=60, description="입금자명")
    deposit_by: Instant | None = Field(None, description="입금기한. 없으면 채널의 기한 규칙을 씁니다.")
    pg: PgIn | None = Field(None, description="우리 PG 계정의 결제창에서 결제하거나 가상계좌를 연 주문의 결제 참조")


class AmountsIn(Sent):
    """주문 금액: 품목마다 나누어 저장합니다."""

    discount: Won = Field(0, description="주문 할인(원)")
    coupon: Won = Field(0, description="쿠폰 할인(원)")
    points: Won = Field(0, description="적립금 사용(원)")
    shipping_fee: Won = Field(0, description="배송비(원)")


class LineIn(Sent):
    """품목."""

    channel_number: str = Field("", max_length=60, description="채널의 품목번호")
    product_code: str = Field("", max_length=100, description="채널의 상품번호. 없으면 상품명으로 구분합니다.")
    product_name: str = Field(min_length=1, max_length=200, description="상품명")
    option_name: str = Field("", max_length=200, description="옵션")
    sku: str = Field("", max_length=60, description="우리 품목코드. 있으면 바로 연결합니다.")
    quantity: StrictInt = Field(ge=1, le=MOST_QUANTITY, description="수량")
    unit_price: Won = Field(description="판매가(원)")
    discount: Annotated[StrictInt, Field(ge=0, le=10**14)] = Field(0, description="품목 할인(원)")


class OrderIn(Sent):
    """주문 접수."""

    channel_number: str = Field(
        min_length=1, max_length=60, description="채널 주문번호. 같은 번호는 한 번만 접수합니다."
    )
    ordered_at: Instant = Field(description="주문일시")
    buyer: BuyerIn
    recipient: RecipientIn
    payment: PaymentIn
    amounts: AmountsIn = Field(default_factory=lambda: AmountsIn.model_validate({}))
    delivery_method: Delivery = Field(Delivery.PARCEL, description="배송방법")
    delivery_note: str = Field("", max_length=500, description="배송메시지")
    ship_by: Instant | None = Field(None, description="발송기한")
    lines: list[LineIn] = Field(min_length=1, max_length=MOST_LINES, description="품목")


class ConfirmIn(Sent):
    """구매확정."""

    lines: list[Annotated[str, Field(max_length=20)]] | None = Field(
        None, min_length=1, max_length=MOST_LINES, description="품목별 주문번호. 없으면 확정할 수 있는 모든 품목입니다."
    )


class LineOut(Schema):
    """품목."""

    number: str = Field(description="품목별 주문번호")
    channel_number: str
    state: str = Field(description="상태 코드. 예: N10")
    product_name: str
    option_name: str
    sku: str | None = Field(description="우리 품목코드. 연결 전이면 null입니다.")
    quantity: int
    unit_price: int
    amount: int = Field(description="할인을 뺀 품목 금액(원)")
    ship_by: Moment | None
    shipped_at: Moment | None
    delivered_at: Moment | None
    confirmed_at: Moment | None


class AmountsOut(Schema):
    """금액(원)."""

    goods: int
    discount: int
    coupon: int
    points: int
    shipping_fee: int
    due: int = Field(description="결제예정액")
    paid: int = Field(description="입금액")


class AccountOut(Schema):
    """가상계좌."""

    bank: str = Field(description="금융결제원 은행 코드 3자리. PG가 달라도 같습니다. 예: 004")
    bank_name: str = Field(description="은행 이름")
    number: str = Field(description="계좌번호")
    holder: str = Field(description="예금주")
    due_at: Moment = Field(description="입금기한")


class OrderOut(Schema):
    """주문."""

    number: str = Field(description="주문번호")
    channel_number: str = Field(description="채널 주문번호")
    state: str = Field(description="상태 코드. 예: N00")
    ordered_at: Moment
    paid_at: Moment | None
    deposit_by: Moment | None
    amounts: AmountsOut
    account: AccountOut | None = Field(None, description="발급된 가상계좌. 없으면 null입니다.")
    account_state: str | None = Field(
        None,
        description="가상계좌 상태. pending 발급 중, problem 담당자 확인 필요, issued 발급, closed 닫음, "
        "failed 발급 실패, 없으면 null",
    )
    pg_state: str | None = Field(
        None,
        description="PG 결제 상태. pending 확인 중, confirmed 확인, refunded 환불, problem 담당자 확인 필요, "
        "pg 없이 접수한 주문이면 null",
    )
    lines: list[LineOut]


class CountOut(Schema):
    """조건에 맞는 건수. 통합주문조회 화면의 건수와 같습니다."""

    total: int = Field(description="주문 건수")
    lines: int | None = Field(description="품목 건수. 세지 않았으면 null입니다.")
    is_least: bool = Field(description="true이면 total보다 많을 수 있습니다. exact=1을 보내면 끝까지 셉니다.")


class OrderPage(Schema):
    """주문 목록의 한 쪽."""

    items: list[dict[str, Any]] = Field(description="주문. 개인정보는 가려져 있습니다.")
    count: CountOut | None = Field(description="건수. 첫 쪽에만 있고, after나 before를 보내면 null입니다.")
    before: str = Field(description="앞 쪽의 커서. 없으면 빈 글자입니다.")
    after: str = Field(description="다음 쪽의 커서. 없으면 빈 글자입니다.")


class BenefitsOut(Schema):
    """쿠폰과 적립금(원). 자사몰이 구매자의 쿠폰과 적립금에 그대로 반영합니다."""

    act: str = Field(description="RESTORED: 돌려주었습니다. USED: 되살린 주문이 다시 사용했습니다.")
    coupon: int
    points: int


class EventOut(Schema):
    """변경 한 건."""

    id: int
    at: Moment
    kind: str = Field(description="종류. 예: line.shipped")
    label: str = Field(description="종류의 한국어 이름")
    order: str = Field(description="주문번호")
    line: str = Field(description="품목별 주문번호. 주문 전체의 변경이면 빈 글자입니다.")
    from_code: str = Field(description="이전 상태 코드")
    to_code: str = Field(description="다음 상태 코드")
    benefits: BenefitsOut | None = Field(description="이 품목이 돌려받거나 다시 쓴 쿠폰과 적립금. 없으면 null입니다.")


class EventPage(Schema):
    """변경 목록."""

    events: list[EventOut]
    next: int = Field(description="다음에 보낼 after 값")
    more: bool = Field(description="바로 더 받을 것이 있는지")


class ErrorOut(Schema):
    """오류."""

    code: str = Field(description="오류 코드")
    message: str = Field(description="무엇이 왜 안 되는지와 할 일")
