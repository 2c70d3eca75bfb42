"""The sample shop: right by every invariant, the same for the same seed, with the shares that domain.md 4.7 names."""

import re
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import User
from core.calendar import KST
from core.invariants import find_violations
from core.models import DailyCounter
from core.money import split
from core.settings_registry import get_setting, set_setting
from oms.seed.demo import prepare_demo
from oms.seed.plan import plan_for
from oms.seed.shop import seed_shop
from orders.models import BenefitEntry, Order, OrderEvent, OrderLine, OrderSearch
from orders.search import search_row
from orders.services.verdicts import rejudge_stale
from orders.states import BenefitAct, BenefitKind, LineState
from payments.models import BankAccount, LedgerEntry
from products.models import Product
from sandbox.courier.carriers import is_demo_number, number_error
from shipping.couriers import COURIERS
from shipping.models import (
    Parcel,
    ParcelLine,
    Shipment,
    ShippingException,
    TrackingAccount,
    TrackingEvent,
    TrackingPoll,
    WaybillDraft,
)
from shipping.services.polling.polls import SOURCE
from shipping.services.shipments import undeliver
from shipping.services.tracking.asking import poll_due
from shipping.states import ParcelState
from shipping.waybills import WaybillLevel, check_waybill

AT = datetime(2026, 9, 21, 15, 30, tzinfo=KST)
S = LineState
NUMBERED = (
    "orders_order", "orders_orderline", "orders_orderevent", "orders_linelock", "orders_staffmemo",
    "orders_benefitentry", "payments_payment", "payments_ledgerentry", "products_stockmovement",
    "shipping_shipment", "shipping_shipmentline", "shipping_parcel", "shipping_parcelline", "shipping_trackingevent",
)  # fmt: skip
"""Tables whose ids a load gives out by hand."""


def seed(orders: int, *, seed: int = 1, at: datetime = AT, **more: object) -> list[str]:
    """Seed a shop; what it said."""
    said: list[str] = []
    seed_shop(plan_for(orders=orders, seed=seed, at=at), say=said.append, **more)
    return said


