"""Records and columns of the lists of shipments. Personal data is masked in cells and whole in files."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from core import cells
from core.calendar import due_date, kst_date
from core.excel.columns import Kind
from core.lists import Group, ListColumn
from core.settings_registry import get_settings
from orders import columns as order_columns
from orders.columns import DANGER, LATE, MEMO, TODAY, lock_tags, safe_number_tags, shown_state, zone_tags
from orders.options import DELIVERY_DAYS
from orders.states import TRACKED, DeliveredBy, DeliveryMethod, LockKind
from shipping.couriers import COURIERS, courier_name, tracking_url
from shipping.models import ShipmentStep
from shipping.options import NO_PICKUP_HOURS
from shipping.states import TrackingStage

STILL = timedelta(hours=24)
"""Without news for so long a parcel is worth a look (ux.md 1.1)."""
DOUBT = LockKind.DELIVERY.label
"""A delivery that the courier has taken back; it does not confirm itself until a person decides."""
UNFETCHED = 3
"""Days after which a buyer who does not come is worth a word (shipping.md 7)."""
_METHOD = dict(DeliveryMethod.choices)
_STAGE = {stage.value: stage for stage in TrackingStage}
_BY = dict(DeliveredBy.choices)
FAILED_STAGES = (
    TrackingStage.ATTEMPT_FAILED, TrackingStage.RETURNING, TrackingStage.RETURNED, TrackingStage.EXCEPTION,
)  # fmt: skip


class ShipmentRecord(NamedTuple):
    """배송건 한 줄: the columns of a shipment and its order that lists need; `number` is the order's."""

    id: int
    version: int
    shipment_number: str
    number: str
    order_id: int
    channel_name: str
    ordered_at: datetime
    paid_at: datetime | None
    next_due_at: datetime | None
    step: str
    method: str
    line_count: int
    is_held: bool
    has_claim: bool
    courier: str
    waybill: str
    parcel_count: int
    stage: str
    tracking_failed: bool
    shipped_at: datetime | None
    first_scan_at: datetime | None
    last_event_at: datetime | None
    last_event_text: str
    delivered_at: datetime | None
    delivered_by: str
    confirm_by: datetime | None
    buyer_name: str
    recipient_name: str
    recipient_phone: str
    zip_code: str
    address1: str
    address2: str
    jibun_address: str
    safe_number_end_date: date | None
    delivery_note: str
    delivery_method: str
    has_memo: bool
    remote_zone: int | None
    remote_surcharge_amount: int | None
    issuing: str
    draft_courier: str | None
    draft_text: str | None


_OF_ORDER = (
    "ordered_at", "buyer_name", "recipient_name", "recipient_phone", "zip_code", "address1", "address2",
    "jibun_address", "safe_number_end_date", "delivery_note", "delivery_method", "has_memo", "remote_zone",
    "remote_surcharge_amount",
)  # fmt: skip
SHIPMENT_PATHS = {
    "shipment_number": "number",
    "number": "order__number",
    "channel_name": "order__channel__name",
    "next_due_at": "ship_by",
    "draft_courier": "draft__courier",
    "draft_text": "draft__text",
} | {name: f"order__{name}" for name in _OF_ORDER}


def courier_choices() -> list[tuple[str, str]]:
    """쓰는 택배사: the couriers of the setting, the default one first; one query."""
    values = get_settings("default_courier", "offered_couriers")
    slugs = dict.fromkeys([values["default_courier"], *values["offered_couriers"]])
    return [(slug, COURIERS[slug].name) for slug in slugs if slug in COURIERS and COURIERS[slug].is_active]


class Marks(NamedTuple):
    """표시에 쓰는 사실 that no column of a shipment holds, and the settings 미집하 표시(시간) and 배송에 걸리는 날.

    One for all lists: a row that a colleague moves is still drawn by the list that it has left.
    """

    is_readdressed: bool = False
    is_packed: bool = False
    no_pickup_hours: Any = NO_PICKUP_HOURS.default
    delivery_days: Any = DELIVERY_DAYS.default


