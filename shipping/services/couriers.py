"""택배사 관리: add one, change its names, number rule, page and codes, take it out of use; every change is kept.

Two people who save couriers wait for each other, so that no name and no code is given twice.
Source: shipping.md 2, 5.1.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.db.models import F

from core.exceptions import Conflict, DomainError, NotFound
from core.korean import josa
from core.settings_registry import get_setting, last_changed, note_change, one_at_a_time
from shipping.couriers import TABLE, CheckLevel, CheckRule, folded
from shipping.couriers import Courier as Ruled
from shipping.models import Courier, CourierCode, WaybillRange
from shipping.waybills import body_digits_of, refusal_of_range

log = logging.getLogger("oms.tracking")

HISTORY = "courier."
"""Keys of the history are "courier.<slug>"."""
SYSTEMS = {
    "naver": "네이버",
    "cafe24": "카페24",
    "sweettracker": "스마트택배",
    "tracker_delivery": "tracker.delivery",
    "coupang": "쿠팡",
    "imweb": "아임웹",
}
TYPED = "직원 입력"
BAD_LINK = "배송조회 주소는 https://로 시작하고 송장번호 자리에 {n}을 한 번 써야 합니다."
RANGE_IN_USE = (
    "송장번호 대역 {range}에 번호가 {left:,}개 남아 있어 번호 규칙을 바꿀 수 없습니다. 남은 번호의 검증번호나 자릿수가 "
    "달라집니다. 설정의 송장 번호에서 대역을 중지하고 바꾼 뒤, 택배사에 확인한 대역만 다시 쓰세요."
)
LONGEST = 30
MOST_ALIASES = 30

Codes = Mapping[tuple[str, str], str]
"""(system, mall) -> code; mall "" where every mall of the system calls it so."""


class CourierRefused(DomainError):
    """택배사 오류: it cannot be stored like this; `field` is the field at fault, empty for the whole."""

    code = "courier_refused"
    status = 422

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def save_courier(
    *, slug: str, seen_version: int, facts: Mapping[str, Any], codes: Codes, actor: Any, at: datetime
) -> bool:
    """택배사 저장: what a person changed of one courier; False when nothing was.

    `facts` are fields of the model without slug, position and version. Raises Conflict when somebody changed it since
    `seen_version`, CourierRefused, NotFound.
    """
    with transaction.atomic():
        one_at_a_time("couriers")
        courier = Courier.objects.select_for_update().filter(pk=slug).first()
        if courier is None:
            raise NotFound("택배사를 찾을 수 없습니다. 화면을 새로 고치세요.")
        if courier.version != seen_version:
            raise Conflict(
                f"{courier.name}: {last_changed(key=HISTORY + slug)} 먼저 바꿨습니다. "
                "화면을 새로 고쳐 지금 값을 확인하세요."
            )
        before, old_words, old_codes = described(courier), words_of(courier), codes_of(courier)
        old_rule = _number_rule(courier)
        for name, value in facts.items():
            setattr(courier, name, value)
        _refuse_facts(courier, words=words_of(courier) - old_words)
        if _number_rule(courier) != old_rule:
            _refuse_ranges(courier, is_new_check=courier.check_rule != old_rule["check"])
        _refuse_codes(slug, {key: code for key, code in codes.items() if old_codes.get(key) != code})
        _write_codes(courier, codes, old=old_codes, at=at)
        # Whoever saves has looked at it: the system is asked once more.
        courier.system_codes.exclude(refused_at=None).update(refused_at=None)
        after = described(courier)
        if before != after:
            courier.version += 1
            courier.save()
            note_change(key=HISTORY + slug, old=before, new=after, actor=actor, at=at)
    TABLE.forget()
    return before != after


def add_courier(*, slug: str, facts: Mapping[str, Any], codes: Codes, actor: Any, at: datetime) -> Courier:
    """택배사 더하기, at the end of every list. Raises CourierRefused."""
    with transaction.atomic():
        one_at_a_time("couriers")
        if Courier.objects.filter(pk=slug).exists():
            raise CourierRefused(f"코드 '{slug}'인 택배사가 이미 있습니다. 다른 코드를 쓰세요.", field="slug")
        courier = Courier(slug=slug, **facts)
        _refuse_facts(courier, words=words_of(courier))
        _refuse_codes(slug, codes)
        courier.save(force_insert=True)
        _write_codes(courier, codes, old={}, at=at)
        note_change(key=HISTORY + slug, old=None, new=described(courier), actor=actor, at=at)
    TABLE.forget()
    return courier


def note_refused_code(*, slug: str, system: str, at: datetime) -> bool:
    """코드 거절 기록: the system has no courier of our code; one alert, however many parcels met it (shipping.md A12).

    True when it was not known yet. Saving the courier takes the alert away.
    """
    refused = CourierCode.objects.filter(courier_id=slug, system=system, mall="", refused_at=None).update(refused_at=at)
    if refused:
        TABLE.forget()
        log.error("a courier code was refused", extra={"data": {"courier": slug, "system": system}})
    return bool(refused)


def take_codes_again(*, system: str) -> int:
    """코드 다시 쓰기: a system may know them now, because it is asked elsewhere or by another key; how many."""
    taken = CourierCode.objects.filter(system=system).exclude(refused_at=None).update(refused_at=None)
    if taken:
        TABLE.forget()
    return taken


def codes_of(courier: Courier) -> dict[tuple[str, str], str]:
    """코드 of a courier by (system, mall)."""
    rows = courier.system_codes.order_by("system", "mall").values_list("system", "mall", "code")
    return {(system, mall): code for system, mall, code in rows}


def words_of(courier: Courier) -> set[str]:
    """Words by which a cell of text names the courier."""
    return {folded(word) for word in (courier.slug, courier.name, *courier.aliases)}


def described(courier: Courier) -> dict[str, Any]:
    """이력에 남길 내용, in words."""
    codes = codes_of(courier)
    return {
        "name": courier.name,
        "aliases": ", ".join(courier.aliases),
        "digits": ", ".join(map(str, [*courier.digits, *(f"{one}(드묾)" for one in courier.rare_digits)])),
        "shortest": f"최소 {courier.shortest}자리" + (", 영문자 사용" if courier.has_letters else ""),
        "check": CheckRule(courier.check_rule).label,
        "level": CheckLevel(courier.level).label,
        "link": courier.link,
        "codes": ", ".join(f"{system}{f'({mall})' if mall else ''} {code}" for (system, mall), code in codes.items()),
        "is_active": "사용" if courier.is_active else "사용 안 함",
    }


def _refuse_facts(courier: Courier, *, words: set[str]) -> None:
    """Names that another courier bears, and rules that no number could keep; only new `words` are compared."""
    others = list(Courier.objects.exclude(pk=courier.slug))
    if any(other.name == courier.name for other in others):
        raise CourierRefused(f"이름이 '{courier.name}'인 택배사가 이미 있습니다. 다른 이름을 쓰세요.", field="name")
    for text in (courier.slug, courier.name, *courier.aliases):
        plain = folded(text)
        field = {courier.slug: "slug", courier.name: "name"}.get(text, "aliases")
        if not plain.strip("/()"):
            raise CourierRefused(f"'{text}'에는 글자나 숫자가 있어야 합니다.", field=field)
        owner = next((other for other in others if plain in words and plain in words_of(other)), None)
        if owner is not None:
            said = josa(f"'{text}'", "은/는")
            raise CourierRefused(
                f"{said} 이미 {josa(owner.name, '이/가')} 쓰는 이름이나 별칭입니다. 다른 말을 쓰세요.", field=field
            )
    if len(courier.aliases) > MOST_ALIASES:
        raise CourierRefused(f"별칭은 {MOST_ALIASES}개까지 넣을 수 있습니다.", field="aliases")
    _refuse_rule(courier)
    _refuse_link(courier.link)
    if not courier.is_active and get_setting("default_courier") == courier.slug:
        raise CourierRefused("기본 택배사는 끌 수 없습니다. 설정에서 기본 택배사를 먼저 바꾸세요.", field="is_active")


def _refuse_rule(courier: Courier) -> None:
    lengths: Iterable[int] = [*courier.digits, *courier.rare_digits]
    if any(not courier.shortest <= one <= LONGEST for one in lengths):
        raise CourierRefused(f"자릿수는 최소 자릿수({courier.shortest})부터 {LONGEST}까지여야 합니다.", field="digits")
    if courier.check_rule == CheckRule.S10 and not (courier.has_letters and courier.digits == [13]):
        raise CourierRefused(
            "국제우편 S10은 영문자가 있는 13자리 번호입니다. 자릿수 13과 영문자 사용을 함께 정하세요.",
            field="check_rule",
        )


def _number_rule(courier: Courier) -> dict[str, Any]:
    """What decides how the numbers of a range are made and whether they are taken, as facts of `couriers.Courier`."""
    return {
        "digits": tuple(courier.digits),
        "rare_digits": tuple(courier.rare_digits),
        "shortest": courier.shortest,
        "check": CheckRule(courier.check_rule),
        "level": CheckLevel(courier.level),
        "has_letters": courier.has_letters,
    }


def _refuse_ranges(courier: Courier, *, is_new_check: bool) -> None:
    """A range in use goes on under the rule that its branch meant: nobody gives its numbers another check digit."""
    ruled = replace(TABLE.get()[courier.slug], **_number_rule(courier))
    open_ranges = WaybillRange.objects.filter(courier=courier.slug, is_active=True, next_body__lte=F("body_end"))
    for one in open_ranges.order_by("pk"):
        if is_new_check or misfit(one, ruled):
            raise CourierRefused(
                RANGE_IN_USE.format(range=one, left=one.left), field="check_rule" if is_new_check else "digits"
            )


def misfit(one: WaybillRange, courier: Ruled) -> str:
    """맞지 않는 대역: why the numbers left in a range are none of this courier's by its rule; empty when they are."""
    digits = body_digits_of(courier, one.prefix)
    if digits != one.body_digits:
        return f"본번호가 {digits}자리여야 하는데 {one.body_digits}자리입니다."
    return refusal_of_range(courier, prefix=one.prefix, body_digits=digits, start=one.next_body, end=one.body_end)


