"""양식의 항목: what a column of a courier's file may hold, by a code that templates store."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.calendar import kst_date
from core.excel.columns import Kind
from core.masking import mask_address, mask_name, mask_phone
from core.phones import format_phone
from orders.columns import zone_text
from orders.models import Order, OrderLine
from orders.states import DeliveryMethod
from shipping.couriers import courier_name
from shipping.models import Shipment

LONGEST = 300
"""Characters of joined item names; couriers' programs cut or refuse more."""


@dataclass(frozen=True, slots=True)
class Sender:
    """보내는 분, from the settings."""

    name: str
    phone: str
    zip_code: str
    address: str


@dataclass(frozen=True, slots=True)
class FileLine:
    """양식의 품목: a line, or the same goods of several lines as one."""

    numbers: Sequence[str]
    product_name: str
    option_name: str
    quantity: int

    @classmethod
    def of(cls, line: OrderLine) -> "FileLine":
        return cls((line.number,), line.product_name, line.option_name, line.quantity)

    def plus(self, other: "FileLine") -> "FileLine":
        """The same goods with those of another line."""
        return replace(self, numbers=(*self.numbers, *other.numbers), quantity=self.quantity + other.quantity)


@dataclass(frozen=True, slots=True)
class FileRow:
    """양식의 한 줄: a shipment, the orders and lines that the row tells of, and the one line of a row for each.

    The orders of a merged shipment have the same receiver; the first stands for all in what they share.
    """

    shipment: Shipment
    orders: Sequence[Order]
    lines: Sequence[FileLine]
    line: FileLine | None
    sender: Sender
    join_text: str


Value = Callable[[FileRow], Any]


@dataclass(frozen=True, slots=True)
class FileField:
    """항목 하나: code, label for the editor, and where its value comes from."""

    code: str
    label: str
    value: Value
    kind: Kind = Kind.TEXT
    width: int = 14
    mask: Callable[[str], str] | None = None
    """How the value is shown on the screen; files hold it whole."""


def _order(name: str) -> Value:
    return lambda row: getattr(row.orders[0], name)


def _of_each(name: str) -> Value:
    """What the orders of a row need not share: each different one once."""

    def value(row: FileRow) -> str:
        texts = dict.fromkeys(str(getattr(order, name)).strip() for order in row.orders)
        return row.join_text.join(filter(None, texts))[:LONGEST] if len(row.orders) > 1 else next(iter(texts))

    return value


def _mine(row: FileRow) -> Sequence[FileLine]:
    return row.lines if row.line is None else [row.line]


def _named(line: FileLine) -> str:
    return f"{line.product_name} {line.option_name}".strip()


def _items(row: FileRow) -> str:
    text = row.join_text.join(f"{_named(line)} {line.quantity}개" for line in _mine(row))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _short_items(row: FileRow) -> str:
    mine = _mine(row)
    more = f" 외 {len(mine) - 1}건" if len(mine) > 1 else ""
    return f"{_named(mine[0])}{more}" if mine else ""


def _joined(name: str) -> Value:
    return lambda row: row.join_text.join(filter(None, (str(getattr(line, name)) for line in _mine(row))))[:LONGEST]


def _numbers(row: FileRow) -> str:
    return row.join_text.join(number for line in _mine(row) for number in line.numbers)[:LONGEST]


def _address(row: FileRow) -> str:
    order = row.orders[0]
    return f"{order.address1} {order.address2}".strip()


def _safe_number_end(row: FileRow) -> str:
    day = row.orders[0].safe_number_end_date
    return f"{day:%Y-%m-%d}" if day else ""


