"""Scans as the courier sandbox is told of them, and cases as they stand."""

from datetime import timedelta

from shipping.models import ShippingException
from tests.fixtures.orders import NOW

CJ = "kr.cjlogistics"
HOUR = timedelta(hours=1)
HEALTHY = ("INV-01", "INV-06", "INV-07", "INV-08", "INV-09")


def scan(name, *, hours, code="UNKNOWN", place="강남집배점", text=""):
    at = (NOW + timedelta(hours=hours)).isoformat()
    return {"at": at, "code": code, "name": name, "place": place, "description": text}


PICKED = scan("집화처리", hours=4, code="AT_PICKUP")
MOVING = scan("간선상차", hours=6, code="IN_TRANSIT")
VAN = scan("배송출발", hours=28, code="OUT_FOR_DELIVERY")
DONE = scan("배송완료", hours=32, code="DELIVERED")
HAPPY = [PICKED, MOVING, VAN, DONE]


def cases(**where):
    """Kinds of the open cases, in the order of their opening."""
    return list(ShippingException.objects.filter(closed_at=None, **where).order_by("pk").values_list("kind", flat=True))
