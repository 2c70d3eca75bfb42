"""데모 카드 주문: they come in as a storefront sends them and are credited by the sandbox PGs alone."""

import pytest
from django.utils import timezone

from core import drains
from oms.seed import demo_pgs
from oms.seed.demo_cards import SAMPLES, seed_card_orders
from orders.models import Order
from orders.states import LineState
from payments.models import CardCheck, LedgerEntry, MoneyProblem, Payment
from tests.fixtures.orders import broken

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def made(pg_shop, channel, make_variant):
    for pg in ("toss", "portone", "nicepay", "inicis"):
        pg_shop.account(pg)
    make_variant(on_hand=100, price=20_000)
    client = pg_shop.pgs.client("toss")
    client = type(client)(pg_shop.pgs.base_url, allow_loopback=True)
    return client, seed_card_orders(client, at=timezone.now())


def test_people_see_confirmed_ones_a_case_and_one_that_waits(made, pg_shop):
    client, count = made
    assert count == len(SAMPLES) == Order.objects.count()
    assert not LedgerEntry.objects.exists()
    drains.run_all()
    pg_shop.heard()
    stages = list(Order.objects.order_by("pk").values_list("stage", flat=True))
    assert stages == [LineState.PREPARING] * 4 + [LineState.AWAITING_PAYMENT] * 2
    assert MoneyProblem.objects.get().payment.order == Order.objects.order_by("pk")[4]
    assert {one.account.code for one in Payment.objects.select_related("account")} == {one.pg for one in SAMPLES}
    assert broken() == []


def test_a_second_start_adds_none(made):
    client, _ = made
    assert seed_card_orders(client, at=timezone.now()) == 0
    assert Order.objects.count() == len(SAMPLES)


def test_the_demo_has_them_when_its_sandbox_runs(pg_shop, channel, make_variant, monkeypatch):
    make_variant(on_hand=100, price=20_000)
    monkeypatch.setenv(demo_pgs.URL_SETTING, pg_shop.pgs.base_url)
    said = []
    for _ in range(2):
        demo_pgs.connect_pgs(port=1, at=timezone.now(), say=said.append)
    assert said == []
    assert CardCheck.objects.count() == len(SAMPLES)
    drains.run_all()
    assert Order.objects.filter(stage=LineState.PREPARING).count() == 4
    for pg in ("toss", "portone", "nicepay", "nicepay-form", "inicis"):
        pg_shop.pgs.shop(pg, notice_url="")
