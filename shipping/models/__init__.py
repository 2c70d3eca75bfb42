"""Tables of shipping, one file per subject."""

from shipping.models.exception import ShippingException
from shipping.models.layout import WaybillLayout
from shipping.models.link import BuyerLink
from shipping.models.parcel import Parcel, ParcelLine
from shipping.models.shipment import Shipment, ShipmentLine, ShipmentStep, WaybillDraft
from shipping.models.template import ExcelTemplate, RowPer
from shipping.models.tracking import AccountState, TrackingAccount, TrackingEvent, TrackingPoll

__all__ = [
    "AccountState",
    "BuyerLink",
    "ExcelTemplate",
    "Parcel",
    "ParcelLine",
    "RowPer",
    "Shipment",
    "ShipmentLine",
    "ShipmentStep",
    "ShippingException",
    "TrackingAccount",
    "TrackingEvent",
    "TrackingPoll",
    "WaybillDraft",
    "WaybillLayout",
]
