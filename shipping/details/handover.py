"""전달 상자의 내용: what the box 배송 tells of a shipment that no courier carries."""

from collections.abc import Sequence

from django.http import HttpRequest
from django.urls import reverse

from accounts.access import staff_of
from core.calendar import short
from core.masking import mask_name, mask_phone
from core.settings_registry import get_setting
from orders.states import DeliveryMethod
from shipping.models import Handover, Shipment, ShipmentStep
from shipping.options import PUBLIC_URL
from shipping.services.handover.ending import MOST_TRIES
from shipping.services.riders import HANDED
from shipping.services.seals import link_token


def handovers(shipments: Sequence[Shipment]) -> dict[int, list[tuple[str, str]]]:
    """전달 내용 by shipment, as (label, text); one query, none where couriers carry everything."""
    mine = {one.pk: one for one in shipments if one.method in HANDED}
    if not mine:
        return {}
    rows = Handover.objects.filter(pk__in=mine).order_by("pk")
    return {row.pk: _facts(row, mine[row.pk]) for row in rows}


def rider_links(shipments: Sequence[Shipment], *, request: HttpRequest) -> dict[int, str]:
    """기사 링크 by shipment of 퀵 in 배송중 that a person may hand on.

    Riders reach the shop where its buyers do; without 고객용 주소 it is the address that the person has opened.
    """
    mine = [one.pk for one in shipments if one.method == DeliveryMethod.QUICK and one.step == ShipmentStep.SHIPPING]
    if not mine or not staff_of(request).has_perm("shipping.ship"):
        return {}
    rows = Handover.objects.filter(pk__in=mine, link_used_at=None)
    links = {row.pk: reverse("shipping:rider", args=[link_token(row)]) for row in rows}
    base = str(get_setting(PUBLIC_URL.key)).rstrip("/") if links else ""
    return {pk: base + path if base else request.build_absolute_uri(path) for pk, path in links.items()}


def _facts(row: Handover, shipment: Shipment) -> list[tuple[str, str]]:
    who = "담당자" if shipment.method == DeliveryMethod.DIRECT else "퀵 업체"
    found = [
        (who, row.carried_by),
        ("연락처", mask_phone(row.phone) if row.phone else ""),
        ("배차", short(row.dispatched_at)),
        ("기사 확인", short(row.link_used_at)),
        ("찾을 곳", row.place),
        ("받은 사람", mask_name(row.received_by) if row.received_by else ""),
        ("알림", f"{short(row.reminded_at)}에 다시 알림" if row.reminded_at else ""),
    ]
    if row.tries:
        blocked = " (막힘)" if row.tries >= MOST_TRIES else ""
        found.append(("틀린 수령 코드", f"{row.tries}번{blocked}"))
    return [(label, text) for label, text in found if text]
