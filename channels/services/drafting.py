"""초안 만들기: what a file says about an order and its lines, as the drafts that intake takes; won-exact."""

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime

from channels.adapters.statuses import is_acknowledged
from channels.services.limits import due_amount
from channels.services.reading import FileRow, Reading
from core.calendar import kst_date
from orders.contact import kept_end
from orders.services.intake import LineDraft, OrderDraft
from orders.states import METHOD_OF_NAVER, PREPAID_METHODS, DeliveryMethod, PaymentMethod

COLLECT = "착불"
NEGATIVE_PRICE = "판매가는 0원 이상이어야 합니다. 지금은 {price:,}원입니다."
LONGEST_PRODUCT, LONGEST_OPTION = 100, 200

# The first word that stands in the text decides: 신용카드 간편결제 is paid by 간편결제.
_METHODS = (
    ("간편", PaymentMethod.EASY_PAY),
    ("무통장", PaymentMethod.BANK_TRANSFER),
    ("가상계좌", PaymentMethod.VIRTUAL_ACCOUNT),
    ("카드", PaymentMethod.CARD),
    ("card", PaymentMethod.CARD),
    ("icash", PaymentMethod.VIRTUAL_ACCOUNT),
    ("cash", PaymentMethod.BANK_TRANSFER),
    ("페이", PaymentMethod.EASY_PAY),
    ("pay", PaymentMethod.EASY_PAY),
)
# 직접수령 comes before 직접: the buyer fetches it.
_DELIVERIES = (
    ("등기소포", DeliveryMethod.PARCEL),
    ("등기", DeliveryMethod.REGISTERED),
    ("배송없음", DeliveryMethod.NONE),
    ("퀵", DeliveryMethod.QUICK),
    ("직접수령", DeliveryMethod.VISIT),
    ("픽업", DeliveryMethod.VISIT),
    ("방문", DeliveryMethod.VISIT),
    ("직접", DeliveryMethod.DIRECT),
)
_DELIVERY_VALUES = {method.value: method for method in DeliveryMethod}


def key_text(text: str, most: int) -> str:
    """연결 기준 글자: one spelling, short enough for its column; what is longer ends in a hash of the whole."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    if len(plain) <= most:
        return plain
    return f"{plain[: most - 9]}~{hashlib.sha256(plain.encode()).hexdigest()[:8]}"


def option_key(option: str, sku: str) -> str:
    """옵션의 연결 기준: the option's text; where the channel names no option, the code that stands for one."""
    return key_text(option or sku, LONGEST_OPTION)


def our_sku(row: FileRow) -> str:
    """우리 품목코드: the option's own code, or the product's where there are no options (domain.md 5 row 25)."""
    plain = "" if row.get("option_name") else row.get("product_sku")
    return str(row.get("option_code") or plain or "")[:60]


def line_draft(row: FileRow, *, at: datetime) -> tuple[LineDraft | None, str]:
    """품목 초안: one row's line, or the Korean reason why there is none. The product's key falls back to its name."""
    quantity = row.get("quantity")
    name = row.get("product_name") or ""
    if quantity is None:
        return None, "수량을 입력하세요."
    if quantity < 1:
        return None, f"수량은 1개 이상이어야 합니다. 지금은 {quantity:,}개입니다."
    price, discount, problem = _prices(row, quantity)
    if problem:
        return None, problem
    option = row.get("option_name") or ""
    return LineDraft(
        product_name=name[:200],
        option_name=option[:200],
        quantity=quantity,
        unit_price=price,
        discount_amount=discount,
        channel_number=row.get("line_number") or "",
        channel_product=key_text(str(row.get("product_code") or name), LONGEST_PRODUCT),
        channel_option=option_key(option, our_sku(row)),
        acknowledged_at=_acknowledged(row, at),
    ), ""


def _acknowledged(row: FileRow, at: datetime) -> datetime | None:
    """When the seller acknowledged the line at the channel; a status that says so without a date counts from now."""
    says_so = any(is_acknowledged(str(row.get(key) or "")) for key in ("status_detail", "status"))
    moment: datetime | None = row.get("acknowledged_at")
    return moment or (at if says_so else None)


