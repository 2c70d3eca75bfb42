"""Pages whose rows are shipments: 배송준비중 관리, 배송중 관리, 배송완료 관리."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar

from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from core.calendar import kst_date, kst_day_range
from core.lists import ByIds, DateBasis, Group, ListColumn, ListQuery, ListTab, Moved, RowHead, Sort, Tool, lists
from core.settings_registry import get_setting
from orders import columns as order_columns
from orders.columns import LineRecord
from orders.options import DELIVERY_DAYS
from orders.pages import ALL_TAB, OrderBasedPage, lines_of_orders, moved_badge
from orders.search import order_arms
from orders.states import DeliveredBy, LineState
from shipping.columns import shipments as columns
from shipping.columns.shipments import (
    FAILED_STAGES,
    SHIPMENT_PATHS,
    STILL,
    EntryCells,
    ShipmentRecord,
    courier_choices,
)
from shipping.filters import DeliveredFilter, ShipmentFilter
from shipping.models import AccountState, CourierContract, Shipment, ShipmentLine, ShipmentStep, WaybillDraft
from shipping.search import shipment_arms
from shipping.services.handover.timers import REMINDERS
from shipping.services.issuing.contracts import BLOCKED
from shipping.services.issuing.ranges import words_of_supply
from shipping.services.printing.lists import packed_of
from shipping.services.printing.readdress import readdressed
from shipping.services.tracking.telling import delays
from shipping.states import TRACKED, ContractMode, DeliveryMethod, TrackingStage

T = TrackingStage
BEFORE_SCAN = ("", T.NO_INFO, T.REGISTERED, T.PICKUP_FAILED)
MOVING = (T.PICKED_UP, T.IN_TRANSIT, T.AVAILABLE_FOR_PICKUP)
SOON = timedelta(days=2)
"""구매확정 임박: so long before the day on which a delivery confirms itself."""
REGISTER = "shipping.register_waybill"
BATCHES_URL, MERGES_URL = "/shipping/waybills/batches/", "/shipping/waybills/merges/"
MERGEABLE_URL = f"{MERGES_URL}count/"
UPLOAD_URL, FILE_URL = "/shipping/waybills/upload/", "/shipping/waybills/file/"

PAID_AT = DateBasis("결제일", "paid_at")
ORDERED_AT = DateBasis("주문일", "order__ordered_at")
SHIP_BY = DateBasis("발송기한", "ship_by")
SHIPPED_AT = DateBasis("배송시작일", "shipped_at")
SCANNED_AT = DateBasis("집하일", "first_scan_at")
DELIVERED_AT = DateBasis("배송완료일", "delivered_at")


class ShipmentPage(OrderBasedPage):
    """배송건이 행인 목록: shipments of one step, read through the partial index of the step in its order."""

    unit = "배송건"
    model = Shipment
    record = ShipmentRecord
    paths = SHIPMENT_PATHS
    order_path = "order_id"
    filterset_class = ShipmentFilter
    arms = (*order_arms(lambda found, column: _of_orders(found, column)), *shipment_arms())
    step: ClassVar[ShipmentStep]
    state: ClassVar[LineState]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "state" in cls.__dict__:
            cls.states = cls.shown = frozenset({cls.state})

    def base(self) -> QuerySet[Any]:
        return Shipment.objects.filter(step=self.step)

    def lines(self, ids: Sequence[int], *, whole: bool = False) -> Mapping[int, tuple[Sequence[Any], Sequence[Any]]]:
        """품목: live lines of shipments, of whatever order; their orders' other lines are mentioned. Two queries."""
        owner: dict[int, int] = {}
        orders: dict[int, list[int]] = defaultdict(list)
        for shipment_id, line_id, order_id in _live_lines().rows(ids):
            owner[line_id] = shipment_id
            if shipment_id not in orders[order_id]:
                orders[order_id].append(shipment_id)
        found: dict[int, tuple[list[LineRecord], list[LineRecord]]] = defaultdict(lambda: ([], []))
        for row in lines_of_orders().rows(list(orders)):
            line = LineRecord._make(row)
            for shipment_id in orders[line.order_id]:
                is_mine = owner.get(line.id) == shipment_id and (whole or line.state in self.shown)
                found[shipment_id][0 if is_mine else 1].append(line)
        return found

    def head(self, group: Group) -> RowHead:
        row = group.record
        return RowHead(row.id, row.version, row.number, self.state)

    def moved_badge(self, group: Group) -> str:
        return moved_badge(group, step=self.state)

    def line_count(self) -> Any:
        """품목 수: stored with the shipment."""
        return F("line_count")

    def known_counts(self) -> Mapping[str, int]:
        return {self.default_tab: step_counts([self.name])[self.name]}


