"""입금자 보기 and one deposit for several orders: what staff who match by hand must see, and what is not said."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AccessLog
from accounts.roles import Role
from payments.models import BankDeposit, DepositCandidate, LedgerEntry
from payments.services.deposits.allocating import allocate
from payments.states import DepositReason
from tests.fixtures.answers import text_of
from tests.fixtures.orders import reloaded

URL = "/payments/deposits/"
HX = {"HX-Request": "true"}


@pytest.fixture
def unclear(make_order, came_in, matched):
    """A deposit whose name is like that of an order, which it may be for; (deposit, order)."""
    at = timezone.now() - timedelta(hours=2)
    order = make_order(price=50_000, at=at, depositor_name="남궁다섯", buyer_name="홍구매")
    deposit = came_in(50_000, "남궁다섯엄마", at=at + timedelta(hours=1))
    matched(at=at + timedelta(hours=1))
    return reloaded(deposit), order


@pytest.fixture
def several(make_order, came_in, matched):
    """A deposit of 33,000 won for orders of 20,000 and 13,000; (deposit, orders)."""
    at = timezone.now() - timedelta(hours=2)
    orders = [make_order(price=won, at=at, depositor_name="박합계", buyer_name="박합계") for won in (20_000, 13_000)]
    deposit = came_in(33_000, "박합계", at=at + timedelta(hours=1))
    matched(at=at + timedelta(hours=1))
    return reloaded(deposit), orders


def everything(deposit):
    return list(BankDeposit.objects.values()), list(DepositCandidate.objects.values()), LedgerEntry.objects.count()


def test_who_matches_sees_the_names_for_a_reason_that_is_logged_first(unclear, sign_in):
    deposit, order = unclear
    client, url, before = sign_in(Role.FINANCE), f"{URL}{deposit.pk}/names/", everything(deposit)
    page = client.get(f"{URL}{deposit.pk}/").content.decode()
    assert f'hx-get="{url}"' in page
    for name in ("남궁다섯", "홍구매"):
        assert name not in page
    assert "입금자와 후보 주문의 이름을 30초 동안 표시합니다." in text_of(client.get(url, headers=HX))
    for reason in ("", "왜"):
        refused = client.post(url, {"reason": reason}, headers=HX)
        assert refused.status_code == 422
        assert "남궁다섯" not in refused.content.decode()
    assert not AccessLog.objects.filter(action="VIEW").exists()
    shown = client.post(url, {"reason": "입금자 확인 전화"}, headers=HX)
    assert shown["Cache-Control"] == "no-store"
    for name in ("남궁다섯엄마", "남궁다섯 · 홍구매", order.number):
        assert name in text_of(shown)
    log = AccessLog.objects.get(action="VIEW")
    assert (log.purpose, log.subjects) == ("입금자 확인 전화", [order.number])
    assert log.detail == {"fields": ["depositor", "memo", "payer"], "deposit": deposit.pk}
    assert client.get(f"{url}?hide").content == b""
    assert everything(deposit) == before


@pytest.mark.parametrize("role", [role for role in Role if role not in {Role.OWNER, Role.FINANCE}])
def test_nobody_else_sees_them_and_the_try_is_logged(unclear, sign_in, role):
    deposit, _ = unclear
    client, before = sign_in(role), everything(deposit)
    answer = client.post(f"{URL}{deposit.pk}/names/", {"reason": "입금자 확인 전화"}, headers=HX)
    assert answer.status_code == 403
    assert "남궁다섯" not in answer.content.decode()
    assert [log.action for log in AccessLog.objects.all()] == ["DENIED"]
    assert everything(deposit) == before
    assert "deposit-names" not in client.get(f"{URL}{deposit.pk}/").content.decode()


def test_a_deposit_that_is_gone_is_not_found(sign_in, db):
    assert sign_in(Role.FINANCE).get(f"{URL}999999/names/").status_code == 404
    assert not AccessLog.objects.exists()


def test_a_sum_that_fits_exactly_is_never_called_too_much(several, sign_in):
    deposit, orders = several
    assert deposit.reason == DepositReason.SEVERAL_ORDERS
    words = list(DepositCandidate.objects.filter(deposit=deposit).values_list("is_summand", "words"))
    assert [is_summand for is_summand, _ in words] == [True, True]
    for _, one in words:
        assert one.startswith("주문 2건 합계 같음 · ")
    client = sign_in(Role.FINANCE)
    for page in (client.get(f"{URL}{deposit.pk}/"), client.get(f"{URL}?tab=manual"), client.get(f"{URL}?tab=all")):
        assert "초과" not in text_of(page).replace("초과입금", "")
        assert "부족" not in text_of(page)


def test_the_numbers_of_several_orders_stand_one_under_the_other(several, sign_in, staff):
    deposit, orders = several
    allocate(
        deposit_id=deposit.pk, order_ids=[one.pk for one in orders], actor=staff, at=timezone.now(),
        seen_version=deposit.version,
    )  # fmt: skip
    page = sign_in(Role.FINANCE).get(f"{URL}?tab=all").content.decode()
    first, second = (f'<a class="number" href="/orders/{one.number}/">{one.number}</a>' for one in orders)
    assert f"{first}<br>{second}" in page