def _prices(row: FileRow, quantity: int) -> tuple[int, int, str]:
    """Won of one unit and of the line's discounts; the file's own total of the line is kept to the won."""
    amount, discount, total = row.get("line_amount"), row.get("line_discount"), row.get("line_total")
    if (said := row.get("unit_price")) is not None and said < 0:
        return 0, 0, NEGATIVE_PRICE.format(price=said)
    if amount is not None:
        price = -(-amount // quantity)
    elif row.get("unit_price") is not None:
        price = row.get("unit_price") + (row.get("option_price") or 0)
        amount = price * quantity
    else:
        return 0, 0, "판매가를 입력하세요."
    if price < 0:
        return 0, 0, NEGATIVE_PRICE.format(price=price)
    # A price that does not divide by the quantity: the odd won are a discount of the line.
    odd = price * quantity - amount
    if total is None:
        return price, odd + abs(discount or 0), ""
    if total > amount:
        return 0, 0, f"품목 결제금액 {total:,}원이 품목 금액 {amount:,}원보다 큽니다. 금액을 확인하세요."
    if discount is not None and amount - abs(discount) != total:
        return (
            0,
            0,
            (f"품목 금액 {amount:,}원에서 할인 {abs(discount):,}원을 뺀 값이 품목 결제금액 {total:,}원과 다릅니다."),
        )
    return price, odd + amount - total, ""


def order_draft(
    number: str, facts: Mapping[str, Any], lines: Sequence[LineDraft], rows: Sequence[FileRow], reading: Reading
) -> tuple[OrderDraft | None, str]:
    """주문 초안: the order of some rows, or the Korean reason why there is none."""
    ordered_at = facts.get("ordered_at") or facts.get("paid_at")
    if ordered_at is None:
        return None, "주문일시를 입력하세요."
    method, paid_at = _payment(facts, ordered_at, reading)
    draft = OrderDraft(
        channel_number=number,
        ordered_at=ordered_at,
        paid_at=paid_at,
        payment_method=method,
        lines=tuple(lines),
        buyer_name=facts.get("buyer_name") or facts.get("recipient_name") or "",
        buyer_phone=facts.get("buyer_phone") or "",
        buyer_email=facts.get("buyer_email") or "",
        recipient_name=facts.get("recipient_name") or "",
        recipient_phone=facts.get("recipient_phone") or "",
        recipient_phone2=facts.get("recipient_phone2") or "",
        zip_code=facts.get("zip_code") or "",
        **_address(facts),
        safe_number_end_date=_safe_number_end(facts),
        delivery_note=facts.get("delivery_note") or "",
        delivery_method=delivery_of(facts.get("delivery_method") or ""),
        depositor_name=facts.get("depositor_name") or "",
        ship_by=_end_of_day(facts.get("ship_by")),
        coupon_amount=abs(facts.get("coupon_amount") or 0),
        points_amount=abs(facts.get("points_amount") or 0),
        discount_amount=abs(facts.get("order_discount") or 0),
        shipping_fee_amount=_shipping_fee(facts, rows),
    )
    return _matching_total(draft, facts.get("order_total"))


def _address(facts: Mapping[str, Any]) -> dict[str, Any]:
    """주소: the road, else the joined text, else the 지번주소; whichever is the only form is the address itself."""
    road, whole, jibun = (facts.get(key) or "" for key in ("address1", "full_address", "jibun_address"))
    detail = (facts.get("address2") or "") if road or not whole else ""
    first = road or whole or jibun
    return {"address1": first, "address2": detail, "jibun_address": jibun if road or whole else ""}


def _safe_number_end(facts: Mapping[str, Any]) -> date | None:
    """안심번호 만료일: the day, for a recipient with a 050 number; channels fill the column for others as well."""
    moment: datetime | None = facts.get("safe_number_end")
    phones = (facts.get("recipient_phone") or "", facts.get("recipient_phone2") or "")
    return kept_end(kst_date(moment), *phones) if moment else None


def _payment(facts: Mapping[str, Any], ordered_at: datetime, reading: Reading) -> tuple[PaymentMethod, datetime | None]:
    """Prepaid when the file says when it was paid, or when its profile holds paid orders only (domain.md T1, T2)."""
    paid_at = facts.get("paid_at")
    is_prepaid = reading.profile.defaults.get("is_prepaid", reading.layout.prepaid)
    named = _method(facts.get("payment_method") or "")
    if paid_at is None and not is_prepaid:
        return named if named and named not in PREPAID_METHODS else PaymentMethod.BANK_TRANSFER, None
    # A deposit that the channel took is no deposit to us: we have no account movement of our own to match.
    method = named if named in PREPAID_METHODS else PaymentMethod.MARKET
    return method or PaymentMethod.MARKET, paid_at or ordered_at


def _method(text: str) -> PaymentMethod | None:
    plain = text.casefold().replace(" ", "")
    return next((method for word, method in _METHODS if word in plain), None)


def delivery_of(text: str) -> DeliveryMethod:
    """배송방법 읽기: Korean words or Naver codes; 택배 for anything else (domain.md 2.5)."""
    code = METHOD_OF_NAVER.get(text.strip().upper())
    plain = "".join(text.split())
    # "택배,등기,소포" is SmartStore's one word for whatever a courier carries.
    if "택배" in plain:
        return DeliveryMethod.PARCEL
    return code or next((method for word, method in _DELIVERIES if word in plain), DeliveryMethod.PARCEL)


def _end_of_day(moment: datetime | None) -> datetime | None:
    """A date without a time is the whole day: the deadline is its 24:00."""
    if moment is not None and not (moment.hour or moment.minute or moment.second):
        return datetime.fromtimestamp(moment.timestamp() + 86_400, moment.tzinfo)
    return moment


def _shipping_fee(facts: Mapping[str, Any], rows: Sequence[FileRow]) -> int:
    """Won of shipping that were paid with the order: once per bundle, without what the courier collects."""
    if COLLECT in str(facts.get("shipping_kind") or ""):
        return 0
    bundles: dict[Any, int] = {}
    for row in rows:
        fee = (row.get("shipping_fee") or 0) - abs(row.get("shipping_discount") or 0)
        bundles.setdefault(row.get("shipping_group"), fee)
    if len(bundles) == 1 and None in bundles:
        return max(0, (facts.get("shipping_fee") or 0) - abs(facts.get("shipping_discount") or 0))
    return sum(max(0, fee) for fee in bundles.values())


def _matching_total(draft: OrderDraft, total: int | None) -> tuple[OrderDraft | None, str]:
    """What the channel says was paid decides: a smaller sum is a discount we have no column for."""
    due = due_amount(draft)
    # An order nobody has paid yet says 0 there.
    if total is None or total == due or (not total and draft.paid_at is None):
        return draft, ""
    if not 0 <= total <= due:
        return None, f"결제금액 {total:,}원이 계산한 금액 {due:,}원보다 큽니다. 배송비와 할인 열을 확인하세요."
    more = draft.discount_amount + due - total
    return OrderDraft(**{**_fields(draft), "discount_amount": more}), ""


def _fields(draft: OrderDraft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in OrderDraft.__dataclass_fields__}


def to_json(draft: OrderDraft) -> dict[str, Any]:
    """초안 저장: an order draft as JSON, until the preview is applied; only what differs from nothing."""
    stored = {name: value for name, value in _fields(draft).items() if name != "lines" and value not in {"", None, 0}}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in stored.items()}