@cache
def _live_lines() -> ByIds:
    live = ShipmentLine.objects.filter(is_live=True)
    return ByIds(live.values_list("shipment_id", "line_id", "line__order_id"), "shipment_id")


def _of_orders(found: QuerySet[Any], column: str) -> QuerySet[Any]:
    mine = Shipment.objects.filter(order__in=found.order_by().values(column))
    return mine.values_list(Coalesce("merged_into_id", "pk"))


def _late(at: datetime) -> Q:
    return Q(ship_by__lte=at)


def _due_today(at: datetime) -> Q:
    return Q(ship_by__gt=at, ship_by__lte=kst_day_range(kst_date(at))[1])


def _still(at: datetime) -> Q:
    return Q(last_event_at__lt=at - STILL, method__in=TRACKED)


def _unfetched(at: datetime) -> Q:
    # Nobody scans what is to be fetched: its last change is the day on which it was ready.
    return Q(method=DeliveryMethod.VISIT, last_event_at__lte=at - REMINDERS[-1])


def _confirms_soon(at: datetime) -> Q:
    return Q(confirm_by__lte=at + SOON)


def _marks(shipment_ids: Sequence[int]) -> Mapping[int, columns.Marks]:
    """표시: shipments whose number died with the old address, and those that are packed."""
    old, packed = readdressed(shipment_ids), packed_of(shipment_ids)
    days = int(get_setting(DELIVERY_DAYS.key))
    return {pk: columns.Marks(pk in old, pk in packed, delivery_days=days) for pk in shipment_ids}


READY_COLUMNS = (
    order_columns.NUMBER,
    columns.SHIPMENT,
    order_columns.PEOPLE,
    order_columns.PHONE,
    order_columns.ADDRESS,
    order_columns.PRODUCT,
    order_columns.SKU,
    order_columns.QUANTITY,
    columns.METHOD,
    columns.COURIER,
    columns.WAYBILL,
    columns.DEADLINE,
    columns.STATE,
    order_columns.ZONE,
    order_columns.NOTE,
    replace(columns.TAGS, fetch=_marks),
)