def shipment_tags(group: Group) -> list[cells.Tag]:
    """표시: what staff must see at once, the most pressing first."""
    row, found = group.record, []
    marks = group.fetched.get("tags", Marks())
    if row.has_claim:
        found.append(cells.Tag("취소 신청", DANGER))
    if row.step == ShipmentStep.READY:
        found += _bench_tags(marks)
        found += lock_tags(group)
        found += _issuing_tags(row.issuing)
        found += _deadline_tags(row.next_due_at, group.now)
        found += safe_number_tags(group, days=marks.delivery_days, ship_by=row.next_due_at)
    if row.step == ShipmentStep.SHIPPING:
        found += _tracking_tags(row, group.now, marks.no_pickup_hours)
        found += safe_number_tags(group, days=marks.delivery_days, shipped_at=row.shipped_at)
    if row.step == ShipmentStep.DELIVERED and row.tracking_failed:
        found.append(cells.Tag(DOUBT, DANGER))
    if (orders := len({line.order_id for line in group.lines})) > 1:
        found.append(cells.Tag(f"합포 주문 {orders}건"))
    if row.parcel_count > 1:
        found.append(cells.Tag(f"상자 {row.parcel_count}"))
    found += zone_tags(row)
    if row.has_memo:
        found.append(cells.Tag("메모", MEMO))
    return found


def _issuing_tags(issuing: str) -> list[cells.Tag]:
    """발급 진행: the word before the reason, which stands in the cell of the number."""
    word = issuing.partition(":")[0]
    return [cells.Tag(word, DANGER if word == "발급 실패" else "")] if word else []


def _bench_tags(marks: Marks) -> list[cells.Tag]:
    told = [cells.Tag("주소 변경, 다시 출력", DANGER)] if marks.is_readdressed else []
    return [*told, cells.Tag("포장 완료")] if marks.is_packed else told


def _deadline_tags(ship_by: datetime | None, now: datetime) -> list[cells.Tag]:
    if ship_by is None:
        return []
    late = (kst_date(now) - due_date(ship_by)).days
    if late > 0:
        return [cells.Tag(f"지연 {late}일", LATE)]
    return [cells.Tag("오늘까지", TODAY)] if late == 0 else []


def _tracking_tags(row: Any, now: datetime, no_pickup_hours: int) -> list[cells.Tag]:
    found = []
    if row.tracking_failed or row.stage == TrackingStage.CANCELLED:
        found.append(cells.Tag("추적 오류", DANGER))
    if row.stage in FAILED_STAGES:
        found.append(
            cells.Tag("배달 실패" if row.stage == TrackingStage.ATTEMPT_FAILED else _STAGE[row.stage].label, LATE)
        )
    elif row.first_scan_at is None and row.method in TRACKED:
        is_late = row.shipped_at is not None and row.shipped_at < now - timedelta(hours=no_pickup_hours)
        found.append(cells.Tag("미집하", LATE) if is_late else cells.Tag("집하 대기"))
    if row.last_event_at is not None and row.last_event_at < now - STILL and row.method in TRACKED:
        found.append(cells.Tag("24시간 무변동", LATE))
    if row.method == DeliveryMethod.VISIT:
        days = (kst_date(now) - kst_date(row.shipped_at)).days if row.shipped_at else 0
        found.append(cells.Tag(f"미수령 {days}일", LATE) if days >= UNFETCHED else cells.Tag("수령 대기"))
    return found


def _courier_cell(group: Group, line: Any) -> str:
    return cells.text(courier_name(group.record.courier) if group.record.courier else "")