def rows(sql: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


# Ids of master data come from sequences, which a rollback does not turn back.
_DIGEST = """
SELECT md5(string_agg(md5(t::text), '' ORDER BY t::text)) FROM (
    SELECT 'line ' || concat_ws('|', number, state, version, product_name, option_name, quantity, unit_price,
        discount_share, coupon_share, points_share, shipping_share, stock_verdict, hold_reason, open_locks, paid_at,
        acknowledged_at, ready_at, standby_at, picked_up_at, shipped_at, delivered_at, confirmed_at, canceled_at,
        ship_by, created_at) FROM orders_orderline
    UNION ALL SELECT 'order ' || concat_ws('|', number, channel_number, buyer_name, buyer_phone, recipient_name,
        zip_code, address1, address2, delivery_note, payment_method, due_amount, paid_amount, steps, stage, version,
        ordered_at, created_at) FROM orders_order
    UNION ALL SELECT 'event ' || concat_ws('|', at, kind, subject, version, from_state, to_state, source, reason)
        FROM orders_orderevent WHERE subject NOT IN ('product', 'stock')
    UNION ALL SELECT 'parcel ' || concat_ws('|', id, courier, waybill, state, stage, last_event_at) FROM shipping_parcel
    UNION ALL SELECT 'stock ' || concat_ws('|', v.sku, s.on_hand, s.demand, s.allocated)
        FROM products_stocklevel s JOIN products_variant v ON v.id = s.variant_id
) x(t)
"""


class Undone(Exception):
    """Rolls a savepoint back."""


def digest(orders: int, number: int) -> str:
    found = ""
    try:
        with transaction.atomic():
            seed(orders, seed=number)
            found = rows(_DIGEST)[0][0]
            raise Undone
    except Undone:
        return found


@pytest.mark.parametrize("orders", [500, 2000])
def test_a_seeded_shop_breaks_no_invariant(db, orders):
    said = seed(orders)
    assert find_violations() == []
    assert Order.objects.count() == orders
    assert Product.objects.count() == 300
    assert said[0] == f"주문 {orders:,}건을 만듭니다. 기간 120일, 시드 1."
    assert re.fullmatch(rf"주문 {orders:,}건을 만들었습니다. \d+초 걸렸습니다.", said[-1])


def test_the_same_seed_makes_the_same_shop_and_another_seed_another(db, staff):
    first = digest(500, 1)
    assert Order.objects.count() == 0
    assert digest(500, 1) == first
    assert digest(500, 2) != first


@pytest.mark.parametrize("number", [1, 7, 4_000_000_007])
def test_the_shares_are_those_of_a_real_shop(db, number):
    seed(2000, seed=number)
    total, lines = Order.objects.count(), OrderLine.objects.count()
    assert 2.3 <= lines / total <= 2.7
    unpaid = Order.objects.filter(stage__in=[S.AWAITING_PAYMENT, S.CANCELED_UNPAID]).count()
    assert 0.15 <= unpaid / total <= 0.25
    assert Order.objects.filter(line_count__gt=1).count() / total >= 0.30
    assert 0.04 <= len(rows(_MIXED)) / total <= 0.14
    held = OrderEvent.objects.filter(kind="line.held").values("order_id").distinct().count()
    assert 0.01 <= held / total <= 0.03
    parcels = Parcel.objects.values_list("shipment_id").distinct().count()
    assert 0.004 <= (Parcel.objects.count() - parcels) / parcels <= 0.025
    assert {"CJGLS", "HANJIN", "HYUNDAI", "KGB", "EPOST"} == set(Parcel.objects.values_list("courier", flat=True))
    for state in (*S.values[:6], S.CANCELED_UNPAID):
        assert OrderLine.objects.filter(state=state).exists(), state


_MIXED = "SELECT order_id FROM orders_orderline GROUP BY order_id HAVING count(DISTINCT state) > 1"


def test_the_seed_has_the_people_and_the_notes_that_files_stumble_over(db):
    seed(2000)
    for condition in (
        "recipient_name LIKE '% %'", "recipient_name LIKE '(주)%'", "recipient_phone LIKE '0507%'",
        "recipient_phone !~ '^0'", "zip_code LIKE '0%'", "address1 LIKE '제주%'", "address1 LIKE '%울릉군%'",
        "delivery_note LIKE '=cmd%'", "delivery_note LIKE E'%\\n%'", "delivery_note LIKE '%\"%'",
        "delivery_note ~ '🐶'", "depositor_name NOT IN ('', buyer_name)",
    ):  # fmt: skip
        assert rows(f"SELECT 1 FROM orders_order WHERE {condition} LIMIT 1"), condition
    assert rows("SELECT 1 FROM orders_order WHERE zip_code !~ '^[0-9]{5}$'") == []
    assert rows("SELECT 1 FROM orders_order GROUP BY buyer_phone HAVING count(*) > 1 LIMIT 1")
    moved = "SELECT 1 FROM orders_order GROUP BY recipient_phone, address1 HAVING count(DISTINCT address2) > 1 LIMIT 1"
    assert rows(moved)


def test_every_waybill_is_right_by_its_couriers_rule_and_known_to_the_sandbox(db):
    seed(2000)
    parcels = list(Parcel.objects.values_list("courier", "waybill"))
    assert len(set(parcels)) == len(parcels)
    for slug, waybill in parcels:
        courier = COURIERS[slug]
        assert check_waybill(waybill, courier).level is WaybillLevel.OK, (slug, waybill)
        assert is_demo_number(courier.code(SOURCE), waybill), (slug, waybill)
        assert number_error(courier.code(SOURCE), waybill) == ""


def test_search_rows_shares_and_verdicts_are_those_of_the_services(db):
    seed(500)
    stored = OrderSearch.objects.in_bulk()
    names = ("names", "address", "buyer_tail", "recipient_tail")
    for order in Order.objects.all():
        fresh, row = search_row(order), stored[order.pk]
        assert [getattr(row, name) for name in names] == [getattr(fresh, name) for name in names]
    for order in Order.objects.filter(line_count__gt=1)[:200]:
        lines = list(order.lines.order_by("seq"))
        weights = [line.amount for line in lines]
        assert [line.discount_share for line in lines] == split(order.discount_amount, weights)
        assert [line.coupon_share for line in lines] == split(order.coupon_amount, weights)
        assert [line.points_share for line in lines] == split(order.points_amount, weights)
        assert [line.shipping_share for line in lines] == split(order.shipping_fee_amount, weights)
    assert rejudge_stale() == 0


def test_numbers_go_on_behind_the_seeded_ones(db):
    seed(500)
    for day, last in DailyCounter.objects.filter(series="order").values_list("day", "last"):
        assert Order.objects.filter(number__startswith=f"{day:%Y%m%d}-").count() == last
    line = OrderLine.objects.order_by("-pk").first()
    highest = OrderEvent.objects.order_by("-pk").first()
    assert rows("SELECT nextval(pg_get_serial_sequence('orders_orderline', 'id'))")[0][0] > line.pk
    assert rows("SELECT nextval(pg_get_serial_sequence('orders_orderevent', 'id'))")[0][0] > highest.pk


def test_events_are_numbered_in_the_order_of_time(db):
    seed(500)
    assert rows("SELECT 1 FROM (SELECT at, lag(at) OVER (ORDER BY id) AS before FROM orders_orderevent"
                " WHERE subject NOT IN ('product', 'stock')) e WHERE at < before") == []  # fmt: skip
    assert rows("SELECT 1 FROM orders_orderevent WHERE at > '2026-09-21T15:30+09:00'") == []


def test_a_shop_with_orders_is_refused_and_nothing_changes(db):
    seed(500)
    before = rows(_DIGEST)
    with pytest.raises(CommandError, match="이미 주문이 500건 있습니다"):
        call_command("oms_seed", "--orders=500", "--seed=2", stdout=StringIO())
    assert rows(_DIGEST) == before


def test_append_adds_to_the_orders_that_are_there(db):
    seed(500)
    seed(500, seed=2, at=AT + timedelta(hours=1), append=True)
    assert Order.objects.count() == 1000
    assert Product.objects.count() == 300
    assert rows("SELECT state FROM orders_delivery WHERE state = 'PENDING'") == []
    assert find_violations() == []


def test_append_takes_no_id_that_somebody_drew_meanwhile(db):
    """A clerk of the running shop has drawn an id and not yet written its row."""
    seed(500)
    drawn = {table: rows(f"SELECT nextval(pg_get_serial_sequence('{table}', 'id'))")[0][0] for table in NUMBERED}
    seed(500, seed=2, at=AT + timedelta(hours=1), append=True)
    for table, taken in drawn.items():
        assert rows(f"SELECT count(*) FROM {table} WHERE id = {taken}") == [(0,)], table
        assert rows(f"SELECT nextval(pg_get_serial_sequence('{table}', 'id')) > max(id) FROM {table}") == [(True,)]


def _schema() -> list[tuple]:
    """Every constraint, index and trigger; without the casts that PostgreSQL writes elsewhere the second time."""
    found = rows(
        "SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c"
        " WHERE c.connamespace = 'public'::regnamespace UNION ALL"
        " SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL"
        " SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal"
        " ORDER BY 1, 2, 3"
    )
    return [(table, name, re.sub(r"::(character varying|text)(\[\])?|[()]", "", text)) for table, name, text in found]


def test_a_large_load_puts_every_index_and_constraint_back(db):
    before = _schema()
    seed(500, strip=True)
    assert _schema() == before
    assert find_violations() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--orders=0"], "주문 수는 1부터"),
        (["--orders=10", "--days=1"], "기간은 2일부터"),
        (["--orders=10", "--at=2999-01-01"], "앞날의 주문은"),
    ],
)
def test_wrong_options_are_refused_in_korean(db, options, message):
    with pytest.raises(CommandError, match=message):
        call_command("oms_seed", *options, stdout=StringIO())
    assert not Order.objects.exists()


