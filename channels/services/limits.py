"""What an order of any origin may hold, so that nothing that arrives from outside meets a database error."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from core.calendar import FIRST_DAY, KST, LAST_DAY
from core.korean import josa
from orders.models import Order, OrderLine
from orders.services.intake import LineDraft, OrderDraft, due_amount

MOST_LINES = 200
MOST_QUANTITY = 99_999
MOST_PRICE = 999_999_999
MOST_ORDER = 999_999_999_999
"""Won: no order is worth more, and every program that reads JSON keeps such a number exactly (2^53)."""
EARLIEST = datetime(2000, 1, 1, tzinfo=KST)
AHEAD = timedelta(days=1)
"""Clocks differ; an order of next week is a mistake."""
LATEST = datetime(2100, 1, 1, tzinfo=KST)

_TEXTS = (
    "channel_number", "buyer_name", "buyer_phone", "buyer_email", "recipient_name", "recipient_phone",
    "recipient_phone2", "zip_code", "address1", "address2", "jibun_address", "delivery_note",
    "depositor_name",
)  # fmt: skip
_LINE_TEXTS = ("channel_number", "channel_product", "channel_option", "product_name", "option_name")


def draft_problem(draft: OrderDraft, *, at: datetime) -> str:
    """초안 문제: what is wrong with an order as a whole, in Korean; "" when it can be stored."""
    return next(_problems(draft, at=at), "")


def line_problem(line: LineDraft) -> str:
    """품목 초안 문제: what is wrong with one line by itself, in Korean; "" when it can be stored."""
    return next(_line_problems(line), "")


def _problems(draft: OrderDraft, *, at: datetime) -> Iterator[str]:
    if not draft.lines:
        yield "품목이 없는 주문입니다."
    if len(draft.lines) > MOST_LINES:
        yield f"한 주문의 품목은 {MOST_LINES}개까지 접수합니다. 지금은 {len(draft.lines):,}개입니다."
    for name, label in (("channel_number", "주문번호"), ("recipient_name", "수령자"), ("address1", "주소")):
        if not getattr(draft, name).strip():
            yield f"{josa(label, '을/를')} 입력하세요."
    yield from _too_long(draft, Order, _TEXTS)
    past = [(draft.ordered_at, "주문일시"), (draft.paid_at, "결제일시")]
    for moment, label in (*past, *((line.acknowledged_at, "발주확인일") for line in draft.lines)):
        if moment is not None and not EARLIEST <= moment <= at + AHEAD:
            yield f"{josa(label, '을/를')} 확인하세요. 2000년부터 오늘까지의 날짜여야 합니다."
    for moment, label in ((draft.ship_by, "발송기한"), (draft.deposit_by, "입금기한")):
        if moment is not None and not EARLIEST <= moment <= LATEST:
            yield f"{josa(label, '을/를')} 확인하세요. 2000년부터 2099년까지의 날짜여야 합니다."
    if draft.safe_number_end_date is not None and not FIRST_DAY <= draft.safe_number_end_date <= LAST_DAY:
        yield "안심번호 만료일을 확인하세요. 2000년부터 2099년까지의 날짜여야 합니다."
    if draft.deposit_by is not None and draft.deposit_by < draft.ordered_at:
        yield "입금기한이 주문일시보다 빠릅니다. 입금기한과 주문일시를 확인하세요."
    yield from (problem for line in draft.lines for problem in _line_problems(line))
    yield from _money_problems(draft)


def _line_problems(line: LineDraft) -> Iterator[str]:
    if not line.product_name.strip():
        yield "상품명을 입력하세요."
    if not 1 <= line.quantity <= MOST_QUANTITY:
        yield f"수량은 1개부터 {MOST_QUANTITY:,}개까지 접수합니다. 지금은 {line.quantity:,}개입니다."
    if not 0 <= line.unit_price <= MOST_PRICE:
        yield f"판매가는 0원부터 {MOST_PRICE:,}원까지 접수합니다. 지금은 {line.unit_price:,}원입니다."
    if not 0 <= line.discount_amount <= line.unit_price * max(line.quantity, 0):
        yield f"품목 할인 {line.discount_amount:,}원은 0원부터 품목 금액까지여야 합니다."
    yield from _too_long(line, OrderLine, _LINE_TEXTS)


def _money_problems(draft: OrderDraft) -> Iterator[str]:
    amounts = (draft.discount_amount, draft.coupon_amount, draft.points_amount, draft.shipping_fee_amount)
    if any(not 0 <= amount <= MOST_PRICE for amount in amounts):
        yield f"할인, 쿠폰, 적립금, 배송비는 0원부터 {MOST_PRICE:,}원까지 접수합니다."
    goods = sum(line.unit_price * line.quantity for line in draft.lines)
    if goods > MOST_ORDER:
        yield f"한 주문의 상품 금액은 {MOST_ORDER:,}원까지 접수합니다. 지금은 {goods:,}원입니다."
    if due_amount(draft) < 0:
        yield "할인과 쿠폰, 적립금이 주문 금액보다 큽니다. 금액을 확인하세요."


def _too_long(draft: Any, model: Any, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        column, value = model._meta.get_field(name), getattr(draft, name)
        if len(value) > column.max_length:
            label = str(column.verbose_name)
            yield f"{josa(label, '은/는')} {column.max_length}자까지 입력할 수 있습니다. 지금은 {len(value):,}자입니다."
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            yield f"{column.verbose_name}에 쓸 수 없는 글자가 있습니다. 지우고 다시 입력하세요."
