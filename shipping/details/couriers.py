"""택배사 화면의 내용: rows of the list, and everything about one courier."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef

from shipping.couriers import CheckLevel, CheckRule
from shipping.details.history import changes_of
from shipping.models import Courier, CourierCode, Parcel
from shipping.models.parcel import LIVE
from shipping.services.couriers import HISTORY, SYSTEMS, codes_of, described

REFUSED = "{system}에 코드 '{code}'인 택배사가 없어 조회를 멈췄습니다. 코드를 고치세요."
LABELS = {
    "name": "이름", "aliases": "별칭", "digits": "자릿수", "shortest": "최소", "check": "검증 규칙",
    "level": "검증 수준", "link": "배송조회 주소", "codes": "코드", "is_active": "새 송장번호",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CourierRow:
    """택배사 한 줄; `codes` in the order of SYSTEMS."""

    slug: str
    name: str
    aliases: str
    digits: str
    check: str
    level: str
    codes: list[str]
    is_active: bool
    refused: bool


def courier_rows() -> list[CourierRow]:
    """택배사 목록: those in use first; three queries."""
    codes: dict[str, dict[str, str]] = {}
    refused = set(CourierCode.objects.exclude(refused_at=None).values_list("courier_id", flat=True))
    for slug, system, mall, code in CourierCode.objects.order_by("mall").values_list(
        "courier_id", "system", "mall", "code"
    ):
        mine = codes.setdefault(slug, {})
        mine[system] = ", ".join(filter(None, [mine.get(system), f"{code} ({mall})" if mall else code]))
    return [
        CourierRow(
            one.slug,
            one.name,
            ", ".join(one.aliases),
            lengths(one),
            CheckRule(one.check_rule).label,
            CheckLevel(one.level).label,
            [codes.get(one.slug, {}).get(system, "") for system in SYSTEMS],
            one.is_active,
            one.slug in refused,
        )
        for one in Courier.objects.order_by("-is_active", "position", "slug")
    ]


def lengths(courier: Courier) -> str:
    """자릿수 in words: "12, 10", or the shortest where none is known."""
    known = ", ".join(map(str, courier.digits))
    rare = f" (드묾 {', '.join(map(str, courier.rare_digits))})" if courier.rare_digits else ""
    return f"{known}{rare}" if known else f"{courier.shortest} 이상"


def courier_context(courier: Courier) -> dict[str, Any]:
    """택배사 내용: facts in words, whether boxes of it are under way, history."""
    live = Parcel.objects.filter(courier=OuterRef("slug"), state__in=LIVE)
    in_use = Courier.objects.filter(pk=courier.pk).annotate(in_use=Exists(live)).values_list("in_use", flat=True).get()
    return {
        "facts": [(LABELS[name], text or "없음") for name, text in described(courier).items()],
        "in_use": in_use,
        "refused": [
            REFUSED.format(system=SYSTEMS.get(code.system, code.system), code=code.code)
            for code in courier.system_codes.exclude(refused_at=None)
        ],
        "changes": changes_of(HISTORY, labels={HISTORY + courier.slug: courier.name}, key=HISTORY + courier.slug),
    }


def initial_of(courier: Courier) -> dict[str, Any]:
    """입력란의 처음 값 of CourierForm."""
    codes = codes_of(courier)
    malls = [f"{system} {mall} {code}" for (system, mall), code in codes.items() if mall or system not in SYSTEMS]
    return {
        "name": courier.name,
        "aliases": ", ".join(courier.aliases),
        "digits": ", ".join(map(str, courier.digits)),
        "rare_digits": ", ".join(map(str, courier.rare_digits)),
        "shortest": courier.shortest,
        "check_rule": courier.check_rule,
        "level": courier.level,
        "has_letters": courier.has_letters,
        "link": courier.link,
        "is_active": courier.is_active,
        "mall_codes": "\n".join(malls),
        "version": courier.version,
    } | {f"code_{system}": codes.get((system, ""), "") for system in SYSTEMS}
