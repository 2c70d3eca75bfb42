"""Tables of shipping, one file per subject."""

from shipping.models.area import AreaLevel, RemoteArea
from shipping.models.contract import CourierContract, WaybillRange
from shipping.models.courier import Courier, CourierCode, StatusRule, UnknownStatus
from shipping.models.exception import ShippingException
from shipping.models.feed import FeedState, OrphanEvent, PushHook
from shipping.models.filebatch import WaybillFileBatch, WaybillFileItem
from shipping.models.handover import Handover
from shipping.models.lanes import CourierRoute, TrackingBudget, TrackingLane
from shipping.models.layout import WaybillLayout
from shipping.models.link import BuyerLink
from shipping.models.numbers import WaybillNumber
from shipping.models.packing import PackingScan, PackingSession
from shipping.models.parcel import Parcel, ParcelLine
from shipping.models.printing import Paper, PrintBatch, PrintItem, PrintKind
from shipping.models.shipment import Shipment, ShipmentLine, ShipmentStep, WaybillDraft
from shipping.models.template import ExcelTemplate, MergedRows, RowPer, RowSort
from shipping.models.tracking import AccountState, TrackingAccount, TrackingEvent, TrackingPoll

__all__ = [
    "AccountState",
    "AreaLevel",
    "Courier",
    "CourierCode",
    "CourierContract",
    "BuyerLink",
    "CourierRoute",
    "ExcelTemplate",
    "FeedState",
    "Handover",
    "MergedRows",
    "OrphanEvent",
    "PackingScan",
    "PackingSession",
    "Paper",
    "Parcel",
    "ParcelLine",
    "PushHook",
    "RemoteArea",
    "PrintBatch",
    "PrintItem",
    "PrintKind",
    "RowPer",
    "RowSort",
    "Shipment",
    "ShipmentLine",
    "ShipmentStep",
    "StatusRule",
    "ShippingException",
    "TrackingAccount",
    "TrackingBudget",
    "TrackingEvent",
    "TrackingLane",
    "TrackingPoll",
    "UnknownStatus",
    "WaybillDraft",
    "WaybillFileBatch",
    "WaybillFileItem",
    "WaybillLayout",
    "WaybillNumber",
    "WaybillRange",
]
