"""Tables of shipping, one file per subject."""

from shipping.models.layout import WaybillLayout
from shipping.models.parcel import Parcel, ParcelLine
from shipping.models.printing import Paper, PrintBatch, PrintItem, PrintKind
from shipping.models.shipment import Shipment, ShipmentLine, ShipmentStep, WaybillDraft
from shipping.models.template import ExcelTemplate, RowPer
from shipping.models.tracking import AccountState, TrackingAccount, TrackingEvent, TrackingPoll

__all__ = [
    "AccountState",
    "ExcelTemplate",
    "Paper",
    "Parcel",
    "ParcelLine",
    "PrintBatch",
    "PrintItem",
    "PrintKind",
    "RowPer",
    "Shipment",
    "ShipmentLine",
    "ShipmentStep",
    "TrackingAccount",
    "TrackingEvent",
    "TrackingPoll",
    "WaybillDraft",
    "WaybillLayout",
]