def test_the_demo_has_work_in_every_step_and_is_made_once(db):
    call_command("oms_demo", stdout=StringIO())
    assert find_violations() == []
    for state in (*S.values[:6], S.CANCELED_UNPAID):
        assert OrderLine.objects.filter(state=state).count() >= 5, state
    open_lines = OrderLine.objects.filter(state__in=[S.PREPARING, S.READY])
    assert open_lines.filter(open_locks__bit=2).exists()
    assert open_lines.filter(variant=None).exists()
    assert Order.objects.filter(next_due_at__lt=Order.objects.latest("created_at").created_at).exists()
    assert WaybillDraft.objects.count() >= 5
    account = TrackingAccount.objects.get(code=SOURCE)
    assert (account.is_sandbox, account.speed) == (True, 300)
    assert BankAccount.objects.get().is_active
    on_the_way = Parcel.objects.filter(state=ParcelState.HANDED_OVER)
    assert on_the_way.count() >= 10
    asked = TrackingPoll.objects.filter(is_active=True).values_list("parcel_id", flat=True)
    assert set(asked) == set(on_the_way.values_list("pk", flat=True))
    before = rows(_DIGEST)
    call_command("oms_demo", stdout=StringIO())
    assert rows(_DIGEST) == before


def test_the_demo_begins_with_boxes_that_went_wrong(db):
    prepare_demo(at=AT, say=lambda text: None)
    kinds = sorted(ShippingException.objects.filter(closed_at=None).values_list("kind", flat=True))
    assert kinds == ["ADDRESS", "LOST", "RETURNED"]
    back = Parcel.objects.get(state=ParcelState.RETURNED)
    told = TrackingEvent.objects.filter(parcel=back).order_by("seq")
    assert [row.raw_name for row in told] == ["집화처리", "간선상차", "반송", "반송완료"]
    assert all(back.handed_over_at < row.at < AT for row in told)
    assert set(ParcelLine.objects.filter(parcel=back).values_list("line__state", flat=True)) == {S.SHIPPING}
    assert find_violations() == []


