"""Couriers as data: names, codes in other systems, number rules, and how a cell of text finds its courier.

Staff keep them in tables (설정 · 택배사 목록); COURIERS reads those. This module imports no models: models import its
rules.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import connection, models

from core.fresh import Fresh
from core.korean import particle


class CheckRule(models.TextChoices):
    """검증 규칙: how the last digit follows from the others (shipping.md 5.1)."""

    NONE = "NONE", "없음"
    CJ_BODY = "CJ_BODY", "끝자리 앞 9자리를 7로 나눈 나머지"
    """The nine digits before the last one, mod 7; a two-digit prefix does not take part."""
    ALL_BUT_LAST = "ALL_BUT_LAST", "끝자리를 뺀 번호를 7로 나눈 나머지"
    """Every digit before the last one, mod 7."""
    S10 = "S10", "국제우편 S10"
    """Universal Postal Union S10: two letters, eight digits, weighted check digit, two letters."""


class CheckLevel(models.TextChoices):
    """검증 수준: what an unusual length or a wrong check digit means for this courier."""

    BLOCK = "block", "막기"
    WARN = "warn", "알리기"
    OFF = "off", "확인 안 함"


@dataclass(frozen=True, kw_only=True)
class Courier:
    """택배사: one carrier. `slug` is the Naver code where Naver has one (HYUNDAI is 롯데, KGB is 로젠)."""

    slug: str
    name: str
    aliases: tuple[str, ...] = ()
    codes: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Codes by system (naver, cafe24, sweettracker, tracker_delivery …); of one mall by "system:mall"."""
    digits: tuple[int, ...] = ()
    """Usual lengths; empty where none is known."""
    rare_digits: tuple[int, ...] = ()
    """Lengths that were seen in the wild: accepted, with a warning."""
    shortest: int = 9
    """Fewer digits than this are a typing error whatever the level."""
    check: CheckRule = CheckRule.NONE
    level: CheckLevel = CheckLevel.WARN
    has_letters: bool = False
    """Numbers of this courier may hold the letters A-Z."""
    link: str = ""
    """Page for the buyer, with {n} for the number without hyphens; empty where no source confirms one."""
    is_active: bool = True
    """False: no new number is taken; parcels that have one go on as before."""
    refused: frozenset[str] = frozenset()
    """Systems that do not know the code we have of them: a fault of our settings, for a person to mend."""

    def code(self, system: str, mall: str = "") -> str:
        """The courier's code in another system, that of the mall where it has one of its own, or an empty text."""
        general = self.codes.get(system, "")
        return self.codes.get(f"{system}:{mall}", general) if mall else general

    def tracking_url(self, number: str) -> str:
        """배송조회 주소 for the buyer, or an empty text."""
        return self.link.replace("{n}", number) if self.link and number.isalnum() else ""


@dataclass(frozen=True)
class AmbiguousCourier:
    """A cell that names more than one courier ("롯데/경동"): a row error, never the first match."""

    text: str
    candidates: tuple[Courier, ...]

    @property
    def message(self) -> str:
        names = ", ".join(courier.name for courier in self.candidates)
        return f"택배사 '{self.text}'에 맞는 택배사가 여럿입니다: {names}. 하나만 쓰세요."


@dataclass(frozen=True)
class UnknownCourier:
    """A cell that names no courier we know."""

    text: str

    @property
    def message(self) -> str:
        if not self.text:
            return "택배사를 입력하세요."
        object_marker = particle(self.text, "을/를")
        return f"택배사 '{self.text}'{object_marker} 찾을 수 없습니다. 설정의 택배사 이름 또는 코드를 쓰세요."


# What people write around a name; it says nothing about which courier is meant.
_FILLERS = ("택배사", "택배", "주식회사", "(주)", "㈜")
_SEPARATORS = str.maketrans(dict.fromkeys("/|,;+&·ㆍ、", "/"))


def folded(text: str) -> str:
    """Text without case, width and spacing, with one sign for every separator: what names are compared by."""
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_SEPARATORS)
    return re.sub(r"[^\w/()]|_", "", plain)


