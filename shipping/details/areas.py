"""도서산간 화면의 내용: rows of the list."""

from dataclasses import dataclass

from core.setting_history import ChangeRow
from core.settings_registry import declared_settings
from orders.states import RemoteZone
from shipping.couriers import courier_name
from shipping.details.history import changes_of
from shipping.models import AreaLevel, RemoteArea
from shipping.options import REMOTE_GROUP
from shipping.services.area_rules import HISTORY

_RANK = {AreaLevel.PATTERN: 0, AreaLevel.ZIP: 1, AreaLevel.PROVINCE: 2}


@dataclass(frozen=True, slots=True)
class AreaRow:
    """지역 한 줄, with finished words."""

    pk: int
    where: str
    level: str
    courier: str
    zone: str
    surcharge: str
    valid_from: str
    source: str
    is_active: bool


def area_rows() -> list[AreaRow]:
    """도서산간 지역 in the order in which they are looked at, those in use first; one query."""
    areas = sorted(
        RemoteArea.objects.order_by("zip_from", "text", "-valid_from", "pk"),
        key=lambda one: (not one.is_active, _RANK[AreaLevel(one.level)]),
    )
    return [
        AreaRow(
            one.pk,
            str(one),
            AreaLevel(one.level).label,
            courier_name(one.courier) if one.courier else "모든 택배사",
            RemoteZone(one.zone).label,
            "권역 금액" if one.surcharge is None else f"{one.surcharge:,}원",
            f"{one.valid_from:%Y-%m-%d}",
            one.source,
            one.is_active,
        )
        for one in areas
    ]


def area_changes(rows: list[AreaRow]) -> list[ChangeRow]:
    """변경 이력 of all areas, newest first."""
    amounts = {one.key: one.label.removesuffix("(원)") for one in declared_settings(REMOTE_GROUP)}
    labels = amounts | {f"{HISTORY}{row.pk}": row.where for row in rows}
    return changes_of(HISTORY, labels=labels, settings=amounts.keys())
