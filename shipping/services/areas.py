"""도서산간: which zone an address lies in and what is asked on top, by the table of today (shipping.md 6.3).

Words in the address tell more than the zip, the zip more than the province; at the same level a rule of the courier
more than one of all, and the newest more than an older one. What was stored with an order is never computed anew.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from core.calendar import kst_date
from core.settings_registry import get_settings
from orders.services.places import Address, Place
from orders.states import RemoteZone
from shipping.models import AreaLevel, RemoteArea

_SPACES = re.compile(r"\s+")
SETTINGS = ("default_courier", "remote_policy", "jeju_surcharge", "island_surcharge")


@dataclass(frozen=True, slots=True)
class Rule:
    """지역 규칙, as far as matching looks at it; `surcharge` None where the settings say it."""

    level: str
    text: str
    zip_from: str
    zip_to: str
    courier: str
    zone: int
    surcharge: int | None
    valid_from: date


def plain(text: str) -> str:
    """비교할 주소: without any space, so that 울릉읍 도동리 and 울릉읍도동리 are one."""
    return _SPACES.sub("", text)


class Areas:
    """도서산간 표: the rules that count for a courier on a day, ready for any number of addresses."""

    def __init__(self, rules: Iterable[Rule], *, courier: str, on: date) -> None:
        mine = [one for one in rules if one.courier in {"", courier} and one.valid_from <= on]
        # The best of each level first.
        mine.sort(key=lambda one: (one.courier != "", one.valid_from), reverse=True)
        by_level: dict[str, list[Rule]] = defaultdict(list)
        for one in mine:
            by_level[one.level].append(one)
        self._patterns = [(plain(one.text), one) for one in by_level[AreaLevel.PATTERN]]
        self._provinces = [(plain(one.text), one) for one in by_level[AreaLevel.PROVINCE]]
        self._starts, self._best = _pieces(by_level[AreaLevel.ZIP])

    def find(self, address: Address) -> Rule | None:
        """맞는 규칙 of an address; None for the mainland that no rule names."""
        text = plain(address.text)
        named = next((rule for part, rule in self._patterns if part in text), None)
        if found := named or self._of_zip(address.zip_code):
            return found
        return next((rule for start, rule in self._provinces if text.startswith(start)), None)

    def _of_zip(self, code: str) -> Rule | None:
        if not (len(code) == 5 and code.isascii() and code.isdecimal()):
            return None
        place = bisect_right(self._starts, int(code)) - 1
        return self._best[place] if place >= 0 else None


def _pieces(rules: Sequence[Rule]) -> tuple[list[int], list[Rule | None]]:
    """Ranges cut into pieces without overlap, the best rule of each; one search finds the piece of a zip."""
    cuts = sorted({int(one.zip_from) for one in rules} | {int(one.zip_to) + 1 for one in rules})
    best = [next((one for one in rules if int(one.zip_from) <= cut <= int(one.zip_to)), None) for cut in cuts]
    return cuts, best


def zones_of(addresses: Sequence[Address], *, at: datetime, courier: str = "") -> list[Place]:
    """권역과 추가 배송비 of each address, in their order; two queries for any number of them.

    `courier` is the one whose rules count beside those of all; empty: 기본 택배사.
    """
    values = get_settings(*SETTINGS)
    fields = Rule.__dataclass_fields__
    rules = [Rule(*row) for row in RemoteArea.objects.filter(is_active=True).order_by("-pk").values_list(*fields)]
    table = Areas(rules, courier=courier or str(values["default_courier"]), on=kst_date(at))
    return [_place(table.find(address), values) for address in addresses]


def _place(rule: Rule | None, values: Mapping[str, int | str]) -> Place:
    if rule is None or rule.zone == RemoteZone.MAINLAND:
        return Place(RemoteZone.MAINLAND.value, (rule.surcharge if rule else 0) or 0)
    if rule.surcharge is not None:
        return Place(rule.zone, rule.surcharge)
    is_one_fee = values["remote_policy"] == "two" or rule.zone == RemoteZone.JEJU
    return Place(rule.zone, int(values["jeju_surcharge" if is_one_fee else "island_surcharge"]))


def judge_places(addresses: Sequence[Address], at: datetime) -> Sequence[Place]:
    """접수 때의 권역: by the usual courier; which one will carry it is not known yet."""
    return zones_of(addresses, at=at)
