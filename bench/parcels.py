"""Thousands of parcels on their way, for bench/transit.py: made by the shop's own services, many to a call."""

from collections.abc import Mapping
from datetime import datetime

from django.db import connection, transaction

from bench.day import Life, life_of
from core.chunks import batched
from core.models import Source
from orders.models import OrderLine, SalesChannel
from orders.services.intake import LineDraft, OrderDraft, create_orders
from orders.states import DeliveryMethod, PaymentMethod
from payments.services.ledger.openings import open_payments
from products.services import stock
from products.services.catalog import create_products
from products.services.drafts import ProductDraft, VariantDraft
from shipping.couriers import COURIERS
from shipping.models import Parcel, Shipment
from shipping.rollup import roll_up_shipments
from shipping.services import shipments
from shipping.services.numbers import waybills
from shipping.services.numbers.waybills import WaybillEntry
from shipping.services.polling import polls
from shipping.services.polling.polls import moment
from shipping.waybills import body_digits_of, number_of

CHUNK = 500
PREFIX = "6"
_LEAVE = """
    WITH told AS (
        SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
            AS t(parcel_id, left_at, next_poll_at)),
    boxes AS (
        UPDATE shipping_parcel p SET handed_over_at = t.left_at FROM told t WHERE p.id = t.parcel_id
        RETURNING p.id, p.shipment_id, t.left_at, t.next_poll_at),
    lines AS (
        UPDATE orders_orderline l SET shipped_at = b.left_at FROM boxes b
        JOIN shipping_shipmentline i ON i.shipment_id = b.shipment_id AND i.is_live WHERE l.id = i.line_id)
    UPDATE shipping_trackingpoll o SET next_poll_at = b.next_poll_at FROM boxes b WHERE o.parcel_id = b.id
"""


def make_parcels(count: int, *, at: datetime) -> dict[int, int]:
    """상자 보내기: so many parcels in 배송중, one order each, that leave when their lives say so.

    Returns the keys of the lives (bench/day.py) by the ids of the parcels.
    """
    channel = SalesChannel.objects.get_or_create(code="bench", defaults={"name": "측정"})[0]
    variant = _goods(count, at=at)
    entries = {key: _entry(key) for key in range(1, count + 1)}
    for some in batched(entries, CHUNK):
        _send(channel, variant, {key: entries[key] for key in some}, at=at)
    keys = {entry.waybill: key for key, entry in entries.items()}
    rows = list(Parcel.objects.order_by("pk").values_list("pk", "shipment_id", "waybill"))
    for part in batched(rows, 2_000):
        _leave({pk: life_of(keys[number]) for pk, _, number in part})
        roll_up_shipments([shipment_id for _, shipment_id, _ in part])
    return {pk: keys[number] for pk, _, number in rows}


def _goods(count: int, *, at: datetime) -> int:
    """A variant with enough on hand."""
    one = VariantDraft(option_values=("하나",), price=10_000, sku="BENCH-1")
    [made] = create_products(
        drafts=[ProductDraft(code="BENCH", name="측정 상품", option_names=("색상",), variants=(one,))],
        at=at,
        actor=None,
    )
    pk = made.variants.get().pk
    stock.receive(units={pk: count}, at=at, actor=None, reason="기초 재고", reference="opening", is_opening=True)
    return int(pk)


def _send(channel: SalesChannel, variant: int, entries: Mapping[int, WaybillEntry], *, at: datetime) -> None:
    drafts = [_draft(n, variant, at) for n in entries]
    with transaction.atomic():
        orders = list(
            create_orders(channel=channel, drafts=drafts, actor=None, at=at, source=Source.API).created.values()
        )
        open_payments(orders=orders, at=at)
    lines = list(OrderLine.objects.filter(order__in=orders).values_list("pk", flat=True))
    _all_well(shipments.make_ready(line_ids=lines, actor=None, at=at).refused)
    ids = Shipment.objects.filter(order__in=orders).order_by("pk").values_list("pk", flat=True)
    numbers = dict(zip(ids, entries.values(), strict=True))
    _all_well(waybills.register_waybills(entries=numbers, actor=None, at=at).refused)
    _all_well(shipments.ship(line_ids=lines, actor=None, at=at).refused)


def _all_well(refused: dict[int, str]) -> None:
    if refused:
        raise SystemExit(f"the shop refused: {next(iter(refused.values()))}")


def _draft(n: int, variant: int, at: datetime) -> OrderDraft:
    line = LineDraft(product_name="측정 상품", quantity=1, unit_price=10_000, option_name="하나", variant_id=variant,
                     channel_product="BENCH")  # fmt: skip
    return OrderDraft(
        channel_number=f"B{n:08d}", ordered_at=at, buyer_name="홍길동", buyer_phone="01000000000",
        recipient_name="김수령", recipient_phone="01000000000", zip_code="04524", address1="서울 중구 세종대로 110",
        payment_method=PaymentMethod.CARD, delivery_method=DeliveryMethod.PARCEL, lines=(line,),
    )  # fmt: skip


def _entry(key: int) -> WaybillEntry:
    slug = life_of(key).courier
    digits = body_digits_of(COURIERS[slug], PREFIX)
    return WaybillEntry(slug, number_of(COURIERS[slug], prefix=PREFIX, body_digits=digits, body=key))


def _leave(lives: Mapping[int, Life]) -> None:
    """Each parcel leaves at the moment of its life and is first asked about as the planner says."""
    left = [moment(one.left_at) for one in lives.values()]
    first = [polls.first_poll(at=at, parcel_id=pk) for pk, at in zip(lives, left, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_LEAVE, [list(lives), left, first])
