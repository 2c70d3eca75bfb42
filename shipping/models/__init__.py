"""Tables of shipping, one file per subject."""

from shipping.models.lanes import CourierRoute, TrackingBudget, TrackingLane
from shipping.models.layout import WaybillLayout
from shipping.models.parcel import Parcel, ParcelLine
from shipping.models.shipment import Shipment, ShipmentLine, ShipmentStep, WaybillDraft
from shipping.models.template import ExcelTemplate, RowPer
from shipping.models.tracking import AccountState, TrackingAccount, TrackingEvent, TrackingPoll

__all__ = [
    "AccountState",
    "CourierRoute",
    "ExcelTemplate",
    "Parcel",
    "ParcelLine",
    "RowPer",
    "Shipment",
    "ShipmentLine",
    "ShipmentStep",
    "TrackingAccount",
    "TrackingBudget",
    "TrackingEvent",
    "TrackingLane",
    "TrackingPoll",
    "WaybillDraft",
    "WaybillLayout",
]