class CourierTable(Mapping[str, Courier]):
    """택배사 표: couriers by slug in the order in which a select shows them, and the words that name them."""

    def __init__(self, couriers: Iterable[Courier]) -> None:
        self._couriers = {courier.slug: courier for courier in couriers}

    __hash__ = object.__hash__

    def __getitem__(self, slug: str) -> Courier:
        return self._couriers[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(self._couriers)

    def __len__(self) -> int:
        return len(self._couriers)

    @cached_property
    def words(self) -> Mapping[str, tuple[Courier, ...]]:
        """Every folded name, slug and alias with the couriers that bear it."""
        words: dict[str, tuple[Courier, ...]] = {}
        for courier in self._couriers.values():
            for word in dict.fromkeys(map(folded, (courier.slug, courier.name, *courier.aliases))):
                words[word] = (*words.get(word, ()), courier)
        return words

    @cached_property
    def word(self) -> re.Pattern[str]:
        """Any of the words, longest first, so that "우체국EMS" is not read as 우체국 with a remainder."""
        return re.compile("|".join(map(re.escape, sorted(filter(None, self.words), key=len, reverse=True))) or "(?!)")


_ROWS = """
SELECT c.slug, c.name, c.aliases, c.digits, c.rare_digits, c.shortest, c.check_rule, c.level, c.has_letters, c.link,
       c.is_active,
       ARRAY(SELECT k.system || CASE k.mall WHEN '' THEN '' ELSE ':' || k.mall END FROM shipping_couriercode k
             WHERE k.courier_id = c.slug ORDER BY k.id),
       ARRAY(SELECT k.code::text FROM shipping_couriercode k WHERE k.courier_id = c.slug ORDER BY k.id),
       ARRAY(SELECT k.system::text FROM shipping_couriercode k WHERE k.courier_id = c.slug AND k.refused_at IS NOT NULL)
FROM shipping_courier c ORDER BY c.position, c.slug
"""

_last: dict[str, Any] = {}


def _load() -> CourierTable:
    """The tables, as the same object while they stay the same: its words are put together once."""
    with connection.cursor() as cursor:
        cursor.execute(_ROWS)
        rows = cursor.fetchall()
    if _last.get("rows") != rows:
        _last["table"], _last["rows"] = _made_of(rows), rows
    table: CourierTable = _last["table"]
    return table


def _made_of(rows: Iterable[Sequence[Any]]) -> CourierTable:
    return CourierTable(_courier(*row) for row in rows)


def _courier(*row: Any) -> Courier:
    slug, name, aliases, digits, rare, shortest, check, level, has_letters, link, is_active, systems, codes, bad = row
    return Courier(
        slug=slug,
        name=name,
        aliases=tuple(aliases),
        codes=dict(zip(systems, codes, strict=True)),
        digits=tuple(digits),
        rare_digits=tuple(rare),
        shortest=shortest,
        check=CheckRule(check),
        level=CheckLevel(level),
        has_letters=has_letters,
        link=link,
        is_active=is_active,
        refused=frozenset(bad),
    )


TABLE: Fresh[CourierTable] = Fresh(_load)
"""The tables as this process last read them; who changes them calls TABLE.forget()."""


class _Couriers(Mapping[str, Courier]):
    """The tables as a mapping: one query per process every few seconds, none at import."""

    def __getitem__(self, slug: str) -> Courier:
        return TABLE.get()[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(TABLE.get())

    def __len__(self) -> int:
        return len(TABLE.get())


COURIERS: Mapping[str, Courier] = _Couriers()
"""택배사 표: every courier of the shop by its slug, in the order in which a select shows them."""

_FILLER = re.compile("|".join(map(re.escape, map(folded, _FILLERS))) + "|[/()]")


def courier_name(slug: str) -> str:
    """택배사 이름 of a slug; the slug itself when the table no longer has it."""
    return COURIERS[slug].name if slug in COURIERS else slug


def tracking_url(slug: str, number: str) -> str:
    """배송조회 주소 for the buyer of a number of this courier, or an empty text."""
    return COURIERS[slug].tracking_url(number) if slug in COURIERS else ""


def usable_couriers() -> list[tuple[str, str]]:
    """쓸 수 있는 택배사: slug and name of those that take new numbers, for a select."""
    return [(slug, courier.name) for slug, courier in COURIERS.items() if courier.is_active]


def find_courier(text: str, *, among: CourierTable | None = None) -> Courier | AmbiguousCourier | UnknownCourier:
    """택배사 찾기: the courier a cell names, only when exactly one matches and nothing else is said (shipping.md 2).

    Case, width, spaces and words such as "택배" do not matter; any other remainder makes the cell unknown. A word
    that several couriers bear ("편의점") is settled by another word beside it ("GS25 편의점"). `among` is the shop's
    table unless another one is given.
    """
    table = TABLE.get() if among is None else among
    shown = " ".join(text.split())[:40]
    plain = folded(text)
    whole = table.words.get(plain)
    matches = [whole] if whole else [table.words[word] for word in table.word.findall(plain)]
    rest = "" if whole else _FILLER.sub("", table.word.sub("/", plain))
    if not matches or rest:
        return UnknownCourier(shown)
    named = tuple(dict.fromkeys(courier for match in matches for courier in match))
    common = [courier for courier in named if all(courier in match for match in matches)]
    return common[0] if len(common) == 1 else AmbiguousCourier(shown, named)