def _refuse_link(link: str) -> None:
    if not link:
        return
    try:
        URLValidator(schemes=["https"])(link.replace("{n}", "0"))
    except ValidationError as error:
        raise CourierRefused(BAD_LINK, field="link") from error
    # The host ends before the number: nobody's number may choose the site.
    host, _, rest = link.removeprefix("https://").partition("/")
    if rest.count("{n}") != 1 or any(sign in host for sign in "{}@") or {"{", "}"} & set(rest.replace("{n}", "")):
        raise CourierRefused(BAD_LINK, field="link")


def _refuse_codes(slug: str, fresh: Codes) -> None:
    for (system, mall), code in fresh.items():
        taken = CourierCode.objects.filter(system=system, mall=mall, code=code).exclude(courier_id=slug)
        owner = taken.select_related("courier").first()
        if owner is not None:
            where = f"{SYSTEMS.get(system, system)}{f' {mall}' if mall else ''}"
            raise CourierRefused(
                f"{where} 코드 '{code}'{josa(code, '은/는').removeprefix(code)} 이미 "
                f"{josa(owner.courier.name, '이/가')} 쓰고 있습니다. 코드를 다시 확인하세요.",
                field=f"code_{system}" if not mall else "mall_codes",
            )


def _write_codes(courier: Courier, codes: Codes, *, old: Codes, at: datetime) -> None:
    for system, mall in old.keys() - codes.keys():
        CourierCode.objects.filter(courier=courier, system=system, mall=mall).delete()
    for (system, mall), code in codes.items():
        if old.get((system, mall)) != code:
            CourierCode.objects.update_or_create(
                courier=courier, system=system, mall=mall, defaults={"code": code, "source": TYPED, "verified_at": at}
            )