@lists.register
class ReadyPage(ShipmentPage):
    """배송준비중 관리: shipments that wait for their number or for the courier."""

    name, title, url = "ready", "배송준비중 관리", "/orders/ready/"
    subtitle = "송장을 등록하고 배송중으로 넘깁니다"
    step, state = ShipmentStep.READY, LineState.READY
    counted_by = ("has_waybill", "has_claim", "is_held")
    is_open_work = True
    default_period = "7d"
    draft_url, paste_url = "/shipping/waybills/draft/", "/shipping/waybills/paste/"
    sorts: ClassVar[dict[str, Sort]] = {
        "ship_by": Sort("발송기한 빠른순", ("ship_by", "paid_at"), nullable=True),
        "-ship_by": Sort("발송기한 늦은순", ("-ship_by", "-paid_at"), nullable=True),
    }
    bases: ClassVar[dict[str, DateBasis]] = {"paid": PAID_AT, "ordered": ORDERED_AT, "ship_by": SHIP_BY}
    tabs = (
        ALL_TAB,
        ListTab("no-waybill", "송장 미등록", Q(has_waybill=False)),
        ListTab("standby", "배송대기", Q(has_waybill=True)),
        ListTab("today", "오늘 발송기한", _due_today),
        ListTab("late", "출고 지연", _late),
        ListTab("claim", "취소 신청", Q(has_claim=True)),
        ListTab("held", "보류", Q(is_held=True)),
    )
    columns = READY_COLUMNS
    empty_text = "배송준비중인 주문이 없습니다. 상품준비중 관리에서 '배송준비중 처리'를 하면 여기에 나타납니다."

    def visible_columns(self, user: Any, *, chosen: Sequence[str] | None = None) -> tuple[ListColumn, ...]:
        """입력칸: for people who may register numbers; the others see what is registered."""
        shown = super().visible_columns(user, chosen=chosen)
        if user is None or not user.has_perm(REGISTER):
            return shown
        entry = EntryCells(courier_choices())
        inputs = {"courier": entry.courier, "waybill": entry.waybill}
        return tuple(replace(one, cell=inputs[one.key]) if one.key in inputs else one for one in shown)

    def moved_since(self, ids: Sequence[int], *, since: datetime, user: Any) -> list[Moved]:
        """다른 사람의 처리, and what colleagues typed into cells and did not register yet; one query more."""
        moved = super().moved_since(ids, since=since, user=user)
        told = {one.id for one in moved}
        typed = WaybillDraft.objects.filter(shipment__in=list(ids), saved_at__gt=since).exclude(author_id=user.pk)
        rows = typed.order_by("pk").values_list("pk", "author__display_name", "saved_at")
        return [*moved, *(Moved(pk, f"방금 {name} 님이 송장번호 입력", at) for pk, name, at in rows if pk not in told)]

    def notices(self, query: ListQuery) -> list[str]:
        """대역 부족 and 인증 거절: why numbers will soon not come, or do not; one query, and one for each range."""
        contracts = list(CourierContract.objects.filter(is_active=True).order_by("name", "pk"))
        ranges = [one for one in contracts if one.mode == ContractMode.RANGE]
        low = [text for one in ranges if (text := words_of_supply(one, at=query.at))]
        return low + [BLOCKED.format(name=one.name) for one in contracts if one.state == AccountState.BLOCKED]

    def tools(self, query: ListQuery) -> list[Tool]:
        """도구: what goes to the courier and what comes back."""
        found = list(super().tools(query))
        user, state = query.user, query.text_of_state
        if user is not None and user.has_perm("shipping.export_waybill"):
            found.insert(0, Tool("송장 양식 내려받기", f"{FILE_URL}?{state}" if state else FILE_URL, "file"))
        if user is not None and user.has_perm(REGISTER):
            found.insert(0, Tool("송장 엑셀 올리기", UPLOAD_URL, "upload"))
            found.append(Tool("내려받은 송장 파일", BATCHES_URL, "batches"))
        if user is not None and user.has_perm("orders.split"):
            found.append(Tool("합포 제안", MERGES_URL, "merges", MERGEABLE_URL))
        if user is not None and user.has_perm("shipping.pack"):
            found.append(Tool("포장 검수대", "/pack/", "pack"))
        return found


@lists.register
class ShippingPage(ShipmentPage):
    """배송중 관리: shipments on their way, those without news for longest first."""

    name, title, url = "shipping", "배송중 관리", "/orders/shipping/"
    subtitle = "택배사가 전하는 배송 현황을 봅니다"
    step, state = ShipmentStep.SHIPPING, LineState.SHIPPING
    counted_by = ("stage", "tracking_failed")
    sorts: ClassVar[dict[str, Sort]] = {
        "last_event_at": Sort("무변동 오래된순", ("last_event_at",), nullable=True),
        "-last_event_at": Sort("최근 변동순", ("-last_event_at",), nullable=True),
    }
    bases: ClassVar[dict[str, DateBasis]] = {
        "shipped": SHIPPED_AT, "scanned": SCANNED_AT, "paid": PAID_AT, "ordered": ORDERED_AT,
    }  # fmt: skip
    tabs = (
        ALL_TAB,
        ListTab("waiting", "집하 대기", Q(first_scan_at__isnull=True, stage__in=BEFORE_SCAN, method__in=TRACKED)),
        ListTab("moving", "이동중", Q(stage__in=MOVING)),
        ListTab("out", "배달 출발", Q(stage=T.OUT_FOR_DELIVERY)),
        ListTab("failed", "배달 실패", Q(stage__in=FAILED_STAGES)),
        ListTab("still", "24시간 무변동", _still),
        ListTab("visit", "방문수령", Q(method=DeliveryMethod.VISIT), main="receive"),
        ListTab("unfetched", "7일 미수령", _unfetched, main="receive"),
        ListTab("handed", "퀵·직접전달", Q(method__in=(DeliveryMethod.QUICK, DeliveryMethod.DIRECT)), main="hand-over"),
        ListTab("error", "추적 오류", Q(tracking_failed=True) | Q(stage=T.CANCELLED)),
    )
    columns = (
        order_columns.NUMBER,
        columns.SHIPMENT,
        order_columns.PEOPLE,
        order_columns.PHONE,
        order_columns.PRODUCT,
        order_columns.QUANTITY,
        columns.METHOD_BESIDE,
        columns.SENT_BY,
        columns.PLACE,
        columns.NEWS,
        columns.PASSED,
        columns.SCANNED,
        columns.TAGS_ON_THE_WAY,
    )
    empty_text = "배송중인 주문이 없습니다. 배송준비중 관리에서 '배송중 처리'를 하면 여기에 나타납니다."

    def notices(self, query: ListQuery) -> list[str]:
        """조회 지연: why the list may be behind the truth; one query."""
        return delays(at=query.at)


