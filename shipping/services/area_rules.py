"""도서산간 관리: add a rule, change it, take it out of use; nothing is deleted and every change is kept.

Orders keep the zone that they got; a change counts for those that come in afterwards.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from core.exceptions import Conflict, DomainError, NotFound
from core.settings_registry import last_changed, note_change, one_at_a_time
from orders.states import RemoteZone
from shipping.couriers import courier_name
from shipping.models import AreaLevel, RemoteArea

HISTORY = "remote_area."
"""Keys of the history are "remote_area.<id>"."""
TWICE = "같은 지역, 택배사, 적용 시작일의 규칙이 이미 있습니다. 그 규칙을 고치세요."


class AreaRefused(DomainError):
    """지역 규칙 오류: it cannot be stored like this."""

    code = "area_refused"
    status = 422


def add_area(*, facts: Mapping[str, Any], actor: Any, at: datetime) -> RemoteArea:
    """지역 더하기. Raises AreaRefused for one that is there already."""
    with transaction.atomic():
        one_at_a_time("remote_areas")
        area = RemoteArea(**facts)
        _refuse_twice(area)
        area.save(force_insert=True)
        note_change(key=f"{HISTORY}{area.pk}", old=None, new=described(area), actor=actor, at=at)
    return area


def save_area(*, area_id: int, seen_version: int, facts: Mapping[str, Any], actor: Any, at: datetime) -> bool:
    """지역 저장; False when nothing was changed. Raises Conflict, NotFound, AreaRefused."""
    with transaction.atomic():
        one_at_a_time("remote_areas")
        area = RemoteArea.objects.select_for_update().filter(pk=area_id).first()
        if area is None:
            raise NotFound("도서산간 지역을 찾을 수 없습니다. 화면을 새로 고치세요.")
        if area.version != seen_version:
            who = last_changed(key=f"{HISTORY}{area_id}")
            raise Conflict(f"{area}: {who} 먼저 바꿨습니다. 화면을 새로 고쳐 지금 값을 확인하세요.")
        before = described(area)
        for name, value in facts.items():
            setattr(area, name, value)
        _refuse_twice(area)
        after = described(area)
        if before != after:
            area.version += 1
            area.save()
            note_change(key=f"{HISTORY}{area_id}", old=before, new=after, actor=actor, at=at)
    return before != after


def described(area: RemoteArea) -> dict[str, Any]:
    """이력에 남길 내용, in words."""
    return {
        "where": f"{AreaLevel(area.level).label} {area}",
        "courier": courier_name(area.courier) or "모든 택배사",
        "zone": RemoteZone(area.zone).label,
        "surcharge": "권역 기본 금액" if area.surcharge is None else f"{area.surcharge:,}원",
        "valid_from": f"{area.valid_from:%Y-%m-%d}부터",
        "source": area.source,
        "is_active": "사용" if area.is_active else "사용 안 함",
    }


def _refuse_twice(area: RemoteArea) -> None:
    same = RemoteArea.objects.filter(
        level=area.level, text=area.text, zip_from=area.zip_from, zip_to=area.zip_to, courier=area.courier,
        valid_from=area.valid_from, is_active=True,
    )  # fmt: skip
    if area.is_active and same.exclude(pk=area.pk).exists():
        raise AreaRefused(TWICE)