def _waybill_cell(group: Group, line: Any) -> str:
    """송장: a link to the courier's own page where it has one."""
    row = group.record
    if not row.waybill:
        return cells.text(row.issuing)
    url = tracking_url(row.courier, row.waybill)
    if not url:
        return cells.two_lines(row.waybill, courier_name(row.courier))
    anchor = f'<a href="{cells.escape(url)}" target="_blank" rel="noopener noreferrer">{cells.escape(row.waybill)}</a>'
    return cells.two_lines(SafeString(anchor), courier_name(row.courier))


def _sent_cell(group: Group, line: Any) -> str:
    """송장, or the way in which it left without one."""
    return _waybill_cell(group, line) if group.record.waybill else cells.text(_METHOD[group.record.method])


class EntryCells:
    """송장 입력칸: courier and number of one shipment, with what a colleague typed and did not register yet."""

    def __init__(self, couriers: Sequence[tuple[str, str]]) -> None:
        self.couriers = couriers
        self._options: dict[str, str] = {}

    def courier(self, group: Group, line: Any) -> str:
        """택배사 선택."""
        row = group.record
        if row.method not in TRACKED:
            return cells.text("–")
        usual = (
            "REGISTPOST" if row.method == DeliveryMethod.REGISTERED else self.couriers[0][0] if self.couriers else ""
        )
        chosen = row.draft_courier or row.courier or usual
        if chosen not in self._options:
            self._options[chosen] = self._choices(chosen)
        label = cells.escape(row.shipment_number)
        return SafeString(
            f'<select data-courier aria-label="{label} 택배사" autocomplete="off">{self._options[chosen]}</select>'
        )

    def _choices(self, chosen: str) -> str:
        choices = list(self.couriers)
        if chosen not in dict(choices):
            choices.append((chosen, courier_name(chosen)))
        return format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            ((slug, SafeString(" selected") if slug == chosen else "", name) for slug, name in choices),
        )

    def waybill(self, group: Group, line: Any) -> str:
        """송장번호 입력칸."""
        row = group.record
        if row.method not in TRACKED:
            return cells.text(_METHOD[row.method])
        mark = '<span class="draft-mark">임시</span>' if row.draft_text else ""
        reason = row.issuing.partition(":")[2].strip()
        why = f'<span class="sub">{cells.escape(reason)}</span>' if reason else ""
        number, value = cells.escape(row.shipment_number), cells.escape(row.draft_text or row.waybill)
        return SafeString(
            f'<input type="text" id="waybill-{row.id}" data-waybill="{number}" value="{value}"'
            f' aria-label="{number} 송장번호" inputmode="numeric" autocomplete="off" maxlength="40">{mark}{why}'
        )


def _state_cell(group: Group, line: Any) -> str:
    css, label = shown_state(line)
    return cells.badge(css, label)


def _place_cell(group: Group, line: Any) -> str:
    row = group.record
    if not row.stage:
        return cells.text("조회 전" if row.courier else "")
    stage = _STAGE[row.stage]
    return cells.two_lines(cells.badge(stage.css, stage.label), row.last_event_text, title=row.last_event_text)


def _passed(group: Group, line: Any) -> str:
    shipped_at = group.record.shipped_at
    if shipped_at is None:
        return cells.EMPTY
    days = (kst_date(group.now) - kst_date(shipped_at)).days
    return cells.two_lines(f"{days}일" if days else "오늘", cells.short_time(shipped_at, group.now))


def _when(at: datetime | None, group: Group) -> str:
    return cells.two_lines(cells.short_time(at, group.now), "", title=cells.full_time(at))