@lists.register
class DeliveredPage(ShipmentPage):
    """배송완료 관리: delivered shipments until they are confirmed."""

    name, title, url = "delivered", "배송완료 관리", "/orders/delivered/"
    subtitle = "배송완료를 확인하고 구매확정을 기다립니다"
    step, state = ShipmentStep.DELIVERED, LineState.DELIVERED
    filterset_class = DeliveredFilter
    counted_by = ("delivered_by", "tracking_failed")
    sorts: ClassVar[dict[str, Sort]] = {
        "-delivered_at": Sort("완료일 최신순", ("-delivered_at",), nullable=True),
        "delivered_at": Sort("완료일 오래된순", ("delivered_at",), nullable=True),
    }
    bases: ClassVar[dict[str, DateBasis]] = {
        "delivered": DELIVERED_AT, "shipped": SHIPPED_AT, "scanned": SCANNED_AT, "paid": PAID_AT, "ordered": ORDERED_AT,
    }  # fmt: skip
    tabs = (
        ALL_TAB,
        ListTab("presumed", "추정 완료", Q(delivered_by=DeliveredBy.DAYS)),
        ListTab("disputed", "분쟁", Q(tracking_failed=True)),
        ListTab("soon", "구매확정 임박", _confirms_soon),
    )
    columns = (
        order_columns.NUMBER,
        columns.SHIPMENT,
        order_columns.PEOPLE,
        order_columns.PHONE,
        order_columns.PRODUCT,
        order_columns.QUANTITY,
        columns.METHOD_BESIDE,
        columns.SENT_BY,
        columns.LEFT,
        columns.SCANNED_BESIDE,
        columns.DELIVERED,
        columns.PROOF,
        columns.CONFIRM_BY,
        columns.TAGS,
    )
    empty_text = "배송완료된 주문이 없습니다. 택배사가 배송완료를 알려 오면 여기에 나타납니다."


_PAGES = {"ready": ShipmentStep.READY, "shipping": ShipmentStep.SHIPPING, "delivered": ShipmentStep.DELIVERED}


_OPEN_CASES = "(SELECT count(*) FROM shipping_shippingexception WHERE closed_at IS NULL)"
_COUNTS = {
    name: f"(SELECT count(*) FROM shipping_shipment WHERE step = '{step.value}')" for name, step in _PAGES.items()
} | {"exceptions": _OPEN_CASES}


@lists.counts(*_COUNTS)
def step_counts(names: Collection[str]) -> dict[str, int]:
    """메뉴 건수: shipments of each step and open cases by the name of the page, one query through partial indexes."""
    asked = [_COUNTS[name] for name in names]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(asked)}")
        return dict(zip(names, cursor.fetchone(), strict=True))


def listed(name: str, query: str, *, user: Any, at: datetime, ids: Collection[int]) -> set[int]:
    """이 목록에 있는 배송건: those of the ids that the query string of a list of shipments finds."""
    page = lists.page(name)
    found = page.query(query, user=user, at=at)
    found.require_valid()
    return set(found.queryset().filter(pk__in=list(ids)).values_list("pk", flat=True))
