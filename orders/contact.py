"""연락과 주소: whether a recipient's 안심번호 still works, and the second form of an address as staff read it.

A 안심번호 has an end: after it the number counts as unreachable, and nobody guesses the real one. Neither form of an
address is ever made of the other. Source: shipping.md 6.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from core.calendar import due_date, kst_date
from core.phones import is_safe_number, normalize_phone
from core.settings_registry import get_setting
from orders.options import DELIVERY_DAYS

OVER, SOON = "안심번호 만료", "안심번호 곧 만료"


@dataclass(frozen=True, slots=True)
class SafeNumberEnd:
    """안심번호의 끝: it ended, or ends before the goods are likely to arrive."""

    day: date
    is_over: bool

    @property
    def label(self) -> str:
        """The word of lists."""
        return OVER if self.is_over else SOON

    @property
    def short(self) -> str:
        """What stands behind the number on a label."""
        return "(만료)" if self.is_over else f"({self.day:%m-%d}까지)"

    @property
    def sentence(self) -> str:
        """What staff are told, and what to do."""
        if self.is_over:
            return f"안심번호가 {self.day:%Y-%m-%d}에 만료되어 연락되지 않습니다. 판매처에서 새 번호를 확인하세요."
        return f"안심번호가 도착하기 전인 {self.day:%Y-%m-%d}에 만료됩니다. 판매처에서 새 번호를 확인하세요."


def kept_end(day: date | None, *phones: str) -> date | None:
    """남길 만료일: the day, for who has a 050 number; an ordinary number has no end."""
    return day if any(is_safe_number(phone) for phone in phones) else None


def warned_end(
    day: date | None, *, at: datetime, days: int, ship_by: datetime | None = None, shipped_at: datetime | None = None
) -> SafeNumberEnd | None:
    """알릴 안심번호: one that ended before today, or ends before the expected arrival; None for all others.

    `days` is the setting 배송에 걸리는 날. It is counted from the day on which the goods left, or else from their
    deadline, and from today once that has passed.
    """
    if day is None:
        return None
    today = kst_date(at)
    if day < today:
        return SafeNumberEnd(day, is_over=True)
    leaves = kst_date(shipped_at) if shipped_at else due_date(ship_by) if ship_by else today
    arrives = max(leaves + timedelta(days=days), today) if shipped_at else max(leaves, today) + timedelta(days=days)
    return SafeNumberEnd(day, is_over=False) if day < arrives else None


def end_of_order(
    order: Any, *, at: datetime, ship_by: datetime | None = None, shipped_at: datetime | None = None
) -> SafeNumberEnd | None:
    """알릴 안심번호 of one order; a query for the setting only where an end is known."""
    if order.safe_number_end_date is None:
        return None
    days = int(get_setting(DELIVERY_DAYS.key))
    return warned_end(order.safe_number_end_date, at=at, days=days, ship_by=ship_by, shipped_at=shipped_at)


def is_reachable(order: Any, phone: str, *, at: datetime) -> bool:
    """연락되는 번호: a number that is no 안심번호 of the recipient whose end has passed."""
    end = order.safe_number_end_date
    if end is None or end >= kst_date(at) or not is_safe_number(phone):
        return bool(phone)
    mine = {normalize_phone(order.recipient_phone), normalize_phone(order.recipient_phone2)}
    return normalize_phone(phone) not in mine


def second_form(order: Any) -> str:
    """괄호에 넣을 주소: `지번 서울 중구 태평로1가 31`; empty without one, and where it is the first form again."""
    jibun = order.jibun_address.strip()
    return f"지번 {jibun}" if jibun and jibun != order.address1.strip() else ""


def both_forms(order: Any) -> str:
    """주소 as staff read it: the one that couriers get, the other in brackets."""
    second = second_form(order)
    return f"{order.address1} {order.address2}".strip() + (f" ({second})" if second else "")


def days_by_id(ids: Any) -> Mapping[int, int]:
    """배송에 걸리는 날 for the rows of a list; one query."""
    return dict.fromkeys(ids, int(get_setting(DELIVERY_DAYS.key)))