def test_the_demo_leads_buyers_to_its_own_port_until_staff_say_otherwise(db):
    for port in (8000, 8190):
        call_command("oms_demo", f"--port={port}", stdout=StringIO())
        assert get_setting("public_url") == f"http://127.0.0.1:{port}"
    for chosen in ("https://shop.example", ""):
        set_setting(key="public_url", value=chosen, actor=None, at=AT)
        call_command("oms_demo", "--port=8000", stdout=StringIO())
        assert get_setting("public_url") == chosen


def test_the_demo_is_refused_outside_a_demo(db, settings):
    settings.OMS_ENV = "production"
    with pytest.raises(CommandError, match="데모 환경"):
        call_command("oms_demo", stdout=StringIO())
    assert not Order.objects.exists()
    assert not TrackingAccount.objects.exists()
    assert not LedgerEntry.objects.exists()


def test_parcels_of_the_demo_arrive_by_themselves(transactional_db, tracker):
    now = datetime.now(KST).replace(microsecond=0)
    prepare_demo(at=now, say=lambda text: None)
    TrackingAccount.objects.update(base_url=tracker.base_url)
    waiting = Shipment.objects.filter(step="SHIPPING").count()
    # The sandbox of the tests runs at the speed of life: its clock is put forward instead.
    for minutes, hours in ((3, 0), (9, 30), (20, 30), (40, 30)):
        tracker.control("clock", advance=hours * 3600)
        while poll_due(at=now + timedelta(minutes=minutes)):
            pass
    # Some numbers tell of a refused parcel; all others have arrived.
    left = Shipment.objects.filter(step="SHIPPING")
    assert waiting >= 10
    assert left.count() <= waiting * 0.3
    assert find_violations("INV-01", "INV-07", "INV-09") == []