FIELDS: Sequence[FileField] = (
    FileField("shipment_number", "배송번호 (고객주문번호)", lambda row: row.shipment.number, width=24),
    FileField("order_number", "주문번호", _of_each("number"), width=18),
    FileField("channel_order", "채널 주문번호", _of_each("channel_number"), width=20),
    FileField("line_number", "품목별 주문번호", _numbers, width=22),
    FileField("channel", "판매처", lambda row: row.orders[0].channel.name),
    FileField("ordered_on", "주문일", lambda row: f"{kst_date(row.orders[0].ordered_at):%Y-%m-%d}", width=12),
    FileField("recipient_name", "받는 분 이름", _order("recipient_name"), mask=mask_name),
    FileField(
        "recipient_phone",
        "받는 분 전화번호",
        lambda row: format_phone(row.orders[0].recipient_phone),
        width=16,
        mask=mask_phone,
    ),
    FileField(
        "recipient_phone2",
        "받는 분 다른 연락처",
        lambda row: format_phone(row.orders[0].recipient_phone2),
        width=16,
        mask=mask_phone,
    ),
    FileField("zip_code", "우편번호", _order("zip_code"), width=9),
    FileField("address", "주소 전체", _address, width=50, mask=mask_address),
    FileField("address1", "기본주소", _order("address1"), width=40, mask=mask_address),
    FileField("address2", "상세주소", _order("address2"), width=24, mask=lambda text: "***" if text else ""),
    FileField("jibun_address", "지번주소", _order("jibun_address"), width=40, mask=mask_address),
    FileField("safe_number_end", "안심번호 만료일", _safe_number_end, width=12),
    FileField("remote_zone", "도서산간", lambda row: zone_text(row.orders[0]), width=10),
    FileField("remote_surcharge", "추가 배송비", lambda row: row.orders[0].remote_surcharge_amount or 0, Kind.WON, 10),
    FileField("delivery_note", "배송메시지", _of_each("delivery_note"), width=30),
    FileField("items", "품목 이어서 (상품 옵션 수량)", _items, width=40),
    FileField("items_short", "품목 줄여서 (외 n건)", _short_items, width=30),
    FileField("product_name", "상품명", _joined("product_name"), width=30),
    FileField("option_name", "옵션", _joined("option_name"), width=20),
    FileField("quantity", "수량", lambda row: sum(line.quantity for line in _mine(row)), Kind.INTEGER, 8),
    FileField("box_count", "박스 수량", lambda row: 1, Kind.INTEGER, 8),
    FileField("method", "배송방법", lambda row: DeliveryMethod(row.shipment.method).label),
    FileField("courier", "택배사", lambda row: courier_name(row.shipment.courier) if row.shipment.courier else ""),
    FileField("waybill", "송장번호", lambda row: row.shipment.waybill, width=16),
    FileField("buyer_name", "주문자 이름", _order("buyer_name"), mask=mask_name),
    FileField(
        "buyer_phone",
        "주문자 전화번호",
        lambda row: format_phone(row.orders[0].buyer_phone),
        width=16,
        mask=mask_phone,
    ),
    FileField("sender_name", "보내는 분 이름", lambda row: row.sender.name),
    FileField("sender_phone", "보내는 분 전화번호", lambda row: format_phone(row.sender.phone), width=16),
    FileField("sender_zip", "보내는 분 우편번호", lambda row: row.sender.zip_code, width=9),
    FileField("sender_address", "보내는 분 주소", lambda row: row.sender.address, width=50),
)
BY_CODE: Mapping[str, FileField] = {field.code: field for field in FIELDS}
CHOICES = [("", "고정 글자"), *((field.code, field.label) for field in FIELDS)]

_PLACE = re.compile(r"\{([^{}]+)\}")
_NAMES = {name: field for field in FIELDS for name in (field.label, field.label.split(" (")[0])}


def fill_in(text: str, row: FileRow, *, is_masked: bool) -> str:
    """이어 쓰기: a fixed text with the fields that it names in braces, `{상품명} {수량}개`; other braces stay."""

    def found(match: re.Match[str]) -> str:
        field = _NAMES.get(match[1].strip())
        if field is None:
            return match[0]
        value = str(field.value(row))
        return field.mask(value) if is_masked and field.mask else value

    return _PLACE.sub(found, text)


def unknown_places(text: str) -> list[str]:
    """모르는 항목: what a fixed text names in braces and is no field of ours."""
    return [name for name in _PLACE.findall(text) if name.strip() not in _NAMES]
