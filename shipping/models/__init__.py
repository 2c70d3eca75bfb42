"""Tables of shipping, one file per subject."""

from shipping.models.contract import CourierContract, WaybillRange
from shipping.models.layout import WaybillLayout
from shipping.models.numbers import WaybillNumber
from shipping.models.parcel import Parcel, ParcelLine
from shipping.models.shipment import Shipment, ShipmentLine, ShipmentStep, WaybillDraft
from shipping.models.template import ExcelTemplate, RowPer
from shipping.models.tracking import AccountState, TrackingAccount, TrackingEvent, TrackingPoll

__all__ = [
    "AccountState",
    "CourierContract",
    "ExcelTemplate",
    "Parcel",
    "ParcelLine",
    "RowPer",
    "Shipment",
    "ShipmentLine",
    "ShipmentStep",
    "TrackingAccount",
    "TrackingEvent",
    "TrackingPoll",
    "WaybillDraft",
    "WaybillLayout",
    "WaybillNumber",
    "WaybillRange",
]
