"""송장번호 대역: bodies that a courier's branch gave us, handed out in blocks and never twice (shipping.md 5.3).

Whoever takes numbers holds the rows of the ranges for a moment; ranges are locked last, after the shipments.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

from shipping.couriers import COURIERS, CheckRule
from shipping.models import CourierContract, WaybillRange
from shipping.services.numbers import pool
from shipping.waybills import number_of

log = logging.getLogger("shipping.issuing")

LOW = 0.2
"""So little of all numbers left is worth a word."""
EXHAUSTED = "송장번호 대역에 남은 번호가 없습니다. 설정의 송장 번호에서 새 대역을 등록한 뒤 다시 발급하세요."
_LOCK = """
SELECT id, prefix, body_digits, next_body, body_end,
       (SELECT check_rule FROM shipping_courier WHERE slug = courier)
FROM shipping_waybillrange WHERE contract_id = %s AND is_active AND next_body <= body_end
ORDER BY "order", id FOR NO KEY UPDATE
"""
_TAKE = """
UPDATE shipping_waybillrange SET next_body = next_body + %s, first_used_at = COALESCE(first_used_at, %s)
WHERE id = %s AND next_body = %s AND next_body + %s <= body_end + 1 RETURNING id
"""


class Taken(NamedTuple):
    """받은 번호: with its check digit, and the range it is of."""

    number: str
    range_id: int


class Supply(NamedTuple):
    """남은 번호 of the ranges in use: how many, and of how many in those that are not used up.

    `days`: how long they last at the average use so far; None: unknown.
    """

    left: int
    total: int
    days: float | None

    @property
    def is_low(self) -> bool:
        """Whether a fifth or less is left, or a day's average use."""
        return self.left <= self.total * LOW or self.has_a_day

    @property
    def has_a_day(self) -> bool:
        """Whether what is left lasts a day at most."""
        return self.days is not None and self.days <= 1


def take_numbers(*, contract: CourierContract, count: int, at: datetime) -> list[Taken]:
    """번호 받기: up to `count` numbers, going on in the next range of the contract; fewer when all are used up.

    Needs a transaction, and is its last lock.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("numbers are taken in the transaction that writes them down")
    taken: list[Taken] = []
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [contract.pk])
        for pk, prefix, digits, first, last, rule in cursor.fetchall():
            # As it stands under the lock: this process may have read the couriers before the rule was changed.
            courier = replace(COURIERS[contract.courier], check=CheckRule(rule))
            while first <= last and len(taken) < count:
                size = min(count - len(taken), last - first + 1)
                cursor.execute(_TAKE, [size, at, pk, first, size])
                if cursor.fetchone() is None:
                    raise RuntimeError(f"range {pk} moved under its lock")
                bodies = range(first, first + size)
                block = [number_of(courier, prefix=prefix, body_digits=digits, body=body) for body in bodies]
                borne = pool.adopt(contract=contract, range_id=pk, numbers=block, at=at)
                taken += [Taken(number, pk) for number in block if number not in borne]
                first += size
    return taken


def supply_of(contract: CourierContract, *, at: datetime) -> Supply:
    """남은 번호 of a contract; one query."""
    ranges = list(WaybillRange.objects.filter(contract=contract, is_active=True))
    used, left = sum(one.total - one.left for one in ranges), sum(one.left for one in ranges)
    total = sum(one.total for one in ranges if one.left)
    begun = [one.first_used_at for one in ranges if one.first_used_at]
    if not begun:
        return Supply(left, total, None)
    days = max((at - min(begun)) / timedelta(days=1), 1)
    return Supply(left, total, left / max(used / days, 1))


def warn_when_low(contract: CourierContract, *, at: datetime) -> None:
    """대역 부족 알림: once when a fifth is left, once when a day's average use is left; a new range starts over."""
    supply = supply_of(contract, at=at)
    marks = []
    if supply.left <= supply.total * LOW and contract.low_told_at is None:
        marks.append("low_told_at")
    if supply.has_a_day and contract.day_told_at is None:
        marks.append("day_told_at")
    for mark in marks:
        # Of two who see it at once one tells.
        told = CourierContract.objects.filter(pk=contract.pk, **{f"{mark}__isnull": True}).update(**{mark: at})
        if told:
            log.error("waybill range of contract %s: %s of %s numbers left", contract.code, supply.left, supply.total)


def words_of_supply(contract: CourierContract, *, at: datetime) -> str:
    """대역 부족 문장 for the list; empty while there are enough."""
    supply = supply_of(contract, at=at)
    if not supply.left:
        # Used up, stopped, or never registered: what to do is the same.
        return f"{contract.name}에 쓸 수 있는 송장번호가 없습니다. 설정의 송장 번호에서 새 대역을 등록하세요."
    told = f"{contract.name}의 송장번호가 {supply.left:,}개 남았습니다. 새 대역을 받아 등록하세요."
    return told if supply.is_low else ""
