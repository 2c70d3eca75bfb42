"""What an order file can say, and how the columns of one layout say it.

A `Field` is one fact of ours, a `Rule` tells where it stands in a file and what has to be done to it. The known layouts
give the column names of each field; staff give rules for any other file. Source: domain.md 4.2, 4.4, 4.6.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Reads(StrEnum):
    """읽는 법: which function of core.excel.values makes the value."""

    TEXT = "text"
    NUMBER = "number"
    PHONE = "phone"
    ZIP = "zip"
    COUNT = "count"
    WON = "won"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Field:
    """항목: one fact of an order or of one of its lines; `of_order` facts must agree on all rows of the order."""

    key: str
    label: str
    reads: Reads
    of_order: bool = True
    help: str = ""


FIELDS: tuple[Field, ...] = (
    Field("order_number", "주문번호", Reads.NUMBER, help="같은 값이 여러 행에 있으면 한 주문으로 봅니다."),
    Field("line_number", "품목별 주문번호", Reads.NUMBER, of_order=False),
    Field("ordered_at", "주문일시", Reads.MOMENT),
    Field("paid_at", "결제일시", Reads.MOMENT, help="비어 있으면 입금대기 주문입니다."),
    Field("status", "주문상태", Reads.TEXT, of_order=False),
    Field("status_detail", "세부상태", Reads.TEXT, of_order=False),
    Field("acknowledged_at", "발주확인일", Reads.MOMENT, of_order=False, help="있으면 발주확인한 품목입니다."),
    Field("claimed", "수량클레임 여부", Reads.TEXT, of_order=False),
    Field("refunded", "환불금액", Reads.WON, of_order=False),
    Field("shipped_at", "발송처리일", Reads.MOMENT, of_order=False),
    Field("waybill", "송장번호", Reads.TEXT, of_order=False),
    Field("mall", "쇼핑몰", Reads.TEXT),
    Field("buyer_name", "주문자", Reads.TEXT),
    Field("buyer_phone", "주문자 연락처", Reads.PHONE),
    Field("buyer_email", "주문자 이메일", Reads.TEXT),
    Field("recipient_name", "수령자", Reads.TEXT),
    Field("recipient_phone", "수령자 연락처", Reads.PHONE),
    Field("recipient_phone2", "수령자 연락처2", Reads.PHONE),
    Field("safe_number_end", "안심번호 만료일", Reads.MOMENT, help="050 번호를 쓸 수 있는 마지막 날입니다."),
    Field("zip_code", "우편번호", Reads.ZIP),
    Field("address1", "주소", Reads.TEXT),
    Field("address2", "상세주소", Reads.TEXT),
    Field("jibun_address", "지번주소", Reads.TEXT, help="주소 열이 도로명주소일 때 함께 남깁니다."),
    Field("full_address", "통합 주소", Reads.TEXT, help="주소가 비어 있을 때만 씁니다."),
    Field("delivery_note", "배송메시지", Reads.TEXT),
    Field("delivery_method", "배송방법", Reads.TEXT),
    Field("ship_by", "발송기한", Reads.MOMENT),
    Field("payment_method", "결제수단", Reads.TEXT),
    Field("depositor_name", "입금자명", Reads.TEXT),
    Field("shipping_fee", "배송비", Reads.WON),
    Field("shipping_discount", "배송비 할인", Reads.WON),
    Field("shipping_kind", "배송비 형태", Reads.TEXT, help="착불이면 배송비를 더하지 않습니다."),
    Field("shipping_group", "배송비 묶음", Reads.TEXT, of_order=False, help="묶음마다 배송비를 한 번 더합니다."),
    Field("coupon_amount", "쿠폰 할인", Reads.WON),
    Field("points_amount", "적립금 사용", Reads.WON),
    Field("order_discount", "주문 할인", Reads.WON),
    Field("order_total", "결제금액", Reads.WON, help="계산한 금액이 더 크면 차이를 할인으로 접수합니다."),
    Field("product_code", "상품번호", Reads.NUMBER, of_order=False),
    Field("product_name", "상품명", Reads.TEXT, of_order=False),
    Field("option_name", "옵션", Reads.TEXT, of_order=False),
    Field("option_code", "우리 품목코드", Reads.NUMBER, of_order=False),
    Field("product_sku", "우리 상품코드", Reads.NUMBER, of_order=False, help="옵션이 없는 상품에만 씁니다."),
    Field("quantity", "수량", Reads.COUNT, of_order=False),
    Field("unit_price", "판매가", Reads.WON, of_order=False),
    Field("option_price", "옵션가", Reads.WON, of_order=False, help="판매가에 더합니다."),
    Field("line_amount", "품목 금액", Reads.WON, of_order=False, help="수량을 곱한 금액입니다. 판매가 대신 씁니다."),
    Field("line_discount", "품목 할인", Reads.WON, of_order=False),
    Field("line_total", "품목 결제금액", Reads.WON, of_order=False, help="할인을 뺀 금액입니다."),
)
BY_KEY: Mapping[str, Field] = {one.key: one for one in FIELDS}
NEEDED = ("order_number", "recipient_name", "product_name", "quantity")
"""Every layout must give these; of the pairs in NEEDED_ONE_OF at least one."""
NEEDED_ONE_OF = (("address1", "full_address"), ("unit_price", "line_amount"), ("ordered_at", "paid_at"))


class Pick(StrEnum):
    """여러 행: what holds when an order spans several rows."""

    SAME = "same"
    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Rule:
    """열 맞추기 규칙: one field's column by its label, or a fixed value, and what is done to the cell.

    `factor` is a decimal text: the amount times it, rounded half up to won. `date_format` is a strptime pattern, ""
    reads every spelling we know.
    """

    column: str = ""
    fixed: str = ""
    factor: str = ""
    date_format: str = ""
    pick: Pick = Pick.SAME

    def as_json(self) -> dict[str, str]:
        """What is stored: only what was said."""
        return {key: str(value) for key, value in asdict(self).items() if value and value != Pick.SAME}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Rule":
        """The rule out of its stored form; unknown keys are ignored."""
        known = {key: str(stored[key]) for key in ("column", "fixed", "factor", "date_format") if key in stored}
        return cls(**known, pick=Pick(stored.get("pick", Pick.SAME)))


class Standing(StrEnum):
    """주문상태가 뜻하는 것: whether a row with this status can become an order of ours."""

    UNPAID = "unpaid"
    PAID = "paid"
    SHIPPED = "shipped"
    CANCELED = "canceled"
    CLAIMED = "claimed"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Layout:
    """파일 양식: names of the columns, by which it is known, and what its status words mean.

    `signature` names must all be there for a file to be of this layout. `prepaid` says that a file without a payment
    date column holds paid orders.
    """

    kind: str
    columns: Mapping[str, tuple[str, ...]]
    signature: tuple[str, ...]
    statuses: Mapping[str, Standing] = field(default_factory=dict)
    prepaid: bool = False
    picks: Mapping[str, Pick] = field(default_factory=dict)