def line_to_json(line: LineDraft) -> dict[str, Any]:
    """품목 초안 저장."""
    stored = {name: value for name, value in asdict(line).items() if value not in {"", None, 0}}
    if line.acknowledged_at is not None:
        stored["acknowledged_at"] = line.acknowledged_at.isoformat()
    return stored | {"unit_price": line.unit_price}


def line_from_json(line: Mapping[str, Any]) -> LineDraft:
    """품목 초안 되살리기."""
    moment = line.get("acknowledged_at")
    return LineDraft(**{**line, "acknowledged_at": parse_datetime(moment) if moment else None})


def from_json(order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> OrderDraft:
    """초안 되살리기: the draft out of its stored form."""
    moments = {name: parse_datetime(order[name]) for name in ("ordered_at", "paid_at", "ship_by") if name in order}
    days = {name: parse_date(order[name]) for name in ("safe_number_end_date",) if name in order}
    names = {"buyer_name": "", "recipient_name": "", "address1": ""}
    values: dict[str, Any] = {
        **names,
        **order,
        **moments,
        **days,
        "lines": tuple(line_from_json(line) for line in lines),
    }
    values["payment_method"] = PaymentMethod(values["payment_method"])
    values["delivery_method"] = _DELIVERY_VALUES[values.get("delivery_method", DeliveryMethod.PARCEL.value)]
    return OrderDraft(**values)
