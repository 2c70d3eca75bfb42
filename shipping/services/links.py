"""고객용 조회 링크: made when a shipment leaves, found again by its token, over when there is nothing to follow."""

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from core.settings_registry import get_setting
from shipping.models import BuyerLink, Shipment, ShipmentStep
from shipping.options import PUBLIC_URL
from shipping.states import TRACKED

KEY_LENGTH, TOKEN_LENGTH = 12, 44
KEPT = timedelta(days=90)
"""After a delivery the page is there for so long."""
LEFT = frozenset({ShipmentStep.SHIPPING, ShipmentStep.DELIVERED})
_NOBODY = "-" * (TOKEN_LENGTH - KEY_LENGTH)


def link_of(shipment_id: int) -> str:
    """조회 링크 of a shipment, made when there is none; empty while the shop has no public address."""
    base = get_setting(PUBLIC_URL.key)
    if not base:
        return ""
    return _address(base, BuyerLink.of([shipment_id])[shipment_id])


def links_of(shipments: Collection[Shipment]) -> Mapping[int, str]:
    """조회 링크 of shipments for the screen; empty without a public address.

    What is on its way or has arrived gets one here when it left before the shop had a public address.
    """
    base = get_setting(PUBLIC_URL.key)
    if not base:
        return {}
    known = {one.shipment_id: one for one in BuyerLink.objects.filter(shipment__in=[one.pk for one in shipments])}
    late = [one.pk for one in shipments if one.pk not in known and one.step in LEFT and one.method in TRACKED]
    made = BuyerLink.of(late) if late else {}
    return {pk: _address(base, link) for pk, link in (known | made).items()}


def _address(base: str, link: BuyerLink) -> str:
    return f"{base.rstrip('/')}/t/{link.token}/"


def find_shipment(token: str) -> Shipment | None:
    """배송건 of a token, that into which it was merged; None for every other text, after the same work."""
    key, secret = token[:KEY_LENGTH], token[KEY_LENGTH:]
    rows = BuyerLink.objects.select_related("shipment__order", "shipment__merged_into__order")
    found = rows.filter(key=key).first() if token.isascii() and len(token) == TOKEN_LENGTH else None
    is_right = secrets.compare_digest((found.secret if found else _NOBODY).encode(), secret.encode("utf-8", "replace"))
    if found is None or not is_right:
        return None
    return found.shipment.merged_into or found.shipment


def is_given_up(shipment: Shipment) -> bool:
    """끝난 배송: canceled, or sent once more under another number."""
    return shipment.step == ShipmentStep.CLOSED


def is_past(shipment: Shipment, *, at: datetime) -> bool:
    """지난 배송: with the buyer for so long that nothing is shown of it any more."""
    return shipment.delivered_at is not None and shipment.delivered_at < at - KEPT
