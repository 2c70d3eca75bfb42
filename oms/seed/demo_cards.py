"""데모 카드 주문: orders of our own mall that were paid by card at the sandbox PGs, one with another sum, one not yet.

They come in as the storefront sends them; the relay asks the PGs, and they move by themselves.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from channels.services.limits import due_amount
from channels.services.placing import Incoming
from channels.services.storefront import receive_order
from core.http import Client
from orders.models import SalesChannel
from orders.services.intake import LineDraft, OrderDraft
from orders.states import PaymentMethod
from payments.models import CardCheck, PgAccount
from payments.services.ledger.references import PgPaid
from products.models import Variant

MALL = "mall"


@dataclass(frozen=True, slots=True)
class _Sample:
    """One buyer: where the card was charged, and how many won too little; None: not charged yet."""

    pg: str
    buyer: str
    short: int | None = 0


SAMPLES = (
    _Sample("toss", "한지우"),
    _Sample("portone", "오서아"),
    _Sample("nicepay", "문채린"),
    _Sample("inicis", "남도현"),
    _Sample("toss", "유하진", short=1_000),
    _Sample("portone", "백서윤", short=None),
)


def seed_card_orders(client: Client, *, at: datetime) -> int:
    """카드 주문 접수, once; how many. `client` speaks to the sandbox. Raises HttpProblem."""
    channel = SalesChannel.objects.filter(code=MALL).first()
    sold = Variant.objects.filter(is_active=True, price__gt=1_000).select_related("product")
    variants = list(sold.order_by("pk")[: len(SAMPLES)])
    if channel is None or not variants or CardCheck.objects.exists():
        return 0
    accounts = set(PgAccount.objects.filter(is_active=True).values_list("code", flat=True))
    made = 0
    for place, sample in enumerate(SAMPLES, start=1):
        if sample.pg in accounts:
            _receive(client, channel, sample, variants[place % len(variants)], place=place, at=at)
            made += 1
    return made


def _receive(
    client: Client, channel: SalesChannel, sample: _Sample, variant: Variant, *, place: int, at: datetime
) -> None:
    order_ref = f"DEMO-{at:%Y%m%d%H%M%S}-{place}"
    draft = OrderDraft(
        channel_number=order_ref,
        ordered_at=at - timedelta(minutes=place),
        buyer_name=sample.buyer,
        recipient_name=sample.buyer,
        address1="서울 중구 세종대로 110",
        payment_method=PaymentMethod.CARD,
        lines=(
            LineDraft(
                product_name=variant.product.name,
                option_name=variant.option_text,
                quantity=1,
                unit_price=variant.price,
                variant_id=variant.pk,
            ),
        ),
        awaits_pg=True,
    )
    key = ""
    if sample.short is not None:
        charged = {
            "pg": sample.pg,
            "order_ref": order_ref,
            "amount": due_amount(draft) - sample.short,
            "method": "CARD",
            "buyer": sample.buyer,
            "title": variant.product.name,
        }
        answer = client.request("POST", "/control/payments", json=charged).json()
        key = "" if sample.pg == "portone" else str(answer["payment_ref"])
    paid = PgPaid(account=sample.pg, order_ref=order_ref, payment_ref=key)
    with transaction.atomic():
        receive_order(channel=channel, incoming=Incoming(draft), at=at, paid=paid)