SHIPMENT = ListColumn(
    "shipment", "배송번호", lambda g, _: cells.text(g.record.shipment_number), lambda g, _: g.record.shipment_number,
    visible=False, css="nowrap", width=22,
)  # fmt: skip
DEADLINE = replace(order_columns.DEADLINE, sort="ship_by")
METHOD = ListColumn(
    "method", "배송방법", lambda g, _: cells.text(_METHOD[g.record.method]), lambda g, _: _METHOD[g.record.method],
    css="nowrap", width=10,
)  # fmt: skip
METHOD_BESIDE = replace(METHOD, visible=False)
COURIER = ListColumn("courier", "택배사", _courier_cell, lambda g, _: courier_name(g.record.courier), width=12)
WAYBILL = ListColumn("waybill", "송장번호", _waybill_cell, lambda g, _: g.record.waybill, css="nowrap", width=16)
SENT_BY = ListColumn(
    "waybill", "택배사 / 송장", _sent_cell, lambda g, _: g.record.waybill, css="nowrap", width=16,
    more=(ListColumn("courier", "택배사", lambda g, _: "", lambda g, _: courier_name(g.record.courier), width=12),),
)  # fmt: skip
STATE = ListColumn(
    "state", "상태", _state_cell, lambda g, line: shown_state(line)[1], per_line=True, css="nowrap", width=12
)
PLACE = ListColumn(
    "place", "최근 위치", _place_cell, lambda g, _: g.record.last_event_text, css="cut", width=30,
    more=(
        ListColumn(
            "stage", "추적 상태", lambda g, _: "", lambda g, _: _STAGE[g.record.stage].label if g.record.stage else ""
        ),
    ),
)  # fmt: skip
NEWS = ListColumn(
    "news", "최근 변동", lambda g, _: _when(g.record.last_event_at, g), lambda g, _: g.record.last_event_at,
    kind=Kind.DATETIME, css="nowrap", sort="last_event_at", width=19,
)  # fmt: skip
PASSED = ListColumn(
    "passed", "배송시작", _passed, lambda g, _: g.record.shipped_at, kind=Kind.DATETIME, css="nowrap", width=19
)
DELIVERED = ListColumn(
    "delivered", "완료일", lambda g, _: _when(g.record.delivered_at, g), lambda g, _: g.record.delivered_at,
    kind=Kind.DATETIME, css="nowrap", sort="delivered_at", width=19,
)  # fmt: skip
PROOF = ListColumn(
    "proof", "확인 구분", lambda g, _: cells.text(_BY.get(g.record.delivered_by, "")),
    lambda g, _: _BY.get(g.record.delivered_by, ""), css="nowrap", width=12,
)  # fmt: skip
SCANNED = ListColumn(
    "scanned", "집하", lambda g, _: _when(g.record.first_scan_at, g), lambda g, _: g.record.first_scan_at,
    kind=Kind.DATETIME, css="nowrap", width=19,
)  # fmt: skip
LEFT = ListColumn(
    "passed", "배송시작", lambda g, _: _when(g.record.shipped_at, g), lambda g, _: g.record.shipped_at,
    kind=Kind.DATETIME, css="nowrap", width=19, visible=False,
)  # fmt: skip
SCANNED_BESIDE = replace(SCANNED, visible=False)
CONFIRM_BY = ListColumn(
    "confirm_by", "구매확정 예정", lambda g, _: _when(g.record.confirm_by, g), lambda g, _: g.record.confirm_by,
    kind=Kind.DATETIME, css="nowrap", width=19,
)  # fmt: skip
TAGS = ListColumn(
    "tags", "표시", lambda g, _: cells.tags(shipment_tags(g)),
    lambda g, _: ", ".join(tag.label for tag in shipment_tags(g)),
)  # fmt: skip


def _patience(ids: Sequence[int]) -> dict[int, Marks]:
    """미집하 and 안심번호 만료 after so many hours and days; one query."""
    values = get_settings(NO_PICKUP_HOURS.key, DELIVERY_DAYS.key)
    marks = Marks(no_pickup_hours=values[NO_PICKUP_HOURS.key], delivery_days=values[DELIVERY_DAYS.key])
    return dict.fromkeys(ids, marks)


TAGS_ON_THE_WAY = replace(TAGS, fetch=_patience)