def test_a_delivery_of_the_demo_that_staff_take_back_has_every_scan_once(transactional_db, tracker, monkeypatch):
    monkeypatch.setenv("OMS_TRACKER_DELIVERY_BASE_URL", tracker.base_url)
    now = datetime.now(KST).replace(microsecond=0)
    prepare_demo(at=now, say=lambda text: None)
    told = Parcel.objects.filter(state=ParcelState.DELIVERED, tracking_events__isnull=False, courier="CJGLS")
    parcel = told.order_by("-pk").first()
    before = list(TrackingEvent.objects.filter(parcel=parcel).order_by("seq").values_list("raw_text", "at"))
    assert [text for text, _ in before] == ["운송장 등록", "집화처리", "간선상차", "배송출발", "배송완료"]
    lines = OrderLine.objects.filter(shipment_items__shipment=parcel.shipment_id)
    staff = User.objects.get(username="owner")
    taken = undeliver(line_ids=lines.values_list("pk", flat=True), actor=staff, at=now, reason="미수령")
    assert taken.moved
    TrackingPoll.objects.filter(parcel=parcel).update(next_poll_at=now)
    while poll_due(at=now + timedelta(minutes=1)):
        pass
    assert TrackingPoll.objects.get(parcel=parcel).last_ok_at is not None
    assert list(TrackingEvent.objects.filter(parcel=parcel).order_by("seq").values_list("raw_text", "at")) == before


def test_a_seeded_parcel_that_is_asked_about_again_has_every_scan_once(transactional_db, tracker):
    seed(400, seed=3)
    tracker.control("config", is_demo=False)
    tracker.control("clock", now=AT.isoformat())
    TrackingAccount.objects.create(code=SOURCE, name="배송조회", base_url=tracker.base_url, is_sandbox=True)
    polls = TrackingPoll.objects.filter(courier="CJGLS", parcel__tracking_events__isnull=False).distinct()
    parcels = list(polls.values_list("parcel_id", "waybill"))
    assert len(parcels) >= 3
    for pk, number in parcels:
        told = TrackingEvent.objects.filter(parcel=pk).order_by("seq")
        timeline = [
            {"at": one.at.isoformat(), "code": one.raw_code, "name": one.raw_text, "place": one.place} for one in told
        ]
        tracker.control("parcels", carrier="kr.cjlogistics", number=number, timeline=timeline)
    before = list(TrackingEvent.objects.order_by("pk").values_list("pk", "parcel_id", "seq", "fingerprint"))
    TrackingPoll.objects.update(next_poll_at=AT)
    assert poll_due(at=AT, limit=4 * len(parcels)) >= len(parcels)
    assert TrackingPoll.objects.filter(parcel__in=[pk for pk, _ in parcels]).exclude(last_hash="").count() == len(
        parcels
    )
    assert list(TrackingEvent.objects.order_by("pk").values_list("pk", "parcel_id", "seq", "fingerprint")) == before


def test_the_seed_books_coupons_and_points_and_gives_them_back_where_orders_ended_unpaid(db):
    seed(3000)
    with_coupon, with_points = Order.objects.filter(coupon_amount__gt=0), Order.objects.filter(points_amount__gt=0)
    used = BenefitEntry.objects.filter(act=BenefitAct.USED)
    assert used.count() == with_coupon.count() + with_points.count() > 400
    ended = with_coupon.filter(stage=LineState.CANCELED_UNPAID)
    restored = BenefitEntry.objects.filter(act=BenefitAct.RESTORED, kind=BenefitKind.COUPON)
    assert set(restored.values_list("order", flat=True)) == set(ended.values_list("pk", flat=True)) != set()
    told = OrderEvent.objects.filter(kind="line.canceled_unpaid", order__in=ended)
    assert sum(one.data["benefits"]["coupon"] for one in told if one.data) == sum(
        ended.values_list("coupon_amount", flat=True)
    )
