"""권역: what an upper app knows about an address is stored with the order in the statement that stores the address.

Orders know neither couriers nor islands; shipping declares the one function that does (architecture.md 3: facts travel
downward). Without one, nothing is stored.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple


class Address(NamedTuple):
    """주소: five digits or nothing, and the words as they were typed."""

    zip_code: str
    text: str


def address_of(one: Any) -> Address:
    """판단할 주소 of an order, a draft or a recipient: both forms, the one that couriers get first.

    Couriers name islands by 리, which stands in the 지번주소 alone (shipping.md 6.3).
    """
    return Address(one.zip_code, " ".join(filter(None, (one.address1, one.address2, one.jibun_address))))


class Place(NamedTuple):
    """배송 권역: a `RemoteZone`, and what couriers ask for on top, in won."""

    zone: int
    surcharge: int


Judge = Callable[[Sequence[Address], datetime], Sequence[Place]]
_judges: list[Judge] = []


def judge(function: Judge) -> None:
    """권역 판단 등록: who tells the places of addresses, one for each and in their order; declared once."""
    if _judges and _judges[0] is not function:
        raise ValueError("the places of addresses are judged twice")
    _judges[:] = [function]


def places_of(addresses: Sequence[Address], *, at: datetime) -> list[dict[str, int | None]]:
    """주문에 남길 값 of each address: the columns of the order, empty where nobody knows."""
    found = _judges[0](addresses, at) if _judges and addresses else [None] * len(addresses)
    return [
        {
            "remote_zone": place.zone if place else None,
            "remote_surcharge_amount": place.surcharge if place else None,
        }
        for place in found
    ]
